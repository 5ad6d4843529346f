// SPDX-License-Identifier: MIT
// TLS connections that move between loops.
#include "support/certificates.hpp"
#include "support/loops_world.hpp"

#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using muster::asio::TlsClientContext;
using muster::asio::TlsServerContext;
using test::each_backend;
using test::HandDrivenLoops;
using test::WanderingService;

namespace {

struct Trust {
  Trust() {
    const test::CertificateFiles files = authority.issue("game", "DNS:localhost,IP:127.0.0.1");
    std::string problem;
    REQUIRE(!server.load(files.certificate, files.key, problem));
    REQUIRE(!client.load({.ca_file = authority.ca_file()}, problem));
    config.tls = &server;
  }
  test::TemporaryDirectory directory;
  test::Authority authority{directory, "root"};
  TlsServerContext server;
  TlsClientContext client;
  muster::asio::WebSocketServer::Config config;
};

// Counts what it is told, which must carry all numbers in order.
struct Player final : Service {
  void on_open(Connection& opened, time_point) override { connection = &opened; }
  void on_message(Connection&, const Message& message, time_point) override {
    const std::string_view text = as_text(message.bytes);
    if (WanderingService::parse(text).first != expected++) ++out_of_order;
    const std::string_view rest = text.substr(text.find(' ') + 1);
    if (rest.front() == 'o' || rest.front() == 'f') return;  // on the way; filler
    if (WanderingService::parse(rest).first != echoes++) ++out_of_order;
  }
  void on_close(Connection&, const CloseInfo& info, time_point) override {
    connection = nullptr;
    code = info.code;
    ++closes;
  }
  void say(std::uint64_t number, std::size_t loop, std::size_t filler) const {
    const std::string text =
        std::to_string(number) + ' ' + std::to_string(loop) + ' ' + std::string(filler, '.');
    CHECK(connection->send({as_bytes(text), MessageKind::text}) == SendStatus::queued);
  }
  Connection* connection = nullptr;
  std::uint64_t expected = 0;
  std::uint64_t echoes = 0;
  int out_of_order = 0;
  int closes = 0;
  std::uint16_t code = 0;
};

}  // namespace

TEST_CASE("socket tls: a connection moves at any message, with what is read and not decrypted",
          "[tls][handover]") {
  Trust trust;
  HandDrivenLoops loops{3, each_backend(), trust.config};
  test::LoopWorld& home = *loops.worlds[0];
  Player player;
  muster::asio::WebSocketClient dialer{home.loop, {}, home.entropy, &trust.client};
  dialer.dial({.url = "wss://localhost:" + std::to_string(loops.servers[0]->port()) + "/"}, player);
  REQUIRE(loops.run_until([&] { return player.connection != nullptr; }));
  std::uint64_t number = 0;
  // One at a time, then many in one record, in many records, and in more than one pass reads.
  for (const std::size_t filler :
       {std::size_t{0}, std::size_t{3}, std::size_t{3000}, std::size_t{20'000}}) {
    for (int i = 0; i < 40; ++i) {
      player.say(number, (number * 7 / 3) % 3, filler);
      ++number;
      if (filler == 0) {
        REQUIRE(loops.run_until([&] { return player.echoes == number; }));
      }
    }
    REQUIRE(loops.run_until([&] { return player.echoes == number; }));
  }
  CHECK(player.out_of_order == 0);
  int arrivals = 0;
  for (const auto& service : loops.services) {
    arrivals += service->arrivals;
    CHECK(service->out_of_order == 0);
    CHECK(service->strangers == 0);
  }
  CHECK(arrivals > 80);
  player.connection->close(CloseReason::finished);
  REQUIRE(loops.run_until([&] { return player.closes == 1; }));
  CHECK(player.code == 1000);
  CHECK(test::Tally::alive == 0);
}

TEST_CASE("socket tls: one whose loop goes away is told to try again", "[tls][handover]") {
  Trust trust;
  HandDrivenLoops loops{2, each_backend(), trust.config};
  test::LoopWorld& home = *loops.worlds[0];
  Player player;
  muster::asio::WebSocketClient dialer{home.loop, {}, home.entropy, &trust.client};
  dialer.dial({.url = "wss://localhost:" + std::to_string(loops.servers[0]->port()) + "/"}, player);
  REQUIRE(loops.run_until([&] { return player.connection != nullptr; }));
  // The other loop's server goes while the connection is about to leave for it.
  loops.services[0]->when_moving = [&](Connection&) { loops.servers[1].reset(); };
  for (std::uint64_t i = 0; i < 20; ++i) player.say(i, 1, 1000);
  REQUIRE(loops.run_until([&] { return player.closes == 1; }));
  CHECK(player.code == 1013);
  CHECK(player.out_of_order == 0);
  CHECK(test::Tally::alive == 0);
}
