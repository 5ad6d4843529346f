// SPDX-License-Identifier: MIT
#include <muster/shard/snapshot_store.hpp>

namespace muster::shard {

bool SnapshotStore::keep(std::uint64_t tick, byte_view snapshot) {
  if (tick == 0 || snapshot.size() > max_bytes_) return false;
  // No delta is based on what is older than this.
  if (tick >= kept_.size()) drop_before(tick - (kept_.size() - 1));
  Kept& place = kept_[tick % kept_.size()];
  drop(place);
  while (bytes_ + snapshot.size() > max_bytes_) drop(*oldest());
  place.tick = tick;
  place.bytes.assign(snapshot.begin(), snapshot.end());
  bytes_ += snapshot.size();
  newest_ = tick;
  return true;
}

const std::vector<std::byte>* SnapshotStore::find(std::uint64_t tick) const noexcept {
  const Kept& place = kept_[tick % kept_.size()];
  return tick != 0 && place.tick == tick ? &place.bytes : nullptr;
}

void SnapshotStore::drop_before(std::uint64_t tick) noexcept {
  for (Kept& kept : kept_) {
    if (kept.tick < tick) drop(kept);
  }
}

void SnapshotStore::clear() noexcept {
  for (Kept& kept : kept_) drop(kept);
}

// There is one while bytes are kept.
SnapshotStore::Kept* SnapshotStore::oldest() noexcept {
  Kept* found = nullptr;
  for (Kept& kept : kept_) {
    const bool is_older = found == nullptr || kept.tick < found->tick;
    if (kept.tick != 0 && !kept.bytes.empty() && is_older) found = &kept;
  }
  return found;
}

void SnapshotStore::drop(Kept& kept) noexcept {
  bytes_ -= kept.bytes.size();
  kept.bytes.clear();
  if (kept.tick == newest_) newest_ = 0;
  kept.tick = 0;
}

}  // namespace muster::shard
