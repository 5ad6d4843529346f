// SPDX-License-Identifier: MIT
// How muster-bot reads hold'em, what it does, and whether it has won.
#include "holdem_game.hpp"
#include "strategy.hpp"
#include "tag.hpp"
#include "verdict.hpp"

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using bot_program::AnyGame;
using bot_program::Card;
using bot_program::HoldemGame;
using bot_program::Reading;
using bot_program::Strategy;
using bot_program::Verdict;
using muster::errc;
using Json = nlohmann::json;
using Legal = std::vector<std::string>;

namespace {

// A turn before the flop, heads-up, on the button.
Json turn_state() {
  return {{"hand_number", 1},
          {"phase", "preflop"},
          {"board", Json::array()},
          {"your_hole_cards", {"As", "Ad"}},
          {"pot", 15},
          {"your_stack", 995},
          {"opponent_stacks", {990}},
          {"to_call", 5},
          {"min_raise", 20},
          {"max_raise", 1000},
          {"action_history", Json::array()}};
}

std::vector<Card> cards(std::string_view text) {
  std::vector<Card> out;
  for (std::size_t at = 0; at + 1 < text.size(); at += 3) {
    const auto rank = std::string_view{"23456789TJQKA"}.find(text[at]);
    out.push_back({static_cast<std::uint8_t>(rank + 2), text[at + 1]});
  }
  return out;
}

HoldemGame::State state_of(const Json& json) {
  auto state = HoldemGame::parse_state(json.dump());
  REQUIRE(state);
  return *state;
}

Reading reading(std::string_view own, std::string_view board) {
  return bot_program::read_hand(cards(own), cards(board));
}

}  // namespace

TEST_CASE("holdem game: a state is read whole", "[lobby][bot][holdem]") {
  Json json = turn_state();
  json["board"] = {"2c", "Th", "Jd"};
  json["pot"] = 15.75;
  json["a_new_key"] = {{"deep", 1}};
  const HoldemGame::State state = state_of(json);
  CHECK(state.phase == "preflop");
  CHECK(state.board == cards("2c Th Jd"));
  CHECK(state.own_cards == cards("As Ad"));
  CHECK(state.pot == 15);
  CHECK(state.own_stack == 995);
  CHECK(state.opponent_stacks == std::vector<std::int64_t>{990});
  CHECK(state.to_call == 5);
  CHECK(state.min_raise == 20);
  CHECK(state.max_raise == 1000);
}

TEST_CASE("holdem game: hidden cards are no cards", "[lobby][bot][holdem]") {
  Json json = turn_state();
  json["your_hole_cards"] = Json::array();
  CHECK(state_of(json).own_cards.empty());
}

TEST_CASE("holdem game: a state that is none is an error, whatever it is", "[lobby][bot][holdem]") {
  for (const char* const text : {"", "null", "[]", "7", "\"x\"", "{", "{\"pot\":1e999}", "\xff"}) {
    INFO(text);
    const auto state = HoldemGame::parse_state(text);
    REQUIRE_FALSE(state);
    CHECK(state.error() == errc::bad_syntax);
  }
  for (const char* const key : {"phase", "board", "your_hole_cards", "pot", "your_stack",
                                "opponent_stacks", "to_call", "min_raise", "max_raise"}) {
    INFO(key);
    Json json = turn_state();
    for (const Json& bad : {Json{nullptr}, Json{true}, Json::object(), Json{-1}, Json{1e300}}) {
      json[key] = bad;
      const auto state = HoldemGame::parse_state(json.dump());
      REQUIRE_FALSE(state);
      CHECK(state.error() == errc::bad_value);
    }
    json.erase(key);
    REQUIRE_FALSE(HoldemGame::parse_state(json.dump()));
  }
}

