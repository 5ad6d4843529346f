// SPDX-License-Identifier: MIT
#include "replay.hpp"

#include "dispatcher.hpp"
#include "games.hpp"
#include "match.hpp"

#include <string>
#include <utility>
#include <vector>

namespace lobby_program {

namespace {

class Printer final : public MatchSink {
 public:
  explicit Printer(std::ostream& out) : out_(out) {}
  void send(std::size_t seat, std::string_view frame) override {
    out_ << seat << ' ' << frame << '\n';
  }
  void close(std::size_t seat, std::uint16_t code, std::string_view) override {
    out_ << seat << " close " << code << '\n';
  }

 private:
  std::ostream& out_;
};

}  // namespace

bool print_replay(const StoredMatch& match, std::ostream& out, std::string& problem) {
  const auto record = MatchRecord::from_json(match.record);
  std::unique_ptr<Game> game = make_game(match.game, rules_from_json(match.rules));
  if (!record || game == nullptr) {
    problem = "match " + match.id + " has a record that cannot be read";
    return false;
  }
  if (!record->is_complete()) {
    problem = "match " + match.id + " was too long to be recorded whole";
    return false;
  }
  std::vector<Match::Seat> seats;
  for (const StoredMatch::Player& player : match.players) {
    seats.push_back({player.participant_id, player.name});
  }
  Printer printer{out};
  const auto outcome = replay(match.id, match_config_from_json(match.config), std::move(game),
                              std::move(seats), match.seed, *record, printer);
  if (!outcome || to_string(outcome->status) != match.status) {
    problem = "match " + match.id + " does not end as it did";
    return false;
  }
  return true;
}

}  // namespace lobby_program
