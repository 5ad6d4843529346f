// SPDX-License-Identifier: MIT
// The snapshots that a client keeps, since deltas may be based on them.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/shard/delta_history.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shard {

/// Snapshots by their ticks, within a bound of bytes. The oldest has to go first: an older one than
/// the newest that was acknowledged is of use only while its deltas are on their way.
///
/// A server bases a delta on one that is at most 64 ticks old, and never again on one that is older
/// than the base that it used last. Buffers are used again.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API SnapshotStore {
 public:
  /// @param max_bytes   of all that are kept
  explicit SnapshotStore(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

  /// Keeps a snapshot that is newer than all that are kept. An empty `snapshot` is one too.
  /// @return false: it alone is above the bound, or it is of tick 0, which no delta can name
  bool keep(std::uint64_t tick, byte_view snapshot);

  /// The snapshot, or null. Valid until the next `keep`.
  [[nodiscard]] const std::vector<std::byte>* find(std::uint64_t tick) const noexcept;

  /// Forgets all that are older.
  void drop_before(std::uint64_t tick) noexcept;
  void clear() noexcept;

  /// The newest, which inputs may name as received; 0: there is none.
  [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Kept {
    std::uint64_t tick = 0;  // 0: free
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] Kept* oldest() noexcept;
  void drop(Kept& kept) noexcept;

  std::array<Kept, DeltaHistory<int>::depth + 1> kept_{};  // tick t is in place t % size
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t newest_ = 0;
};

}  // namespace muster::shard
