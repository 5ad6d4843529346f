// SPDX-License-Identifier: MIT
// Puts players who wait into groups, and keeps seats for them in new shards.
#pragma once

#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/mac.hpp>
#include <muster/shard/join_ticket.hpp>
#include <muster/shard/match.hpp>
#include <muster/shard/match_mode.hpp>
#include <muster/shard/match_status.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::shard {

/// Those who enter a queue together, are matched together and leave it together.
struct Party {
  std::string_view mode;                      ///< the name of a `MatchMode`
  std::span<const std::string_view> players;  ///< ids, each once; as many as a team has, or fewer
  std::int32_t rating = 0;  ///< of the whole party; the application says how: a mean, the best
};

/// Queues by mode, without I/O.
///
///     Matchmaker matchmaker{config, key, entropy, mac, handler, now, unix_now};
///     matchmaker.enqueue({.mode = "ranked", .players = ids, .rating = 1500}, now);
///     // at next_deadline(), and after enqueue:
///     matchmaker.advance(now);
///     // in the shard, when one comes with a ticket
///     if (checked && !matchmaker.claim(checked.ticket, now)) admit(checked.ticket.sid);
///
/// **Who is matched.** A group forms around one party: all others in it are within that party's
/// rating window, and nearer ones are taken before farther ones, then earlier before later. Whoever
/// has waited longest is the first around whom a group is looked for, and it is found if there is
/// any that fills all teams. Without ratings that is: first come, first served, as far as parties
/// fit into teams.
///
/// **Seats.** A matched player has a seat, named by a signed ticket, for `Config::reservation`. The
/// shard says with `claim` that it has come. Otherwise the seat is lost, the player idle, and both
/// it (`status`) and the handler are told why. A claimed seat is shown until `assignment_ttl`.
///
/// **Costs.** Of n players: each call for one player is O(log n), but for `status` of a queued one,
/// which is O(sqrt n) for n up to about 100,000. A pass costs O(log n) for each party that has
/// become due, and looks once at those parties whose ratings are within `RatingWindow::most` of
/// someone who has come since the last pass; it searches for those among them only whom the new one
/// could help.
///
/// Nothing here says who a player is: let only the player itself, as the application knows it,
/// queue, leave and see its status.
/// @threads one loop per matchmaker; several need different prefixes
class MUSTER_API Matchmaker {
 public:
  struct Config {
    std::vector<MatchMode> modes{MatchMode{}};  ///< 1 to 64, with different names

    /// A shard's id is this, the Unix time in hexadecimal, `_`, and a count from 1. At most 64 of
    /// `A-Z a-z 0-9 - _`; may be empty.
    std::string shard_prefix = "match_";

    /// Groups are looked for at most so often. 1 ms to 1 min.
    duration pass_interval = std::chrono::seconds{1};

    duration max_wait = std::chrono::seconds{60};     ///< in a queue, 1 s to 1 h
    duration reservation = std::chrono::seconds{15};  ///< of a seat, 2 s to 10 min

    /// From the match on, how long `status` shows a seat that was claimed; and for how long it
    /// knows why a player is idle. From `reservation` to 1 h.
    duration assignment_ttl = std::chrono::seconds{60};

    /// Who are known of: in queues, with seats, and idle with a reason. 2 to 10 million, and not
    /// fewer than a group.
    std::size_t max_players = 100'000;
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config     valid
  /// @param key        signs the tickets; that of the shards' `TicketSigner`
  /// @param entropy    of the tickets' nonces; it, `mac` and `handler` must outlive the matchmaker
  /// @param unix_now   the calendar's clock at `now`, not before 1970
  Matchmaker(const Config& config, const TicketSigner::Key& key, Entropy& entropy, Mac& mac,
             MatchHandler& handler, time_point now, std::chrono::sys_seconds unix_now);
  Matchmaker(const Matchmaker&) = delete;
  Matchmaker& operator=(const Matchmaker&) = delete;
  ~Matchmaker();

  /// Says again what the calendar's clock shows: once in a while, because it is corrected, and
  /// `now` is not. Tickets made from now on go by it.
  void set_unix_time(time_point now, std::chrono::sys_seconds unix_now);

  /// Puts a party at the end of its mode's queue.
  ///
  /// A player who waits already leaves that place, and so do those who wait with it. On an error
  /// nothing has changed.
  /// @error errc::not_found        no such mode
  /// @error errc::bad_value        nobody, somebody twice, or an id that is none (`is_valid_id`)
  /// @error errc::too_large        more players than a team has
  /// @error errc::already_exists   a player has a seat, which it must take or give up (`dequeue`)
  /// @error errc::limit_reached    `max_players`
  /// @effects may call `on_idle` for players who waited with one of these; changes next_deadline()
  [[nodiscard]] std::error_code enqueue(const Party& party, time_point now);

  /// Takes a player, and those who wait with it, out of the queue; or gives up its seat, unless it
  /// has been claimed.
  /// @return   whether it was in a queue or had such a seat
  /// @effects may call `on_idle` for those who waited with it
  bool dequeue(std::string_view player, time_point now);

  /// The holder of a ticket has come to its shard. Each ticket can be claimed once.
  /// @param ticket   as `TicketSigner::check` returned it
  /// @error errc::not_found        no such seat: it was given up, lost, or never existed
  /// @error errc::already_exists   claimed before
  [[nodiscard]] std::error_code claim(const JoinTicket& ticket, time_point now);

  [[nodiscard]] MatchStatus status(std::string_view player, time_point now) const;

  /// Forms groups, and ends what has lasted too long.
  /// @effects may call the handler
  void advance(time_point now);

  /// Calls `changed` whenever a player's status may have become another one than by waiting, or by
  /// others who came and went. It must not use the matchmaker.
  void watch(std::function<void(std::string_view player)> changed);

  /// When `advance` is next to be called, or `no_deadline`. May change with every call that is not
  /// const.
  [[nodiscard]] time_point next_deadline() const noexcept;

  /// Counts of players, unless it says otherwise.
  struct Stats {
    std::uint64_t queued = 0;
    std::uint64_t matched = 0;         ///< got a seat
    std::uint64_t left = 0;            ///< a queue: on request, with their party, or for another
    std::uint64_t max_wait = 0;        ///< as `IdleReason`
    std::uint64_t unclaimed = 0;       ///< as `IdleReason`
    std::uint64_t given_up = 0;        ///< a seat, by `dequeue`
    std::uint64_t claimed = 0;         ///< a seat
    std::uint64_t matches = 0;         ///< matches whose shard was made
    std::uint64_t failed_matches = 0;  ///< matches whose shard could not be made
    std::uint64_t refused = 0;         ///< parties
    std::uint64_t searches = 0;        ///< for a group around a party
    std::uint64_t examined = 0;        ///< parties looked at in passes: what these cost
  };
  [[nodiscard]] const Stats& stats() const noexcept;

  /// Players in queues.
  [[nodiscard]] std::size_t queued_count() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::shard
