// SPDX-License-Identifier: MIT
#include "tic_tac_toe.hpp"

#include <algorithm>
#include <cassert>
#include <string>

namespace lobby_program {

namespace {

constexpr std::array<std::string_view, 3> marks{"X", "O", ""};

// The cells in a row: three rows, three columns, two diagonals.
constexpr std::array<std::array<std::uint8_t, 3>, 8> lines{
    {{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}}};

}  // namespace

Json TicTacToe::description() const {
  Json actions = Json::array();
  for (std::size_t cell = 0; cell < cells_.size(); ++cell) actions.push_back(std::to_string(cell));
  return {{"game_type", type()},
          {"variant", "3x3"},
          {"actions", actions},
          {"phases", {"play"}},
          {"state_shape", {{"board", "array of 9: \"\", X or O"}, {"mark", "X or O"}}}};
}

void TicTacToe::init(const Seed&, [[maybe_unused]] std::size_t seats) {
  assert(seats == this->seats());
  cells_.fill(empty);
}

Json TicTacToe::config() const { return {{"variant", "3x3"}, {"num_players", seats()}}; }

std::optional<std::size_t> TicTacToe::winner() const noexcept {
  if (resigned_) return 1 - *resigned_;
  for (const auto& [a, b, c] : lines) {
    if (cells_[a] != empty && cells_[a] == cells_[b] && cells_[b] == cells_[c]) return cells_[a];
  }
  return std::nullopt;
}

Step TicTacToe::next() {
  if (told_ == 0) {
    told_ = 1;
    return Event{Event::Kind::round_start, 1, {view(0), view(1)}};
  }
  if (!winner() && taken_ < cells_.size()) {
    Turn turn{taken_ % std::size_t{2}, {}};
    for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
      if (cells_[cell] == empty) turn.valid_actions.push_back(std::to_string(cell));
    }
    return turn;
  }
  if (told_ == 1 && !resigned_) {
    told_ = 2;
    Json content{{"board", board()}, {"winner_seats", Json::array()}};
    if (const auto seat = winner()) content["winner_seats"].push_back(*seat);
    return Event{Event::Kind::round_result, 1, {content, content}};
  }
  return End{};
}

std::variant<Applied, Refused> TicTacToe::apply(std::size_t seat, const Action& action, bool) {
  if (told_ != 1 || winner() || taken_ == cells_.size() || taken_ % 2 != seat) {
    return Refused{"it is not this seat's turn"};
  }
  if (action.name.size() != 1 || action.name[0] < '0' || action.name[0] > '8') {
    return Refused{"there is no such cell"};
  }
  std::uint8_t& cell = cells_[static_cast<std::size_t>(action.name[0] - '0')];
  if (cell != empty) return Refused{"the cell is taken"};
  cell = static_cast<std::uint8_t>(seat);
  ++taken_;
  return Applied{{{"action", action.name}, {"board", board()}}};
}

Action TicTacToe::default_action() const {
  const auto cell = std::find(cells_.begin(), cells_.end(), empty) - cells_.begin();
  return {std::to_string(cell)};
}

Json TicTacToe::board() const {
  Json json = Json::array();
  for (const std::uint8_t cell : cells_) json.push_back(marks[cell]);
  return json;
}

Json TicTacToe::view(std::size_t seat) const {
  Json json = public_view();
  json["mark"] = marks[seat];
  return json;
}

Json TicTacToe::public_view() const { return {{"board", board()}, {"phase", "play"}}; }

void TicTacToe::resign(std::size_t seat) { resigned_ = seat; }

GameResult TicTacToe::result() const {
  GameResult result;
  result.rounds = told_ == 2 ? 1 : 0;
  const std::optional<std::size_t> best = winner();
  for (std::size_t seat = 0; seat < seats(); ++seat) {
    const bool is_first = !best || *best == seat;
    const int score = best ? (is_first ? 1 : -1) : 0;
    result.seats.push_back({is_first ? 1U : 2U, score, {{"score", score}}});
  }
  return result;
}

}  // namespace lobby_program
