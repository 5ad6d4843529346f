// SPDX-License-Identifier: MIT
#include <muster/shard/frame_cache.hpp>

#include <muster/shard/snapshot_frame.hpp>
#include <muster/shard/sse_event.hpp>
#include <muster/shard/v2_message.hpp>

#include <algorithm>

namespace muster::shard {

void FrameCache::begin(std::uint64_t tick) noexcept {
  tick_ = tick;
  // The frames go: they are shared with connections, and must not hold memory for nobody.
  for (std::size_t i = 0; i < used_; ++i) entries_[i].frames = {};
  used_ = 0;
  payloads_.clear();
  std::fill(slots_.begin(), slots_.end(), 0U);
}

std::size_t FrameCache::slot_of(const Picture& picture) const noexcept {
  std::uint64_t mixed = picture.view.key ^ picture.base * 0x9e3779b97f4a7c15U ^
                        static_cast<std::uint64_t>(picture.view.format) << 61U;
  mixed ^= mixed >> 32U;
  mixed *= 0xd6e8feb86659fd93U;
  mixed ^= mixed >> 32U;
  std::size_t slot = mixed & (slots_.size() - 1);
  while (slots_[slot] != 0 && entries_[slots_[slot] - 1].picture != picture) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

// At most half full.
void FrameCache::grow() {
  slots_.assign(std::max<std::size_t>(16, slots_.size() * 2), 0);
  for (std::size_t i = 0; i < used_; ++i) {
    slots_[slot_of(entries_[i].picture)] = static_cast<std::uint32_t>(i + 1);
  }
}

std::size_t FrameCache::find(const Picture& picture) {
  if ((used_ + 1) * 2 > slots_.size()) grow();
  std::uint32_t& slot = slots_[slot_of(picture)];
  if (slot != 0) return slot - 1;
  if (used_ == entries_.size()) entries_.emplace_back();
  Entry& entry = entries_[used_];
  entry.picture = picture;
  entry.is_encoded = entry.is_unchanged = false;
  slot = static_cast<std::uint32_t>(++used_);
  return used_ - 1;
}

void FrameCache::end(std::size_t at, bool is_unchanged) noexcept {
  Entry& entry = entries_[at];
  entry.size = payloads_.size() - entry.begin;
  entry.is_encoded = true;
  entry.is_unchanged = is_unchanged;
}

const Frame& FrameCache::frame(std::size_t at, Wire wire) {
  const Entry& entry = entries_[at];
  Frame& frame = entries_[at].frames[static_cast<std::size_t>(wire)];
  if (frame) return frame;
  header_.clear();
  switch (wire) {
    case Wire::legacy:
      encode(SnapshotFrame{tick_, {}}, header_);
      break;
    case Wire::events:
      write_sse_event(header_, tick_, payload(at));
      frame = Frame{{header_, MessageKind::text}};
      return frame;
    case Wire::v2:
      if (entry.picture.base == 0) {
        encode(v2::Full{tick_, {}}, header_);
      } else if (entry.is_unchanged) {
        encode(v2::Unchanged{tick_, entry.picture.base}, header_);
      } else {
        encode(v2::Delta{tick_, entry.picture.base, {}}, header_);
      }
      break;
  }
  const std::array<byte_view, 2> parts{header_, payload(at)};
  frame = Frame{parts, MessageKind::binary};
  return frame;
}

}  // namespace muster::shard
