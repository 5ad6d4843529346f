// SPDX-License-Identifier: MIT
// The pool that reliable packets come from: slabs, the first one small.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "packet_pool.hpp"

namespace muster::soe {
namespace {

constexpr std::size_t line = 64;  // of a cache: two packets share none but by the slab's own offset
constexpr std::size_t largest_slab = 256 * 1024;

}  // namespace

PacketPool::PacketPool(std::size_t capacity) noexcept
    : capacity_(capacity), stride_((sizeof(Packet) + capacity + line - 1) / line * line) {}

// Doubling keeps a pool of few packets small and makes slabs rare in one of many. Of very large
// packets a slab always has the first one's count.
void PacketPool::grow() {
  auto slab = std::make_unique_for_overwrite<std::byte[]>(slab_packets_ * stride_);
  for (std::size_t i = slab_packets_; i-- != 0;) {
    auto* const packet = new (slab.get() + i * stride_) Packet;
    packet->next = free_;
    free_ = packet;
  }
  slabs_.push_back(std::move(slab));
  if (slab_packets_ * stride_ * 2 <= largest_slab) slab_packets_ *= 2;
}

}  // namespace muster::soe
