// SPDX-License-Identifier: MIT
// What a session sends: messages, acknowledgements, what is lost, and what it asks and answers.
#include <algorithm>
#include <cstring>

#include "session.hpp"

namespace muster::soe {

template <class Write>
void Session::compose(std::size_t most, Write write) {
  const std::size_t size = resources_.outgoing.compose(id_.index, most, write);
  if (size == 0) return;
  ++datagrams_sent_;
  bytes_sent_ += size;
}

void Session::send_now(OpCode op, byte_view body) {
  compose(framing_.pad() + body.size(), [&](std::byte* out) {
    return framing_.write(out, static_cast<std::uint16_t>(op), body);
  });
}

template <class Handshake>
void Session::send_contextless(const Handshake& packet) {
  constexpr std::size_t most = 64;
  compose(most, [&](std::byte* out) { return packet.encode({out, most}); });
}

EnqueueStatus Session::enqueue(byte_view message, Channel to) {
  if (state_ != State::open) return EnqueueStatus::not_open;
  if (message.empty()) return EnqueueStatus::queued;
  if (to == Channel::unreliable || to == Channel::ordered) {
    return enqueue_unreliable(message, to);
  }
  if (const auto& known = channels_[static_cast<unsigned>(to)];
      known && known->send.append(message)) {
    ++resources_.totals.messages_sent;
    return EnqueueStatus::queued;
  }
  const EnqueueStatus status =
      channel(static_cast<unsigned>(to), last_received_).send.enqueue(send_context(), message);
  if (status == EnqueueStatus::queued) ++resources_.totals.messages_sent;
  if (status == EnqueueStatus::over_budget) wants_writable_ = true;
  return status;
}

EnqueueStatus Session::enqueue_unreliable(byte_view message, Channel to) {
  resources_.outgoing.begin();  // or what has been sent would stay there, since this is never empty
  if (resources_.outgoing.is_full()) return EnqueueStatus::over_budget;
  const bool has_flag =
      framing_.has_flag && (to == Channel::ordered || resources_.config.unreliable_flag);
  const bool has_escape = to == Channel::unreliable && message[0] == std::byte{0};
  const std::size_t stamp = to == Channel::ordered ? 2 : 0;
  const std::size_t size =
      (to == Channel::ordered ? framing_.head() + stamp
                              : std::size_t{has_escape} + std::size_t{has_flag}) +
      message.size() + framing_.crc_length;
  if (size > framing_.max_datagram) {
    // Too large for a datagram: then rather in order than not at all.
    return to == Channel::unreliable ? enqueue(message, Channel::reliable0)
                                     : EnqueueStatus::too_large;
  }
  compose(size, [&](std::byte* const datagram) {
    std::byte* out = datagram;
    if (to == Channel::ordered) {
      out = framing_.begin(out, static_cast<std::uint16_t>(OpCode::ordered));
      out = write_u16(out, ++ordered_sent_[0]);
    } else {
      if (has_escape) *out++ = std::byte{0};
      if (has_flag) {
        *out++ = message[0];
        *out++ = std::byte{0};
        message = message.subspan(1);
      }
    }
    if (!message.empty()) std::memcpy(out, message.data(), message.size());
    return framing_.finish(datagram, size - framing_.crc_length);
  });
  ++resources_.totals.messages_sent;
  return EnqueueStatus::queued;
}

void Session::send_request() {
  const std::uint32_t window = resources_.config.receive_window;
  send_contextless(SessionRequest{
      .session_id = negotiated_.session_id,
      .udp_length = resources_.config.udp_length,
      .protocol = *protocol_,
      .receive_window = static_cast<std::uint16_t>(window == usual_receive_window ? 0 : window)});
}

void Session::answer_again() {
  if (is_client_) return;
  send_contextless(negotiated_.response(resources_.config));
}

void Session::send_heartbeat(time_point now) {
  last_probe_ = now;
  send_now(OpCode::heartbeat);
}

// Whether the peer knows us, and under which port.
void Session::ask(time_point now) {
  if (resources_.config.allows_port_remaps) {
    send_contextless(RemapConnection{negotiated_.session_id, negotiated_.crc_seed});
  }
  send_heartbeat(now);
}

void Session::send_net_status(time_point now) {
  last_probe_ = now;
  const auto ms = [](duration time) {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  };
  const Recovery::Stats rtt = recovery_.stats();
  const NetStatusRequest request{
      .client_tick = static_cast<std::uint16_t>(ms(now.time_since_epoch()) & 0xFFFFU),
      .master_ping = ms(rtt.min_rtt),
      .average_ping = ms(rtt.smoothed_rtt),
      .low_ping = ms(rtt.min_rtt),
      .high_ping = ms(rtt.smoothed_rtt + 4 * rtt.rtt_variation),
      .last_ping = ms(rtt.smoothed_rtt),
      .packets_sent = datagrams_sent_ + 1,
      .packets_received = datagrams_received_};
  send_body(OpCode::net_status_request, request);
}

bool Session::has_unsent() const noexcept {
  return std::any_of(channels_.begin(), channels_.end(), [this](const auto& channel) {
    return channel && channel->send.has_unsent(resources_.config, framing_);
  });
}

void Session::flush(time_point now) {
  if (state_ != State::open && state_ != State::closing) return;
  DatagramBuilder builder{resources_.outgoing, framing_,
                          id_.index,           resources_.config.multi_packets,
                          datagrams_sent_,     bytes_sent_};
  const bool has_data = recovery_.first_lost() != nullptr || has_unsent();
  for (unsigned number = 0; number < reliable_channel_count; ++number) {
    if (channels_[number]) flush_acknowledgements(builder, number, has_data, now);
  }
  if (has_data) flush_packets(builder, now);
  if (std::exchange(is_silence_, false)) ask_newest(builder, now);
  builder.flush();
  if (state_ == State::closing && queued_bytes_ == 0) end(close_reason_, false, true);
}

void Session::flush_acknowledgements(DatagramBuilder& builder, unsigned number, bool with_data,
                                     time_point now) {
  ReceiveChannel& from = channels_[number]->receive;
  const auto add = [&](OpCode op, std::uint16_t sequence) {
    std::array<std::byte, 2> body{};
    write_u16(body.data(), sequence);
    builder.add(op_of(op, number), body);
  };
  for (std::uint16_t sequence = 0; from.next_acknowledge(sequence);) {
    add(OpCode::acknowledge, sequence);
  }
  // What shares a datagram costs nothing, so it need not be due.
  const bool is_free = with_data && resources_.config.multi_packets && from.has_acknowledge_all();
  if (is_free || from.is_acknowledge_all_due(resources_.config, now)) {
    add(OpCode::acknowledge_all, from.take_acknowledge_all(now));
  }
}

Packet* Session::next_packet(bool& is_new) noexcept {
  if (Packet* const lost = recovery_.first_lost()) {
    is_new = false;
    return lost;
  }
  is_new = true;
  // The channels take turns.
  for (unsigned i = 0; i < reliable_channel_count; ++i) {
    const unsigned number = (next_channel_ + i) % reliable_channel_count;
    if (!channels_[number]) continue;
    if (Packet* const packet = channels_[number]->send.next_unsent(send_context())) {
      next_channel_ = static_cast<std::uint8_t>((number + 1) % reliable_channel_count);
      return packet;
    }
  }
  return nullptr;
}

void Session::flush_packets(DatagramBuilder& builder, time_point now) {
  bool is_new = false;
  while (!resources_.outgoing.is_full() && recovery_.may_send(now)) {
    Packet* const packet = next_packet(is_new);
    if (packet == nullptr) return;
    if (is_new) add_rides(builder, *packet, now);
    send_packet(builder, *packet);
    if (is_new) channels_[packet->channel]->send.sent_first();
    const bool has_more = recovery_.first_lost() != nullptr || has_unsent();
    recovery_.on_sent(*packet, now, !has_more);
    if (!has_more) return;
  }
}

// Old peers say nothing, but for 2 ms, to what they have delivered: when their last acknowledgement
// got lost, asking them with the oldest packet is in vain. To what comes early they always say
// something. So whenever nothing is acknowledged in time, something new leaves too, of each
// channel, whatever the window and the pace say, or, if there is nothing new, the newest (as in RFC
// 8985 section 7.3): if anything is missing before it, its acknowledgement tells.
void Session::ask_newest(DatagramBuilder& builder, time_point now) {
  for (const auto& channel : channels_) {
    if (!channel || channel->send.oldest() == nullptr) continue;
    if (Packet* const packet = channel->send.next_beyond_window(send_context())) {
      send_packet(builder, *packet);
      channel->send.sent_first();
      recovery_.on_sent(*packet, now, false);
      continue;
    }
    Packet& newest = *channel->send.newest();
    if (newest.last_sent == now) continue;
    send_packet(builder, newest);
    recovery_.on_asked(newest, now);
  }
}

void Session::send_packet(DatagramBuilder& builder, Packet& packet) {
  // Small packets share a datagram, also with those that follow; a large one is not worth a copy.
  if (builder.can_share(packet) && builder.size_of(packet) <= framing_.max_datagram / 2U) {
    builder.add(packet);
  } else {
    builder.send(packet);
  }
}

unsigned Session::redundancy() const noexcept {
  const unsigned most = resources_.config.redundancy;
  if (most == 0) return 0;
  const double loss = recovery_.loss();
  return std::min(most, loss < 0.005 ? 0U : loss < 0.02 ? 1U : loss < 0.06 ? 2U : 3U);
}

void Session::add_rides(DatagramBuilder& builder, const Packet& packet, time_point now) {
  const unsigned most = redundancy();
  if (most == 0 || !builder.can_share(packet)) return;
  const std::size_t own = builder.size_of(packet);
  if (own > framing_.max_datagram / 2U) return;
  const SendChannel& from = channels_[packet.channel]->send;
  for (unsigned back = most; back != 0; --back) {
    Packet* const earlier = from.before(packet, back);
    if (earlier == nullptr || earlier->state != Packet::State::in_flight ||
        earlier->last_sent == now || !builder.can_share(*earlier)) {
      continue;
    }
    const std::size_t size = builder.size_of(*earlier);
    if (size > framing_.max_datagram / 4U || size + own > builder.room()) continue;
    builder.add(*earlier);
    recovery_.on_ride(*earlier, now);
  }
}

}  // namespace muster::soe
