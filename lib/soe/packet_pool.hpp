// SPDX-License-Identifier: MIT
// One reliable packet from enqueue to acknowledgement, and the pool that such packets come from.
#pragma once

#include <muster/bytes.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace muster::soe {

/// A datagram with a fixed place in its channel, and what is known of its way.
///
/// Its bytes are final when it is first sent, checksum included: sending it again sends the same
/// bytes. On the receiving side the same block keeps what came too early.
struct Packet {
  enum class State : std::uint8_t {
    free,       ///< in the pool
    queued,     ///< waits for its first sending; the last of its channel may still grow
    in_flight,  ///< in the list of what was sent, in order of sending
    lost,       ///< in the list of what is to be sent again
    stashed,    ///< received, waits for what is missing before it
  };

  Packet* previous = nullptr;  // in the list that it is in
  Packet* next = nullptr;
  std::int64_t sequence = 0;    // in its channel, never wrapping
  time_point first_sent{};      // when it left for the first time
  time_point last_sent{};       // when it last left as a packet of its own
  time_point first_ride{};      // when it first rode along with a later packet
  std::uint64_t delivered = 0;  // bytes that the peer had when it last left
  time_point delivered_at{};    // when the peer had them
  time_point burst_started{};   // last_sent of the packet that was newest acknowledged then
  std::uint16_t begin = 0;      // where the datagram starts in bytes()
  std::uint16_t size = 0;       // of the datagram
  std::uint16_t body = 0;       // where the sub-packet's body (after flag) starts, in bytes()
  std::uint16_t end = 0;        // queued and growing: where the next item goes
  std::uint16_t items = 0;      // queued and growing: how many messages it has
  std::uint8_t channel = 0;
  State state = State::free;
  std::uint8_t transmissions = 0;  // stops at 255
  std::uint8_t rides = 0;          // times it rode along with a later packet
  bool is_fragment = false;
  bool is_compressed = false;
  bool is_app_limited = false;  // nothing else waited when it last left

  [[nodiscard]] std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] byte_view datagram() noexcept { return {bytes() + begin, size}; }
};

/// A list through the packets' own links.
class PacketList {
 public:
  [[nodiscard]] bool is_empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] Packet* first() const noexcept { return first_; }
  [[nodiscard]] Packet* last() const noexcept { return last_; }

  void push_back(Packet& packet) noexcept {
    packet.previous = last_;
    packet.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &packet;
    last_ = &packet;
  }
  void remove(Packet& packet) noexcept {
    (packet.previous != nullptr ? packet.previous->next : first_) = packet.next;
    (packet.next != nullptr ? packet.next->previous : last_) = packet.previous;
    packet.previous = packet.next = nullptr;
  }
  Packet* pop_front() noexcept {
    Packet* const packet = first_;
    if (packet != nullptr) remove(*packet);
    return packet;
  }

 private:
  Packet* first_ = nullptr;
  Packet* last_ = nullptr;
};

/// Packets of one size, allocated in slabs and kept for reuse.
class PacketPool {
 public:
  /// @param capacity   bytes of each packet
  explicit PacketPool(std::size_t capacity) noexcept;
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  /// A packet with everything but its bytes as new.
  [[nodiscard]] Packet& take() {
    if (free_ == nullptr) grow();
    Packet* const packet = free_;
    free_ = packet->next;
    ++used_;
    return *new (packet) Packet;
  }
  void give_back(Packet& packet) noexcept {
    packet.state = Packet::State::free;
    packet.next = free_;
    free_ = &packet;
    --used_;
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// What one packet costs in memory: what budgets count.
  [[nodiscard]] std::size_t footprint() const noexcept { return stride_; }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  void grow();

  std::size_t capacity_;
  std::size_t stride_;
  Packet* free_ = nullptr;
  std::size_t used_ = 0;
  std::size_t slab_packets_ = 4;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
};

}  // namespace muster::soe
