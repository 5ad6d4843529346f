// SPDX-License-Identifier: MIT
#include "outgoing.hpp"

namespace muster::soe {

bool Outgoing::poll(std::uint32_t& slot, std::span<const byte_view>& group) noexcept {
  if (is_drained()) return false;
  const std::size_t first = polled_;
  const std::size_t segment = datagrams_[first].size();
  std::size_t bytes = 0;
  while (polled_ < datagrams_.size() && polled_ - first < max_group &&
         slots_[polled_] == slots_[first] && datagrams_[polled_].size() <= segment &&
         bytes + datagrams_[polled_].size() <= max_group_bytes) {
    bytes += datagrams_[polled_].size();
    if (datagrams_[polled_++].size() < segment) break;
  }
  if (polled_ == first) ++polled_;  // larger than a group may be
  slot = slots_[first];
  group = std::span<const byte_view>{datagrams_}.subspan(first, polled_ - first);
  return true;
}

void Outgoing::begin() noexcept {
  if (!is_drained()) return;
  datagrams_.clear();
  slots_.clear();
  polled_ = 0;
  chunk_ = 0;
  used_ = 0;
  while (retired_ != nullptr) {
    Packet& packet = *retired_;
    retired_ = packet.next;
    pool_->give_back(packet);
  }
}

void Outgoing::next_chunk() {
  if (chunk_ < chunks_.size()) ++chunk_;
  if (chunk_ == chunks_.size()) {
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_size));
  }
  used_ = 0;
}

}  // namespace muster::soe
