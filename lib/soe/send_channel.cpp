// SPDX-License-Identifier: MIT
#include "send_channel.hpp"

#include <muster/soe/length.hpp>
#include <muster/soe/op_code.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace muster::soe {
namespace {

constexpr std::size_t sequence_size = 2;
constexpr std::size_t total_size = 4;  // of the total length in a first fragment
constexpr std::size_t marker_size = 2;
constexpr std::array<std::byte, marker_size> bundle_marker{std::byte{0x00}, std::byte{0x19}};

// Other receivers of the protocol keep at least 256 packets from the one that is missing on, and
// senders stop at 196 that are not acknowledged.
constexpr std::int64_t most_beyond_window = 60;

// What a receiver would take for a bundle.
bool looks_like_bundle(byte_view message) noexcept {
  return message.size() > marker_size && message[0] == bundle_marker[0] &&
         message[1] == bundle_marker[1];
}

std::size_t length_size(std::size_t n) noexcept {
  return bundle_length_size(static_cast<std::uint32_t>(n));
}

}  // namespace

void SendChannel::release(const SendContext& context) {
  for (std::int64_t sequence = first_; sequence < end_; ++sequence) {
    Packet* const packet = at(sequence);
    if (packet == nullptr) continue;
    if (packet->state != Packet::State::queued) context.recovery.forget(*packet);
    context.queued_bytes -= context.pool.footprint();
    context.outgoing.retire(*packet);
  }
  first_ = next_ = end_;
  unacknowledged_ = 0;
  growth_ = 0;
  is_growing_ = false;
  if (cipher_) cipher_->erase();
  cipher_.reset();
}

void SendChannel::set_cipher(const Rc4* cipher) {
  if (cipher_) cipher_->erase();
  cipher_ = cipher != nullptr ? std::make_unique<Rc4>(*cipher) : nullptr;
}

EnqueueStatus SendChannel::enqueue(const SendContext& context, byte_view message) {
  if (message.empty()) return EnqueueStatus::queued;
  const bool is_zero = message[0] == std::byte{0};
  const bool has_escape =
      cipher_ ? message[0] == cipher_->peek() : context.config.escape == Escape::always && is_zero;
  // Without an escape a message that begins like a bundle has to be sent as one.
  const bool is_bundle = !cipher_ && !has_escape && is_zero && looks_like_bundle(message);
  const std::size_t item = message.size() + std::size_t{has_escape};
  const std::size_t room = context.framing.max_body() - sequence_size;

  if (length_size(item) + item <= growth_) {
    Packet& last = *at(end_ - 1);
    std::byte* const out = last.bytes() + last.end;
    std::byte* const end = append_item(write_bundle_length(out, static_cast<std::uint32_t>(item)),
                                       message, has_escape);
    grow(last, static_cast<std::size_t>(end - out));
    return EnqueueStatus::queued;
  }

  const std::size_t alone = is_bundle ? marker_size + length_size(item) + item : item;
  const std::size_t packets =
      alone <= room ? 1 : 1 + (alone - (room - total_size) + room - 1) / room;
  const std::size_t bytes = packets * context.pool.footprint();
  if (bytes > context.config.send_budget) return EnqueueStatus::too_large;
  if (bytes >
      context.config.send_budget - std::min(context.config.send_budget, context.queued_bytes)) {
    return EnqueueStatus::over_budget;
  }
  seal_last(context);
  reserve(packets);
  if (packets > 1) {
    std::array<std::byte, marker_size + max_length_size> prefix{};
    std::size_t prefix_size = std::size_t{has_escape};
    if (is_bundle) {
      std::copy(bundle_marker.begin(), bundle_marker.end(), prefix.begin());
      prefix_size = static_cast<std::size_t>(
          write_bundle_length(prefix.data() + marker_size, static_cast<std::uint32_t>(item)) -
          prefix.data());
    }
    return enqueue_fragments(context, message, byte_view{prefix}.first(prefix_size));
  }
  Packet& packet = append_packet(context);
  packet.end = static_cast<std::uint16_t>(item_begin + item);
  packet.size = static_cast<std::uint16_t>(item);
  packet.items = 1;
  append_item(packet.bytes() + item_begin, message, has_escape);
  is_growing_ = true;
  is_bundle_ = is_bundle;
  const std::size_t bundle = marker_size + length_size(item) + item;
  growth_ = static_cast<std::uint16_t>(bundle < room ? room - bundle : 0);
  if (!context.config.bundles) seal_last(context);
  return EnqueueStatus::queued;
}

std::byte* SendChannel::append_item(std::byte* out, byte_view message, bool has_escape) noexcept {
  if (has_escape) *out++ = std::byte{0};
  return copy(message, out);
}

std::byte* SendChannel::copy(byte_view from, std::byte* to) noexcept {
  if (cipher_) {
    cipher_->transform(from, to);
  } else if (!from.empty()) {
    std::memcpy(to, from.data(), from.size());
  }
  return to + from.size();
}

