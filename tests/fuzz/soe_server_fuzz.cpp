// SPDX-License-Identifier: MIT
// Feeds a server of SOE sessions with datagrams, in each state that an address may have there.
//
// Input: configuration, state, then datagrams. Each has a byte that says what to do with it (bit 0:
// give it the session's checksum; bit 1: from another port; bit 2: together with the next; bits 4
// to 7: how much time passes behind it), its length in two bytes, and its bytes.
#include "support/soe_fuzz.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace {

using namespace muster;
using namespace test;
using namespace std::chrono_literals;

const Address home = Address::v4(0x0A000001, 6000);
const Address there = Address::v4(0x0A000002, 5000);
const Address other_port = Address::v4(0x0A000002, 5001);

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input{std::as_bytes(std::span{data, size})};
  const soe::Config config = fuzz_config(input.byte());
  SoeEnd server{config, home};
  SoePeer peer;
  const unsigned state = input.byte() % 5;  // a stranger, half-open, open, with a rival, closing
  if (state == 1) peer.ask(server, there);
  SoeEventOrder order;
  if (state >= 2) {
    peer.ask(server, there);
    server.receive(there, peer.heartbeat());
    server.advance();
    const soe::SessionId session = server.last_session();
    require(server.mux.enqueue(session, as_bytes("something that waits")) ==
            soe::EnqueueStatus::queued);
    if (state == 3) {
      SoePeer rival = peer;
      rival.session_id = 5;
      rival.ask(server, there);
    }
    if (state == 4) {
      require(server.mux.close(session, soe::DisconnectReason::application, server.now));
    }
    server.advance();
  }

  std::vector<SoeEnd::Sent> batch;
  while (!input.is_empty()) {
    const unsigned how = input.byte();
    Bytes datagram = input.bytes(input.two());
    if ((how & 1U) != 0) datagram = peer.sealed(std::move(datagram));
    batch.push_back({(how & 2U) != 0 ? other_port : there, std::move(datagram)});
    if ((how & 4U) != 0 && !input.is_empty()) continue;
    server.receive(std::exchange(batch, {}));
    const unsigned pause = how >> 4U;
    pause == 0 ? server.advance() : server.run_for(1ms * (1U << pause) / 2);
    for (const SoeEvent& event : server.take_events()) require(order.accepts(event));
    for (const SoeEnd::Sent& each : server.take_sent()) {
      require(each.to == there || each.to == other_port);
      require(!each.bytes.empty() && each.bytes.size() <= config.udp_length);
    }
  }
  for (const Address& address : {there, other_port}) {
    (void)server.mux.terminate(server.mux.find(address), soe::DisconnectReason::application,
                               server.now);
  }
  server.run_for(1min);
  for (const SoeEvent& event : server.take_events()) require(order.accepts(event));
  server.sent.clear();
  require(order.open_count() == 0);
  require(server.mux.session_count() == 0 && server.mux.half_open_count() == 0);
  require(takes_large_message(server));
  return 0;
}
