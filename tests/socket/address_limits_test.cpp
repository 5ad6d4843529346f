// SPDX-License-Identifier: MIT
// The one table that the loops of a process share, used by many threads at once.
#include <muster/address_limits.hpp>

#include "support/catch.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

using muster::Address;
using muster::AddressLimits;
using muster::time_point;
using namespace std::chrono_literals;

namespace {

constexpr int thread_count = 4;

void at_once(const std::function<void(int)>& work) {
  std::atomic<int> waiting{thread_count};
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting.load() != 0) std::this_thread::yield();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Address address(int i) { return Address::v4(static_cast<std::uint32_t>(i), 1); }

}  // namespace

TEST_CASE("address limits: threads that take at once get exactly the limit",
          "[address_limits][threads]") {
  muster::SeededEntropy entropy{1};
  AddressLimits limits{{.slots = 64, .max_rooms = 16}, entropy};
  for (int round = 1; round <= 200; ++round) {
    std::atomic<int> taken{0};
    at_once([&](int) {
      for (int i = 0; i < 10; ++i) taken += limits.take_room(address(round)) ? 1 : 0;
    });
    REQUIRE(taken.load() == 16);
    for (int i = 0; i < 16; ++i) limits.give_room(address(round));
  }
}

TEST_CASE("address limits: no room is forgotten or left over when threads take and give",
          "[address_limits][threads]") {
  // Six addresses never fill a line, so each room is counted; they come and go all the time, so
  // that words change hands.
  constexpr int addresses = 6;
  constexpr int most = 8;
  muster::SeededEntropy entropy{1};
  AddressLimits limits{{.slots = 64, .max_rooms = most}, entropy};
  std::array<std::atomic<int>, addresses> held{};
  std::atomic<int> worst{0};
  at_once([&](int thread) {
    muster::SeededEntropy choice{static_cast<std::uint64_t>(thread)};
    std::array<int, addresses> mine{};
    for (int i = 0; i < 100'000; ++i) {
      const std::uint64_t dice = choice.next_u64();
      const auto which = static_cast<std::size_t>(dice % addresses);
      if ((dice & 256U) != 0) {
        if (!limits.take_room(address(int(which) + 1))) continue;
        ++mine[which];
        const int now_held = ++held[which];
        int seen = worst.load();
        while (now_held > seen && !worst.compare_exchange_weak(seen, now_held)) {
        }
      } else if (mine[which] != 0) {
        --mine[which];
        --held[which];
        limits.give_room(address(int(which) + 1));
      }
    }
    for (std::size_t which = 0; which < addresses; ++which) {
      for (; mine[which] != 0; --mine[which]) {
        --held[which];
        limits.give_room(address(int(which) + 1));
      }
    }
  });
  CHECK(worst.load() <= most + thread_count - 1);
  CHECK(worst.load() >= most);
  for (int which = 1; which <= addresses; ++which) {
    int count = 0;
    while (count <= most && limits.take_room(address(which))) ++count;
    CHECK(count == most);
  }
}

TEST_CASE("address limits: failures of all threads add up", "[address_limits][threads]") {
  muster::SeededEntropy entropy{1};
  AddressLimits limits{{.slots = 64, .failed_tokens_per_minute = 1000}, entropy};
  time_point now{1h};
  for (int round = 0; round < 100; ++round, now += 2min) {
    // Four threads are not between asking and counting: each only counts.
    at_once([&](int) {
      for (int i = 0; i < 200; ++i) limits.count_failed_token(address(1), now);
    });
    int left = 0;
    for (; limits.may_present_token(address(1), now); ++left) {
      limits.count_failed_token(address(1), now);
    }
    REQUIRE(left == 1000 - thread_count * 200);
  }
  std::atomic<int> guessed{0};
  at_once([&](int) {
    while (limits.may_present_token(address(1), now)) {
      limits.count_failed_token(address(1), now);
      ++guessed;
    }
  });
  CHECK(guessed.load() >= 1000);
  CHECK(guessed.load() <= 1000 + thread_count - 1);
}

TEST_CASE("address limits: new connections of all loops add up", "[address_limits][threads]") {
  muster::SeededEntropy entropy{1};
  AddressLimits limits{{.slots = 64, .connections_per_second = 10, .connection_burst = 10s},
                       entropy};
  time_point now{1h};
  for (int round = 0; round < 100; ++round, now += 1min) {
    std::atomic<int> taken{0};
    at_once([&](int) {
      for (int i = 0; i < 200; ++i) taken += limits.take_connection(address(1), now) ? 1 : 0;
    });
    // Each that asked before another had counted may be one too many.
    REQUIRE(taken.load() >= 100);
    REQUIRE(taken.load() <= 100 + thread_count - 1);
  }
}
