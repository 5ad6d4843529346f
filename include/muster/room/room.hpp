// SPDX-License-Identifier: MIT
// The roster that every kind of room shares: who is in it, under which number, in which audience.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>
#include <muster/group.hpp>
#include <muster/result.hpp>
#include <muster/room/token.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace muster {

/// The members of one room, and its audiences.
///
/// A member stays the same participant for as long as it is in the room, over as many connections
/// as that takes: one that lost its connection is absent until a time, and keeps its number, its
/// seat and its place. A room knows members by their number and by the instance and generation
/// behind it, never by a name that a later room may bear again. Counts are derived from the table,
/// so they cannot drift.
///
/// What a particular protocol knows beyond that (who is the host, who has the state) is kept beside
/// the room by its service.
/// @threads one loop per room
class MUSTER_API Room {
 public:
  struct Config {
    std::uint32_t max_spectators = 0;  ///< 0: none are admitted
    std::uint32_t first_id = 0;        ///< those below it are for `reserve`
    std::uint32_t last_id = 65535;     ///< no number above it is handed out; at least `first_id`
    std::size_t audiences = 1;         ///< 1 to 8
    FlushWindow window{};              ///< of every audience

    /// How long a number stays unused after its member is gone. Numbers are handed out in order,
    /// and used again only when that has come to its end.
    duration quarantine = std::chrono::seconds{60};
  };

  /// One participant. Its address stays the same until it is removed.
  struct Member {
    Room* room;
    std::uint32_t id;          ///< its number in the room
    std::uint32_t generation;  ///< which of its connections it is, from 1; 0: it had none yet
    std::uint32_t seat;        ///< from 1 on; 0: it has none
    bool is_spectator;
    Connection* connection;  ///< the current one; null while it is absent
    /// Of what proves that a later connection is the same participant; nothing: no later one can.
    std::optional<TokenTag> token;
    time_point absent_until;  ///< while it is absent
    void* data = nullptr;     ///< what the room's owner keeps of it; the room never looks at it

    [[nodiscard]] bool is_present() const noexcept { return connection != nullptr; }
  };

  /// How a new member comes in.
  struct Admission {
    std::optional<TokenTag> token{};
    bool is_spectator = false;            ///< takes no place and no seat
    std::optional<std::uint32_t> seat{};  ///< wished for: given if it is free, else the lowest is
    std::uint32_t max_seat = 0;           ///< no seat above it is given for a wish
  };

  /// @param instance   unlike that of any other room of this process
  /// @param owner      what the room belongs to, for `owner()`
  Room(std::uint64_t instance, const Config& config, Outbox& outbox, void* owner);
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  /// Every member is taken off its connection; the connections stay as they are.
  ~Room();

  [[nodiscard]] std::uint64_t instance() const noexcept { return instance_; }
  template <class T>
  [[nodiscard]] T& owner() const noexcept {
    return *static_cast<T*>(owner_);
  }

  /// Whether one more member would be admitted now, and if not, why. Those who are absent have
  /// their place.
  /// @param max_members   spectators do not count; 0: no limit
  /// @error         errc::limit_reached   the room is full, or has all its spectators
  /// @error         errc::not_found       the numbers are used up
  [[nodiscard]] result<std::uint32_t> next_id(time_point now, std::uint32_t max_members = 0,
                                              bool is_spectator = false) const noexcept;

  /// Adds a member under the number that `next_id` says; sets the connection's context to it. The
  /// caller has checked that there is one.
  Member& admit(Connection& connection, time_point now, const Admission& admission);
  Member& admit(Connection& connection, time_point now) {
    return admit(connection, now, Admission{});
  }

  /// The seat that `admit` would give.
  [[nodiscard]] std::uint32_t next_seat(const Admission& admission) const noexcept;

  /// Adds an absent member, who takes a place and a seat.
  /// @param id   below `first_id`, and not in use
  Member& reserve(std::uint32_t id, const TokenTag& token, time_point until);

  /// Makes a connection the current one of a member. The former one, if there is one, is taken off
  /// the room and returned, still open.
  Connection* rejoin(Member& member, Connection& connection);

  /// Takes a member off its connection, which leaves its audience and has no context afterwards.
  /// The member is absent until then.
  void lose(Member& member, time_point until);

  /// The member's token is another one from now on.
  void set_token(Member& member, const TokenTag& token);

  /// Removes a member, present or absent; its token is worth nothing afterwards.
  void remove(Member& member, time_point now) noexcept;

  /// The member of that number, or null.
  [[nodiscard]] Member* find(std::uint32_t id) noexcept;

  /// The member of that token, or null. The time it takes tells nothing about other tokens.
  [[nodiscard]] Member* find(const TokenTag& token) noexcept;

  /// When the first absence comes to its end, or `no_deadline`.
  [[nodiscard]] time_point next_expiry() const noexcept;

  /// A member whose absence has come to its end, or null. It is still to be removed.
  [[nodiscard]] Member* expired(time_point now) noexcept;

  /// All of them: present and absent, spectators too.
  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
  [[nodiscard]] std::size_t spectator_count() const noexcept { return spectators_; }

  /// The members by their number.
  [[nodiscard]] const std::map<std::uint32_t, Member>& members() const noexcept { return members_; }
  [[nodiscard]] std::map<std::uint32_t, Member>& members() noexcept { return members_; }

  [[nodiscard]] Group& audience(std::size_t index) noexcept { return *audiences_[index]; }
  [[nodiscard]] const Group& audience(std::size_t index) const noexcept {
    return *audiences_[index];
  }

 private:
  // The first eight bytes of a tag: they find it, and the rest is compared in constant time.
  [[nodiscard]] static std::uint64_t index_of(const TokenTag& token) noexcept;
  Member& add(std::uint32_t id, const std::optional<TokenTag>& token, Connection* connection,
              bool is_spectator);
  void take_seat(Member& member, std::uint32_t seat);
  static void detach(Member& member) noexcept;

  std::uint64_t instance_;
  Config config_;
  void* owner_;
  std::uint64_t next_id_;  // wider than an id: it never comes round
  std::uint32_t next_seat_ = 1;
  std::size_t spectators_ = 0;
  std::map<std::uint32_t, Member> members_;
  std::unordered_map<std::uint64_t, Member*> by_token_;  // the keys are keyed hashes
  std::set<std::pair<time_point, std::uint32_t>> absent_;
  std::deque<std::pair<time_point, std::uint32_t>> released_;  // numbers, oldest first
  std::set<std::uint32_t> free_seats_;                         // below next_seat_
  std::vector<std::unique_ptr<Group>> audiences_;
};

}  // namespace muster
