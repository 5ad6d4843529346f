// SPDX-License-Identifier: MIT
// One sending channel of the SOE protocol, with what it is part of and a clock.
#pragma once

#include <muster/soe/config.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../lib/soe/send_channel.hpp"

namespace test {

/// What a session is to a sending channel, without acknowledgements of its own.
class SendWorld {
 public:
  using Bytes = std::vector<std::byte>;

  /// @param max_body   of a datagram without checksum and flag: the vectors' "max_data_length"
  explicit SendWorld(std::size_t max_body, muster::soe::Config config_ = {})
      : config(std::move(config_)),
        pool(max_body + 32),
        outgoing(pool),
        recovery(config, max_body + 2, now),
        channel(0) {
    framing.max_datagram = static_cast<std::uint16_t>(max_body + framing.pad());
  }
  ~SendWorld() { channel.release(context()); }

  muster::soe::SendContext context() {
    return {config, framing, pool, outgoing, recovery, nullptr, experience, queued_bytes};
  }

  muster::soe::EnqueueStatus enqueue(const Bytes& message) {
    return channel.enqueue(context(), message);
  }

  /// Everything that may leave now, as op code and body, which begins with the sequence.
  std::vector<Bytes> send() {
    std::vector<Bytes> sent;
    const auto take = [&](muster::soe::Packet& packet) {
      recovery.on_sent(packet, now, false);
      const auto datagram = packet.datagram();
      sent.emplace_back(datagram.begin(), datagram.end());
    };
    recovery.advance(now);
    while (muster::soe::Packet* packet = recovery.first_lost()) take(*packet);
    while (muster::soe::Packet* packet = channel.next_unsent(context())) {
      take(*packet);
      channel.sent_first();
    }
    return sent;
  }

  /// @return whether it was of something that was sent
  bool acknowledge(std::uint16_t sequence) {
    const bool was_sent = channel.acknowledge(context(), sequence, now);
    recovery.finish_acknowledgements(now);
    return was_sent;
  }
  bool acknowledge_all(std::uint16_t sequence) {
    const bool was_sent = channel.acknowledge_all(context(), sequence, now);
    recovery.finish_acknowledgements(now);
    return was_sent;
  }

  [[nodiscard]] std::size_t queued_packets() const { return queued_bytes / pool.footprint(); }

  muster::soe::Config config;
  muster::soe::Framing framing;
  muster::time_point now = muster::time_point{} + std::chrono::hours{1};
  muster::soe::PacketPool pool;
  muster::soe::Outgoing outgoing;
  muster::soe::Recovery recovery;
  muster::soe::Compressor::Experience experience;
  std::size_t queued_bytes = 0;
  muster::soe::SendChannel channel;
};

}  // namespace test
