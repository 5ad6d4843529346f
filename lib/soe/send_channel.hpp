// SPDX-License-Identifier: MIT
// The sending half of a reliable channel: encryption, bundles, fragments, and the window.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "compressor.hpp"
#include "framing.hpp"
#include "outgoing.hpp"
#include "packet_pool.hpp"
#include "recovery.hpp"

namespace muster::soe {

/// What a sending channel is part of.
struct SendContext {
  const Config& config;
  const Framing& framing;
  PacketPool& pool;
  Outgoing& outgoing;
  Recovery& recovery;
  Compressor* compressor;  ///< null: nothing is compressed
  Compressor::Experience& experience;
  std::size_t& queued_bytes;  ///< memory that the session holds for what it sends
};

/// One channel, one direction.
///
/// A packet gets its sequence when it is begun, in the order of the messages, and never another.
/// With bundles the last packet grows while it waits; all others are final.
class SendChannel {
 public:
  explicit SendChannel(unsigned channel) noexcept : channel_(static_cast<std::uint8_t>(channel)) {}
  SendChannel(const SendChannel&) = delete;
  SendChannel& operator=(const SendChannel&) = delete;

  /// Gives back everything.
  void release(const SendContext& context);

  /// Encrypts from the next message on; null: not any more.
  void set_cipher(const Rc4* cipher);

  [[nodiscard]] EnqueueStatus enqueue(const SendContext& context, byte_view message);

  /// The common case of `enqueue`: a small message, neither encrypted nor escaped, that finds room
  /// in the last packet.
  /// @param message   not empty
  /// @return false: nothing was done
  [[nodiscard]] bool append(byte_view message) noexcept {
    if (message.size() >= short_length || message.size() >= growth_ || cipher_ ||
        message[0] == std::byte{0}) {
      return false;
    }
    Packet& last = *at(end_ - 1);
    std::byte* const out = last.bytes() + last.end;
    *out = static_cast<std::byte>(message.size());
    std::memcpy(out + 1, message.data(), message.size());
    grow(last, 1 + message.size());
    return true;
  }

  /// The next packet that has not been sent yet and that the window admits, or null. What was
  /// acknowledged out of turn does not count in the window; but what lies too far ahead of the
  /// oldest would find no place with the peer.
  [[nodiscard]] Packet* next_unsent(const SendContext& context);

  /// The next packet that has not been sent yet, though the window is full, or null. A peer that
  /// holds what it has would take it; few go so far ahead.
  [[nodiscard]] Packet* next_beyond_window(const SendContext& context);

  void sent_first() noexcept {
    ++next_;
    ++unacknowledged_;
  }

  /// An unacknowledged packet that lies `back` before another.
  [[nodiscard]] Packet* before(const Packet& packet, unsigned back) const noexcept {
    const std::int64_t sequence = packet.sequence - back;
    return sequence < first_ ? nullptr : at(sequence);
  }

  /// @return false: it was never sent
  [[nodiscard]] bool acknowledge(const SendContext& context, std::uint16_t sequence,
                                 time_point now);
  [[nodiscard]] bool acknowledge_all(const SendContext& context, std::uint16_t sequence,
                                     time_point now);

  /// Whether everything has been acknowledged.
  [[nodiscard]] bool is_empty() const noexcept { return first_ == end_; }
  [[nodiscard]] bool has_unsent(const Config& config, const Framing& framing) const noexcept {
    return next_ < end_ && unacknowledged_ < config.send_window &&
           next_ - first_ <= framing.peer_window;
  }

  /// The newest packet that was sent and is not acknowledged, or null.
  [[nodiscard]] Packet* newest() const noexcept;

  /// The oldest packet that was sent and is not acknowledged, or null.
  [[nodiscard]] const Packet* oldest() const noexcept {
    return first_ < next_ ? at(first_) : nullptr;
  }

 private:
  // Where the first item of a growing packet goes: in front of it there is room for op code, flag,
  // sequence, bundle marker and the item's length.
  static constexpr std::size_t item_begin = 10;

  // A length that takes one byte is below this.
  static constexpr std::size_t short_length = 255;

  [[nodiscard]] Packet* at(std::int64_t sequence) const noexcept {
    return ring_[static_cast<std::size_t>(sequence) & (capacity_ - 1)];
  }
  Packet& append_packet(const SendContext& context);
  void reserve(std::size_t packets);
  [[nodiscard]] Packet* next(const SendContext& context);
  std::byte* append_item(std::byte* out, byte_view message, bool has_escape) noexcept;
  EnqueueStatus enqueue_fragments(const SendContext& context, byte_view message, byte_view prefix);
  void grow(Packet& last, std::size_t bytes) noexcept {
    last.end = static_cast<std::uint16_t>(last.end + bytes);
    ++last.items;
    growth_ = static_cast<std::uint16_t>(growth_ - bytes);
  }
  void seal_last(const SendContext& context);
  void seal(const SendContext& context, Packet& packet, std::size_t begin, std::size_t end);
  std::byte* copy(byte_view from, std::byte* to) noexcept;
  void acknowledged(const SendContext& context, std::int64_t sequence, time_point now);
  [[nodiscard]] std::int64_t expand(std::uint16_t sequence) const noexcept {
    return first_ + static_cast<std::int16_t>(sequence - static_cast<std::uint16_t>(first_));
  }

  std::unique_ptr<Rc4> cipher_;
  std::unique_ptr<Packet*[]> ring_;   // by sequence; null: acknowledged
  std::size_t capacity_ = 0;          // a power of two
  std::int64_t first_ = 0;            // the oldest that is not acknowledged
  std::int64_t next_ = 0;             // the first that has never been sent
  std::int64_t end_ = 0;              // the next to be made
  std::uint32_t unacknowledged_ = 0;  // of those that were sent
  std::uint8_t channel_;
  std::uint16_t growth_ =
      0;  // bytes of items, lengths included, that the last packet may still take
  bool is_growing_ = false;  // the last packet is not final
  bool is_bundle_ = false;   // it has to be a bundle even with one item
};

}  // namespace muster::soe
