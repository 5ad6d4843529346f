// SPDX-License-Identifier: MIT
// SOE sessions that other threads use.
#include "support/socket_world.hpp"
#include "support/soe_notes.hpp"

#include <muster/asio/loop_group.hpp>
#include <muster/asio/soe_handle.hpp>
#include <muster/asio/soe_socket.hpp>

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

using namespace muster;
using namespace std::chrono_literals;
using muster::asio::Loop;
using muster::asio::SoeHandle;
using muster::asio::SoeOptions;
using muster::asio::SoeSocket;
using soe::Channel;
using soe::DisconnectReason;
using soe::EnqueueStatus;
using soe::SessionId;
using Status = SoeHandle::Status;
using test::each_backend;
using test::LoopWorld;
using test::soe_bytes;
using test::soe_options;
using test::soe_protocol;
using test::SoeNotes;

namespace {

struct HandleWorld : LoopWorld {
  explicit HandleWorld(const SoeOptions& options = soe_options(),
                       const Loop::Config& loop_config = {})
      : LoopWorld(test::Backend::automatic, loop_config),
        server(std::in_place, loop, options, entropy, server_notes),
        client(std::in_place, loop, options, entropy, notes),
        handle(client->handle()) {
    REQUIRE(!server->bind("127.0.0.1:0"));
  }

  SessionId open() {
    CHECK(handle.connect(server->local(), std::string{soe_protocol}) == Status::queued);
    REQUIRE(run_until([&] { return notes.opens == 1; }));
    return notes.last;
  }

  SoeNotes server_notes;
  SoeNotes notes;
  std::optional<SoeSocket> server;
  std::optional<SoeSocket> client;
  SoeHandle handle;
};

std::vector<std::byte> numbered(std::uint32_t thread, std::uint32_t number, std::size_t size) {
  std::vector<std::byte> bytes(std::max<std::size_t>(size, 8));
  std::memcpy(bytes.data(), &thread, 4);
  std::memcpy(bytes.data() + 4, &number, 4);
  return bytes;
}

}  // namespace

TEST_CASE("soe handle: connects, sends and ends, in the order of the calls", "[soe][handle]") {
  HandleWorld world;
  const SessionId session = world.open();
  const SoeHandle copy = world.handle;
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(copy.enqueue(session, soe_bytes(i, 1 + i * 100), Channel::reliable2) == Status::queued);
  }
  CHECK(world.notes.closes == 0);
  CHECK(copy.close(session, DisconnectReason::application_released) == Status::queued);
  CHECK(copy.enqueue(session, soe_bytes(1, 10)) == Status::queued);  // comes too late
  REQUIRE(world.run_until([&] { return world.server_notes.closes == 1; }));
  CHECK(world.server_notes.messages == 50);
  const auto& kept = world.server_notes.sessions.begin()->second.kept;
  for (std::size_t i = 0; i < 50; ++i) CHECK((kept[i] == soe_bytes(i, 1 + i * 100)));
  CHECK(world.server_notes.reason == DisconnectReason::application_released);
  REQUIRE(world.run_until([&] { return world.notes.closes == 1; }));
  // The next session's.
  world.notes.opens = 0;
  const SessionId second = world.open();
  CHECK_FALSE(second == session);
  CHECK(copy.terminate(session) == Status::queued);
  CHECK(copy.enqueue(session, soe_bytes(1, 10)) == Status::queued);
  world.settle();
  CHECK(world.client->multiplexer().is_open(second));
  CHECK(copy.terminate(second, DisconnectReason::manager_deleted) == Status::queued);
  REQUIRE(world.run_until([&] { return world.server_notes.closes == 2; }));
  CHECK(world.server_notes.reason == DisconnectReason::manager_deleted);
  CHECK(world.server_notes.messages == 50);
  CHECK(world.server_notes.disorders + world.notes.disorders == 0);
}

TEST_CASE("soe handle: a connect that cannot begin is told", "[soe][handle]") {
  HandleWorld world;
  CHECK(world.handle.connect(world.server->local(), std::string(40, 'x')) == Status::queued);
  REQUIRE(world.run_until([&] { return world.notes.not_connected == 1; }));
  CHECK(world.notes.not_connected_why == errc::bad_value);
  CHECK(world.notes.closed_remote == world.server->local());
  world.open();
  CHECK(world.handle.connect(world.server->local(), std::string{soe_protocol}) == Status::queued);
  REQUIRE(world.run_until([&] { return world.notes.not_connected == 2; }));
  CHECK(world.notes.not_connected_why == errc::already_exists);
}

TEST_CASE("soe handle: what is sent before the session is open waits, and its close too",
          "[soe][handle]") {
  HandleWorld world;
  const auto session = world.client->connect(world.server->local(), soe_protocol);
  REQUIRE(session);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(world.handle.enqueue(*session, soe_bytes(i, 5000)) == Status::queued);
  }
  CHECK(world.handle.close(*session) == Status::queued);
  REQUIRE(world.run_until([&] { return world.server_notes.closes == 1; }));
  CHECK(world.server_notes.messages == 5);
  CHECK(world.notes.disorders + world.server_notes.disorders == 0);
}

