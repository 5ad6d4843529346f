// SPDX-License-Identifier: MIT
#include "session.hpp"

#include <muster/soe/length.hpp>

#include <algorithm>
#include <cstring>

namespace muster::soe {
namespace {

// A mistaken or forged word of a peer is answered, and asked about, at most so often.
constexpr duration probe_interval = std::chrono::seconds{1};

// How long a peer has to say that it does not know us, with nothing valid in between.
constexpr duration unknown_grace = std::chrono::seconds{5};

}  // namespace

Session::Session(Resources& resources, SessionId id, std::string_view protocol, time_point now)
    : resources_(resources),
      id_(id),
      negotiated_{.session_id = resources.random_u32()},
      is_client_(true),
      protocol_(std::make_unique<std::string>(protocol)),
      recovery_(resources.config, resources.config.udp_length, now),
      started_(now),
      last_received_(now),
      last_probe_(now) {
  if (resources.cipher) cipher_ = std::make_unique<Rc4>(*resources.cipher);
  send_request();
}

Session::Session(Resources& resources, SessionId id, const Negotiated& negotiated,
                 const Rc4* cipher, time_point now)
    : resources_(resources),
      id_(id),
      is_client_(false),
      recovery_(resources.config, std::min(negotiated.udp_length, resources.config.udp_length),
                now),
      started_(now),
      last_received_(now),
      last_probe_(now) {
  if (cipher != nullptr) cipher_ = std::make_unique<Rc4>(*cipher);
  adopt(negotiated);
}

Session::~Session() {
  for (auto& channel : channels_) {
    if (!channel) continue;
    channel->send.release(send_context());
    channel->receive.release(receive_context());
  }
  if (cipher_) cipher_->erase();
}

void Session::adopt(const Negotiated& negotiated) noexcept {
  negotiated_ = negotiated;
  framing_ = negotiated.framing(resources_.config);
  state_ = State::open;
}

Session::ReliableChannel& Session::channel(unsigned number, time_point now) {
  auto& channel = channels_[number];
  if (!channel) {
    channel = std::make_unique<ReliableChannel>(number, now);
    channel->send.set_cipher(cipher_.get());
    channel->receive.set_cipher(cipher_.get());
  }
  return *channel;
}

SendContext Session::send_context() noexcept {
  return {resources_.config,       framing_,    resources_.pool, resources_.outgoing, recovery_,
          resources_.compressor(), experience_, queued_bytes_};
}

ReceiveContext Session::receive_context() noexcept {
  return {resources_.config, id_, resources_.pool, resources_.inbox, resources_.reassembly};
}

// In.

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

void Session::set_encryption(unsigned channels, const Rc4* cipher) {
  for (unsigned number = 0; number < reliable_channel_count; ++number) {
    if ((channels >> number & 1U) == 0) continue;
    ReliableChannel& that = channel(number, last_received_);
    that.send.set_cipher(cipher);
    that.receive.set_cipher(cipher);
  }
}

// Out.

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

template <class Body>
void Session::send_body(OpCode op, const Body& body) {
  std::array<std::byte, Body::size> bytes{};
  send_now(op, byte_view{bytes}.first(body.encode(bytes)));
}

template <class Handshake>
void Session::send_contextless(const Handshake& packet) {
  constexpr std::size_t most = 64;
  compose(most, [&](std::byte* out) { return packet.encode({out, most}); });
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

// The end.

void Session::close(DisconnectReason reason, time_point now) {
  if (state_ == State::connecting) return end(reason, false, false);
  if (state_ != State::open) return;
  state_ = State::closing;
  close_reason_ = reason;
  started_ = now;
}

void Session::end(DisconnectReason reason, bool by_peer, bool tells_peer) {
  if (state_ == State::ended) return;
  if (tells_peer && state_ != State::connecting) {
    send_body(OpCode::disconnect, Disconnect{negotiated_.session_id, reason});
  }
  state_ = State::ended;
  resources_.inbox.push(
      {.kind = Event::Kind::closed, .reason = reason, .by_peer = by_peer, .session = id_});
}

// Time.

// When the oldest packet without an acknowledgement was sent first; `no_deadline`: there is none.
time_point Session::oldest_sent() const noexcept {
  time_point since = no_deadline;
  for (const auto& channel : channels_) {
    const Packet* const oldest = channel ? channel->send.oldest() : nullptr;
    if (oldest != nullptr) since = std::min(since, oldest->first_sent);
  }
  return since;
}

void Session::advance_life(time_point now) {
  const Config& config = resources_.config;
  if (state_ == State::connecting) {
    if (now - started_ > config.connect_timeout) {
      return end(DisconnectReason::connect_fail, false, false);
    }
    if (config.request_retry > duration::zero() && now - last_probe_ >= config.request_retry) {
      last_probe_ = now;
      send_request();
    }
    return;
  }
  if (state_ == State::ended) return;
  if (state_ == State::closing && config.close_timeout > duration::zero() &&
      now - started_ > config.close_timeout) {
    return end(close_reason_, false, true);
  }
  if (config.inactivity_timeout > duration::zero() &&
      now - last_received_ > config.inactivity_timeout) {
    return end(DisconnectReason::timeout, false, false);
  }
  if (const time_point since = oldest_sent(); config.unacknowledged_timeout > duration::zero() &&
                                              since != no_deadline &&
                                              now - since > config.unacknowledged_timeout) {
    return end(DisconnectReason::unacknowledged_timeout, false, true);
  }
  if (!is_client_) return;
  const bool is_asking = unknown_since_ != no_deadline;
  const bool is_silent =
      config.heartbeat_after > duration::zero() && now - last_received_ > config.heartbeat_after;
  if ((is_silent || is_asking) && now - last_probe_ >= probe_interval) {
    is_asking ? ask(now) : send_heartbeat(now);
  }
  if (config.net_status_interval > duration::zero() &&
      now - last_probe_ >= config.net_status_interval) {
    send_net_status(now);
  }
}

time_point Session::life_deadline() const noexcept {
  const Config& config = resources_.config;
  time_point next = no_deadline;
  const auto at = [&next](duration after, time_point since) {
    if (after > duration::zero()) next = std::min(next, since + after);
  };
  if (state_ == State::ended) return next;
  if (state_ == State::connecting) {
    at(config.connect_timeout, started_);
    at(config.request_retry, last_probe_);
    return next;
  }
  if (state_ == State::closing) at(config.close_timeout, started_);
  at(config.inactivity_timeout, last_received_);
  if (const time_point since = oldest_sent(); since != no_deadline) {
    at(config.unacknowledged_timeout, since);
  }
  if (is_client_) {
    if (config.heartbeat_after > duration::zero()) {
      next = std::min(
          next, std::max(last_received_ + config.heartbeat_after, last_probe_ + probe_interval));
    }
    if (unknown_since_ != no_deadline) at(probe_interval, last_probe_);
    at(config.net_status_interval, last_probe_);
  }
  return next;
}

time_point Session::transport_deadline() const noexcept {
  if (state_ != State::open && state_ != State::closing) return no_deadline;
  time_point next = recovery_.next_deadline(recovery_.first_lost() != nullptr || has_unsent());
  for (const auto& channel : channels_) {
    if (channel) {
      next = std::min(next, channel->receive.acknowledge_deadline(resources_.config));
    }
  }
  return next;
}

SessionStats Session::stats() const noexcept {
  const Recovery::Stats recovery = recovery_.stats();
  SessionStats stats{.udp_length = framing_.max_datagram,
                     .smoothed_rtt = recovery.smoothed_rtt,
                     .rtt_variation = recovery.rtt_variation,
                     .min_rtt = recovery.min_rtt,
                     .rto = recovery.rto,
                     .loss = recovery_.loss(),
                     .bytes_per_second = recovery_.pacer().bytes_per_second(),
                     .window = recovery_.pacer().window(),
                     .bytes_in_flight = recovery_.bytes_in_flight(),
                     .queued_bytes = queued_bytes_,
                     .datagrams_received = datagrams_received_,
                     .datagrams_sent = datagrams_sent_,
                     .bytes_received = bytes_received_,
                     .bytes_sent = bytes_sent_,
                     .packets_sent = recovery.sent,
                     .packets_resent = recovery.resent,
                     .packets_lost = recovery.lost,
                     .probes = recovery.probes,
                     .timeouts = recovery.timeouts,
                     .bad_checksums = bad_checksums_,
                     .peer_sent = peer_sent_,
                     .peer_received = peer_received_};
  for (const auto& channel : channels_) {
    if (channel) stats.duplicates_received += channel->receive.stats().duplicates;
  }
  return stats;
}

}  // namespace muster::soe
