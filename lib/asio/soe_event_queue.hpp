// SPDX-License-Identifier: MIT
// Events on their way from a driver's thread to the program's.
#pragma once

#include <muster/asio/soe_event.hpp>
#include <muster/time.hpp>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace muster::asio {

/// Events are handed over by the batch, so that the lock is taken once for each pass and not for
/// each message.
/// @threads one thread adds, one takes
class SoeEventQueue {
 public:
  /// @param limits   see there
  /// @param resume   called by the taker's thread when it has made room
  SoeEventQueue(const SoeEventLimits& limits, std::function<void()> resume);

  // The driver's thread.

  /// Adds a copy to the batch.
  void add(const SoeEvent& event);
  [[nodiscard]] bool has_batch() const noexcept { return !batch_.events.empty(); }

  /// Hands the batch over.
  /// @return whether more waits now than should: then `resume` follows
  [[nodiscard]] bool publish();

  // The program's.

  [[nodiscard]] EventStatus take(SoeEvent& event, duration patience);

  /// Nothing more will come. Any thread, when the driver's is gone.
  void stop();

 private:
  struct Batch {
    std::vector<SoeEvent> events;  // the data of each follows that of the one before
    std::vector<std::byte> bytes;

    void append(const SoeEvent& event);
    void clear() noexcept;
  };

  [[nodiscard]] bool is_full() const noexcept;

  const SoeEventLimits limits_;
  const std::function<void()> resume_;
  Batch batch_;  // of the driver's thread

  std::mutex mutex_;
  std::condition_variable arrival_;
  Batch waiting_;
  bool is_stopped_ = false;
  bool is_paused_ = false;  // the driver waits for `resume`

  // The taker's.
  Batch taken_;
  std::size_t next_ = 0;
  std::size_t next_byte_ = 0;
};

}  // namespace muster::asio
