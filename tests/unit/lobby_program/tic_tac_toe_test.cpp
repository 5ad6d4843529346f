// SPDX-License-Identifier: MIT
// Tic-tac-toe as a game.
#include "tic_tac_toe.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace lobby_program;

namespace {

TicTacToe begun() {
  TicTacToe game;
  game.init({}, 2);
  REQUIRE(std::get<Event>(game.next()).kind == Event::Kind::round_start);
  return game;
}

/// Plays the cells in order.
GameResult result_of(TicTacToe& game, const std::vector<std::string>& cells) {
  for (const std::string& cell : cells) {
    const Turn turn = std::get<Turn>(game.next());
    REQUIRE(std::holds_alternative<Applied>(game.apply(turn.seat, {cell}, false)));
  }
  const Event event = std::get<Event>(game.next());
  CHECK(event.kind == Event::Kind::round_result);
  CHECK(std::holds_alternative<End>(game.next()));
  return game.result();
}

}  // namespace

TEST_CASE("tic-tac-toe: three in a row win", "[lobby_program][tic_tac_toe]") {
  TicTacToe first = begun();
  GameResult result = result_of(first, {"0", "3", "1", "4", "2"});
  CHECK(result.seats[0].place == 1);
  CHECK(result.seats[0].net == 1);
  CHECK(result.seats[1].place == 2);
  CHECK(result.seats[1].net == -1);
  CHECK(result.rounds == 1);

  TicTacToe second = begun();
  result = result_of(second, {"0", "2", "1", "4", "8", "6"});  // the rising diagonal
  CHECK(result.seats[1].place == 1);
}

TEST_CASE("tic-tac-toe: a full board without a row is a draw", "[lobby_program][tic_tac_toe]") {
  TicTacToe game = begun();
  const GameResult result = result_of(game, {"0", "1", "2", "4", "3", "5", "7", "6", "8"});
  CHECK(result.seats[0].place == 1);
  CHECK(result.seats[1].place == 1);
  CHECK(result.seats[0].net == 0);
}

TEST_CASE("tic-tac-toe: only free cells are valid, and only in turn",
          "[lobby_program][tic_tac_toe]") {
  TicTacToe game = begun();
  CHECK(std::get<Turn>(game.next()).valid_actions.size() == 9);
  CHECK(std::holds_alternative<Refused>(game.apply(1, {"0"}, false)));
  for (const char* action : {"9", "", "-1", "00", "x", "fold"}) {
    CHECK(std::holds_alternative<Refused>(game.apply(0, {action}, false)));
  }
  CHECK(std::holds_alternative<Applied>(game.apply(0, {"4"}, false)));
  const Turn turn = std::get<Turn>(game.next());
  CHECK(turn.seat == 1);
  CHECK(turn.valid_actions.size() == 8);
  CHECK(std::holds_alternative<Refused>(game.apply(1, {"4"}, false)));
  CHECK(game.view(1)["board"][4] == "X");
  CHECK(game.view(1)["mark"] == "O");
}

TEST_CASE("tic-tac-toe: its default actions play it to the end", "[lobby_program][tic_tac_toe]") {
  TicTacToe game = begun();
  int turns = 0;
  for (Step step = game.next(); !std::holds_alternative<End>(step); step = game.next()) {
    if (!std::holds_alternative<Turn>(step)) continue;
    REQUIRE(++turns <= 9);
    const auto seat = std::get<Turn>(step).seat;
    REQUIRE(std::holds_alternative<Applied>(game.apply(seat, game.default_action(), true)));
  }
  CHECK(game.result().seats[0].place == 1);  // 0, 2, 4 and 6: a diagonal
}

TEST_CASE("tic-tac-toe: who gives up has lost", "[lobby_program][tic_tac_toe]") {
  TicTacToe game = begun();
  game.resign(0);
  CHECK(std::holds_alternative<End>(game.next()));
  CHECK(game.result().seats[1].net == 1);
  CHECK(game.result().rounds == 0);
}

TEST_CASE("tic-tac-toe: it describes itself to clients that do not know it",
          "[lobby_program][tic_tac_toe]") {
  const Json description = TicTacToe{}.description();
  CHECK(description["game_type"] == "tic_tac_toe");
  CHECK(description["actions"].size() == 9);
  for (const char* key : {"variant", "phases", "state_shape"}) CHECK(description.contains(key));
}
