// SPDX-License-Identifier: MIT
// SOE servers and clients with threads of their own.
#include "support/catch.hpp"
#include "support/soe_notes.hpp"

#include <muster/asio/soe_blocking_socket.hpp>
#include <muster/asio/soe_client.hpp>
#include <muster/asio/soe_server.hpp>

#include <memory>
#include <optional>
#include <thread>

using namespace muster;
using namespace std::chrono_literals;
using muster::asio::EventStatus;
using muster::asio::SoeClient;
using muster::asio::SoeEvent;
using muster::asio::SoeEventLimits;
using muster::asio::SoeHandle;
using muster::asio::SoeOptions;
using muster::asio::SoeServer;
using soe::Channel;
using soe::DisconnectReason;
using soe::SessionId;
using Kind = soe::Event::Kind;
using Status = SoeHandle::Status;
using test::soe_bytes;
using test::soe_options;
using test::soe_protocol;

namespace {

constexpr auto patience = 30s;

std::string port_of(const SoeServer& server) {
  return "127.0.0.1:" + std::to_string(server.local().port);
}

/// The next event, which must be of that kind.
template <class Source>
SoeEvent expect(Source& source, Kind kind) {
  SoeEvent event;
  REQUIRE(source.next_event(event, patience) == EventStatus::event);
  REQUIRE(event.kind == kind);
  return event;
}

bool has_bytes(const SoeEvent& event, const std::vector<std::byte>& bytes) {
  return std::equal(event.data.begin(), event.data.end(), bytes.begin(), bytes.end());
}

}  // namespace

TEST_CASE("soe server: a client is served, from the first word to the last", "[soe][server]") {
  const std::string address = GENERATE("127.0.0.1:0", "[::]:0");
  SoeServer server{soe_options()};
  SoeEvent event;
  CHECK(server.next_event(event, 0s) == EventStatus::none);
  CHECK(server.local() == Address{});
  CHECK(server.listen("nowhere") == errc::bad_value);
  REQUIRE(!server.listen(address));
  CHECK(server.listen(address) == errc::wrong_state);
  const SoeHandle handle = server.handle();

  SoeClient client{soe_options()};
  CHECK(client.enqueue(soe_bytes(1, 1)) == Status::stopped);
  CHECK(client.connect_to("nowhere", soe_protocol) == errc::bad_value);
  REQUIRE(!client.connect_to(port_of(server), soe_protocol));
  CHECK(client.connect_to(port_of(server), soe_protocol) == errc::wrong_state);
  CHECK(client.enqueue(soe_bytes(7, 3000)) == Status::queued);  // long before it is open

  const SoeEvent opened = expect(server, Kind::opened);
  CHECK(opened.remote == client.local());
  CHECK(expect(client, Kind::opened).remote.port == server.local().port);
  const SoeEvent data = expect(server, Kind::data);
  CHECK(data.session == opened.session);
  CHECK(has_bytes(data, soe_bytes(7, 3000)));
  CHECK(handle.enqueue(opened.session, soe_bytes(8, 1 << 20), Channel::reliable1) ==
        Status::queued);
  const SoeEvent answer = expect(client, Kind::data);
  CHECK(answer.channel == Channel::reliable1);
  CHECK(has_bytes(answer, soe_bytes(8, 1 << 20)));

  CHECK(client.close(DisconnectReason::application_released) == Status::queued);
  const SoeEvent closed = expect(server, Kind::closed);
  CHECK(closed.session == opened.session);
  CHECK(closed.reason == DisconnectReason::application_released);
  CHECK(closed.by_peer);
  CHECK(closed.remote == client.local());
  CHECK_FALSE(expect(client, Kind::closed).by_peer);
  CHECK(server.next_event(event, 1ms) == EventStatus::none);
}

TEST_CASE("soe server: its end is told to the peers, the program and the handles",
          "[soe][server]") {
  std::optional<SoeServer> server{std::in_place, soe_options()};
  REQUIRE(!server->listen("127.0.0.1:0"));
  const SoeHandle handle = server->handle();
  SoeClient client{soe_options()};
  REQUIRE(!client.connect_to(port_of(*server), soe_protocol));
  CHECK(client.enqueue(soe_bytes(1, 10)) == Status::queued);
  const SessionId session = expect(*server, Kind::opened).session;
  expect(client, Kind::opened);
  expect(*server, Kind::data);
  const bool by_end = GENERATE(true, false);
  if (by_end) {
    server.reset();
  } else {
    server->stop();
    server->stop();
    CHECK(expect(*server, Kind::closed).session == session);
    SoeEvent event;
    CHECK(server->next_event(event, patience) == EventStatus::stopped);
    CHECK(server->next_event(event, 0s) == EventStatus::stopped);
    CHECK(server->listen("127.0.0.1:0") == errc::wrong_state);
  }
  CHECK(handle.is_stopped());
  CHECK(handle.enqueue(session, soe_bytes(1, 10)) == Status::stopped);
  const SoeEvent closed = expect(client, Kind::closed);
  CHECK(closed.by_peer);
  CHECK(closed.reason == DisconnectReason::application);
  client.stop();
  CHECK(client.enqueue(soe_bytes(1, 10)) == Status::stopped);
  CHECK(client.terminate() == Status::stopped);
}

