// SPDX-License-Identifier: MIT
// Puts what leaves together into one datagram.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>

#include "framing.hpp"
#include "outgoing.hpp"
#include "packet_pool.hpp"

namespace muster::soe {

/// Collects sub-packets of one session for a MultiPacket. One alone leaves bare, and a packet alone
/// leaves as it lies.
class DatagramBuilder {
 public:
  /// @param is_multi   false: each sub-packet leaves bare
  DatagramBuilder(Outgoing& outgoing, const Framing& framing, std::uint32_t slot, bool is_multi,
                  std::size_t& datagrams, std::size_t& bytes) noexcept
      : outgoing_(outgoing),
        framing_(framing),
        slot_(slot),
        is_multi_(is_multi),
        sent_datagrams_(datagrams),
        sent_bytes_(bytes) {}
  DatagramBuilder(const DatagramBuilder&) = delete;
  DatagramBuilder& operator=(const DatagramBuilder&) = delete;

  /// Whether a packet may share a datagram: it is not compressed.
  [[nodiscard]] bool can_share(const Packet& packet) const noexcept {
    return is_multi_ && !packet.is_compressed;
  }

  /// Bytes that a packet takes as a sub-packet.
  [[nodiscard]] std::size_t size_of(const Packet& packet) const noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t room() const noexcept {
    return framing_.max_datagram - framing_.crc_length - (count_ == 0 ? framing_.head() : used_);
  }

  /// Adds a small packet of its own kind; leaves first what is there if there is no room.
  void add(std::uint16_t op, byte_view body);

  /// Adds a packet for which there is room.
  void add(Packet& packet);

  /// Sends a packet as it lies, behind what was collected.
  void send(Packet& packet);

  /// Sends what was collected.
  void flush();

 private:
  void open();
  void push(byte_view datagram);

  Outgoing& outgoing_;
  const Framing& framing_;
  std::uint32_t slot_;
  bool is_multi_;
  std::size_t& sent_datagrams_;
  std::size_t& sent_bytes_;
  std::byte* datagram_ = nullptr;
  std::size_t used_ = 0;    // bytes written
  std::size_t count_ = 0;   // sub-packets
  Packet* only_ = nullptr;  // the one sub-packet, if it is a whole packet
  std::size_t first_ = 0;   // where the first sub-packet starts
};

}  // namespace muster::soe
