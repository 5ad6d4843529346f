// SPDX-License-Identifier: MIT
// What a lobby client must know of a game, and what it asks of the one who plays it.
#pragma once

#include <muster/lobby/call.hpp>
#include <muster/result.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::lobby {

/// A game as data: how its states are read, and its actions written. It plays nothing itself.
template <class G>
concept Game = requires {
  typename G::State;
  typename G::Action;
}
&&requires(std::string_view json, const typename G::Action& action,
           std::span<const std::string> legal) {
  /// Reads the `state` of a turn; JSON, "null" if the server sent none.
  { G::parse_state(json) } -> std::same_as<result<typename G::State>>;
  { G::encode(action) } -> std::same_as<Action>;
  /// What to do in a turn for which there is no answer. `legal` is not empty.
  { G::fallback(legal) } -> std::same_as<Action>;
};

/// The order in which a fallback is looked for: what costs nothing, else what gives up, else the
/// first that is legal.
[[nodiscard]] inline Action usual_fallback(std::span<const std::string> legal) {
  for (const std::string_view wished : {std::string_view{"check"}, std::string_view{"fold"}}) {
    if (std::find(legal.begin(), legal.end(), wished) != legal.end()) {
      return {std::string{wished}, "{}"};
    }
  }
  return {legal.front(), "{}"};
}

/// Any game, without knowing it: JSON in, JSON out.
struct RawGame {
  using State = std::string;  ///< JSON
  using Action = lobby::Action;

  static result<State> parse_state(std::string_view json) { return State{json}; }
  static lobby::Action encode(const Action& action) { return action; }
  static lobby::Action fallback(std::span<const std::string> legal) {
    return usual_fallback(legal);
  }
};

/// A turn, as the handler gets it.
template <Game G>
struct Turn {
  typename G::State state;
  std::vector<std::string> legal;  ///< one or more
  std::string request_id;          ///< JSON
  std::optional<std::int64_t> seat;
  duration time{};  ///< how long the answer may take
};

/// The way to answer a turn: once, now or later, from any thread. Destroyed unanswered, it says
/// that there will be no answer, and the game's fallback is sent at once.
/// @threads distinct objects: safe; shared objects: unsafe
template <Game G>
class TurnReply {
 public:
  /// @param send   takes the answer to the loop; nothing: there is none
  explicit TurnReply(std::function<void(std::optional<Action>)> send) : send_(std::move(send)) {}
  TurnReply(TurnReply&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  TurnReply& operator=(TurnReply&& other) noexcept {
    if (this != &other) {
      give_up();
      send_ = std::exchange(other.send_, nullptr);
    }
    return *this;
  }
  ~TurnReply() {
    // A handler that throws says more than that there is no answer.
    if (std::uncaught_exceptions() > thrown_) send_ = nullptr;
    give_up();
  }

  void operator()(const typename G::Action& action) {
    if (auto send = std::exchange(send_, nullptr)) send(G::encode(action));
  }

 private:
  void give_up() {
    if (auto send = std::exchange(send_, nullptr)) send(std::nullopt);
  }

  std::function<void(std::optional<Action>)> send_;
  int thrown_ = std::uncaught_exceptions();
};

/// Sends actions that no turn asked for, in games that have messages of their own
/// (`Config::game_frame_types`). What cannot be sent is dropped.
/// @threads distinct objects: safe; shared objects: safe
template <Game G>
class ActionSender {
 public:
  explicit ActionSender(std::function<void(std::string, Action)> send) : send_(std::move(send)) {}

  /// @param request_id   JSON, a string or a number
  void operator()(const std::string& request_id, const typename G::Action& action) const {
    send_(request_id, G::encode(action));
  }

 private:
  std::function<void(std::string, Action)> send_;
};

/// Plays one match. Its calls come one after the other, in the order of the server's messages, but
/// never on the network's thread. The others are optional, found by their names:
/// `on_attach(const MatchInfo&)`, or with an `ActionSender<G>` too, `on_match_start(const
/// MatchStart&)`, `on_event(const GameEvent&)`, `on_reconnected(const Reconnected&)`,
/// `on_match_end(const MatchEnd&)`, `on_frame(const GameFrame&)`, `on_latency(duration)`.
template <class H, class G>
concept MatchHandler = Game<G> && requires(H& handler, const Turn<G>& turn, TurnReply<G> reply) {
  handler.on_turn(turn, std::move(reply));
};

}  // namespace muster::lobby
