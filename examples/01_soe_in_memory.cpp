// SPDX-License-Identifier: MIT
// Reliable UDP without a socket: two SOE sessions, and between them a network in memory that loses
// three datagrams in ten. Sessions do no I/O and read no clock. The program carries their datagrams
// and says what time it is, so that half a minute of network passes in a moment.
//
//   $ build/dev/examples/01_soe_in_memory
//   client: the session is open
//   server: 1000 messages have come, each once and in order
//   network: 30 % of the datagrams got lost
#include <muster/memory/datagram_link.hpp>
#include <muster/soe/multiplexer.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using muster::memory::DatagramLink;
using Mux = muster::SoeMultiplexer<>;
using Kind = muster::soe::Event::Kind;

// Everything that one end has to do now: take what has arrived, tell what came of it, and send.
template <class OnEvent>
void turn(Mux& end, DatagramLink& in, const muster::Address& peer, DatagramLink& out,
          muster::time_point now, OnEvent on_event) {
  muster::soe::Event event;
  while (const auto datagram = in.receive(now)) {
    end.receive(peer, *datagram, now);
    while (end.poll_event(event)) on_event(event);
  }
  end.advance(now);
  while (end.poll_event(event)) on_event(event);
  for (Mux::Transmit transmit; end.poll_transmit(transmit);) {
    for (const muster::byte_view datagram : transmit.datagrams) out.send(datagram, now);
  }
}

int main() {
  constexpr int count = 1000;
  const auto client_address = muster::Address::v4(0x0a000001, 40000);
  const auto server_address = muster::Address::v4(0x0a000002, 20260);
  muster::soe::Config config;
  config.protocols = {"counting"};
  muster::SeededEntropy entropy{1};  // every run is the same; a server has asio::SystemEntropy
  muster::time_point now{1h};        // when it begins does not matter
  Mux client{config, entropy, now};
  Mux server{config, entropy, now};
  DatagramLink up{{.seed = 1, .loss = 0.3, .delay = 20ms}};
  DatagramLink down{{.seed = 2, .loss = 0.3, .delay = 20ms}};

  if (!client.connect(server_address, "counting", now)) return 1;
  int received = 0;
  bool is_in_order = true, is_over = false;
  while (!is_over) {
    turn(client, down, server_address, up, now, [&](const muster::soe::Event& event) {
      if (event.kind == Kind::closed) is_over = true;
      if (event.kind != Kind::opened) return;
      std::cout << "client: the session is open\n";
      for (int i = 0; i < count; ++i) {
        client.enqueue(event.session, muster::as_bytes(std::to_string(i)));
      }
    });
    turn(server, up, client_address, down, now, [&](const muster::soe::Event& event) {
      if (event.kind != Kind::data) return;
      if (muster::as_text(event.data) != std::to_string(received)) is_in_order = false;
      if (++received == count) is_over = true;
    });
    // Nothing happens before the first of these.
    const auto next = std::min(
        {client.next_deadline(), server.next_deadline(), up.next_delivery(), down.next_delivery()});
    now = std::max(now, next);
  }
  if (received != count || !is_in_order) return 1;
  std::cout << "server: " << received << " messages have come, each once and in order\n";

  const auto sent = up.stats().sent + down.stats().sent;
  const auto lost = up.stats().lost + down.stats().lost;
  std::cout << "network: " << (20 * lost / sent + 1) / 2 << "0 % of the datagrams got lost\n";
}
