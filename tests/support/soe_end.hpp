// SPDX-License-Identifier: MIT
// One end of SOE sessions in virtual time: a multiplexer, what it told and what it wants to send.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/soe/multiplexer.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace test {

using Bytes = std::vector<std::byte>;

/// An event with a copy of its data.
struct SoeEvent {
  using Kind = muster::soe::Event::Kind;
  Kind kind = Kind::opened;
  muster::soe::Channel channel = muster::soe::Channel::reliable0;
  muster::soe::DisconnectReason reason = muster::soe::DisconnectReason::none;
  bool by_peer = false;
  muster::soe::SessionId session{};
  std::string data;
};

/// Time passes only when the test says so. What is received lies in memory of exactly its size,
/// which is gone as soon as the events have been polled.
class SoeEnd {
 public:
  using Mux = muster::SoeMultiplexer<>;
  using SessionId = muster::soe::SessionId;
  struct Sent {
    muster::Address to;
    Bytes bytes;
  };

  static constexpr muster::time_point start{std::chrono::hours{1}};

  SoeEnd(const muster::soe::Config& config, const muster::Address& own_address,
         std::uint64_t seed = 1, Mux::Admit admit = {})
      : address(own_address), entropy_(seed), mux(config, entropy_, now, std::move(admit)) {}

  void receive(const muster::Address& from, muster::byte_view datagram) {
    receive({{from, {datagram.begin(), datagram.end()}}});
  }

  /// Several at once, as a driver hands them over.
  void receive(std::vector<Sent> arrived) {
    std::vector<Mux::Datagram> datagrams;
    datagrams.reserve(arrived.size());
    for (Sent& each : arrived) datagrams.push_back({each.to, each.bytes, 0});
    mux.receive(datagrams, now);
    poll_events();
  }

  void advance() {
    mux.advance(now);
    poll_events();
    poll_transmits();
  }

  /// Advances at each deadline that the multiplexer names, and at the end.
  void run_for(muster::duration length) {
    const muster::time_point end = now + length;
    unsigned standstill = 0;
    while (mux.next_deadline() <= end) {
      const muster::time_point next = std::max(now, mux.next_deadline());
      standstill = next > now ? 0 : standstill + 1;
      if (standstill > 1000) throw std::runtime_error("due, and nothing happens");
      now = next;
      advance();
    }
    now = end;
    advance();
  }

  void poll_events() {
    for (muster::soe::Event event; mux.poll_event(event);) {
      events.push_back({event.kind, event.channel, event.reason, event.by_peer, event.session,
                        std::string{muster::as_text(event.data)}});
    }
  }

  void poll_transmits() {
    for (Mux::Transmit transmit; mux.poll_transmit(transmit);) {
      for (const muster::byte_view datagram : transmit.datagrams) {
        sent.push_back({transmit.to, {datagram.begin(), datagram.end()}});
      }
    }
  }

  [[nodiscard]] std::vector<Sent> take_sent() { return std::exchange(sent, {}); }
  [[nodiscard]] std::vector<SoeEvent> take_events() { return std::exchange(events, {}); }

  /// Events of one kind that have not been taken.
  [[nodiscard]] std::size_t count(SoeEvent::Kind kind) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [kind](const SoeEvent& e) { return e.kind == kind; }));
  }

  /// The session of the last event.
  [[nodiscard]] SessionId last_session() const { return events.back().session; }

  [[nodiscard]] std::uint64_t dropped(muster::soe::Drop reason) const {
    return mux.totals().dropped(reason);
  }

  muster::Address address;
  muster::time_point now = start;
  std::vector<Sent> sent;        ///< and not taken
  std::vector<SoeEvent> events;  ///< and not taken

 private:
  muster::SeededEntropy entropy_;

 public:
  Mux mux;
};

}  // namespace test