TEST_CASE("holdem game: cards that no deck has are an error", "[lobby][bot][holdem]") {
  for (const Json& bad : {Json{"1c"}, Json{"Ax"}, Json{"ac"}, Json{"10h"}, Json{""}, Json{7},
                          Json{"As"}}) {  // the last is in the hand already
    INFO(bad.dump());
    Json json = turn_state();
    json["board"] = Json::array({bad});
    const auto state = HoldemGame::parse_state(json.dump());
    REQUIRE_FALSE(state);
    CHECK(state.error() == errc::bad_value);
  }
  Json json = turn_state();
  json["your_hole_cards"] = {"As"};
  CHECK_FALSE(HoldemGame::parse_state(json.dump()));
  json["your_hole_cards"] = {"As", "Ks", "Qs"};
  CHECK_FALSE(HoldemGame::parse_state(json.dump()));
  json = turn_state();
  json["board"] = {"2c", "3c", "4c", "5c", "6c", "7c"};
  CHECK_FALSE(HoldemGame::parse_state(json.dump()));
}

TEST_CASE("any game: what has no cards in the hand is passed on as it is", "[lobby][bot][holdem]") {
  constexpr std::string_view other = R"({"board":["","X",""],"mark":"O"})";
  const auto raw = AnyGame::parse_state(other);
  REQUIRE(raw);
  CHECK(std::get<std::string>(*raw) == other);
  CHECK(std::holds_alternative<HoldemGame::State>(*AnyGame::parse_state(turn_state().dump())));
  Json broken = turn_state();
  broken["pot"] = "much";
  REQUIRE_FALSE(AnyGame::parse_state(broken.dump()));
}

TEST_CASE("strategies: fold, call and random do what their names say", "[lobby][bot][holdem]") {
  const AnyGame::State state = state_of(turn_state());
  std::mt19937_64 dice = bot_program::dice_of(1, "m", "p");
  const auto does = [&](Strategy strategy, const Legal& legal) {
    return bot_program::choose(strategy, state, legal, dice).action;
  };
  CHECK(does(Strategy::fold, {"fold", "call", "raise"}) == "fold");
  CHECK(does(Strategy::fold, {"fold", "check", "raise"}) == "check");
  CHECK(does(Strategy::call, {"fold", "call", "raise"}) == "call");
  CHECK(does(Strategy::call, {"fold", "check"}) == "check");
  CHECK(does(Strategy::call, {"something"}) == "something");

  const Legal legal{"fold", "call", "raise"};
  std::set<std::string> seen;
  std::int64_t lowest = 1'000'000;
  std::int64_t highest = 0;
  for (int i = 0; i < 300; ++i) {
    const auto action = bot_program::choose(Strategy::random, state, legal, dice);
    seen.insert(action.action);
    if (action.action != "raise") {
      CHECK(action.params == "{}");
      continue;
    }
    const std::int64_t amount = Json::parse(action.params)["amount"].get<std::int64_t>();
    lowest = std::min(lowest, amount);
    highest = std::max(highest, amount);
  }
  CHECK(seen == std::set<std::string>(legal.begin(), legal.end()));
  CHECK((lowest >= 20 && lowest < 300));
  CHECK((highest <= 1000 && highest > 700));
}

TEST_CASE("strategies: in a game that is not known all but random take the first action",
          "[lobby][bot]") {
  const AnyGame::State state = std::string{"{}"};
  const Legal legal{"4", "5", "fold"};
  std::mt19937_64 dice = bot_program::dice_of(1, "m", "p");
  for (const Strategy strategy : {Strategy::fold, Strategy::call, Strategy::tag}) {
    CHECK(bot_program::choose(strategy, state, legal, dice).action == "4");
  }
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(bot_program::choose(Strategy::random, state, legal, dice).action);
  }
  CHECK(seen == std::set<std::string>(legal.begin(), legal.end()));
}