TEST_CASE("soe handle: a session has a share of what may wait, and tells of room",
          "[soe][handle]") {
  SoeOptions options = soe_options();
  options.protocol.send_budget = 200'000;
  HandleWorld world{options};
  const SessionId session = world.open();
  world.server_notes.keeps = false;
  CHECK(world.handle.enqueue(session, soe_bytes(1, 200'001)) == Status::too_large);
  std::size_t sent = 0;
  const auto fill = [&](SessionId to) {
    while (sent < 200) {
      const Status status = world.handle.enqueue(to, soe_bytes(sent, 10'000));
      if (status == Status::full) return false;
      REQUIRE(status == Status::queued);
      ++sent;
    }
    return true;
  };
  world.notes.when_writable = [&](SessionId to) { fill(to); };
  CHECK_FALSE(fill(session));
  CHECK(sent < 20);
  REQUIRE(world.run_until([&] { return world.server_notes.messages == 200; }));
  CHECK(world.notes.writables > 3);
  CHECK(world.notes.disorders == 0);
  // A slow session's share is its own.
  CHECK(world.handle.enqueue({session.index + 1, 7}, soe_bytes(1, 10)) == Status::queued);
}

TEST_CASE("soe handle: a full mailbox is said, and told when it has room", "[soe][handle]") {
  Loop::Config config;
  config.mailbox_capacity = 3;
  HandleWorld world{soe_options(), config};
  const SessionId session = world.open();
  world.settle();
  for (int i = 0; i < 3; ++i)
    CHECK(world.handle.enqueue(session, soe_bytes(1, 10)) == Status::queued);
  CHECK(world.handle.enqueue(session, soe_bytes(1, 10)) == Status::full);
  CHECK(world.handle.terminate(session) == Status::full);
  CHECK(world.notes.writables == 0);
  REQUIRE(world.run_until([&] { return world.notes.writables == 1; }));
  CHECK(world.handle.enqueue(session, soe_bytes(1, 10)) == Status::queued);
  REQUIRE(world.run_until([&] { return world.server_notes.messages == 4; }));
  CHECK(world.notes.writables == 1);
}

TEST_CASE("soe handle: it says when the socket or the loop is gone", "[soe][handle]") {
  std::optional<SoeHandle> handle;
  SessionId session;
  {
    HandleWorld world;
    session = world.open();
    handle = world.handle;
    // On its way when the socket ends.
    CHECK(handle->enqueue(session, soe_bytes(1, 10)) == Status::queued);
    CHECK_FALSE(handle->is_stopped());
    world.client.reset();
    CHECK(handle->is_stopped());
    CHECK(handle->enqueue(session, soe_bytes(1, 10)) == Status::stopped);
    world.settle();
    CHECK(world.server_notes.messages == 0);
  }
  CHECK(handle->enqueue(session, soe_bytes(1, 10)) == Status::stopped);
  CHECK(handle->connect({}, "x") == Status::stopped);
  CHECK(handle->terminate(session) == Status::stopped);
  CHECK(handle->close(session) == Status::stopped);
}

TEST_CASE("soe handle: four threads send, each in its order, and nothing is lost",
          "[soe][handle]") {
  constexpr std::uint32_t threads = 4;
  constexpr std::uint32_t messages = 1500;
  SoeOptions options = soe_options();
  options.protocol.send_budget = 64 * 1024;  // full time and again
  options.protocol.requests_per_second_per_host = 0;
  Loop::Config loop_config;
  loop_config.mailbox_capacity = 64;
  muster::asio::LoopGroup group{2, loop_config};
  SeededEntropy server_entropy{1};
  SeededEntropy client_entropy{2};
  SoeNotes server_notes;
  SoeNotes notes;
  server_notes.keeps = false;
  std::array<std::uint32_t, threads> next{};
  std::size_t disorders = 0;
  std::atomic<std::uint32_t> arrived{0};
  server_notes.when_data = [&](SessionId, byte_view data, Channel) {
    std::uint32_t thread = 0;
    std::uint32_t number = 0;
    std::memcpy(&thread, data.data(), 4);
    std::memcpy(&number, data.data() + 4, 4);
    if (thread >= threads || next[thread]++ != number) ++disorders;
    ++arrived;
  };
  std::atomic<std::uint64_t> opened{0};
  std::atomic<std::size_t> told_of_room{0};
  notes.when_opened = [&](SessionId session) {
    opened = std::uint64_t{session.generation} << 32U | session.index;
  };
  notes.when_writable = [&](SessionId) { ++told_of_room; };
  std::optional<SoeSocket> server{std::in_place, group.loop(0), options, server_entropy,
                                  server_notes};
  std::optional<SoeSocket> client{std::in_place, group.loop(1), options, client_entropy, notes};
  REQUIRE(!server->bind("127.0.0.1:0"));
  const Address to = server->local();
  const SoeHandle handle = client->handle();
  group.start();
  CHECK(handle.connect(to, std::string{soe_protocol}) == Status::queued);
  const auto deadline = std::chrono::steady_clock::now() + test::patience;
  while (opened == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  REQUIRE(opened != 0);
  const SessionId session{static_cast<std::uint32_t>(opened.load()),
                          static_cast<std::uint32_t>(opened.load() >> 32U)};
  std::vector<std::thread> senders;
  std::atomic<std::size_t> fulls{0};
  std::atomic<bool> gave_up{false};
  for (std::uint32_t thread = 0; thread < threads; ++thread) {
    senders.emplace_back([&, thread] {
      const SoeHandle mine = handle;
      for (std::uint32_t number = 0; number < messages;) {
        const std::size_t room = told_of_room;
        const Status status = mine.enqueue(session, numbered(thread, number, 8 + number % 900));
        if (status == Status::queued) {
          ++number;
          continue;
        }
        ++fulls;
        // Only what is told, or has been since, is waited for.
        while (status == Status::full && told_of_room == room) {
          if (std::chrono::steady_clock::now() > deadline) {
            gave_up = true;
            return;
          }
          std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  while (arrived != threads * messages && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  CHECK_FALSE(gave_up);
  CHECK(arrived == threads * messages);
  group.stop();
  CHECK(disorders == 0);
  CHECK(fulls > 0);
  CHECK(handle.is_stopped() == false);
  client.reset();
  server.reset();
  CHECK(handle.is_stopped());
}
