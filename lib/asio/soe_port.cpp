// SPDX-License-Identifier: MIT
// Datagrams to the multiplexer, events to the handler, groups to the socket.
#include "soe_port.hpp"

#include "address.hpp"

#include <algorithm>
#include <chrono>

namespace muster::asio {

namespace {

// What a datagram costs beside its bytes, in bytes, so that small ones use up a budget too.
constexpr std::size_t datagram_cost = 512;

// A handler that always has something to say to what it hears is asked again later.
constexpr int rounds_at_once = 4;

// Should nobody say that a full socket is writable again. Its sessions' deadlines wait as long.
constexpr duration blocked_retry = std::chrono::milliseconds{10};

time_point read_clock() { return std::chrono::steady_clock::now(); }

}  // namespace

SoePort::SoePort(const SoeOptions& options, Entropy& entropy, SoeHandler& handler,
                 const DatagramCalls& calls)
    : mux_(options.protocol, entropy, read_clock(), options.admit),
      socket_(options.socket, options.protocol.udp_length, calls),
      handler_(&handler) {}

std::error_code SoePort::bind(std::string_view text) {
  if (socket_.is_open()) return errc::wrong_state;
  const result<Address> address = parse_address(text);
  if (!address) return address.error();
  return socket_.bind(*address);
}

std::error_code SoePort::open_for(std::string_view text) {
  if (socket_.is_open()) return errc::wrong_state;
  const result<Address> address = parse_address(text);
  if (!address) return address.error();
  return socket_.connect(*address);
}

result<soe::SessionId> SoePort::connect(const Address& to, std::string_view protocol) {
  if (!socket_.is_open()) {
    const Address any;  // of both families; a system may have only one
    if (socket_.bind(any) && socket_.bind(Address::v4(0, 0))) return errc::connect_failed;
  }
  if (!socket_.reaches(to)) return errc::connect_failed;
  const auto session = mux_.connect(to, protocol, read_clock());
  if (!session) return session;
  remember(*session);
  has_news_ = true;
  return session;
}

soe::EnqueueStatus SoePort::enqueue(soe::SessionId session, byte_view message,
                                    soe::Channel channel) {
  has_news_ = true;
  return mux_.enqueue(session, message, channel);
}

bool SoePort::set_encryption(soe::SessionId session, unsigned channels, byte_view key) {
  return mux_.set_encryption(session, channels, key);
}

bool SoePort::terminate(soe::SessionId session, soe::DisconnectReason reason) {
  has_news_ = true;
  return mux_.terminate(session, reason, read_clock());
}

bool SoePort::close(soe::SessionId session, soe::DisconnectReason reason) {
  has_news_ = true;
  return mux_.close(session, reason, read_clock());
}

void SoePort::terminate_all(soe::DisconnectReason reason) {
  for (const soe::SessionId session : sessions_) {
    if (session.generation != 0) terminate(session, reason);
  }
}

bool SoePort::receive(std::size_t budget) {
  // Until all is told nothing more is taken in.
  tell(read_clock());
  for (std::size_t used = 0; used < budget;) {
    const auto batch = socket_.receive(budget - used);
    if (batch.empty()) return false;
    for (const auto& datagram : batch) used += std::max(datagram.bytes.size(), datagram_cost);
    has_news_ = true;
    const time_point now = read_clock();
    mux_.receive(batch, now);
    tell(now);
  }
  return true;
}

void SoePort::send() {
  for (int round = 0; round < rounds_at_once; ++round) {
    has_news_ = false;
    const time_point now = read_clock();
    try {
      tell(now);
      mux_.advance(now);
      tell(now);
    } catch (...) {  // the handler's
      has_news_ = true;
      throw;
    }
    if (!transmit()) {
      retry_at_ = now + blocked_retry;
      return;
    }
    if (!has_news_) return;
  }
}

bool SoePort::transmit() {
  if (!socket_.is_open()) return true;
  if (socket_.is_blocked() && !socket_.flush()) return false;
  SoeMultiplexer<>::Transmit group;
  for (;;) {
    while (socket_.has_room() && mux_.poll_transmit(group)) socket_.put(group.to, group.datagrams);
    if (socket_.is_empty()) return true;
    if (!socket_.flush()) return false;
  }
}

time_point SoePort::next_deadline() const noexcept {
  return socket_.is_blocked() ? retry_at_ : mux_.next_deadline();
}

void SoePort::tell(time_point now) {
  for (soe::Event event; mux_.poll_event(event);) {
    ++events_told_;
    const soe::SessionId session = event.session;
    switch (event.kind) {
      case soe::Event::Kind::opened:
        remember(session);
        handler_->on_opened(session, *mux_.remote(session), now);
        break;
      case soe::Event::Kind::data:
        handler_->on_data(session, event.data, event.channel, now);
        break;
      case soe::Event::Kind::writable:
        handler_->on_writable(session, now);
        break;
      case soe::Event::Kind::closed:
        forget(session);
        handler_->on_closed(session, *mux_.remote(session), event.reason, event.by_peer, now);
        break;
    }
  }
}

void SoePort::remember(soe::SessionId session) {
  if (session.index >= sessions_.size()) sessions_.resize(session.index + 1);
  sessions_[session.index] = session;
}

void SoePort::forget(soe::SessionId session) noexcept {
  if (session.index < sessions_.size()) sessions_[session.index] = {};
}

}  // namespace muster::asio