TEST_CASE("strategies: dice depend on the seed and on the seat, and on nothing else",
          "[lobby][bot]") {
  auto first = bot_program::dice_of(7, "m1", "p1");
  auto again = bot_program::dice_of(7, "m1", "p1");
  CHECK(first() == again());
  std::set<std::uint64_t> values;
  for (const std::uint64_t seed : {7U, 8U}) {
    for (const char* const match : {"m1", "m2"}) {
      for (const char* const seat : {"p1", "p2"}) {
        values.insert(bot_program::dice_of(seed, match, seat)());
      }
    }
  }
  values.insert(bot_program::dice_of(7, "m1p", "1")());
  values.insert(bot_program::dice_of(std::uint64_t{7} << 32U, "m1", "p1")());
  CHECK(values.size() == 10);
}

TEST_CASE("tag: starting hands are in the usual order", "[lobby][bot][holdem]") {
  const auto points = [](std::string_view text) {
    const auto two = cards(text);
    return bot_program::starting_points(two[0], two[1]);
  };
  CHECK(points("As Ad") == 20);
  CHECK(points("2s 2d") == 5);
  CHECK(points("As Ks") == 12);
  CHECK(points("Ks As") == 12);
  CHECK(points("As Kd") == 10);
  CHECK(points("Ts 9s") == 8);  // half of ten, one suit, neighbours
  CHECK(points("7s 2d") < 0);
  CHECK(points("Ac 2d") == 5);
}

TEST_CASE("tag: a hand is what one's own cards add to the board", "[lobby][bot][holdem]") {
  CHECK(reading("As Kd", "2c 7h 9s") == Reading::nothing);
  CHECK(reading("As Kd", "Ac 7h 9s") == Reading::good_pair);
  CHECK(reading("Qs Qd", "2c 7h 9s") == Reading::good_pair);
  CHECK(reading("As 7d", "Kc 7h 9s") == Reading::weak_pair);
  CHECK(reading("5s 5d", "2c 7h 9s") == Reading::weak_pair);
  CHECK(reading("As 7d", "Ac 7h 9s") == Reading::strong);
  CHECK(reading("5s 5d", "5c 7h 9s") == Reading::strong);
  CHECK(reading("As 7d", "7c 7h 9s") == Reading::strong);
  CHECK(reading("As 2s", "7s 9s Ks") == Reading::strong);
  CHECK(reading("8s 9d", "Tc Jh Qs") == Reading::strong);
  CHECK(reading("As 2d", "3c 4h 5s") == Reading::strong);  // an ace is a one, too
  CHECK(reading("As 2s", "7s 9s Kd") == Reading::draw);
  CHECK(reading("8s 9d", "Tc Jh 2s") == Reading::draw);
  CHECK(reading("8s 9d", "Tc Jh 2s 3d 3h") == Reading::nothing);  // nothing is to come
  // What the board has, everybody has.
  CHECK(reading("As 2d", "7c 7h 9s") == Reading::nothing);
  CHECK(reading("2c 3d", "Ts Jh Qd Kc As") == Reading::nothing);
  CHECK(reading("2c 3d", "7s 8s 9s Js Ks") == Reading::nothing);
}

