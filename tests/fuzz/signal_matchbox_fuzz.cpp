// SPDX-License-Identifier: MIT
// Matchbox peers driven by a stream of bytes: rooms, signals, losses, slow readers.
#include <muster/memory/network.hpp>
#include <muster/signal/matchbox.hpp>
#include <muster/wire/byte_reader.hpp>

#include <nlohmann/json.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
using test::require;

namespace {

struct Peer final : Service {
  void on_message(Connection&, const Message& message, time_point) override {
    require(message.kind == MessageKind::text);
    const json parsed = json::parse(as_text(message.bytes), nullptr, false);
    require(parsed.is_object() && parsed.size() == 1);
    const std::string& name = parsed.begin().key();
    const json& value = parsed.begin().value();
    if (name == "IdAssigned") {
      require(id.empty());  // once, and before all else
      id = value;
    } else if (name == "Signal") {
      require(value.contains("sender") && value.contains("data") && value["sender"] != id);
    } else {
      require(name == "NewPeer" || name == "PeerLeft");
      require(value != id);
      other = value;
    }
    require(!id.empty());
  }
  void on_close(Connection&, const CloseInfo&, time_point) override {
    connection = nullptr;
    id.clear();
  }
  Connection* connection = nullptr;
  std::string id;
  std::string other = "0f0e0d0c-0b0a-4908-8706-050403020100";
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::ByteReader input{std::as_bytes(std::span{data, size})};
  const std::uint8_t options = input.u8();
  signal::Matchbox::Config config;
  config.topology = static_cast<signal::Matchbox::Topology>(options & 1U);
  config.max_rooms = 3;
  config.max_peers = 4;
  config.max_message = 1024;
  config.max_connections = 8;
  config.budget = {.bytes = 8192, .frames = 8};
  if ((options & 2U) != 0) config.rate = {.messages_per_second = 2, .bytes_per_second = 2048};
  std::string problem;
  require(!signal::Matchbox::validate(config, problem));
  memory::Network network{1};
  SeededEntropy entropy{7};
  signal::Matchbox matchbox{config, network.outbox(), entropy};
  network.add(matchbox);
  std::array<Peer, 10> peers;

  std::uint64_t signals = 0;
  while (input.ok() && input.remaining() != 0) {
    const std::uint8_t action = input.u8();
    Peer& peer = peers[(action >> 3U) % peers.size()];
    switch (action & 7U) {
      case 0:
      case 1: {
        if (peer.connection != nullptr) break;
        constexpr std::array<std::string_view, 6> paths{
            "/matchbox/a", "/matchbox/b", "/matchbox", "/matchbox/a/b", "/else", "/matchbox/c"};
        constexpr std::array<std::string_view, 5> queries{"", "next=2", "next=0", "next=x",
                                                          "next=3&next=1"};
        Request request;
        const std::uint8_t how = input.u8();
        request.path = paths[how % paths.size()];
        request.query = queries[how / 8 % queries.size()];
        peer.connection = &network.connect(peer, matchbox, request, {.window = 256});
        break;
      }
      case 2:
        if (peer.connection != nullptr) network.cut(*peer.connection);
        break;
      case 3:
        if (peer.connection != nullptr) network.stall(*peer.connection, (input.u8() & 1U) != 0);
        break;
      case 4:
        network.run_for(1ms * input.u8());
        break;
      case 5: {  // a signal
        const json message = {
            {"Signal",
             {{"receiver", (input.u8() & 1U) != 0 ? peer.other : peers[input.u8() % 10].id},
              {"data", std::string(input.u8(), 's')}}}};
        if (peer.connection != nullptr) {
          (void)peer.connection->send({as_bytes(message.dump()), MessageKind::text});
        }
        break;
      }
      default: {  // any bytes
        const byte_view bytes = input.bytes(std::min<std::size_t>(input.u8(), input.remaining()));
        const MessageKind kind = (action & 1U) != 0 ? MessageKind::text : MessageKind::binary;
        if (peer.connection != nullptr) (void)peer.connection->send({bytes, kind});
        break;
      }
    }
    if ((action & 128U) == 0) (void)network.run_until_quiet();
    require(matchbox.peer_count() <= peers.size());
    require(matchbox.room_count() <= config.max_rooms);
    require(matchbox.room_count() <= matchbox.peer_count());
    require(matchbox.stats().signals >= signals);
    signals = matchbox.stats().signals;
  }
  for (Peer& peer : peers) {
    if (peer.connection != nullptr) network.cut(*peer.connection);
  }
  network.run_for(1s);
  require(matchbox.peer_count() == 0);
  require(matchbox.room_count() == 0);
  require(network.outbox().connection_count() == 0);
  network.remove(matchbox);
  return 0;
}
