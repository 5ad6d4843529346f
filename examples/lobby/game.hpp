// SPDX-License-Identifier: MIT
// The seam between matches and games: what a match asks of a game, and nothing of any one game.
#pragma once

#include "seed.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lobby_program {

using Json = nlohmann::json;

/// What a seat does in its turn.
struct Action {
  std::string name;
  Json params = Json::object();  ///< always an object
};

/// A seat is to act. What it is shown is `Game::view(seat)`.
struct Turn {
  std::size_t seat = 0;
  std::vector<std::string> valid_actions{};  ///< not empty, no empty strings
};

/// Something that everybody is told.
struct Event {
  enum class Kind : std::uint8_t { round_start, phase_change, round_result };
  Kind kind = Kind::round_start;
  std::uint32_t round = 1;  ///< from 1

  /// What each seat is told, by seat: the frame's `state`, or the `result` of a round. Nothing in
  /// it that the seat may not know.
  std::vector<Json> content{};
};

/// The game is over: `Game::result` says how.
struct End {};

using Step = std::variant<Turn, Event, End>;

/// An action was carried out.
struct Applied {
  Json details;  ///< an object, the same for every seat; the match adds `is_timeout`
};

/// An action was refused; the turn stays open.
struct Refused {
  std::string reason;  ///< one sentence part
};

/// How a game ended, or how it stands.
struct GameResult {
  struct Seat {
    std::uint32_t place = 1;       ///< from 1; seats of equal rank share the better place
    std::int64_t net = 0;          ///< what was won or lost; the sum over all seats is 0
    Json fields = Json::object();  ///< what the game adds to this seat's entry in `results`
  };
  std::vector<Seat> seats{};     ///< by seat
  std::uint32_t rounds = 0;      ///< that were played to their end
  bool is_cut_short = false;     ///< ended by the game's own bound on rounds
  Json fields = Json::object();  ///< what the game adds to `match_end`
};

/// The rules of one game, for one match.
///
/// Deterministic: the same seed and the same actions give the same steps, whatever the time and the
/// machine. It holds no time, and it knows no connection.
///
/// Call `init` once; then `next` until it says `Turn`, `apply` until it says `Applied`, and `next`
/// again, until it says `End`.
/// @threads distinct objects: safe; shared objects: unsafe
class Game {
 public:
  virtual ~Game() = default;

  /// The `game_type` of a server's hello.
  [[nodiscard]] virtual std::string_view type() const noexcept = 0;

  /// The `game` object of a server's hello: `game_type`, `variant`, `actions`, `phases` and
  /// `state_shape`; null for the one game that every client knows.
  [[nodiscard]] virtual Json description() const = 0;

  /// How many seats it is played by.
  [[nodiscard]] virtual std::size_t seats() const noexcept = 0;

  /// @param seats   how many there are; another number than `seats()` is misuse
  virtual void init(const Seed& seed, std::size_t seats) = 0;

  /// The `game_config` of a match's start.
  [[nodiscard]] virtual Json config() const = 0;

  /// What happens next. While a turn is open: that turn again.
  [[nodiscard]] virtual Step next() = 0;

  /// Carries out what a seat does in its open turn. Actions come from clients: an action that is
  /// not valid is refused and changes nothing.
  /// @param is_substitute   the match acts for the seat, which gave no answer
  [[nodiscard]] virtual std::variant<Applied, Refused> apply(std::size_t seat, const Action& action,
                                                             bool is_substitute) = 0;

  /// What is done for the seat whose turn is open when it gives no answer. Always valid.
  [[nodiscard]] virtual Action default_action() const = 0;

  /// What a seat knows: the `state` of its turn's request. Possible at any time after `init`.
  [[nodiscard]] virtual Json view(std::size_t seat) const = 0;

  /// What everybody may know, for spectators. Possible at any time after `init`.
  [[nodiscard]] virtual Json public_view() const = 0;

  /// A seat gives up: it loses all it has, and the game is over.
  virtual void resign(std::size_t seat) = 0;

  /// How it ended; before the end, how it stands.
  [[nodiscard]] virtual GameResult result() const = 0;
};

}  // namespace lobby_program
