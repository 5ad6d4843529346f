// SPDX-License-Identifier: MIT
// A relay and some peers, driven by a stream of bytes: connections, messages, losses, time.
#include <muster/memory/network.hpp>
#include <muster/relay/extension.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/message.hpp>
#include <muster/relay/service.hpp>
#include <muster/wire/byte_reader.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::require;

namespace {

// Remembers its token, so that the stream can present it.
struct Peer final : Service {
  void on_message(Connection&, const Message& message, time_point) override {
    const auto reply = relay::decode_handshake_reply(message.bytes);
    if (!reply) return;
    if (const auto* const welcome = std::get_if<relay::HandshakeResponse>(&reply->outcome)) {
      token = welcome->token;
    }
  }
  void on_close(Connection&, const CloseInfo&, time_point) override { connection = nullptr; }
  Connection* connection = nullptr;
  std::uint64_t token = 0;
};

// Keeps a room alive, and misuses its verbs a little.
struct Game final : relay::Authority {
  void on_attached(relay::HostedRoom& attached, time_point) override { room = &attached; }
  void on_detached(time_point) override { room = nullptr; }
  void on_join(const relay::PlayerInfo&, time_point) override {}
  void on_depart(const relay::PlayerInfo&, relay::Departure, time_point) override {}
  void on_rpc(const relay::PlayerInfo& player, byte_view payload, time_point) override {
    if (payload.empty()) return;
    const auto what = std::to_integer<unsigned>(payload[0]);
    if (what < 32) (void)room->kick(player.id, static_cast<std::uint8_t>(what & 3U));
    if (what == 32) room->terminate();
    if (what > 32 && room != nullptr) (void)room->delta(payload);
  }
  std::vector<std::byte> full_state() override { return {std::byte{1}}; }
  relay::HostedRoom* room = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::ByteReader input{std::as_bytes(std::span{data, size})};
  Game game;
  std::array<Peer, 6> peers;
  SeededEntropy entropy{7};
  WeakMac mac;
  relay::Service::Config config;
  config.games.games = {{"g", {3}}, {"h", {.max_players = 0, .migrate_host = true}}};
  config.addresses.slots = 64;
  config.client_budget = {.bytes = 16 * 1024, .frames = 16};
  config.host_budget = {.bytes = 16 * 1024, .frames = 16};
  config.max_host_message = config.max_client_message = 2048;
  const std::uint8_t options = input.u8();
  config.accept_gen1 = (options & 1U) != 0;
  config.rooms.rotate_tokens = (options & 2U) != 0;
  config.rooms.slow_member = static_cast<relay::SlowMember>((options >> 2U) % 3);
  config.rooms.state_cache = (options & 16U) != 0 ? 1024 : 0;
  config.rooms.end_with_host = (options & 32U) != 0;
  config.rooms.keep_token_of_leaver = (options & 64U) != 0;
  std::string problem;
  require(!relay::Service::validate(config, problem));
  memory::Network network{1};
  relay::Service service{config, network.outbox(), entropy, mac};
  network.add(service);
  if ((options & 128U) != 0) (void)service.open_room({"h", "r"}, 0, game, network.now());

  while (input.ok() && input.remaining() != 0) {
    const std::uint8_t action = input.u8();
    Peer& peer = peers[(action >> 4U) % peers.size()];
    switch (action & 15U) {
      case 0:
        if (peer.connection == nullptr) {
          peer.connection = &network.connect(peer, service, {}, {.window = 4});
          (void)network.run_until_quiet();
        }
        break;
      case 1:
        if (peer.connection != nullptr) network.cut(*peer.connection);
        break;
      case 2:
        if (peer.connection != nullptr) network.stall(*peer.connection, (input.u8() & 1U) != 0);
        break;
      case 3: {
        constexpr std::array<duration, 8> spans{0ms, 1ms, 100ms, 3s, 10s, 30s, 5min, 6h};
        network.run_for(spans[input.u8() % spans.size()]);
        break;
      }
      case 4:
      case 5: {  // a valid request, with a trailer as the stream says
        const std::uint8_t how = input.u8();
        relay::JoinRequest request;
        request.game_id = (how & 1U) != 0 ? "g" : "h";
        request.room_id = "r";
        request.create_room = (how & 2U) != 0;
        if ((how & 4U) != 0) request.reconnect_token = peers[input.u8() % peers.size()].token;
        std::vector<std::byte> trailer;
        if ((how & 8U) != 0) {
          relay::append_trailer(trailer, {.capabilities = input.u8(),
                                          .name = (how & 16U) != 0 ? "n" : "",
                                          .is_spectator = (how & 32U) != 0,
                                          .seat = input.u8(),
                                          .sequence = input.u8()});
          request.trailer = trailer;
        }
        const auto bytes = relay::encode_join_request(request);
        if (peer.connection != nullptr) (void)peer.connection->send({*bytes});
        break;
      }
      default: {  // any bytes
        const byte_view bytes = input.bytes(std::min<std::size_t>(action & 15U, input.remaining()));
        if (peer.connection != nullptr) (void)peer.connection->send({bytes});
        break;
      }
    }
    if ((action & 8U) == 0) (void)network.run_until_quiet();
    require(service.present_count() <= service.member_count());
    require(service.present_count() <= peers.size());
  }
  // Whatever happened, everything ends.
  for (Peer& peer : peers) {
    if (peer.connection != nullptr) network.cut(*peer.connection);
  }
  if (game.room != nullptr) game.room->terminate();
  network.run_for(1s);
  require(service.present_count() == 0);
  network.run_for(1h);
  require(service.room_count() == 0);
  require(network.outbox().connection_count() == 0);
  network.remove(service);
  return 0;
}
