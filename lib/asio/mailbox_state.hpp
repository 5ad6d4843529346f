// SPDX-License-Identifier: MIT
// What the handles on a mailbox share with its loop. Here is the only lock of a loop.
#pragma once

#include <muster/asio/loop.hpp>
#include <muster/asio/mailbox.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace muster::asio {

struct MUSTER_LOCAL Mailbox::State {
  State(::asio::io_context& the_context, std::weak_ptr<Loop::Impl*> the_loop, std::size_t the_bound)
      : context(&the_context), loop(std::move(the_loop)), bound(the_bound) {}

  /// Places that are taken: of what waits, and of connections that may come.
  [[nodiscard]] bool is_full() const noexcept { return tasks.size() + kept >= bound; }

  /// Queues without a look at the bound. The lock is held.
  void push(std::unique_ptr<Task> task);

  /// Makes the loop look. The lock is held, and the loop is not stopped.
  void wake();

  /// The loop has looked: takes what waits. The loop's thread only.
  void take(std::vector<std::unique_ptr<Task>>& out);

  /// The loop ends. Drops what waits.
  void stop() noexcept;

  std::mutex mutex;
  std::atomic<bool> has_mail = false;  // read by each pass, so that one without mail takes no lock

  // Under the lock.
  ::asio::io_context* const context;  // lives while `stopped` is false
  const std::weak_ptr<Loop::Impl*> loop;
  const std::size_t bound;
  std::vector<std::unique_ptr<Task>> tasks;
  std::size_t kept = 0;
  bool is_waking = false;
  bool stopped = false;
};

}  // namespace muster::asio
