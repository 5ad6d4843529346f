// SPDX-License-Identifier: MIT
// One loop's outgoing side: what is queued, for whom, and the flush that writes it.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>
#include <muster/group.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace muster {

/// Owns nothing of the network and does no I/O of its own: it collects what services send during a
/// pass, and `flush` hands each connection's transport one gathered write.
///
/// A pass of a loop is: read what is ready and let the services run; `run(now)`; sleep until
/// `next_deadline()` or input. `on_dirty` tells a loop that sleeps that there is something to
/// flush.
/// @threads one loop per outbox
class MUSTER_API Outbox {
 public:
  struct Config {
    Budget budget{};  ///< what a new connection gets

    /// Most bytes in one group's batch, 64 KiB to 1 GiB; a broadcast above it is refused.
    std::size_t max_batch_bytes = 64 * 1024 * 1024;

    /// Bytes of empty buffers kept for the next pass, 0 to 64 MiB.
    std::size_t spare_bytes = 1024 * 1024;
  };

  /// Counters since the start.
  struct Stats {
    std::uint64_t flushes = 0;           ///< flushes that found something to do
    std::uint64_t writes = 0;            ///< calls of a transport's write
    std::uint64_t bytes = 0;             ///< taken by transports with framing
    std::uint64_t messages = 0;          ///< queued for one connection, directly or by a broadcast
    std::uint64_t dropped_volatile = 0;  ///< volatile messages whose receiver was behind
    std::uint64_t replaced_latest = 0;   ///< latest messages that a newer one replaced
    std::uint64_t dropped_overrun =
        0;                            ///< messages dropped because their connection was over budget
    std::uint64_t refused_sends = 0;  ///< sends answered with `over_budget`
    std::uint64_t lost_last_words = 0;  ///< last words that did not fit into the reserve
  };

  Outbox();
  explicit Outbox(const Config& config);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  /// Every connection and group must be gone.
  ~Outbox();

  /// Called once when the first thing is queued after a flush; not from within a flush.
  void on_dirty(std::function<void()> hook) { on_dirty_ = std::move(hook); }
  [[nodiscard]] bool is_dirty() const noexcept { return notified_; }

  /// Writes what is queued and due. Calls transports, never services.
  void flush(time_point now) noexcept;

  /// Tells the services what was found while flushing: overruns, room to write, ends. Services may
  /// send and close; that waits for the next flush. Then those leave that move to another loop.
  void dispatch(time_point now);

  /// `flush` and `dispatch`, until nothing is left, four times at most.
  void run(time_point now);

  /// When the next flush window opens, or `no_deadline`.
  [[nodiscard]] time_point next_deadline() const noexcept { return next_window_; }

  /// The connection, or null if it is gone.
  [[nodiscard]] Connection* find(ConnectionId id) const noexcept;

  /// The connection of an index that is known to be in use.
  [[nodiscard]] Connection* at(std::uint32_t index) const noexcept {
    return reinterpret_cast<Connection*>(slots_[index].word);
  }
  [[nodiscard]] std::size_t connection_count() const noexcept { return connection_count_; }
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }

 private:
  friend class Connection;
  friend class Group;

  void add(Connection& connection);
  void remove(Connection& connection) noexcept;
  void notify() noexcept;
  void mark_dirty(Connection& connection, Urgency urgency) noexcept;
  void mark_dirty(Group& group) noexcept;
  std::byte* reserve_arena(std::size_t size);
  Block take_block(std::size_t capacity);
  void give_block(Block block) noexcept;
  void retire_block(Block block) noexcept;
  Group::Batch* take_batch();
  void recycle(Group::Batch* batch) noexcept;
  void tell_opened(time_point now);
  void tell_overruns(time_point now);
  void tell_writables(time_point now);
  void tell_ended(time_point now);
  void let_depart(time_point now);

  // A slot holds a connection, or the generation that its next connection will get.
  struct Slot {
    std::uintptr_t word;  // a pointer, or (generation << 1 | 1)
  };

  Config config_;
  Stats stats_;
  std::function<void()> on_dirty_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Budget> budgets_;
  std::vector<Connection*> dirty_connections_;
  std::vector<Group*> dirty_groups_;
  struct Releaser;
  struct Overrun {
    Connection* connection;
    std::uint32_t lost;
  };
  std::vector<Overrun> overruns_;
  std::vector<Connection*> opened_;
  std::vector<Connection*> writables_;
  std::vector<Connection*> ended_;
  std::vector<Connection*> moving_;
  struct Close {
    std::uint16_t code;
    std::string text;
  };
  std::unordered_map<std::uint32_t, Close> closes_;  // by connection index
  std::vector<std::unique_ptr<SendQueue>> spare_queues_;
  std::vector<std::unique_ptr<Group::Batch>> spare_batches_;
  std::vector<Block> spare_blocks_;
  std::size_t spare_block_bytes_ = 0;
  std::vector<Block> retired_blocks_;  // done with, but for what the flush has yet to write
  Block arena_;                        // direct messages of this pass
  std::size_t arena_used_ = 0;
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t connection_count_ = 0;
  time_point next_window_ = no_deadline;
  bool notified_ = false;
  bool flushing_ = false;
};

}  // namespace muster
