// SPDX-License-Identifier: MIT
// Memory that messages of fragments are put together in, and pieces of it kept for the next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace muster::soe {

struct MessageBuffer {
  std::unique_ptr<std::byte[]> bytes;
  std::uint32_t capacity = 0;
};

/// Buffers that were used and are kept for the next message: what the C library gives back to the
/// system costs a page fault for every eight packets when it is wanted again, and those were most
/// of what a large message cost.
class SpareBuffers {
 public:
  /// The largest spare of `least` to `most` bytes; none: an empty one.
  [[nodiscard]] MessageBuffer take(std::size_t least, std::size_t most) noexcept {
    MessageBuffer* best = nullptr;
    for (MessageBuffer& spare : spares_) {
      if (spare.capacity < least || spare.capacity > most) continue;
      if (best == nullptr || spare.capacity > best->capacity) best = &spare;
    }
    if (best == nullptr) return {};
    MessageBuffer taken = std::exchange(*best, std::move(spares_.back()));
    spares_.pop_back();
    kept_ -= taken.capacity;
    return taken;
  }

  void give_back(MessageBuffer buffer) {
    if (buffer.capacity < smallest || buffer.capacity > most_kept - kept_) return;
    kept_ += buffer.capacity;
    if (spares_.size() < most_spares) return spares_.push_back(std::move(buffer));
    // In place of the smallest, which may be itself.
    const auto least = std::min_element(spares_.begin(), spares_.end(),
                                        [](const MessageBuffer& left, const MessageBuffer& right) {
                                          return left.capacity < right.capacity;
                                        });
    if (least->capacity < buffer.capacity) std::swap(*least, buffer);
    kept_ -= buffer.capacity;
  }

  [[nodiscard]] std::size_t kept() const noexcept { return kept_; }

 private:
  static constexpr std::size_t smallest = 4 * 1024;  // below it a buffer is soon had
  static constexpr std::size_t most_kept = 8 << 20;
  static constexpr std::size_t most_spares = 32;  // they are searched

  std::vector<MessageBuffer> spares_;
  std::size_t kept_ = 0;
};

}  // namespace muster::soe
