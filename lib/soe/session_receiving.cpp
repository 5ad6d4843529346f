// SPDX-License-Identifier: MIT
// What a session does with the datagrams of its peer.
#include <muster/soe/length.hpp>

#include <cstring>

#include "session.hpp"

namespace muster::soe {
namespace {

// How long a peer has to say that it does not know us, with nothing valid in between.
constexpr duration unknown_grace = std::chrono::seconds{5};

}  // namespace

Session::Intake Session::drop(Drop reason) noexcept {
  resources_.count(reason);
  return Intake::dropped;
}

Session::Intake Session::receive(mutable_byte_view datagram, time_point now) {
  ++datagrams_received_;
  bytes_received_ += datagram.size();
  if (state_ == State::ended) return drop(Drop::wrong_state);
  if (datagram.size() > resources_.max_datagram()) return drop(Drop::too_long);
  if (datagram.size() < 2) {
    // One byte can be a message if there are no checksums.
    if (datagram.empty() || datagram[0] == std::byte{0}) return drop(Drop::empty);
    return receive_unreliable(datagram, now);
  }
  if (is_unreliable(datagram)) return receive_unreliable(datagram, now);

  const std::uint16_t op = op_of(datagram);
  if (!is_known(op)) return drop(Drop::unknown_kind);
  if (is_contextless(op)) return receive_contextless(op, datagram, now);
  if (state_ == State::connecting) return drop(Drop::wrong_state);
  if (datagram.size() < minimum_size(op, framing_.pad())) return drop(Drop::too_short);
  if (!framing_.is_intact(datagram)) return fail_checksum();
  heard(now);

  mutable_byte_view body = datagram.subspan(framing_.head(), datagram.size() - framing_.pad());
  bool is_stable = true;
  if (framing_.has_flag && datagram[2] != std::byte{0}) {
    const auto inflated = resources_.inflate(body);
    if (!inflated) return drop(Drop::bad_compression);
    body = *inflated;
    is_stable = false;
  }
  dispatch(op, body, is_stable, false, now);
  return Intake::used;
}

Session::Intake Session::fail_checksum() {
  resources_.count(Drop::bad_checksum);
  ++bad_checksums_;
  const std::uint32_t most = resources_.config.max_bad_checksums;
  if (most != 0 && ++bad_in_a_row_ >= most) corrupt();
  return Intake::bad_checksum;
}

void Session::heard(time_point now) noexcept {
  last_received_ = now;
  unknown_since_ = no_deadline;
  bad_in_a_row_ = 0;
}

Session::Intake Session::receive_unreliable(mutable_byte_view datagram, time_point now) {
  if (!resources_.config.unreliable) return drop(Drop::unreliable_disabled);
  if (state_ == State::connecting) return drop(Drop::wrong_state);
  const std::size_t escape = datagram[0] == std::byte{0} ? 1 : 0;
  const bool has_flag = framing_.has_flag && resources_.config.unreliable_flag;
  if (datagram.size() < escape + 1 + std::size_t{has_flag} + framing_.crc_length) {
    return drop(Drop::too_short);
  }
  if (!framing_.is_intact(datagram)) return fail_checksum();
  heard(now);
  mutable_byte_view message = datagram.first(datagram.size() - framing_.crc_length).subspan(escape);
  bool is_stable = true;
  if (has_flag) {
    // The flag lies behind the first byte, which is never compressed.
    const std::byte first = message[0];
    const bool is_compressed = message[1] != std::byte{0};
    message = message.subspan(1);
    if (is_compressed) {
      const auto inflated = resources_.inflate(message.subspan(1));
      if (!inflated) return drop(Drop::bad_compression);
      auto whole = std::make_unique_for_overwrite<std::byte[]>(inflated->size() + 1);
      whole[0] = first;
      if (!inflated->empty()) std::memcpy(whole.get() + 1, inflated->data(), inflated->size());
      message = {whole.get(), inflated->size() + 1};
      resources_.inbox.keep(std::move(whole));
    } else {
      message[0] = first;
    }
  }
  deliver(Channel::unreliable, message, is_stable);
  return Intake::used;
}

Session::Intake Session::receive_contextless(std::uint16_t op, byte_view datagram, time_point now) {
  if (datagram.size() < minimum_size(op, 0)) return drop(Drop::too_short);
  switch (static_cast<OpCode>(op)) {
    case OpCode::session_response:
      return receive_response(datagram, now);
    case OpCode::unknown_sender:
      return receive_unknown_sender(now);
    case OpCode::port_alive:
      return Intake::used;
    default:
      return drop(Drop::wrong_state);
  }
}

Session::Intake Session::receive_response(byte_view datagram, time_point now) {
  if (!is_client_ || state_ != State::connecting) return drop(Drop::wrong_state);
  const auto response = SessionResponse::decode(datagram);
  if (!response) return drop(Drop::bad_request);
  if (response->session_id != negotiated_.session_id) return drop(Drop::wrong_id);
  if (response->version != protocol_version) {
    end(DisconnectReason::protocol_mismatch, true, false);
    return Intake::used;
  }
  if (response->udp_length < min_udp_length || response->udp_length > max_udp_length) {
    return drop(Drop::bad_request);
  }
  adopt({negotiated_.session_id, response->crc_seed, response->crc_length, response->compression,
         response->udp_length, response->receive_window});
  protocol_.reset();
  heard(now);
  last_probe_ = now - probe_interval;  // it may ask at once
  ++resources_.totals.sessions_opened;
  resources_.inbox.push({.kind = Event::Kind::opened, .session = id_});
  // So the server learns at once that its response has arrived.
  if (resources_.config.net_status_interval > duration::zero()) send_net_status(now);
  return Intake::used;
}

Session::Intake Session::receive_unknown_sender(time_point now) {
  // Anybody can send it. So it only makes a client ask; and the end comes when, in spite of asking,
  // nothing but this is heard for a while.
  if (!is_client_ || state_ == State::connecting) return drop(Drop::wrong_state);
  if (unknown_since_ == no_deadline) unknown_since_ = now;
  if (now - last_probe_ >= probe_interval) ask(now);
  if (now - unknown_since_ > unknown_grace) {
    end(DisconnectReason::unreachable_connection, true, false);
  }
  return Intake::used;
}

void Session::connected_to_self() { end(DisconnectReason::connecting_to_self, false, false); }

void Session::dispatch(std::uint16_t op, mutable_byte_view body, bool is_stable, bool is_sub,
                       time_point now) {
  const unsigned number = channel_of(op);
  switch (const OpCode base = base_of(op)) {
    case OpCode::multi_packet:
      return dispatch_multi(body, is_stable, is_sub, now);
    case OpCode::disconnect:
      return receive_disconnect(body);
    case OpCode::heartbeat:
      if (!is_client_) send_now(OpCode::heartbeat);
      return;
    case OpCode::net_status_request:
    case OpCode::net_status_response:
      return receive_net_status(base, body, now);
    case OpCode::reliable_data:
    case OpCode::reliable_fragment:
      return receive_reliable(number, body, base == OpCode::reliable_fragment, is_stable, now);
    case OpCode::acknowledge:
    case OpCode::acknowledge_all:
      return receive_acknowledgement(number, body, base == OpCode::acknowledge_all, now);
    case OpCode::ordered:
    case OpCode::ordered2:
      return receive_ordered(base == OpCode::ordered ? 0 : 1, body, is_stable);
    default:
      // A handshake has no place inside another packet.
      resources_.count(Drop::wrong_state);
  }
}

void Session::dispatch_multi(mutable_byte_view body, bool is_stable, bool is_sub, time_point now) {
  if (is_sub) return resources_.count(Drop::wrong_state);  // one level, no more
  while (!body.empty() && state_ != State::ended) {
    byte_view rest = body;
    std::uint32_t size = 0;
    if (!read_multi_length(rest, size) || size < 2 || size > rest.size()) return corrupt();
    mutable_byte_view sub = body.subspan(body.size() - rest.size(), size);
    body = body.subspan(body.size() - rest.size() + size);
    if (is_unreliable(sub)) {
      if (!resources_.config.unreliable) {
        resources_.count(Drop::unreliable_disabled);
        continue;
      }
      deliver(Channel::unreliable, sub.subspan(sub[0] == std::byte{0} ? 1 : 0), is_stable);
      continue;
    }
    if (!is_known(op_of(sub))) return corrupt();
    dispatch(op_of(sub), sub.subspan(2), is_stable, true, now);
  }
}

void Session::receive_reliable(unsigned number, mutable_byte_view body, bool is_fragment,
                               bool is_stable, time_point now) {
  ReliableChannel& to = channel(number, now);
  switch (to.receive.receive(receive_context(), body, is_fragment, is_stable)) {
    case ReceiveChannel::Outcome::corrupt:
      return corrupt();
    case ReceiveChannel::Outcome::too_far:
      return resources_.count(Drop::too_far);
    case ReceiveChannel::Outcome::overflow:
      return resources_.count(Drop::no_memory);
    case ReceiveChannel::Outcome::accepted:
    case ReceiveChannel::Outcome::duplicate:
    case ReceiveChannel::Outcome::empty:
      break;
  }
  if (resources_.config.multi_packets) return;  // they leave together, with the next flush
  for (std::uint16_t sequence = 0; to.receive.next_acknowledge(sequence);) {
    std::array<std::byte, 2> out{};
    write_u16(out.data(), sequence);
    send_now(static_cast<OpCode>(op_of(OpCode::acknowledge, number)), out);
  }
}

void Session::receive_acknowledgement(unsigned number, byte_view body, bool is_all,
                                      time_point now) {
  if (body.size() < 2) return resources_.count(Drop::too_short);
  if (!channels_[number]) return resources_.count(Drop::never_sent);
  SendChannel& from = channels_[number]->send;
  const std::uint16_t sequence = read_u16(body);
  const bool was_sent = is_all ? from.acknowledge_all(send_context(), sequence, now)
                               : from.acknowledge(send_context(), sequence, now);
  if (!was_sent) return resources_.count(Drop::never_sent);
  has_acknowledgements_ = true;
}

void Session::receive_disconnect(byte_view body) {
  const auto disconnect = Disconnect::decode(body);
  if (!disconnect) return resources_.count(Drop::too_short);
  if (disconnect->session_id != negotiated_.session_id) return resources_.count(Drop::wrong_id);
  end(disconnect->reason, true, false);
}

void Session::receive_net_status(OpCode op, byte_view body, time_point now) {
  if (op == OpCode::net_status_request) {
    const auto request = NetStatusRequest::decode(body);
    if (is_client_ || !request) return resources_.count(Drop::wrong_state);
    peer_sent_ = request->packets_sent;
    peer_received_ = request->packets_received;
    const NetStatusResponse response{
        .client_tick = request->client_tick,
        .server_tick = static_cast<std::uint32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()),
        .client_sent = request->packets_sent,
        .client_received = request->packets_received,
        .server_sent = datagrams_sent_ + 1,
        .server_received = datagrams_received_};
    return send_body(OpCode::net_status_response, response);
  }
  const auto response = NetStatusResponse::decode(body);
  if (!is_client_ || !response) return resources_.count(Drop::wrong_state);
  peer_sent_ = response->server_sent;
  peer_received_ = response->server_received;
}

