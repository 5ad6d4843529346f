// SPDX-License-Identifier: MIT
// The one place that says where a key lives.
#pragma once

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/sip_hash.hpp>

#include <cassert>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace muster {

/// Which of a number of places, loops or machines, a room's key belongs to.
///
/// Who asks with the same seed and count gets the same answer, on every loop. When a place is
/// added, only the keys that go to the new one change theirs (Lamping and Veach, "A Fast, Minimal
/// Memory, Consistent Hash Algorithm"). Strangers choose room names, so the seed has to be
/// unpredictable: otherwise one of them puts all of his rooms on one loop. Loops and machines need
/// a seed each, or all rooms of one machine would share few of its loops.
/// @threads distinct objects: safe; shared objects: safe while nobody assigns
class MUSTER_API Placement {
 public:
  /// @param count   of places, at least 1
  Placement(const SipKey& seed, std::uint32_t count) noexcept : seed_(seed), count_(count) {
    assert(count != 0);
  }

  /// A seed that nobody knows: for loops of one process.
  Placement(Entropy& entropy, std::uint32_t count) noexcept
      : Placement({entropy.next_u64(), entropy.next_u64()}, count) {}

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// The place of a key, below `count`.
  /// @complexity  O(size of the key + log count)
  [[nodiscard]] std::uint32_t of(byte_view key) const noexcept;

  /// Draws keys until one belongs to `place`, for a room whose creator wished no name: it then
  /// lives where its creator is already. That takes `count` draws on average.
  /// @param draw    gives a new key each time, something that `as_bytes` takes
  /// @return        nothing if 64 draws for each place did not help: `draw` repeats itself
  template <class Draw>
  [[nodiscard]] std::optional<std::invoke_result_t<Draw&>> draw_for(std::uint32_t place,
                                                                    Draw draw) const {
    for (std::uint64_t i = 0; i < std::uint64_t{count_} * 64; ++i) {
      auto key = draw();
      if (of(as_bytes(key)) == place) return key;
    }
    return std::nullopt;
  }

 private:
  SipKey seed_;
  std::uint32_t count_;
};

}  // namespace muster
