// SPDX-License-Identifier: MIT
// The loop that a network is, without a network.
#include "link_run.hpp"

#include "client.hpp"
#include "report.hpp"
#include "server.hpp"

#include <muster/entropy.hpp>
#include <muster/memory/datagram_link.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

namespace soe_echo {

namespace {

using namespace std::chrono_literals;
using muster::Address;
using muster::SoeMultiplexer;
using muster::time_point;
using muster::memory::DatagramLink;

volatile std::sig_atomic_t interrupts = 0;

void interrupt(int number) {
  interrupts = interrupts + 1;
  std::signal(number, SIG_DFL);  // the second one ends the program
}

class MultiplexerCarrier final : public Carrier {
 public:
  MultiplexerCarrier(SoeMultiplexer<>& mux, const time_point& now) : mux_(mux), now_(now) {}
  muster::result<muster::soe::SessionId> connect(std::string_view protocol) override {
    return mux_.connect(Address::v4(0x0a000001, 1), protocol, now_);
  }
  muster::soe::EnqueueStatus enqueue(muster::soe::SessionId session, muster::byte_view message,
                                     muster::soe::Channel channel) override {
    return mux_.enqueue(session, message, channel);
  }
  void close(muster::soe::SessionId session) override {
    mux_.close(session, muster::soe::DisconnectReason::application, now_);
  }
  void terminate(muster::soe::SessionId session, muster::soe::DisconnectReason reason) override {
    mux_.terminate(session, reason, now_);
  }
  [[nodiscard]] const SoeMultiplexer<>& multiplexer() const override { return mux_; }

 private:
  SoeMultiplexer<>& mux_;
  const time_point& now_;
};

void handle_events(SoeMultiplexer<>& mux, muster::asio::SoeHandler& handler, time_point now) {
  using Kind = muster::soe::Event::Kind;
  for (muster::soe::Event event; mux.poll_event(event);) {
    switch (event.kind) {
      case Kind::opened:
        handler.on_opened(event.session, *mux.remote(event.session), now);
        break;
      case Kind::data:
        handler.on_data(event.session, event.data, event.channel, now);
        break;
      case Kind::writable:
        handler.on_writable(event.session, now);
        break;
      case Kind::closed:
        handler.on_closed(event.session, {}, event.reason, event.by_peer, now);
        break;
    }
  }
}

DatagramLink::Config link_config(const Options& options, std::uint64_t seed) {
  return {.seed = seed,
          .loss = options.loss,
          .delay = std::chrono::duration_cast<muster::duration>(
              std::chrono::duration<double, std::milli>{options.round_trip_milliseconds / 2}),
          // A gigabit, so that bulk has an end, and a queue that is never the reason for a loss.
          .bytes_per_second = 125'000'000,
          .queue_bytes = 64 << 20};
}

// A client, and its way to the server and back.
struct End {
  End(const Options& options, std::uint32_t index, Tally& tally, const time_point& now)
      : address(Address::v4(0x0a000100 + index, 2)),
        entropy(options.seed * 3 + index),
        mux(options.config, entropy, now),
        carrier(mux, now),
        client(options, tally),
        up(link_config(options, 2 * (options.seed + index))),
        down(link_config(options, 2 * (options.seed + index) + 1)) {}

  Address address;
  muster::SeededEntropy entropy;
  SoeMultiplexer<> mux;
  MultiplexerCarrier carrier;
  Client client;
  DatagramLink up;
  DatagramLink down;
};

class Link {
 public:
  explicit Link(const Options& options)
      : entropy_(options.seed),
        mux_(options.config, entropy_, now_),
        carrier_(mux_, now_),
        server_(false) {
    server_.set_carrier(carrier_);
    for (std::uint32_t i = 0; i < options.sessions; ++i) {
      ends_.push_back(std::make_unique<End>(options, i, tally, now_));
      ends_.back()->client.start(ends_.back()->carrier, now_);
    }
    step(now_);  // the requests leave
  }

  void stop() {
    for (const auto& end : ends_) end->client.stop(now_);
  }

  [[nodiscard]] bool is_done() const {
    return std::all_of(ends_.begin(), ends_.end(),
                       [](const auto& end) { return end->client.is_done(); });
  }

  [[nodiscard]] Transport transport() const {
    std::vector<muster::soe::SessionStats> stats;
    for (const auto& end : ends_) stats.push_back(end->client.stats());
    return summarize(stats);
  }

  // Everything that happens at one moment.
  void step(time_point now) {
    now_ = now;
    for (const auto& end : ends_) {
      while (const auto datagram = end->up.receive(now)) {
        mux_.receive(end->address, *datagram, now);
        handle_events(mux_, server_, now);
      }
      while (const auto datagram = end->down.receive(now)) {
        end->mux.receive(Address::v4(0x0a000001, 1), *datagram, now);
        handle_events(end->mux, end->client, now);
      }
      end->client.advance(now);
    }
    mux_.advance(now);
    handle_events(mux_, server_, now);
    for (SoeMultiplexer<>::Transmit out; mux_.poll_transmit(out);) {
      for (const muster::byte_view datagram : out.datagrams) {
        ends_[index_of(out.to)]->down.send(datagram, now);
      }
    }
    for (const auto& end : ends_) {
      end->mux.advance(now);
      handle_events(end->mux, end->client, now);
      for (SoeMultiplexer<>::Transmit out; end->mux.poll_transmit(out);) {
        for (const muster::byte_view datagram : out.datagrams) end->up.send(datagram, now);
      }
    }
  }

  [[nodiscard]] time_point next_deadline() const {
    time_point next = mux_.next_deadline();
    for (const auto& end : ends_) {
      next = std::min({next, end->mux.next_deadline(), end->client.next_deadline(),
                       end->up.next_delivery(), end->down.next_delivery()});
    }
    return next;
  }

  [[nodiscard]] time_point now() const noexcept { return now_; }
  Tally tally;

 private:
  static std::size_t index_of(const Address& address) noexcept {
    return (std::size_t{address.ip[14]} << 8U | address.ip[15]) - 0x100;
  }

  time_point now_{1h};
  muster::SeededEntropy entropy_;
  SoeMultiplexer<> mux_;
  MultiplexerCarrier carrier_;
  Server server_;
  std::vector<std::unique_ptr<End>> ends_;
};

}  // namespace

int run_link(const Options& options) {
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
  Link link{options};
  Report report{options};
  const time_point start = link.now();
  const time_point real_start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>{link.now() - start}.count(); };
  time_point next_line = start + 1s;
  while (!link.is_done()) {
    if (interrupts != 0) link.stop();
    const time_point next = std::max(link.now(), std::min(link.next_deadline(), next_line));
    if (!options.is_fast) std::this_thread::sleep_until(real_start + (next - start));
    link.step(next);
    if (next == next_line) {
      next_line += 1s;
      report.live(link.tally, link.transport(), seconds());
    }
  }
  report.summary(link.tally, link.transport());
  return link.tally.is_good() ? 0 : 1;
}

}  // namespace soe_echo
