// SPDX-License-Identifier: MIT
// Datagrams that are ready to be sent, and what they stand on until they have been.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "packet_pool.hpp"

namespace muster::soe {

/// A list of datagrams in the order of sending. Small ones are composed in its own memory, packets
/// are sent from where they lie; nothing they stand on goes away before the list is drained.
class Outgoing {
 public:
  /// What one group may hold: what UDP_SEGMENT takes.
  static constexpr std::size_t max_group = 64;
  static constexpr std::size_t max_group_bytes = 65000;

  /// More datagrams than these do not wait to be polled.
  static constexpr std::size_t max_size = 16 * 1024;

  explicit Outgoing(PacketPool& pool) noexcept : pool_(&pool) {}

  /// Room for a datagram, valid until the list is drained and begun anew.
  [[nodiscard]] std::byte* reserve(std::size_t size) {
    if (chunk_ == chunks_.size() || chunk_size - used_ < size) next_chunk();
    std::byte* const room = chunks_[chunk_].get() + used_;
    used_ += size;
    return room;
  }

  /// Gives back the end of the last reservation.
  void trim(std::size_t unused) noexcept { used_ -= unused; }

  void push(std::uint32_t slot, byte_view datagram) {
    datagrams_.push_back(datagram);
    slots_.push_back(slot);
  }

  /// Composes a datagram in its place; a full list drops it.
  /// @param most    bytes that `write` may need
  /// @param write   is given where, returns how many bytes it wrote
  /// @return the datagram's size; 0: it was dropped
  template <class Write>
  std::size_t compose(std::uint32_t slot, std::size_t most, Write write) {
    if (is_full()) return 0;
    std::byte* const out = reserve(most);
    const std::size_t size = write(out);
    trim(most - size);
    push(slot, {out, size});
    return size;
  }

  /// A packet is not needed any more, once what is in the list has been sent.
  void retire(Packet& packet) {
    if (datagrams_.empty()) {
      pool_->give_back(packet);
    } else {
      packet.next = retired_;
      retired_ = &packet;
    }
  }

  /// The next group: same slot, same size, the last perhaps shorter.
  bool poll(std::uint32_t& slot, std::span<const byte_view>& group) noexcept;

  [[nodiscard]] bool is_drained() const noexcept { return polled_ == datagrams_.size(); }

  /// Begins anew if everything has been polled: what was handed out is not valid any more.
  void begin() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return datagrams_.size(); }
  [[nodiscard]] bool is_full() const noexcept { return size() >= max_size; }

 private:
  static constexpr std::size_t chunk_size = 128 * 1024;
  void next_chunk();

  PacketPool* pool_;
  std::vector<byte_view> datagrams_;
  std::vector<std::uint32_t> slots_;
  std::size_t polled_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::size_t chunk_ = 0;
  std::size_t used_ = 0;
  Packet* retired_ = nullptr;
};

}  // namespace muster::soe
