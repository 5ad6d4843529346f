// SPDX-License-Identifier: MIT
// What a client knows of its server's clock.
#pragma once

#include <muster/export.hpp>
#include <muster/shard/v2_message.hpp>
#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster::shard {

/// Compares two clocks by questions and answers. Of the last 8 answers the one that took the
/// shortest time counts: it waited least in queues, so it is the one that knows best.
///
/// The error is at most half of that time, if nothing else is known of the two ways.
/// @threads distinct objects: safe; shared objects: unsafe
/// @source RFC 5905 section 10 (the clock filter)
class MUSTER_API ServerClock {
 public:
  static constexpr std::size_t samples = 8;

  /// Asks at `now`. An answer to an earlier question is not expected any more.
  [[nodiscard]] v2::ClockQuery ask(time_point now) noexcept;

  /// @return false: it answers no question that is open, or says what no clock says
  bool take(const v2::ClockReply& reply, time_point now) noexcept;

  void clear() noexcept { *this = {}; }

  [[nodiscard]] bool is_known() const noexcept { return best_.has_value(); }

  /// The time of the shortest of the last round trips; 0 if nothing is known.
  [[nodiscard]] duration round_trip() const noexcept {
    return best_ ? best_->round_trip : duration{0};
  }

  /// The server's clock minus this one; 0 if nothing is known.
  [[nodiscard]] duration offset() const noexcept { return best_ ? best_->offset : duration{0}; }

  /// The server's clock when this one shows `now`.
  [[nodiscard]] time_point server_time(time_point now) const noexcept { return now + offset(); }

 private:
  struct Sample {
    duration round_trip;
    duration offset;
  };

  std::array<Sample, samples> last_{};
  std::size_t count_ = 0;  // of all that were taken
  std::optional<Sample> best_;
  std::optional<time_point> asked_at_;
  std::uint64_t question_ = 0;  // names the open question
};

}  // namespace muster::shard