TEST_CASE("tag: good hands raise, fair ones pay little, bad ones pay nothing",
          "[lobby][bot][holdem]") {
  using Kind = HoldemGame::Action::Kind;
  const Legal legal{"fold", "call", "raise"};
  Json json = turn_state();
  const auto acts = [&](const Legal& offered) {
    return bot_program::tag_action(state_of(json), offered);
  };
  auto action = acts(legal);
  CHECK(action.kind == Kind::raise);
  CHECK(action.amount == 23);  // 5 are in, 5 to call, and two thirds of 20
  json["your_hole_cards"] = {"7s", "2d"};
  CHECK(acts(legal).kind == Kind::fold);
  CHECK(acts({"check", "raise"}).kind == Kind::check);

  json = turn_state();
  json["max_raise"] = 21;
  json["your_stack"] = 16;
  CHECK(acts(legal).amount == 21);  // no more than there is
  json["min_raise"] = json["max_raise"] = 0;
  CHECK(acts({"fold", "call"}).kind == Kind::call);

  // A draw pays a third of the pot, and not all.
  json = turn_state();
  json["phase"] = "flop";
  json["your_hole_cards"] = {"As", "2s"};
  json["board"] = {"7s", "9s", "Kd"};
  json["pot"] = 100;
  json["to_call"] = 40;
  CHECK(acts(legal).kind == Kind::call);
  json["to_call"] = 100;
  CHECK(acts(legal).kind == Kind::fold);
  json["to_call"] = 0;
  CHECK(acts({"check", "raise"}).kind == Kind::check);
  json["board"] = {"7s", "9s", "Ks"};
  CHECK(acts({"check", "raise"}).kind == Kind::raise);

  // Hidden cards are played like bad ones.
  json["your_hole_cards"] = Json::array();
  CHECK(acts({"check", "raise"}).kind == Kind::check);
  CHECK(acts({"fold", "call"}).kind == Kind::fold);
  CHECK(acts({"call"}).kind == Kind::call);
}

TEST_CASE("verdict: places, ranks and chips say who has won", "[lobby][bot]") {
  const auto of = [](const char* end, std::optional<std::int64_t> seat) {
    return bot_program::verdict_of(end, "p1", seat);
  };
  constexpr const char* current =
      R"({"finishing_order":[{"place":1,"seat":1,"name":"b"},{"place":2,"seat":0,"name":"a"}]})";
  CHECK(of(current, 1) == Verdict::won);
  CHECK(of(current, 0) == Verdict::lost);
  CHECK(of(current, 7) == Verdict::unknown);
  CHECK(of(current, std::nullopt) == Verdict::unknown);
  CHECK(of(R"({"finishing_order":[{"place":1,"seat":0},{"place":1,"seat":1}]})", 0) ==
        Verdict::drawn);
  CHECK(
      of(R"({"finishing_order":[{"place":2,"seat":0},{"place":2,"seat":2},{"place":1,"seat":1}]})",
         1) == Verdict::won);
  constexpr const char* draft =
      R"({"results":[{"seat":0,"participant_id":"p1","rank":1},{"seat":1,"participant_id":"p2","rank":2}]})";
  CHECK(of(draft, std::nullopt) == Verdict::won);
  CHECK(bot_program::verdict_of(draft, "p2", 0) == Verdict::lost);
  CHECK(of(R"({"results":[{"seat":0,"net_chips":-5},{"seat":1,"net_chips":5}]})", 0) ==
        Verdict::lost);
  CHECK(of(R"({"results":[{"seat":0,"net_chips":-5},{"seat":1,"net_chips":5}]})", 1) ==
        Verdict::won);
}

TEST_CASE("verdict: an end that says nothing is unknown", "[lobby][bot]") {
  for (const char* const end :
       {"", "{}", "[]", "7", "{\"reason\":\"cancelled\"}", "{\"results\":{}}", "{\"results\":[]}",
        "{\"results\":[7]}", "{\"results\":[{\"seat\":\"0\",\"net_chips\":1}]}",
        "{\"finishing_order\":[{\"seat\":0}]}", "{\"finishing_order\":[]}"}) {
    INFO(end);
    CHECK(bot_program::verdict_of(end, "p", 0) == Verdict::unknown);
  }
}

TEST_CASE("verdict: the seat is the one that match_start names", "[lobby][bot]") {
  CHECK(bot_program::seat_of(R"({"your_seat":3,"seats":[{"seat":0,"is_self":true}]})") == 3);
  CHECK(bot_program::seat_of(
            R"({"seats":[{"seat":0,"is_self":false},{"seat":1,"is_self":true}]})") == 1);
  for (const char* const start : {"", "{}", R"({"your_seat":"1"})", R"({"seats":[7,{"seat":1}]})",
                                  R"({"seats":[{"is_self":true}]})"}) {
    CHECK_FALSE(bot_program::seat_of(start));
  }
}
