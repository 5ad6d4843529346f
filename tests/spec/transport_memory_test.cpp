// SPDX-License-Identifier: MIT
// What connections cost in memory: nothing in steady state, and little more than their budget when
// slow.
#include "support/catch.hpp"
#include "support/heap_count.hpp"
#include "support/wire_connection.hpp"

#include <malloc.h>
#include <cstdlib>
#include <new>

namespace {

constexpr bool counts_allocations = MUSTER_TEST_COUNTS_ALLOCATIONS != 0;
std::size_t allocations = 0;
std::size_t live_bytes = 0;

}  // namespace

#if MUSTER_TEST_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  ++allocations;
  live_bytes += malloc_usable_size(memory);
  return memory;
}
void operator delete(void* memory) noexcept {
  live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }
#endif

using namespace muster;
using namespace muster::test;

namespace {

// A transport that takes everything and keeps nothing.
class Sink final : public Connection {
 public:
  Sink(Outbox& outbox, Framing framing, Service& service) : Connection(outbox, framing) {
    opened(service);
  }
  ~Sink() override = default;
  using Connection::writable;
  bool full = false;

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override {
    std::ptrdiff_t size = 0;
    if (!full) {
      for (const byte_view piece : pieces) size += static_cast<std::ptrdiff_t>(piece.size());
    }
    return size;
  }
  bool write_message(Message, Delivery::Class) noexcept override { return !full; }
  void finish(const CloseInfo&) noexcept override {}
  void release() noexcept override {}
};

constexpr std::array<Framing, 4> every_framing{Framing::server, Framing::client, Framing::messages,
                                               Framing::none};

// What is allocated in a thousand passes, after some to warm up.
template <class Pass>
std::size_t allocated_by(Pass pass) {
  for (int i = 0; i < 10; ++i) pass();
  const std::size_t before = allocations;
  for (int i = 0; i < 1000; ++i) pass();
  return allocations - before;
}

}  // namespace

TEST_CASE("transport: a connection is small", "[transport][memory]") {
  static_assert(sizeof(Connection) <= 88);
  SUCCEED();
}

TEST_CASE("transport: a thousand passes of echoes allocate nothing", "[transport][memory]") {
  for (const Framing framing : every_framing) {
    RecordingService service;
    Outbox outbox;
    std::vector<std::unique_ptr<Sink>> peers;
    for (int i = 0; i < 20; ++i) peers.push_back(std::make_unique<Sink>(outbox, framing, service));
    const std::string content(300, 'e');
    const std::size_t count = allocated_by([&] {
      for (const auto& peer : peers) {
        // Together more than one arena.
        for (int i = 0; i < 16; ++i) peer->send(text(content));
      }
      outbox.run(time_point{});
    });
    CHECK(count == 0);
  }
}

TEST_CASE("transport: a thousand passes of broadcasts allocate nothing", "[transport][memory]") {
  for (const Framing framing : every_framing) {
    RecordingService service;
    Outbox outbox;
    std::vector<std::unique_ptr<Sink>> peers;
    Group group{outbox};
    for (int i = 0; i < 20; ++i) {
      peers.push_back(std::make_unique<Sink>(outbox, framing, service));
      group.join(*peers.back());
    }
    const std::string content(300, 'b');
    const std::size_t count = allocated_by([&] {
      for (const auto& peer : peers) group.broadcast(text(content), peer.get());
      peers[3]->send(text(content));
      group.broadcast(text("tail"), nullptr, Delivery::latest(1));
      outbox.run(time_point{});
    });
    CHECK(count == 0);
  }
}

TEST_CASE("transport: direct messages that wait for a window share their memory",
          "[transport][memory]") {
  RecordingService service;
  Outbox outbox;
  std::vector<std::unique_ptr<Sink>> peers;
  Group group{outbox, FlushWindow::tick()};
  for (int i = 0; i < 100; ++i) {
    peers.push_back(std::make_unique<Sink>(outbox, Framing::server, service));
    group.join(*peers.back());
  }
  outbox.run(time_point{});
  const std::size_t before = live_bytes;
  for (const auto& peer : peers) {  // each in a pass of its own
    peer->send(text("waits"));
    outbox.run(time_point{});
  }
  CHECK(live_bytes - before < 150'000);
  group.tick();
  outbox.run(time_point{});
}

TEST_CASE("transport: what a slow connection holds stays in proportion to its budget",
          "[transport][memory]") {
  RecordingService service;
  service.when_overrun = [](Connection&) {};
  const std::size_t size = GENERATE(1U, 60U, 1000U, 3000U, 5000U, 15'000U);
  for (const Framing framing : every_framing) {
    Outbox outbox;
    std::vector<std::unique_ptr<Sink>> peers;
    Group group{outbox};
    const Budget budget{
        .bytes = 64 * 1024, .frames = 1024, .reserve_bytes = 0, .reserve_frames = 0};
    for (int i = 0; i < 50; ++i) {
      peers.push_back(std::make_unique<Sink>(outbox, framing, service));
      peers.back()->set_budget(budget);
      group.join(*peers.back());
    }
    outbox.run(time_point{});
    const std::size_t before = live_bytes;
    for (int i = 0; i < 10; ++i) peers[static_cast<std::size_t>(i)]->full = true;
    const std::string content(size, 's');
    for (int pass = 0; pass < 300; ++pass) {
      for (int i = 0; i < 20; ++i) group.broadcast(text(content));
      for (const auto& peer : peers) {
        if (pass % 3 == 0) peer->send(text(content));
        if (pass % 5 == 0) peer->send(Frame{text(content)}, Delivery::latest(1));
      }
      outbox.run(time_point{});
    }
    // Ten slow ones; besides bytes, each waiting frame has an entry. The rest is what passes share.
    const std::size_t per_slow = 4 * budget.bytes + budget.frames * 2 * 80;
    CHECK(live_bytes - before < 10 * per_slow + 3'000'000);
  }
}

TEST_CASE("transport: the end of a large batch or frame does not hold the whole of it",
          "[transport][memory]") {
  Outbox::Config config;
  config.spare_bytes = 0;
  Loop loop{config};
  WireConnection& a = loop.connect();
  Group group{loop.outbox};
  group.join(a);
  const auto wire = a.wire;
  wire->bytes.reserve(4'000'000);
  const std::string large(1'000'000, 'l');
  SECTION("a batch") {
    group.broadcast(text(large));
    group.broadcast(text("end"));
  }
  SECTION("a frame") { a.send(Frame{text(large)}); }
  const std::size_t total = loop.outbox.stats().bytes;
  wire->room = 999'000;
  const std::size_t before = live_bytes;
  loop.pass();
  CHECK(loop.outbox.stats().bytes - total == 999'000);
  CHECK(a.backlog() < 2000);
  if (counts_allocations) CHECK(live_bytes < before - 900'000);
  a.unblock();
  loop.pass();
  CHECK(wire->is_whole());
  CHECK(wire->payloads().front() == large);
}
