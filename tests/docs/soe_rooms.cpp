#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/soe_endpoint.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::asio::HmacSha256 mac;
  muster::relay::Service::Config rooms;
  rooms.games.games = {{"chess", {2}}};
  muster::relay::Service relay{rooms, loop.outbox(), entropy, mac};

  muster::asio::WebSocketServer browsers{loop, {}, entropy, relay};
  muster::asio::SoeEndpoint::Config udp;
  udp.socket.protocol = muster::soe::Config::for_own_ends();
  udp.socket.protocol.protocols = {"chess"};
  muster::asio::SoeEndpoint natives{loop, udp, entropy, &relay};

  if (browsers.listen("0.0.0.0:8080") || natives.bind("0.0.0.0:8081")) return 1;
  context.run();
}
