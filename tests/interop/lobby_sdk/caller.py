# SPDX-License-Identifier: MIT
"""A bot for the published SDK: checks and calls, and at times goes all in so that matches end."""
import json
import os

from chipzen import Action, Bot


class Caller(Bot):
    def __init__(self):
        self.seen = {"decisions": 0, "cards": 0, "starts": 0, "hands": 0, "results": 0}

    def on_match_start(self, match_info):
        self.seen["starts"] += 1

    def on_round_result(self, message):
        self.seen["hands"] += 1

    def on_turn_result(self, message):
        self.seen["results"] += 1

    def decide(self, state):
        self.seen["decisions"] += 1
        self.seen["cards"] += len(state.hole_cards) == 2
        assert state.pot > 0 and len(state.board) in (0, 3, 4, 5), state
        if "raise" in state.valid_actions and self.seen["decisions"] % 12 == 0:
            return Action.raise_to(state.max_raise)
        return Action.check() if "check" in state.valid_actions else Action.call()

    def on_match_end(self, results):
        with open(os.environ["BOT_REPORT"], "w", encoding="utf-8") as report:
            json.dump({"seen": self.seen, "end": results}, report)
