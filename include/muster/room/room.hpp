// SPDX-License-Identifier: MIT
// The roster that every kind of room shares: who is in it, under which number, in which audience.
#pragma once

#include <muster/connection.hpp>
#include <muster/group.hpp>
#include <muster/result.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace muster {

/// The members of one room, and its audiences.
///
/// A room knows members by their number and by the instance and generation behind it, never by a
/// name that a later room may bear again. Counts are derived from the table, so they cannot drift.
/// What a particular protocol knows beyond that (who is the host, who has the state) is kept beside
/// the room by its service.
/// @threads one loop per room
class Room {
 public:
  struct Config {
    std::uint32_t max_members = 0;  ///< 0: no limit
    std::uint32_t first_id = 0;     ///< the number of the first member
    std::uint32_t last_id = 65535;  ///< no number above it is handed out; at least `first_id`
    std::size_t audiences = 1;      ///< 1 to 8
    FlushWindow window{};           ///< of every audience
  };

  /// One participant. Its address stays the same until it is removed.
  struct Member {
    Room* room;
    std::uint32_t id;          ///< its number in the room, never used again
    std::uint32_t generation;  ///< which of its connections is the current one, from 1
    Connection* connection;    ///< the current one
    std::uint64_t token;       ///< proves that a later connection is the same participant
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

  /// Whether one more member would be admitted now, and if not, why.
  /// @error         errc::limit_reached   the room is full
  /// @error         errc::not_found       the numbers are used up
  [[nodiscard]] result<std::uint32_t> next_id() const noexcept;

  /// Like `next_id`, with a limit that counts instead of the configured one.
  [[nodiscard]] result<std::uint32_t> next_id(std::uint32_t max_members) const noexcept;

  /// Adds a member under the number that `next_id` says; sets the connection's context to it. The
  /// caller has checked that there is one.
  Member& admit(Connection& connection, std::uint64_t token);

  /// Removes a member. Its connection leaves its audience and has no context afterwards.
  void remove(Member& member) noexcept;

  /// The member of that number, or null.
  [[nodiscard]] Member* find(std::uint32_t id) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }

  /// The members by their number.
  [[nodiscard]] const std::map<std::uint32_t, Member>& members() const noexcept { return members_; }
  [[nodiscard]] std::map<std::uint32_t, Member>& members() noexcept { return members_; }

  [[nodiscard]] Group& audience(std::size_t index) noexcept { return *audiences_[index]; }

 private:
  std::uint64_t instance_;
  Config config_;
  void* owner_;
  std::uint64_t next_id_;  // wider than an id: it never comes round
  std::map<std::uint32_t, Member> members_;
  std::vector<std::unique_ptr<Group>> audiences_;
};

}  // namespace muster
