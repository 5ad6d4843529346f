// SPDX-License-Identifier: MIT
// A match in virtual time, with all that it sends.
#pragma once

#include "holdem.hpp"
#include "match.hpp"
#include "tic_tac_toe.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// Keeps what a match sends, as text and read.
class SentFrames final : public lobby_program::MatchSink {
 public:
  struct Close {
    std::size_t seat;
    std::uint16_t code;
    std::string reason;
    friend bool operator==(const Close&, const Close&) = default;
  };

  void send(std::size_t seat, std::string_view frame) override {
    texts.emplace_back(seat, frame);
    lobby_program::Json json = lobby_program::Json::parse(frame);
    if (seat < 2) frames[seat].push_back(std::move(json));
  }
  void close(std::size_t seat, std::uint16_t code, std::string_view reason) override {
    closes.push_back({seat, code, std::string{reason}});
  }

  std::vector<std::pair<std::size_t, std::string>> texts;
  std::array<std::vector<lobby_program::Json>, 2> frames;
  std::vector<Close> closes;
};

/// A match of two seats, "p_a" and "p_b", both away at first.
class MatchWorld {
 public:
  using Json = lobby_program::Json;

  explicit MatchWorld(std::unique_ptr<lobby_program::Game> game,
                      lobby_program::MatchConfig config = {}, std::uint64_t number = 0)
      : seed(lobby_program::derive({}, "world", number)),
        match("m1", config, std::move(game), seats(), seed, sent, now, wall()) {}

  static std::vector<lobby_program::Match::Seat> seats() {
    return {{"p_a", "Ann"}, {"p_b", "Bob"}};
  }
  static lobby_program::WallTime wall() {
    return lobby_program::WallTime{std::chrono::milliseconds{1'767'225'600'000}};  // 2026
  }

  void attach_both() {
    for (const std::size_t seat : {0U, 1U}) {
      REQUIRE(match.attach(seat, now) == lobby_program::Match::Admission::welcome);
    }
  }

  /// Lets time pass, from deadline to deadline.
  void pass(muster::duration time) {
    const muster::time_point end = now + time;
    while (match.next_deadline() <= end) {
      now = std::max(now, match.next_deadline());
      match.advance(now);
    }
    now = end;
    match.advance(now);
  }

  /// The frames of a seat since the last call.
  std::vector<Json> take(std::size_t seat) {
    std::vector<Json> out{sent.frames[seat].begin() + static_cast<std::ptrdiff_t>(taken[seat]),
                          sent.frames[seat].end()};
    taken[seat] = sent.frames[seat].size();
    return out;
  }

  /// The types of those, with blanks between.
  std::string take_types(std::size_t seat) {
    std::string types;
    for (const Json& frame : take(seat)) {
      types += (types.empty() ? "" : " ") + frame["type"].get<std::string>();
    }
    return types;
  }

  /// The last frame of a kind that a seat got; null if there is none.
  Json last(std::size_t seat, std::string_view type) const {
    for (auto it = sent.frames[seat].rbegin(); it != sent.frames[seat].rend(); ++it) {
      if ((*it)["type"] == type) return *it;
    }
    return nullptr;
  }

  Json action(std::size_t seat, const std::string& name, Json params = Json::object()) const {
    return {{"type", "turn_action"},
            {"match_id", "m1"},
            {"request_id", last(seat, "turn_request")["request_id"]},
            {"action", name},
            {"params", std::move(params)}};
  }
  void say(std::size_t seat, const Json& frame) { match.receive(seat, frame.dump(), now); }

  /// Answers the request that a seat got last.
  void answer(std::size_t seat, const std::string& name, Json params = Json::object()) {
    say(seat, action(seat, name, std::move(params)));
  }

  lobby_program::Seed seed;
  muster::time_point now{};
  SentFrames sent;
  lobby_program::Match match;
  std::array<std::size_t, 2> taken{};
};

inline std::unique_ptr<lobby_program::Game> holdem(lobby_program::HoldemConfig config = {}) {
  return std::make_unique<lobby_program::Holdem>(config);
}

inline std::unique_ptr<lobby_program::Game> tic_tac_toe() {
  return std::make_unique<lobby_program::TicTacToe>();
}

}  // namespace test