void Session::receive_ordered(unsigned number, mutable_byte_view body, bool is_stable) {
  if (!resources_.config.unreliable) return resources_.count(Drop::unreliable_disabled);
  if (body.size() < 2) return resources_.count(Drop::too_short);
  // How far ahead of the last; the same again counts as a whole turn.
  constexpr unsigned too_far_ahead = 30000;
  const std::uint16_t stamp = read_u16(body);
  const auto ahead = static_cast<std::uint16_t>(stamp - ordered_received_[number]);
  if (ahead == 0 || ahead >= too_far_ahead) return resources_.count(Drop::late);
  ordered_received_[number] = stamp;
  if (body.size() > 2) deliver(Channel::ordered, body.subspan(2), is_stable);
}

void Session::deliver(Channel channel, byte_view message, bool is_stable) {
  if (!is_stable && !message.empty()) {
    auto copy = std::make_unique_for_overwrite<std::byte[]>(message.size());
    std::memcpy(copy.get(), message.data(), message.size());
    message = {copy.get(), message.size()};
    resources_.inbox.keep(std::move(copy));
  }
  resources_.inbox.push(
      {.kind = Event::Kind::data, .channel = channel, .session = id_, .data = message});
}

void Session::corrupt() { end(DisconnectReason::corrupt_packet, false, true); }

void Session::finish_batch(time_point now) {
  if (!has_acknowledgements_) return;
  has_acknowledgements_ = false;
  recovery_.finish_acknowledgements(now);
  if (wants_writable_ && queued_bytes_ <= resources_.config.send_budget / 2 && is_open()) {
    wants_writable_ = false;
    resources_.inbox.push({.kind = Event::Kind::writable, .session = id_});
  }
}

}  // namespace muster::soe
