// SPDX-License-Identifier: MIT
// A message costs no allocation once everything has its size.
#include "support/socket_world.hpp"
#include "support/soe_notes.hpp"

#include <muster/asio/soe_socket.hpp>

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
#define MUSTER_COUNTS_ALLOCATIONS
#endif
#else
#define MUSTER_COUNTS_ALLOCATIONS
#endif
#endif

#if defined(MUSTER_COUNTS_ALLOCATIONS)

namespace {
std::atomic<std::size_t> allocations{0};
}

// Not inlined: GCC 12 warns where it sees a `free` meet a `new`.
[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("socket: echoing allocates nothing once it is warm", "[allocation]") {
  test::ServerWorld world{test::each_backend()};
  test::SocketService& service = world.service;
  test::RawClient& client = world.open();
  const std::string frame = test::RawClient::frame(std::string(100, 'x'));
  char buffer[4096];
  world.clients.clear();
  // All within one run: the io_context keeps its handlers' memory only while it runs.
  std::size_t rounds = 0;
  std::size_t before = 0;
  std::size_t after = 0;
  service.when_message = [&](Connection& connection, const Message& message) {
    connection.send(message);
    if (++rounds == 200) before = allocations;
    if (rounds == 1200) {
      after = allocations;
      world.context.stop();
      return;
    }
    while (::recv(client.fd(), buffer, sizeof(buffer), MSG_DONTWAIT) > 0) {
    }
    static_cast<void>(::send(client.fd(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  };
  static_cast<void>(::send(client.fd(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  world.context.restart();
  world.context.run_for(test::patience);
  REQUIRE(rounds == 1200);
  CHECK(after - before == 0);
}

TEST_CASE("socket: echoing by SOE allocates nothing once it is warm", "[allocation][soe]") {
  test::LoopWorld world{test::each_backend()};
  test::SoeNotes notes;
  test::SoeNotes server_notes;
  notes.keeps = server_notes.keeps = false;
  muster::asio::SoeSocket server{world.loop, test::soe_options(), world.entropy, server_notes};
  muster::asio::SoeSocket client{world.loop, test::soe_options(), world.entropy, notes};
  REQUIRE(!server.bind("127.0.0.1:0"));
  const auto session = client.connect(server.local(), test::soe_protocol);
  REQUIRE(session);
  REQUIRE(world.run_until([&] { return notes.opens == 1; }));
  const std::array<std::byte, 200> message{};
  server_notes.echo = [&](soe::SessionId from, byte_view data, soe::Channel channel) {
    server.enqueue(from, data, channel);
  };
  // All within one run, as above.
  std::size_t before = 0;
  std::size_t after = 0;
  notes.when_data = [&](soe::SessionId, byte_view data, soe::Channel) {
    if (notes.messages == 500) before = allocations;
    if (notes.messages == 1500) {
      after = allocations;
      world.context.stop();
      return;
    }
    client.enqueue(*session, data);
  };
  client.enqueue(*session, message);
  world.context.restart();
  world.context.run_for(test::patience);
  REQUIRE(notes.messages >= 1500);
  CHECK(after - before == 0);
}

#endif
