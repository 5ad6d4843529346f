// SPDX-License-Identifier: MIT
// What a match asks of its handler, and what comes back.
#pragma once

#include <muster/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::lobby {

/// A seat that was given to this bot.
struct MatchInfo {
  std::string match_id;
  std::string participant_id;
  bool rated = false;
  bool resumed = false;  ///< it was being played when this client found it: no `match_start` comes
  std::optional<duration> decision_timeout{};  ///< as the lobby says; each turn has its own
};

/// What a bot does in a turn, as it goes on the wire.
struct Action {
  std::string action;         ///< one of those that are legal
  std::string params = "{}";  ///< a JSON object

  friend bool operator==(const Action&, const Action&) = default;
};

/// It is this bot's turn.
struct TurnRequest {
  std::uint64_t turn = 0;  ///< names the turn in this client: 1, 2, 3 ...
  std::string request_id;  ///< JSON, as it came
  std::optional<std::int64_t> seat;
  std::vector<std::string> legal;  ///< one or more
  std::string state;               ///< JSON; "null" if there was none
  duration time{};                 ///< how long the handler may take
};

/// The first call.
struct Attach {
  MatchInfo info;
};

/// The match begins. Not told of one that is resumed.
struct MatchStart {
  std::string frame;  ///< the message as it came
};

/// Something that the game tells: a round that starts or ends, another's turn, an error.
struct GameEvent {
  std::string type;
  std::string frame;
};

/// It is played on a new connection; what happened meanwhile is not told.
struct Reconnected {
  std::string frame;  ///< the server's word about it; empty: it has none
};

/// The match is over.
struct MatchEnd {
  std::string frame;
};

/// A message of one of `Config::game_frame_types`.
struct GameFrame {
  std::string type;
  std::string frame;
};

/// How long the handler took for the turn that has just been answered.
struct Latency {
  duration decision{};
};

/// One thing that a handler is told or asked.
using Call = std::variant<Attach, MatchStart, TurnRequest, GameEvent, Reconnected, MatchEnd,
                          GameFrame, Latency>;

}  // namespace muster::lobby
