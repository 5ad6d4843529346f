// SPDX-License-Identifier: MIT
// The life of a session: how it begins, how long it waits, how it ends.
#include "session.hpp"

#include <algorithm>

namespace muster::soe {

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

void Session::set_encryption(unsigned channels, const Rc4* cipher) {
  for (unsigned number = 0; number < reliable_channel_count; ++number) {
    if ((channels >> number & 1U) == 0) continue;
    ReliableChannel& that = channel(number, last_received_);
    that.send.set_cipher(cipher);
    that.receive.set_cipher(cipher);
  }
}

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
