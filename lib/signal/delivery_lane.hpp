// SPDX-License-Identifier: MIT
// What waits for a recipient that is behind, and what it will not get.
#pragma once

#include <muster/frame.hpp>
#include <muster/time.hpp>

#include "server_message.hpp"
#include "vocabulary.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace muster::signal {

/// The order in which a slow recipient gets game data, with a mark in the place of everything that
/// was left out. Only the owner of the connection sees it: others are never held up.
///
/// `latest` messages are replaced by newer ones of their sender and key, `volatile` ones dropped
/// when there is no room. What is dropped leaves its sequence number behind, to be reported before
/// anything that follows it is sent.
/// @source docs/protocol/signal.md, "Game data"
class DeliveryLane {
 public:
  struct Limits {
    std::uint32_t messages;  ///< of game data; above it the lossy give way
    std::size_t bytes;       ///< above it nothing more is taken
  };

  struct Item {
    enum class Kind : std::uint8_t { data, control, barrier, gaps };

    Kind kind;
    DeliveryClass delivery = DeliveryClass::reliable;  // data
    std::uint32_t key = 0;                             // latest data
    Uuid from{};                                       // data
    std::uint32_t epoch = 1;                           // data
    std::uint64_t seq = 1;                             // data
    time_point queued_at{};
    Frame frame{};            // all but gaps
    std::vector<Gap> gaps{};  // gaps
  };

  /// What became of a message.
  enum class Outcome : std::uint8_t {
    kept,      ///< it waits, perhaps in the place of another
    left_out,  ///< a mark waits instead
    overflow,  ///< there is no room, and it must not be left out: the recipient is too slow
  };

  explicit DeliveryLane(const Limits& limits) noexcept : limits_(limits) {}

  /// @param can_drop   false: everything counts as reliable (a recipient without sequence numbers)
  Outcome add_data(const Frame& frame, const Gap& one, DeliveryClass delivery, std::uint32_t key,
                   bool can_drop, time_point now);

  /// The mark of something that this recipient does not get.
  Outcome add_gap(const Gap& gap);

  /// A message of the room's own: behind the last barrier and what followed it there, before the
  /// data that waits behind it.
  Outcome add_control(const Frame& frame, bool at_end, time_point now);

  /// A message that nothing may pass, in either direction.
  Outcome add_barrier(const Frame& frame, time_point now);

  [[nodiscard]] bool has_barrier() const noexcept { return barriers_ != 0; }
  [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
  [[nodiscard]] const Item& front() const noexcept { return items_.front(); }
  Item take_front();

  /// Since when a reliable message or one of the room's own waits here; `no_deadline`: none does.
  [[nodiscard]] time_point oldest() const noexcept;

  /// Since when there is more than its limit of messages; `no_deadline`: there is not.
  [[nodiscard]] time_point full_since() const noexcept { return full_since_; }

  // Of each class: messages that wait, and sequence numbers that wait to be reported.
  [[nodiscard]] std::uint64_t waiting(DeliveryClass delivery) const noexcept {
    return waiting_[static_cast<std::size_t>(delivery)];
  }
  [[nodiscard]] std::uint64_t unreported(DeliveryClass delivery) const noexcept {
    return unreported_[static_cast<std::size_t>(delivery)];
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  using Place = std::deque<Item>::iterator;

  [[nodiscard]] Place behind_barriers() noexcept;
  void leave_out(Place place, GapReason reason);
  void mark(Place place, Gap gap);
  void forget(const Item& item) noexcept;
  [[nodiscard]] std::uint64_t data_count() const noexcept {
    return waiting_[0] + waiting_[1] + waiting_[2];
  }

  Limits limits_;
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  std::size_t barriers_ = 0;
  std::size_t marks_ = 0;  // ranges in all gaps
  std::array<std::uint64_t, 3> waiting_{};
  std::array<std::uint64_t, 3> unreported_{};
  time_point full_since_ = no_deadline;
};

/// The class whose messages are lost for that reason, as far as it says.
[[nodiscard]] constexpr DeliveryClass class_of(GapReason reason) noexcept {
  return reason == GapReason::volatile_dropped     ? DeliveryClass::volatile_
         : reason == GapReason::unsupported_format ? DeliveryClass::reliable
                                                   : DeliveryClass::latest;
}

[[nodiscard]] constexpr std::uint64_t length(const Gap& gap) noexcept {
  return gap.to_seq - gap.from_seq + 1;
}

/// Appends a gap, to the last one if it goes on where that ends.
void append_gap(std::vector<Gap>& gaps, const Gap& gap);

}  // namespace muster::signal
