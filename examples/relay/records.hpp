// SPDX-License-Identifier: MIT
// Game records: what is written about a room and its players, and the interface of what keeps it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace relay_program {

/// Seconds since 1970-01-01 UTC, without leap seconds.
using UnixSeconds = std::int64_t;

/// Whose records these are. Several relays may share one database; each closes only its own.
struct RelayRun {
  std::string relay{};  ///< the relay's name, the same after a restart, different for each relay
  std::string run{};    ///< different for each start of the program
};

/// A player of a room. An id that is given out again has the next generation.
struct PlayerKey {
  std::uint16_t id = 0;  ///< 0 is the host
  std::uint32_t generation = 0;
};

// What happens to a room, in the order in which it happens. `room` is the room's instance: no two
// rooms of one run of the relay have the same, whatever their names.

struct RoomOpened {
  std::int64_t room = 0;
  UnixSeconds at = 0;
  std::string game_id{};
  std::string room_code{};
  std::uint16_t rule_variation = 0;
  std::optional<std::string> host_user_id{};
};

/// A player is in the room for the first time, or again. The host is a player too, if it has one.
struct PlayerJoined {
  std::int64_t room = 0;
  UnixSeconds at = 0;
  PlayerKey player{};
  std::optional<std::string> user_id{};  ///< of the first time; what comes later changes nothing
  std::optional<std::string> display_name{};  ///< likewise
};

struct PlayerLeft {
  std::int64_t room = 0;
  UnixSeconds at = 0;
  PlayerKey player{};
  std::string reason{};  ///< "left", "lost", "kicked", ...
};

struct RoomClosed {
  std::int64_t room = 0;
  UnixSeconds at = 0;
  std::string reason{};
};

/// How the game went. The first one of a room is kept, later ones change nothing.
struct GameResult {
  std::int64_t room = 0;
  UnixSeconds at = 0;
  std::string result{};  ///< JSON text, not looked at
  /// By player id. Meant is who has the id now; an id that nobody ever had is skipped.
  std::vector<std::pair<std::uint16_t, std::string>> outcomes{};
};

using Job = std::variant<RoomOpened, PlayerJoined, PlayerLeft, RoomClosed, GameResult>;

inline constexpr std::size_t job_kinds = std::variant_size_v<Job>;

/// The names of the kinds, for counters: "opened", "joined", "left", "closed", "result".
[[nodiscard]] std::string_view job_kind_name(std::size_t kind) noexcept;

/// The room that the job is about.
[[nodiscard]] std::int64_t room_of(const Job& job) noexcept;

/// What a job may hold in memory, in bytes, roughly and never less than its texts.
[[nodiscard]] std::size_t memory_of(const Job& job) noexcept;

/// What became of a job.
struct Effect {
  enum class Kind {
    written,
    unchanged,  ///< it was so already, or the first one holds
    no_record,  ///< its room, or its player, was never written
    rejected,   ///< the database takes everything but this one
    lost,       ///< the database could not be reached for too long, or until the program ended
  };
  Kind kind = Kind::written;
  std::int64_t record_id = 0;  ///< `game_records.id`; 0 if there is none

  friend bool operator==(const Effect&, const Effect&) = default;
};

struct Participant {
  PlayerKey player{};
  std::optional<std::string> user_id{};
  std::optional<std::string> display_name{};
  std::optional<std::string> outcome{};
  UnixSeconds joined_at = 0;
  std::optional<UnixSeconds> left_at{};
  std::optional<std::string> leave_reason{};
};

struct Record {
  std::int64_t id = 0;
  std::string game_id{};
  std::string room_code{};
  UnixSeconds started_at = 0;
  std::optional<UnixSeconds> ended_at{};  ///< of the game: its result, or else the room's end
  std::optional<std::string> result{};
  std::int64_t rule_variation = 0;
  std::string relay{};
  std::optional<std::string> host_user_id{};
  std::optional<UnixSeconds> closed_at{};  ///< of the room
  std::optional<std::string> close_reason{};
  std::vector<Participant> participants{};  ///< by player id, then by generation
};

/// Which records, newest first.
struct RecordPage {
  std::optional<std::int64_t> before{};  ///< only ids below this one: the last of the page before
  std::size_t limit = 20;                ///< 1 to 100; what is outside is moved to the nearer end
  std::optional<std::string> user_id{};  ///< only those in which this user took part
};

/// What a store throws.
class StoreError : public std::runtime_error {
 public:
  enum class Kind {
    unavailable,  ///< try again later: disk full, locked, no connection
    rejected,     ///< never: this value, whenever it is tried
  };
  StoreError(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  [[nodiscard]] Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// Keeps game records. Every call may block, and throws StoreError when it fails.
///
/// Texts may be any bytes: what is not valid UTF-8, and U+0000, is stored as U+FFFD. After that a
/// user id, the relay's name and its run may have 512 bytes each; a job with a longer one is
/// rejected.
/// @threads one at a time
class RecordStore {
 public:
  virtual ~RecordStore() = default;

  /// Connects, and makes the schema in an empty database. Does nothing if it is open.
  /// @param self   whose records the following calls write
  virtual void open(const RelayRun& self) = 0;

  /// Whether the last `open` is still good, as far as is known without asking.
  [[nodiscard]] virtual bool is_open() const noexcept = 0;

  /// Does all of them, in their order, in one transaction, or none if it throws. To do the same
  /// jobs twice in a row comes to the same as to do them once.
  /// @return what became of each; never `rejected` or `lost`
  virtual std::vector<Effect> apply(std::span<const Job> jobs) = 0;

  /// Closes what earlier runs of this relay left open.
  /// @return how many records
  virtual std::size_t close_stale(UnixSeconds now) = 0;

  virtual std::optional<Record> find(std::int64_t id) = 0;

  /// Of the participants only those of `page.user_id`, if it is set; else none.
  virtual std::vector<Record> list(const RecordPage& page) = 0;
};

}  // namespace relay_program