TEST_CASE("soe server: whoever waits for events hears of the end", "[soe][server]") {
  SoeServer server{soe_options()};
  REQUIRE(!server.listen("127.0.0.1:0"));
  std::thread stopper{[&] {
    std::this_thread::sleep_for(20ms);
    server.stop();
  }};
  SoeEvent event;
  CHECK(server.next_event(event, patience) == EventStatus::stopped);
  stopper.join();
  // One that never started.
  SoeServer idle{soe_options()};
  idle.stop();
  CHECK(idle.next_event(event, patience) == EventStatus::stopped);
  CHECK(idle.listen("127.0.0.1:0") == errc::wrong_state);
  SoeClient client{soe_options()};
  client.stop();
  CHECK(client.connect_to("127.0.0.1:1", soe_protocol) == errc::wrong_state);
}

TEST_CASE("soe server: a client of a server that is not there is told, and so is a connect",
          "[soe][server]") {
  SoeOptions options = soe_options();
  options.protocol.request_retry = 10ms;
  options.protocol.connect_timeout = 50ms;
  SoeClient client{options};
  REQUIRE(!client.connect_to("127.0.0.1:9", soe_protocol));
  CHECK(client.enqueue(soe_bytes(1, 10)) == Status::queued);
  CHECK(expect(client, Kind::closed).reason == DisconnectReason::connect_fail);

  SoeServer server{options};
  REQUIRE(!server.listen("127.0.0.1:0"));
  const Address nobody = Address::v4(0x7f000001, 9);
  CHECK(server.handle().connect(nobody, std::string(40, 'x')) == Status::queued);
  const SoeEvent failed = expect(server, Kind::closed);
  CHECK(failed.session == SessionId{});
  CHECK(failed.reason == DisconnectReason::connect_fail);
  CHECK(failed.remote == nobody);
  CHECK(server.handle().connect(nobody, std::string{soe_protocol}) == Status::queued);
  const SoeEvent late = expect(server, Kind::closed);
  CHECK(late.session.generation != 0);
  CHECK(late.remote == nobody);
}

TEST_CASE("soe server: a program that takes no events makes its peers wait, and loses nothing",
          "[soe][server]") {
  const bool by_bytes = GENERATE(true, false);
  const std::size_t count = 3000;
  const std::size_t size = 5000;
  SoeOptions options = soe_options();
  options.protocol.send_budget = 1 << 20;
  SoeServer server{options,
                   by_bytes ? SoeEventLimits{.bytes = 100'000} : SoeEventLimits{.events = 20}};
  REQUIRE(!server.listen("127.0.0.1:0"));
  SoeClient client{options};
  REQUIRE(!client.connect_to(port_of(server), soe_protocol));
  expect(client, Kind::opened);
  // As much as finds room while nobody takes anything.
  std::size_t sent = 0;
  const auto fill = [&] {
    while (sent < count && client.enqueue(soe_bytes(sent, size)) == Status::queued) ++sent;
  };
  fill();
  SoeEvent event;
  while (client.next_event(event, 200ms) == EventStatus::event) fill();
  CHECK(sent < count);
  expect(server, Kind::opened);
  std::size_t got = 0;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (got < count && std::chrono::steady_clock::now() < deadline) {
    if (client.next_event(event, 0s) == EventStatus::event) fill();
    if (server.next_event(event, 10ms) != EventStatus::event) continue;
    REQUIRE(event.kind == Kind::data);
    REQUIRE(has_bytes(event, soe_bytes(got, size)));
    ++got;
  }
  CHECK(got == count);
}

TEST_CASE("soe server: twenty clients, each answered in its order", "[soe][server]") {
  SoeOptions options = soe_options();
  options.protocol.requests_per_second_per_host = 0;
  SoeServer server{options};
  REQUIRE(!server.listen("127.0.0.1:0"));
  const SoeHandle handle = server.handle();
  std::thread echo{[&] {
    for (SoeEvent event; server.next_event(event, patience) == EventStatus::event;) {
      if (event.kind == Kind::data) handle.enqueue(event.session, event.data, event.channel);
    }
  }};
  std::vector<std::unique_ptr<SoeClient>> clients;
  for (std::size_t i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<SoeClient>(options));
    REQUIRE(!clients[i]->connect_to(port_of(server), soe_protocol));
    for (std::size_t k = 0; k < 50; ++k) {
      CHECK(clients[i]->enqueue(soe_bytes(i * 100 + k, 1 + k * 53)) == Status::queued);
    }
  }
  for (std::size_t i = 0; i < 20; ++i) {
    expect(*clients[i], Kind::opened);
    for (std::size_t k = 0; k < 50; ++k) {
      CHECK(has_bytes(expect(*clients[i], Kind::data), soe_bytes(i * 100 + k, 1 + k * 53)));
    }
  }
  server.stop();
  echo.join();
  for (const auto& client : clients) CHECK(expect(*client, Kind::closed).by_peer);
}
