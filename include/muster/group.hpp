// SPDX-License-Identifier: MIT
// An audience: connections that get the same messages, encoded once.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace muster {

/// When a group's messages leave.
///
/// A send costs about the same for one message or for sixteen, so a window saves server time and
/// adds latency; the default adds none.
struct FlushWindow {
  enum class Kind : std::uint8_t {
    end_of_pass,  ///< with the flush that ends the pass
    lead,  ///< the first message after a quiet time at once, then at most one flush per `length`
    tick,  ///< at the next multiple of `length`; with length 0 only when `Group::tick` says so
  };
  Kind kind = Kind::end_of_pass;
  duration length{0};

  [[nodiscard]] static constexpr FlushWindow lead(duration length) noexcept {
    return {Kind::lead, length};
  }
  [[nodiscard]] static constexpr FlushWindow tick(duration length = duration{0}) noexcept {
    return {Kind::tick, length};
  }
  friend bool operator==(const FlushWindow&, const FlushWindow&) = default;
};

/// The members of an audience: a room's synced players, the subscribers of one view.
///
/// A broadcast appends the message once to the group's batch; at the flush each member is sent the
/// part that is new to it. A connection is in at most one group. Direct messages and broadcasts to
/// one connection arrive in the order in which they were sent, also when it joins, moves or leaves
/// in between.
/// @threads one loop per group, the one of its outbox
class MUSTER_API Group {
 public:
  explicit Group(Outbox& outbox, FlushWindow window = {}) noexcept;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// The members stay open; what was broadcast to them still leaves.
  ~Group();

  /// Queues a message for every member but `except`.
  ///
  /// A `latest` or `volatile_` message is treated as such for members that are behind.
  /// @return `over_budget` if the batch is at the outbox's bound; nobody gets the message
  SendStatus broadcast(Message message, const Connection* except = nullptr,
                       Delivery delivery = Delivery::reliable) noexcept {
    return broadcast(std::span{&message.bytes, 1}, message.kind, except, delivery);
  }
  SendStatus broadcast(const Frame& frame, const Connection* except = nullptr,
                       Delivery delivery = Delivery::reliable) noexcept;
  SendStatus broadcast(std::span<const byte_view> parts, MessageKind kind,
                       const Connection* except = nullptr,
                       Delivery delivery = Delivery::reliable) noexcept;

  /// Adds a connection; it gets what is broadcast from now on. It leaves its former group first. A
  /// connection that is not open, or about to move to another loop, is not added.
  void join(Connection& connection) noexcept;

  /// Removes a connection; it still gets what was broadcast before. Does nothing if it is no
  /// member.
  void leave(Connection& connection) noexcept;

  /// Moves every member to another group of the same outbox, in O(members).
  void move_all_to(Group& other) noexcept;

  /// For `FlushWindow::tick`: what is queued leaves with the next flush.
  void tick() noexcept;

  /// What waits is decided anew with the next flush.
  void set_window(FlushWindow window) noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
  [[nodiscard]] bool empty() const noexcept { return members_.empty(); }

  /// The i-th member; the order changes when members leave.
  [[nodiscard]] Connection& member(std::size_t i) const noexcept { return *members_[i].connection; }

 private:
  friend class Connection;
  friend class Outbox;

  struct Batch;
  struct Member {
    Connection* connection;
    std::uint32_t cursor;      // first record that is new to it
    std::uint32_t first_hole;  // records that are not for it, as a chain through the batch
    std::uint32_t last_hole;
  };

  SendStatus append(std::span<const byte_view> parts, MessageKind kind, const Connection* except,
                    Delivery delivery) noexcept;
  void erase(Connection& connection) noexcept;
  void seal(Member& member) noexcept;
  void skip(Member& member) const noexcept;
  [[nodiscard]] std::uint32_t unseen(const Member& member) const noexcept;
  [[nodiscard]] std::uint32_t fitting(const Connection& connection, std::uint32_t at,
                                      std::uint32_t stop) const noexcept;
  void flush(time_point now) noexcept;
  void keep_rest(const Member& member, std::size_t taken) noexcept;
  [[nodiscard]] time_point window_opens(time_point now) noexcept;

  Outbox* outbox_;
  Batch* batch_ = nullptr;  // only while something is queued
  std::vector<Member> members_;
  FlushWindow window_;
  time_point last_flush_ = time_point::min();
  time_point due_ = time_point::min();  // when what is queued leaves; min: not yet decided
  std::uint64_t round_ = 0;             // the flush that last wrote it
  bool dirty_ = false;                  // in the outbox's list
  bool ticked_ = false;                 // tick() was called
};

}  // namespace muster
