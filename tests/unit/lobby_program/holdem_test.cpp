// SPDX-License-Identifier: MIT
// Hold'em as a game: hands in a row, what each seat is told, and how it ends.
#include "holdem.hpp"

#include "digest.hpp"
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace lobby_program;

namespace {

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

struct Played {
  std::vector<Event> events;
  std::size_t turns = 0;
  GameResult result;
};

using Chooser = std::function<Action(Holdem& game, const Turn& turn)>;

/// Plays to the end, and checks at each step what must always hold.
Played play(HoldemConfig config, const Seed& seed, const Chooser& choose) {
  Holdem game{config};
  game.init(seed, 2);
  Played played;
  for (;;) {
    Step step = game.next();
    if (std::holds_alternative<End>(step)) break;
    if (auto* event = std::get_if<Event>(&step)) {
      REQUIRE(event->content.size() == 2);
      if (event->kind == Event::Kind::round_result) {
        const Json& result = event->content[0];
        REQUIRE(result["stacks"][0].get<std::int64_t>() + result["stacks"][1].get<std::int64_t>() ==
                2 * config.starting_stack);
      }
      played.events.push_back(std::move(*event));
      continue;
    }
    const Turn& turn = std::get<Turn>(step);
    ++played.turns;
    REQUIRE(played.turns < 100'000);
    const auto applied = game.apply(turn.seat, choose(game, turn), false);
    REQUIRE(std::holds_alternative<Applied>(applied));
  }
  played.result = game.result();
  return played;
}

Chooser random_choice(std::uint64_t number) {
  auto dice = std::make_shared<SeedStream>(derive(Seed{}, "choices", number));
  return [dice](Holdem& game, const Turn& turn) {
    Action action{
        turn.valid_actions[static_cast<std::size_t>(dice->below(turn.valid_actions.size()))]};
    if (action.name == "raise") {
      const Json state = game.view(turn.seat);
      const auto low = state["min_raise"].get<std::int64_t>();
      const auto high = state["max_raise"].get<std::int64_t>();
      action.params["amount"] =
          low + static_cast<std::int64_t>(dice->below(static_cast<std::uint64_t>(high - low + 1)));
    }
    return action;
  };
}

Action passive(Holdem& game, const Turn&) {
  Action action = game.default_action();
  if (action.name == "fold") action.name = "call";
  return action;
}

}  // namespace

TEST_CASE("hold'em: random play ends with one seat that has everything",
          "[lobby_program][holdem]") {
  std::array<int, 2> won{};
  for (std::uint64_t i = 0; i < 60; ++i) {
    CAPTURE(i);
    const Played played = play({}, derive(Seed{}, "game", i), random_choice(i));
    REQUIRE(played.result.seats.size() == 2);
    const std::size_t winner = played.result.seats[0].place == 1 ? 0 : 1;
    CHECK(played.result.seats[winner].net == 1000);
    CHECK(played.result.seats[1 - winner].net == -1000);
    CHECK(played.result.seats[1 - winner].place == 2);
    CHECK(played.result.seats[winner].fields["final_stack"] == 2000);
    CHECK_FALSE(played.result.is_cut_short);
    ++won.at(winner);
  }
  CHECK(won[0] > 5);
  CHECK(won[1] > 5);
}

TEST_CASE("hold'em: the blinds double, so that even those who only call come to an end",
          "[lobby_program][holdem]") {
  const Played played = play({.hands_per_level = 5}, derive(Seed{}, "calls"), passive);
  CHECK(played.result.rounds < 200);
  CHECK_FALSE(played.result.is_cut_short);
  CHECK(played.result.seats[0].net + played.result.seats[1].net == 0);

  std::vector<std::int64_t> big_blinds;
  for (const Event& event : played.events) {
    if (event.kind != Event::Kind::round_result) continue;
    big_blinds.push_back(event.content[0]["action_history"][1]["amount"].get<std::int64_t>());
  }
  REQUIRE(big_blinds.size() > 6);
  CHECK(big_blinds[0] == 10);
  CHECK(big_blinds[4] == 10);
  CHECK(big_blinds[5] == 20);
}

TEST_CASE("hold'em: those who always fold come to an end too", "[lobby_program][holdem]") {
  const Played played = play({.hands_per_level = 5}, derive(Seed{}, "folds"),
                             [](Holdem&, const Turn&) { return Action{"fold"}; });
  CHECK(played.result.rounds < 200);
  CHECK_FALSE(played.result.is_cut_short);
}

TEST_CASE("hold'em: the bound on hands ends a match that nobody has won",
          "[lobby_program][holdem]") {
  const Played played = play({.hands_per_level = 0, .max_hands = 4}, derive(Seed{}, "cut"),
                             [](Holdem&, const Turn&) { return Action{"fold"}; });
  CHECK(played.result.rounds == 4);
  CHECK(played.result.is_cut_short);
  // Each was dealer twice and lost the small blind then.
  CHECK(played.result.seats[0].place == 1);
  CHECK(played.result.seats[1].place == 1);
  CHECK(played.result.seats[0].net == 0);
}

TEST_CASE("hold'em: the same seed and actions give the same match", "[lobby_program][holdem]") {
  const Seed seed = derive(Seed{}, "same");
  const Played one = play({}, seed, random_choice(3));
  const Played other = play({}, seed, random_choice(3));
  REQUIRE(one.events.size() == other.events.size());
  for (std::size_t i = 0; i < one.events.size(); ++i) {
    REQUIRE(one.events[i].content == other.events[i].content);
  }
  const Played different = play({}, derive(Seed{}, "another"), random_choice(3));
  CHECK(one.events[0].content != different.events[0].content);
}

TEST_CASE("hold'em: nobody is told the other one's cards before the showdown",
          "[lobby_program][holdem]") {
  Holdem game{{}};
  game.init(derive(Seed{}, "hidden"), 2);
  const Chooser choose = random_choice(8);
  std::array<std::vector<std::string>, 2> holes;
  std::size_t looked = 0;
  const auto knows = [](const Json& content, const std::vector<std::string>& cards) {
    const std::string text = content.dump();
    return std::any_of(cards.begin(), cards.end(), [&](const std::string& card) {
      return text.find('"' + card + '"') != std::string::npos;
    });
  };
  for (;;) {
    const Step step = game.next();
    if (std::holds_alternative<End>(step)) break;
    if (const auto* event = std::get_if<Event>(&step)) {
      if (event->kind == Event::Kind::round_start) {
        for (std::size_t seat = 0; seat < 2; ++seat) {
          holes[seat] = event->content[seat]["your_hole_cards"].get<std::vector<std::string>>();
          REQUIRE(holes[seat].size() == 2);
        }
      }
      const bool is_shown =
          event->kind == Event::Kind::round_result && !event->content[0]["showdown"].empty();
      for (std::size_t seat = 0; seat < 2; ++seat) {
        REQUIRE(knows(event->content[seat], holes[1 - seat]) == is_shown);
      }
    } else {
      const Turn& turn = std::get<Turn>(step);
      for (std::size_t seat = 0; seat < 2; ++seat) {
        REQUIRE_FALSE(knows(game.view(seat), holes[1 - seat]));
        REQUIRE(knows(game.view(seat), holes[seat]));
        REQUIRE_FALSE(knows(game.public_view(), holes[seat]));
        ++looked;
      }
      REQUIRE(std::holds_alternative<Applied>(game.apply(turn.seat, choose(game, turn), false)));
    }
  }
  CHECK(looked > 10);
}

TEST_CASE("hold'em: what seats are told has the keys and types of the platform's frames",
          "[lobby_program][holdem]") {
  const Json frames = test::load_vectors("lobby_frames.json")["frames"];
  Holdem game{{}};
  game.init(derive(Seed{}, "keys"), 2);
  CHECK(keys_of(game.config()) == keys_of(frames["match_start"]["game_config"]));
  CHECK(game.config() == frames["match_start"]["game_config"]);

  const Event start = std::get<Event>(game.next());
  const Json& told = frames["round_start"]["state"];
  CHECK(keys_of(start.content[0]) == keys_of(told));
  for (const char* key : {"hand_number", "dealer_seat", "pot", "post_blind_stacks", "stacks"}) {
    CHECK(start.content[0][key] == told[key]);
  }
  CHECK(start.content[0]["deck_commitment"].get<std::string>().size() == 64);

  const Turn turn = std::get<Turn>(game.next());
  CHECK(turn.seat == 0);
  CHECK(turn.valid_actions == std::vector<std::string>{"fold", "call", "raise"});
  const Json& asked = frames["turn_request"]["state"];
  const Json state = game.view(0);
  CHECK(keys_of(state) == keys_of(asked));
  for (const auto& [key, value] : asked.items()) {
    if (key != "your_hole_cards") CHECK(state[key] == value);
  }

  const auto applied = game.apply(0, {"call"}, false);
  Json details = frames["turn_result"]["details"];
  details.erase("is_timeout");
  CHECK(std::get<Applied>(applied).details == details);

  const GameResult result = game.result();
  std::set<std::string> entry = keys_of(frames["match_end"]["results"][0]);
  for (const char* of_match : {"seat", "name", "bot_errors", "decision_latency_samples_ms"}) {
    entry.erase(of_match);
  }
  CHECK(keys_of(result.seats[0].fields) == entry);
  CHECK(result.fields["mode"] == "elimination");
}

TEST_CASE("hold'em: the result of a hand has what clients read", "[lobby_program][holdem]") {
  const Played played = play({}, derive(Seed{}, "results"), passive);
  std::size_t shared = 0;
  std::string commitment;
  for (const Event& event : played.events) {
    if (event.kind == Event::Kind::round_start) commitment = event.content[0]["deck_commitment"];
    if (event.kind != Event::Kind::round_result) continue;
    const Json& result = event.content[0];
    CHECK(keys_of(result) == std::set<std::string>{"hand_number", "winner_seats", "pot", "payouts",
                                                   "showdown", "action_history", "stacks",
                                                   "deck_commitment", "deck_reveal"});
    CHECK(result["deck_commitment"] == commitment);
    CHECK(result["deck_reveal"].is_null());
    REQUIRE(result["showdown"].size() == 2);
    for (const Json& shown : result["showdown"]) {
      CHECK(keys_of(shown) ==
            std::set<std::string>{"seat", "hole_cards", "hand_rank", "best_hand"});
      CHECK(shown["best_hand"].size() == 5);
    }
    std::int64_t paid = 0;
    for (const Json& payout : result["payouts"]) paid += payout["amount"].get<std::int64_t>();
    CHECK(paid == result["pot"]);
    CHECK(result["payouts"].size() == result["winner_seats"].size());
    if (result["winner_seats"].size() == 2) ++shared;
  }
  CHECK(played.result.seats[0].fields["hands_won"].get<std::size_t>() +
            played.result.seats[1].fields["hands_won"].get<std::size_t>() ==
        played.result.rounds + shared);
}

TEST_CASE("hold'em: who knows the seed can check the deck that was promised",
          "[lobby_program][holdem]") {
  const Seed seed = derive(Seed{}, "promise");
  Holdem game{{}};
  game.init(seed, 2);
  const Event start = std::get<Event>(game.next());
  const Seed of_hand = derive(seed, "hand", 1);
  const Deck deck = shuffled_deck(of_hand);
  CHECK(start.content[0]["deck_commitment"] == hex(deck_commitment(of_hand, deck)));
  CHECK(start.content[0]["your_hole_cards"] == Json{to_string(deck[0]), to_string(deck[1])});
  CHECK(start.content[1]["your_hole_cards"] == Json{to_string(deck[2]), to_string(deck[3])});
}

TEST_CASE("hold'em: actions that are not possible are refused and change nothing",
          "[lobby_program][holdem]") {
  Holdem game{{}};
  game.init(derive(Seed{}, "refused"), 2);
  CHECK(std::holds_alternative<Refused>(game.apply(0, {"call"}, false)));  // no hand yet
  static_cast<void>(game.next());
  const Json before = game.view(0);
  CHECK(std::holds_alternative<Refused>(game.apply(1, {"call"}, false)));
  CHECK(std::holds_alternative<Refused>(game.apply(7, {"call"}, false)));
  CHECK(std::holds_alternative<Refused>(game.apply(0, {"check"}, false)));
  CHECK(std::holds_alternative<Refused>(game.apply(0, {"all_in"}, false)));
  CHECK(std::holds_alternative<Refused>(game.apply(0, {"raise"}, false)));
  CHECK(std::holds_alternative<Refused>(game.apply(0, {"raise", {{"amount", "50"}}}, false)));
  CHECK(std::holds_alternative<Refused>(game.apply(0, {"raise", {{"amount", nullptr}}}, false)));
  CHECK(game.view(0) == before);
}

TEST_CASE("hold'em: any number is an amount of a raise", "[lobby_program][holdem]") {
  struct Case {
    const char* amount;
    std::int64_t told;
  };
  for (const Case& each :
       {Case{"50", 50}, Case{"50.9", 50}, Case{"-1", 20}, Case{"1e300", 1000}, Case{"-1e300", 20},
        Case{"18446744073709551615", 1000}, Case{"-9223372036854775808", 20}, Case{"0", 20}}) {
    CAPTURE(each.amount);
    Holdem game{{}};
    game.init(derive(Seed{}, "amounts"), 2);
    static_cast<void>(game.next());
    const auto applied = game.apply(0, {"raise", {{"amount", Json::parse(each.amount)}}}, false);
    REQUIRE(std::holds_alternative<Applied>(applied));
    CHECK(std::get<Applied>(applied).details["amount"] == each.told);
  }
}

TEST_CASE("hold'em: who gives up loses all its chips", "[lobby_program][holdem]") {
  Holdem game{{}};
  game.init(derive(Seed{}, "resigns"), 2);
  static_cast<void>(game.next());
  game.resign(0);
  CHECK(std::holds_alternative<End>(game.next()));
  const GameResult result = game.result();
  CHECK(result.seats[0].net == -1000);
  CHECK(result.seats[0].place == 2);
  CHECK(result.seats[1].net == 1000);
  CHECK(result.seats[1].place == 1);
  CHECK(result.rounds == 0);
}

TEST_CASE("hold'em: a configuration outside its ranges is named", "[lobby_program][holdem]") {
  CHECK_FALSE(validate(HoldemConfig{}));
  CHECK(validate(HoldemConfig{.starting_stack = 0}));
  CHECK(validate(HoldemConfig{.starting_stack = 10'001}));
  CHECK(validate(HoldemConfig{.small_blind = 11}));
  CHECK(validate(HoldemConfig{.small_blind = 0}));
  CHECK(validate(HoldemConfig{.ante = -1}));
  CHECK(validate(HoldemConfig{.max_hands = 0}));
}
