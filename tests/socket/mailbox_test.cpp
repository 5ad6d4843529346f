// SPDX-License-Identifier: MIT
// Posting into a loop, from its own and from other threads.
#include "support/socket_world.hpp"

#include <muster/asio/mailbox.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

using namespace muster;
using muster::asio::Loop;
using muster::asio::Mailbox;
using muster::asio::PostStatus;
using test::each_backend;
using test::LoopWorld;
using test::RawClient;
using test::ServerWorld;

TEST_CASE("socket mailbox: tasks run in order, in a pass, and wake the loop up once", "[mailbox]") {
  LoopWorld world{each_backend()};
  world.settle();
  std::string order;
  for (int i = 0; i < 10; ++i) {
    const PostStatus status = world.loop.post([&order, i] { order += std::to_string(i); });
    CHECK(status == PostStatus::queued);
  }
  CHECK(order.empty());
  world.context.restart();
  CHECK(world.context.poll() == 1);
  CHECK(order == "0123456789");
  // One that only moves, and one that posts: that waits for a pass of its own.
  auto owned = std::make_unique<int>(7);
  world.loop.post([&order, &world, owned = std::move(owned)] {
    order = std::to_string(*owned);
    world.loop.post([&order] { order += "later"; });
    order += "first ";
  });
  REQUIRE(world.run_until([&] { return order.ends_with("later"); }));
  CHECK(order == "7first later");
}

TEST_CASE("socket mailbox: what tasks send leaves with the flush of their pass", "[mailbox]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  world.settle();
  const auto writes = world.loop.outbox().stats().writes;
  for (int i = 0; i < 10; ++i) {
    world.loop.post([&] { world.last().send(Message{as_bytes("posted")}); });
  }
  REQUIRE(world.run_until([&] { return client.messages().size() == 10; }));
  CHECK(world.loop.outbox().stats().writes == writes + 1);
}

TEST_CASE("socket mailbox: it has a bound, and has room again after a pass", "[mailbox]") {
  Loop::Config config;
  config.mailbox_capacity = 3;
  LoopWorld world{each_backend(), config};
  int ran = 0;
  for (int i = 0; i < 3; ++i) CHECK(world.loop.post([&] { ++ran; }) == PostStatus::queued);
  CHECK(world.loop.post([&] { ran += 100; }) == PostStatus::full);
  REQUIRE(world.run_until([&] { return ran == 3; }));
  CHECK(world.loop.post([&] { ++ran; }) == PostStatus::queued);
  REQUIRE(world.run_until([&] { return ran == 4; }));
}

TEST_CASE("socket mailbox: a handle that outlives the loop says stopped", "[mailbox]") {
  std::optional<Mailbox> handle;
  int ran = 0;
  const auto held = std::make_shared<int>(1);
  {
    LoopWorld world{each_backend()};
    handle = world.loop.mailbox();
    // Never run: destroyed with the loop, outside of its lock.
    struct Poster {
      std::shared_ptr<int> held;
      std::optional<Mailbox>* mailbox;
      int* refused;
      Poster(std::shared_ptr<int> h, std::optional<Mailbox>* m, int* r)
          : held(std::move(h)), mailbox(m), refused(r) {}
      Poster(Poster&&) noexcept = default;
      ~Poster() {
        if (held != nullptr && (*mailbox)->post([] {}) == PostStatus::stopped) ++*refused;
      }
      void operator()() {}
    };
    CHECK(handle->post(Poster{held, &handle, &ran}) == PostStatus::queued);
    CHECK(held.use_count() == 2);
  }
  CHECK(held.use_count() == 1);
  CHECK(ran == 1);
  CHECK(handle->post([&] { ran = 100; }) == PostStatus::stopped);
  CHECK(ran == 1);
}

TEST_CASE("socket mailbox: what a task throws leaves the run, and the others run", "[mailbox]") {
  LoopWorld world{each_backend()};
  int ran = 0;
  world.loop.post([] { throw std::runtime_error{"task"}; });
  world.loop.post([&] { ++ran; });
  CHECK_THROWS_WITH(world.run_until([&] { return ran == 2; }), "task");
  CHECK(ran == 1);
  world.loop.post([&] { ++ran; });
  REQUIRE(world.run_until([&] { return ran == 2; }));
}

TEST_CASE("socket mailbox: many threads post, none waits for the loop, each in its order",
          "[mailbox]") {
  constexpr int threads = 8;
  constexpr int posts = 2000;
  Loop::Config config;
  config.mailbox_capacity = 64;
  LoopWorld world{each_backend(), config};
  std::vector<int> next(threads);
  int out_of_order = 0;
  int ran = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t, mailbox = world.loop.mailbox()] {
      for (int i = 0; i < posts; ++i) {
        while (mailbox.post([&, t, i] {
          if (next[static_cast<std::size_t>(t)]++ != i) ++out_of_order;
          ++ran;
        }) != PostStatus::queued) {
          ++refused;
          std::this_thread::yield();
        }
      }
    });
  }
  const bool all = world.run_until([&] { return ran == threads * posts; });
  for (std::thread& poster : posters) poster.join();
  CHECK(all);
  CHECK(out_of_order == 0);
}

#ifndef NDEBUG
TEST_CASE("socket mailbox: a call from a foreign thread ends the program with a sentence",
          "[mailbox]") {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(pipe[1], 2);
    std::signal(SIGABRT, SIG_DFL);  // the test framework's handler has nothing to say here
    ::asio::io_context context{1};
    Loop loop{context};
    std::atomic<bool> runs = false;
    loop.post([&runs] { runs = true; });
    std::thread runner{[&context] { context.run(); }};
    while (!runs) std::this_thread::yield();
    loop.wake();
    ::_exit(0);  // not reached
  }
  ::close(pipe[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(pipe[0], buffer, sizeof(buffer))) > 0;) {
    said.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(said.find("only Loop::post() may be called") != std::string::npos);
}
#endif
