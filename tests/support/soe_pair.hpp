// SPDX-License-Identifier: MIT
// A client and a server of the SOE protocol, joined by two simulated links in virtual time.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/memory/datagram_link.hpp>
#include <muster/soe/config.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/soe_end.hpp"

namespace test {

/// The same settings give the same course of events, whatever the compiler.
///
/// A turn of an end is what a driver does: all datagrams that have arrived, the events, `advance`,
/// all datagrams that want to leave.
class SoePair {
 public:
  struct Settings {
    muster::soe::Config client{};
    muster::soe::Config server{};
    muster::memory::DatagramLink::Config link{};  ///< of each direction; the seed is replaced
    std::uint64_t seed = 1;
    SoeEnd::Mux::Admit admit{};  ///< of the server; empty: the protocol "game" is accepted
  };

  /// Sees a datagram that leaves; false: it gets lost.
  using Tap = std::function<bool(muster::byte_view)>;

  static constexpr std::string_view protocol = "game";
  static constexpr std::string_view greeting = "hello";

  explicit SoePair(const Settings& settings)
      : client(settings.client, muster::Address::v4(0x0A000001, 5000), settings.seed * 4 + 1),
        server(serving(settings.server), muster::Address::v4(0x0A000002, 6000),
               settings.seed * 4 + 2, settings.admit),
        up(seeded(settings.link, settings.seed * 4 + 3)),
        down(seeded(settings.link, settings.seed * 4 + 4)) {}

  [[nodiscard]] muster::time_point now() const { return now_; }

  /// Connects, and lets the client say something, since the server learns of it by that alone.
  void open() {
    connect();
    drive_until([&] { return client.mux.is_open(at_client); }, "the client to open");
    if (client.mux.enqueue(at_client, muster::as_bytes(greeting)) !=
        muster::soe::EnqueueStatus::queued) {
      throw std::runtime_error("an open session does not take a message");
    }
    drive_until([&] { return server.count(SoeEvent::Kind::data) != 0; }, "the server to open");
    at_server = server.last_session();
    client.events.clear();
    server.events.clear();
  }

  /// Asks, and no more.
  void connect() {
    const auto session = client.mux.connect(server.address, protocol, now_);
    if (!session) throw std::runtime_error("cannot connect");
    at_client = *session;
  }

  /// Moves time to the next thing that happens, and lets the ends handle it that it concerns.
  /// @return false: nothing happens until `until`, which is now
  bool step(muster::time_point until) {
    // What was called from outside may want to be sent at once.
    const muster::time_point due_at_server =
        std::min(up.next_delivery(), server.mux.next_deadline());
    const muster::time_point due_at_client =
        std::min(down.next_delivery(), client.mux.next_deadline());
    const muster::time_point next = std::max(now_, std::min(due_at_server, due_at_client));
    if (next > until) {
      now_ = std::max(now_, until);
      return false;
    }
    standstill_ = next > now_ ? 0 : standstill_ + 1;
    if (standstill_ > 10'000) throw std::runtime_error("an end is due, and does nothing");
    now_ = next;
    if (due_at_server <= now_) turn(server, client.address, up, down, on_down);
    if (due_at_client <= now_) turn(client, server.address, down, up, on_up);
    return true;
  }

  void run_for(muster::duration length) {
    const muster::time_point end = now_ + length;
    while (step(end)) {
    }
  }

  /// Until a condition holds.
  /// @param what   for the error: "waited too long for ..."
  template <class Condition>
  void drive_until(Condition condition, const std::string& what,
                   muster::duration at_most = std::chrono::minutes{2}) {
    const muster::time_point end = now_ + at_most;
    standstill_ = 0;
    while (!condition()) {
      if (!step(end)) throw std::runtime_error("waited too long for " + what);
    }
  }

  /// Until nothing is under way, neither session has anything to send, and nobody is due for some
  /// time.
  void drive() {
    drive_until([&] { return is_idle(); }, "silence", std::chrono::minutes{10});
  }

  [[nodiscard]] bool is_idle() const {
    constexpr muster::duration some_time = std::chrono::milliseconds{20};
    return up.under_way() == 0 && down.under_way() == 0 &&
           client.mux.stats(at_client).queued_bytes == 0 &&
           server.mux.stats(at_server).queued_bytes == 0 &&
           std::min(client.mux.next_deadline(), server.mux.next_deadline()) > now_ + some_time;
  }

  /// A datagram that arrives now, and that no link has carried.
  void inject_at_server(muster::byte_view datagram,
                        std::optional<muster::Address> from = std::nullopt) {
    server.now = now_;
    server.receive(from.value_or(client.address), datagram);
  }
  void inject_at_client(muster::byte_view datagram,
                        std::optional<muster::Address> from = std::nullopt) {
    client.now = now_;
    client.receive(from.value_or(server.address), datagram);
  }

  SoeEnd client;
  SoeEnd server;
  muster::memory::DatagramLink up;    ///< from the client
  muster::memory::DatagramLink down;  ///< to the client
  Tap on_up;
  Tap on_down;
  muster::soe::SessionId at_client{};
  muster::soe::SessionId at_server{};

 private:
  static muster::soe::Config serving(muster::soe::Config config) {
    config.protocols.emplace_back(protocol);
    return config;
  }
  static muster::memory::DatagramLink::Config seeded(muster::memory::DatagramLink::Config config,
                                                     std::uint64_t seed) {
    config.seed = seed;
    return config;
  }

  void turn(SoeEnd& end, const muster::Address& peer, muster::memory::DatagramLink& in,
            muster::memory::DatagramLink& out, const Tap& tap) {
    end.now = now_;
    std::vector<SoeEnd::Sent> arrived;
    while (const auto datagram = in.receive(now_)) {
      arrived.push_back({peer, {datagram->begin(), datagram->end()}});
    }
    if (!arrived.empty()) end.receive(std::move(arrived));
    end.advance();
    for (SoeEnd::Sent& each : end.take_sent()) {
      if (each.to == peer && (!tap || tap(each.bytes))) out.send(each.bytes, now_);
    }
  }

  muster::time_point now_ = SoeEnd::start;
  unsigned standstill_ = 0;
};

}  // namespace test
