// SPDX-License-Identifier: MIT
// muster's SOE sessions as contestants: between two ends of its own, and as legacy peers need them.
#include "memory_ports.hpp"
#include "peer.hpp"
#include "socket_port.hpp"

#include <muster/entropy.hpp>
#include <muster/soe/multiplexer.hpp>

#include <array>
#include <memory>

namespace muster_bench {

namespace {

using Multiplexer = muster::SoeMultiplexer<>;
namespace soe = muster::soe;

constexpr const char* protocol = "bench";

class MusterEnd final : public End {
 public:
  // A server.
  MusterEnd(const soe::Config& config, const Offload& offload, const Place& place,
            muster::time_point now)
      : is_client_(false),
        entropy_(1),
        socket_(place.memory ? nullptr : std::make_unique<SocketPort>(offload, 0)),
        port_(place.memory ? place.memory : socket_.get()),
        multiplexer_(config, entropy_, now) {}

  // A client.
  MusterEnd(const soe::Config& config, const Offload& offload, const Place& place,
            std::uint64_t seed, muster::time_point now)
      : is_client_(true),
        entropy_(seed),
        socket_(place.memory ? nullptr : std::make_unique<SocketPort>(offload, place.udp_port)),
        port_(place.memory ? place.memory : socket_.get()),
        multiplexer_(config, entropy_, now) {
    const muster::Address server =
        place.memory ? memory_address() : muster::Address::v4(0x7f000001, place.udp_port);
    if (!multiplexer_.connect(server, protocol, now)) throw Failure("connect");
  }

  std::uint32_t open_sessions() const override {
    return static_cast<std::uint32_t>(sessions_.size());
  }

  bool send(std::uint32_t session, muster::byte_view message) override {
    const soe::EnqueueStatus status = multiplexer_.enqueue(sessions_[session], message);
    if (status == soe::EnqueueStatus::queued) return true;
    if (status != soe::EnqueueStatus::over_budget) throw Failure("enqueue");
    return false;
  }

  void step(muster::time_point now, Receiver& receiver) override {
    handle_events(receiver);
    for (;;) {
      const std::span<Port::Run> runs = port_->receive(now);
      if (runs.empty()) break;
      for (std::size_t i = 0; i < runs.size(); ++i) {
        datagrams_[i] = {runs[i].from, runs[i].bytes, runs[i].segment};
      }
      multiplexer_.receive(std::span{datagrams_}.first(runs.size()), now);
      handle_events(receiver);
    }
    flush(now);
  }

  void flush(muster::time_point now) override {
    multiplexer_.advance(now);
    for (Multiplexer::Transmit out; multiplexer_.poll_transmit(out);) {
      port_->send(out.to, out.datagrams, now);
    }
    port_->flush();
  }

  muster::time_point next_deadline(muster::time_point) const override {
    return multiplexer_.next_deadline();
  }

  Traffic sent() const override { return port_->sent(); }
  int descriptor() const override { return socket_->descriptor(); }
  std::uint16_t udp_port() const override { return socket_->udp_port(); }

 private:
  void handle_events(Receiver& receiver) {
    for (soe::Event event; multiplexer_.poll_event(event);) {
      switch (event.kind) {
        case soe::Event::Kind::opened:
          if (event.session.index >= numbers_.size()) numbers_.resize(event.session.index + 1);
          numbers_[event.session.index] = open_sessions();
          sessions_.push_back(event.session);
          has_greeting_.push_back(is_client_);
          // A server hears of a session with its first packet.
          if (is_client_) send(0, muster::as_bytes("hello"));
          break;
        case soe::Event::Kind::data: {
          const std::uint32_t number = numbers_[event.session.index];
          if (has_greeting_[number]) {
            receiver.on_message(number, event.data);
          } else {
            has_greeting_[number] = true;
          }
          break;
        }
        case soe::Event::Kind::writable:
          break;
        case soe::Event::Kind::closed:
          throw Failure("a session was closed: " + std::string{to_string(event.reason)});
      }
    }
  }

  bool is_client_;
  muster::SeededEntropy entropy_;
  std::unique_ptr<SocketPort> socket_;
  Port* port_;
  Multiplexer multiplexer_;
  std::vector<soe::SessionId> sessions_;
  std::vector<std::uint32_t> numbers_;  // of sessions, by the index of their id
  std::vector<bool> has_greeting_;      // at a server: whether the first message has been taken
  std::array<Multiplexer::Datagram, 64> datagrams_;
};

Contestant contestant(const char* name, unsigned scenarios, soe::Config config,
                      const Offload& offload = {}) {
  config.protocols = {protocol};
  config.requests_per_second = 0;  // all clients come from one host
  config.requests_per_second_per_host = 0;
  return {name, scenarios,
          [=](const Place& place, std::uint32_t max_sessions, muster::time_point now) {
            soe::Config server = config;
            server.max_sessions = server.max_half_open = max_sessions;
            return std::make_unique<MusterEnd>(server, offload, place, now);
          },
          [=, seed = std::uint64_t{1}](const Place& place, muster::time_point now) mutable {
            return std::make_unique<MusterEnd>(config, offload, place, ++seed, now);
          }};
}

}  // namespace

std::vector<Contestant> muster_contestants() {
  const soe::Config own_1400 = soe::Config::for_own_ends(1400);
  const soe::Config own_512 = soe::Config::for_own_ends(512);
  soe::Config plain_512 = own_512;
  plain_512.redundancy = 0;
  soe::Config fixed_512 = own_512;
  fixed_512.pacing = soe::Pacing::fixed_window;
  constexpr Offload no_gro{.segments = true, .coalesces = false};
  constexpr Offload none{.segments = false, .coalesces = false};
  return {
      contestant("muster-1400", in_all, own_1400),
      contestant("muster-1400-nogro", in_transfers, own_1400, no_gro),
      contestant("muster-512", in_all, own_512),
      contestant("muster-512-nogro", in_transfers, own_512, no_gro),
      contestant("muster-512-nogso", in_transfers | in_sessions, own_512, none),
      contestant("muster-512-plain", in_latency, plain_512),
      contestant("muster-512-fixed", in_memory | in_goodput, fixed_512),
      contestant("muster-legacy", in_all, {}),
  };
}

}  // namespace muster_bench
