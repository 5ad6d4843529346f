// SPDX-License-Identifier: MIT
// The snapshots of one tick: each encoded once, whoever shares it.
#pragma once

#include <muster/export.hpp>
#include <muster/frame.hpp>
#include <muster/shard/simulation.hpp>
#include <muster/shard/subscription.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shard {

/// What one picture is of: a view, or what changed in it since a tick.
struct Picture {
  View view;
  std::uint64_t base = 0;  ///< a delta to the snapshot of that tick; 0: a whole snapshot
  friend bool operator==(const Picture&, const Picture&) = default;
};

/// The encoded pictures of one tick. The memory stays for the next one.
///
///     cache.begin(tick);
///     const std::size_t at = cache.find(picture);
///     if (!cache.has_payload(at)) simulation.encode(picture.view, cache.start(at)), cache.end(at);
///     subscriber.send(cache.frame(at, subscriber.wire));
///
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API FrameCache {
 public:
  /// Forgets the pictures of the tick before.
  void begin(std::uint64_t tick) noexcept;

  /// Forgets all.
  void clear() noexcept { begin(none); }

  /// Whether what is kept is of that tick.
  [[nodiscard]] bool is_of(std::uint64_t tick) const noexcept { return tick_ == tick; }

  /// The place of a picture; a new one if nobody has asked for it in this tick.
  [[nodiscard]] std::size_t find(const Picture& picture);

  [[nodiscard]] bool has_payload(std::size_t at) const noexcept { return entries_[at].is_encoded; }

  /// Where the payload is to be appended, until `end`. No other call in between.
  [[nodiscard]] std::vector<std::byte>& start(std::size_t at) noexcept {
    entries_[at].begin = payloads_.size();
    return payloads_;
  }

  /// @param is_unchanged   of a delta: there is no difference, and no payload
  void end(std::size_t at, bool is_unchanged = false) noexcept;

  [[nodiscard]] byte_view payload(std::size_t at) const noexcept {
    return byte_view{payloads_}.subspan(entries_[at].begin, entries_[at].size);
  }

  /// The message for those who are spoken to in that way; made when first asked for.
  [[nodiscard]] const Frame& frame(std::size_t at, Wire wire);

 private:
  struct Entry {
    Picture picture;
    std::size_t begin = 0;
    std::size_t size = 0;
    bool is_encoded = false;
    bool is_unchanged = false;
    std::array<Frame, 3> frames;  // by wire
  };
  void grow();
  [[nodiscard]] std::size_t slot_of(const Picture& picture) const noexcept;

  static constexpr std::uint64_t none = UINT64_MAX;

  std::uint64_t tick_ = none;
  std::size_t used_ = 0;
  std::vector<Entry> entries_;        // the first `used_`
  std::vector<std::uint32_t> slots_;  // open addressing; an entry's place + 1
  std::vector<std::byte> payloads_;
  std::vector<std::byte> header_;  // of a frame that is being made
};

}  // namespace muster::shard