EnqueueStatus SendChannel::enqueue_fragments(const SendContext& context, byte_view message,
                                             byte_view prefix) {
  const std::size_t room = context.framing.max_body() - sequence_size;
  const auto total = static_cast<std::uint32_t>(prefix.size() + message.size());
  for (bool is_first = true; !message.empty(); is_first = false) {
    Packet& packet = append_packet(context);
    packet.is_fragment = true;
    std::byte* const begin = packet.bytes() + item_begin;
    std::byte* out = begin;
    if (is_first) {
      for (unsigned shift = 32; shift != 0; shift -= 8) {
        *out++ = static_cast<std::byte>((total >> (shift - 8)) & 0xFFU);
      }
      if (!prefix.empty()) std::memcpy(out, prefix.data(), prefix.size());
      out += prefix.size();
    }
    const byte_view chunk =
        message.first(std::min(message.size(), room - static_cast<std::size_t>(out - begin)));
    message = message.subspan(chunk.size());
    out = copy(chunk, out);
    seal(context, packet, item_begin - sequence_size,
         item_begin + static_cast<std::size_t>(out - begin));
  }
  return EnqueueStatus::queued;
}

Packet& SendChannel::append_packet(const SendContext& context) {
  Packet& packet = context.pool.take();
  packet.sequence = end_;
  packet.channel = channel_;
  packet.state = Packet::State::queued;
  ring_[static_cast<std::size_t>(end_) & (capacity_ - 1)] = &packet;
  ++end_;
  context.queued_bytes += context.pool.footprint();
  return packet;
}

void SendChannel::reserve(std::size_t packets) {
  const auto used = static_cast<std::size_t>(end_ - first_);
  if (used + packets <= capacity_) return;
  std::size_t capacity = std::max<std::size_t>(capacity_, 8);
  while (capacity < used + packets) capacity *= 2;
  auto ring = std::make_unique<Packet*[]>(capacity);
  for (std::int64_t sequence = first_; sequence < end_; ++sequence) {
    ring[static_cast<std::size_t>(sequence) & (capacity - 1)] = at(sequence);
  }
  ring_ = std::move(ring);
  capacity_ = capacity;
}

void SendChannel::seal_last(const SendContext& context) {
  if (!is_growing_) return;
  is_growing_ = false;
  growth_ = 0;
  Packet& packet = *at(end_ - 1);
  std::size_t begin = item_begin;
  if (packet.items > 1 || is_bundle_) {
    begin -= length_size(packet.size);
    write_bundle_length(packet.bytes() + begin, packet.size);
    begin -= marker_size;
    std::copy(bundle_marker.begin(), bundle_marker.end(), packet.bytes() + begin);
  }
  seal(context, packet, begin - sequence_size, packet.end);
}

void SendChannel::seal(const SendContext& context, Packet& packet, std::size_t begin,
                       std::size_t end) {
  const Framing& framing = context.framing;
  std::byte* const body = packet.bytes() + begin;
  write_u16(body, static_cast<std::uint16_t>(packet.sequence));
  std::size_t size = end - begin;
  if (framing.has_flag && context.compressor != nullptr && size >= context.config.compress_from) {
    const std::size_t smaller = context.compressor->compress({body, size}, context.experience);
    packet.is_compressed = smaller != 0;
    if (smaller != 0) size = smaller;
  }
  std::byte* const datagram = body - framing.head();
  framing.begin(
      datagram,
      op_of(packet.is_fragment ? OpCode::reliable_fragment : OpCode::reliable_data, channel_),
      packet.is_compressed);
  packet.begin = static_cast<std::uint16_t>(datagram - packet.bytes());
  packet.size = static_cast<std::uint16_t>(framing.finish(datagram, framing.head() + size));
}

Packet* SendChannel::next_unsent(const SendContext& context) {
  return has_unsent(context.config, context.framing) ? next(context) : nullptr;
}

Packet* SendChannel::next_beyond_window(const SendContext& context) {
  const std::int64_t kept =
      std::int64_t{context.framing.peer_window} + 1 +
      (context.framing.peer_window == usual_receive_window ? most_beyond_window : std::int64_t{0});
  const std::int64_t most =
      std::min(kept, std::int64_t{context.config.send_window} + most_beyond_window);
  return next_ < end_ && next_ - first_ < most ? next(context) : nullptr;
}

Packet* SendChannel::next(const SendContext& context) {
  if (is_growing_ && next_ == end_ - 1) seal_last(context);
  return at(next_);
}

Packet* SendChannel::newest() const noexcept {
  for (std::int64_t sequence = next_; sequence > first_; --sequence) {
    if (Packet* const packet = at(sequence - 1)) return packet;
  }
  return nullptr;
}

void SendChannel::acknowledged(const SendContext& context, std::int64_t sequence, time_point now) {
  Packet*& place = ring_[static_cast<std::size_t>(sequence) & (capacity_ - 1)];
  if (place == nullptr) return;
  context.recovery.on_acknowledged(*place, now);
  context.queued_bytes -= context.pool.footprint();
  context.outgoing.retire(*place);
  place = nullptr;
  --unacknowledged_;
}

bool SendChannel::acknowledge(const SendContext& context, std::uint16_t sequence, time_point now) {
  const std::int64_t whole = expand(sequence);
  if (whole >= next_) return false;
  if (whole < first_) return true;
  acknowledged(context, whole, now);
  while (first_ < next_ && at(first_) == nullptr) ++first_;
  return true;
}

bool SendChannel::acknowledge_all(const SendContext& context, std::uint16_t sequence,
                                  time_point now) {
  const std::int64_t whole = expand(sequence);
  if (whole >= next_) return false;
  for (; first_ <= whole; ++first_) acknowledged(context, first_, now);
  while (first_ < next_ && at(first_) == nullptr) ++first_;
  return true;
}

}  // namespace muster::soe
