// SPDX-License-Identifier: MIT
// Feeds a client of an SOE session with datagrams, in each of its states.
//
// Input: configuration, state, then datagrams. Each has a byte that says what to do with it (bit 0:
// give it the session's checksum; bit 1: and the session's id behind the op code; bit 2: together
// with the next; bits 4 to 7: how much time passes behind it), its length in two bytes, and its
// bytes.
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

const Address home = Address::v4(0x0A000001, 5000);
const Address there = Address::v4(0x0A000002, 6000);

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input{std::as_bytes(std::span{data, size})};
  const soe::Config config = fuzz_config(input.byte());
  SoeEnd client{config, home};
  SoePeer peer;
  peer.crc_seed = 0xCAFE;
  peer.compression = config.compression;
  const unsigned state = input.byte();  // connecting, open, closing; and the checksum's length
  peer.crc_length = static_cast<std::uint8_t>((state >> 2U) % 5);
  SoeEventOrder order;
  const soe::SessionId session = peer.hear_request(client, there);
  order.asked(session);
  if (state % 3 != 0) {
    client.receive(there, peer.response());
    require(client.mux.is_open(session));
    require(client.mux.enqueue(session, as_bytes("something that waits")) ==
            soe::EnqueueStatus::queued);
    if (state % 3 == 2) {
      require(client.mux.close(session, soe::DisconnectReason::application, client.now));
    }
    client.advance();
  }

  std::vector<SoeEnd::Sent> batch;
  while (!input.is_empty()) {
    const unsigned how = input.byte();
    Bytes datagram = input.bytes(input.two());
    if ((how & 2U) != 0 && datagram.size() >= 6) {
      const Bytes id = SoePeer::number(peer.session_id, 4);
      std::copy(id.begin(), id.end(), datagram.begin() + 2);
    }
    if ((how & 1U) != 0) datagram = peer.sealed(std::move(datagram));
    batch.push_back({there, std::move(datagram)});
    if ((how & 4U) != 0 && !input.is_empty()) continue;
    client.receive(std::exchange(batch, {}));
    const unsigned pause = how >> 4U;
    pause == 0 ? client.advance() : client.run_for(1ms * (1U << pause) / 2);
    for (const SoeEvent& event : client.take_events()) require(order.accepts(event));
    for (const SoeEnd::Sent& each : client.take_sent()) {
      require(each.to == there);
      require(!each.bytes.empty() && each.bytes.size() <= config.udp_length);
    }
  }
  (void)client.mux.terminate(session, soe::DisconnectReason::application, client.now);
  client.run_for(1min);
  for (const SoeEvent& event : client.take_events()) require(order.accepts(event));
  client.sent.clear();
  require(order.open_count() == 0);
  require(client.mux.session_count() == 0 && client.mux.half_open_count() == 0);
  require(takes_large_message(client));
  return 0;
}
