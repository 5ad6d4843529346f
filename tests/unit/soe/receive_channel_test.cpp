// SPDX-License-Identifier: MIT
// The receiving half of a reliable channel: order, windows, fragments, memory.
#include "support/catch.hpp"
#include "support/receive_world.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using muster::as_text;
using muster::soe::Config;
using muster::soe::Event;
using namespace std::chrono_literals;
using test::bundle;
using test::Bytes;
using test::first_fragment;
using test::Outcome;
using test::packet;
using test::patterned;
using test::ReceiveWorld;

namespace {

using Messages = std::vector<std::string>;
using Sequences = std::vector<std::uint16_t>;

}  // namespace

// Order and windows.

TEST_CASE("soe receive: what is in order is shown where it lies", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive(packet(0, "hello")) == Outcome::accepted);
  Event event;
  REQUIRE(w.inbox.poll(event));
  CHECK(event.kind == Event::Kind::data);
  CHECK(event.session == w.session);
  CHECK(event.channel == muster::soe::Channel::reliable2);
  CHECK(event.data.data() == w.bodies.back().data() + 2);
  CHECK(as_text(event.data) == "hello");
  CHECK_FALSE(w.inbox.poll(event));
  CHECK(w.pool.used() == 0);
  CHECK(w.budget.used == 0);
}

TEST_CASE("soe receive: what does not stay is copied", "[soe]") {
  ReceiveWorld w;
  const std::string large = patterned(5000, 1);  // than a packet of the pool
  const std::string largest_of_pool = patterned(w.pool.capacity(), 2);
  CHECK(w.receive_unstable(packet(0, "plain")) == Outcome::accepted);
  CHECK(w.pool.used() == 1);
  CHECK(w.receive_unstable(packet(1, bundle({"one", "two"}))) == Outcome::accepted);
  CHECK(w.receive_unstable(packet(2, large)) == Outcome::accepted);
  CHECK(w.pool.used() == 2);
  CHECK(w.receive_unstable(packet(3, largest_of_pool)) == Outcome::accepted);
  CHECK(w.pool.used() == 3);
  CHECK(w.receive_unstable(packet(5, "early")) == Outcome::accepted);
  CHECK(w.receive_unstable(first_fragment(4, 6, "abc"), true) == Outcome::accepted);
  CHECK(w.receive_unstable(packet(6, "def"), true) == Outcome::accepted);
  CHECK(w.receive_unstable(packet(7, "")) == Outcome::empty);
  CHECK(w.take() == Messages{"plain", "one", "two", large, largest_of_pool, "early", "abcdef"});
  CHECK(w.pool.used() == 0);
}

TEST_CASE("soe receive: what comes early waits for its turn", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive(packet(3, "d")) == Outcome::accepted);
  CHECK(w.receive(packet(1, "b")) == Outcome::accepted);
  CHECK(w.take().empty());  // what they came in is gone
  CHECK(w.pool.used() == 2);
  CHECK(w.budget.used == 2 * w.pool.footprint());
  CHECK(w.receive(packet(0, "a")) == Outcome::accepted);
  CHECK(w.pool.used() == 2);  // b is shown
  CHECK(w.take() == Messages{"a", "b"});
  CHECK(w.receive(packet(2, "c")) == Outcome::accepted);
  CHECK(w.take() == Messages{"c", "d"});
  CHECK(w.pool.used() == 0);
  CHECK(w.budget.used == 0);
  CHECK(w.channel.stats().out_of_order == 2);
  CHECK(w.channel.stats().messages == 4);
  CHECK(w.channel.stats().bytes == 4);
  CHECK(w.channel.stats().packets == 4);
}

TEST_CASE("soe receive: the window's edge", "[soe]") {
  for (const std::uint32_t window : {1U, 2U, 3U, 16U, 17U, 100U, 256U, 5000U, 32767U}) {
    INFO(window);
    Config config;
    config.receive_window = window;
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{65530}, std::int64_t{70000}}) {
      ReceiveWorld w{config, first};
      const std::int64_t edge = first + window;
      CHECK(w.receive(packet(edge, "last")) == Outcome::accepted);
      CHECK(w.receive(packet(edge, "last")) == Outcome::duplicate);
      if (window < 32767) CHECK(w.receive(packet(edge + 1, "beyond")) == Outcome::too_far);
      CHECK(w.channel.stats().too_far == (window < 32767 ? 1 : 0));
      CHECK(w.take_singles() == Sequences{static_cast<std::uint16_t>(edge)});

      // All of them, from the other end.
      for (std::int64_t i = edge - 1; i > first; --i) {
        REQUIRE(w.receive(packet(i, std::to_string(i))) == Outcome::accepted);
      }
      CHECK(w.pool.used() == window);
      CHECK(w.take().empty());
      CHECK(w.receive(packet(first, std::to_string(first))) == Outcome::accepted);
      Messages all;
      for (std::int64_t i = first; i < edge; ++i) all.push_back(std::to_string(i));
      all.push_back("last");
      CHECK(w.take() == all);
      CHECK(w.pool.used() == 0);
    }
  }
}

TEST_CASE("soe receive: the stash grows around what is in it", "[soe]") {
  Config config;
  config.receive_window = 1000;
  ReceiveWorld w{config, 65530};  // so the ring's places wrap, and the wire's numbers too
  std::vector<std::int64_t> early{3, 16, 1, 17, 33, 15, 64, 65, 200, 1000, 999, 513, 2};
  for (const std::int64_t ahead : early) {
    REQUIRE(w.receive(packet(65530 + ahead, std::to_string(ahead))) == Outcome::accepted);
  }
  std::sort(early.begin(), early.end());
  Messages expected;
  for (std::int64_t i = 0; i <= 1000; ++i) {
    expected.push_back(std::to_string(i));
    const bool is_early = std::binary_search(early.begin(), early.end(), i);
    REQUIRE(w.receive(packet(65530 + i, std::to_string(i))) ==
            (is_early ? Outcome::duplicate : Outcome::accepted));
  }
  CHECK(w.take() == expected);
  CHECK(w.pool.used() == 0);
}

TEST_CASE("soe receive: sequences go on behind 16 and 17 bits", "[soe]") {
  ReceiveWorld w;
  std::int64_t delivered = 0;
  const auto check = [&] {
    for (const std::string& message : w.take()) {
      if (message != std::to_string(delivered)) FAIL(message << " in place of " << delivered);
      ++delivered;
    }
  };
  constexpr std::int64_t count = 2 * 65536 + 1003;  // a multiple of 5
  std::uint16_t acknowledged = 0;
  for (std::int64_t i = 0; i < count; i += 5) {
    for (const std::int64_t next : {i, i + 3, i + 2, i + 4, i + 1}) {
      if (w.receive(packet(next, std::to_string(next))) != Outcome::accepted) FAIL(next);
      if (next > 300 && w.receive(packet(next - 300, "again")) != Outcome::duplicate) FAIL(next);
    }
    check();
    static_cast<void>(w.take_singles());
    w.now += 1ms;
    if (w.is_all_due()) acknowledged = w.channel.take_acknowledge_all(w.now);
  }
  CHECK(delivered == count);
  if (w.channel.has_acknowledge_all()) acknowledged = w.channel.take_acknowledge_all(w.now);
  CHECK(acknowledged == static_cast<std::uint16_t>(count - 1));
  CHECK_FALSE(w.channel.has_acknowledge_all());
  CHECK(w.pool.used() == 0);
}

TEST_CASE("soe receive: sequences go on behind 31 and 32 bits", "[soe]") {
  for (const std::int64_t middle : {std::int64_t{1} << 31, std::int64_t{1} << 32}) {
    ReceiveWorld w{{}, middle - 200};
    Messages expected;
    for (std::int64_t i = middle - 200; i < middle + 200; i += 4) {
      for (const std::int64_t next : {i + 3, i + 1, i, i + 2}) {
        CHECK(w.receive(packet(next, std::to_string(next))) == Outcome::accepted);
        CHECK(w.receive(packet(next, std::to_string(next))) == Outcome::duplicate);
      }
      for (std::int64_t j = i; j < i + 4; ++j) expected.push_back(std::to_string(j));
    }
    CHECK(w.take() == expected);
    CHECK(w.channel.take_acknowledge_all(w.now) == static_cast<std::uint16_t>(middle + 199));
  }
}

TEST_CASE("soe receive: before the first packet there was none", "[soe]") {
  for (const bool each : {false, true}) {
    Config config;
    config.acknowledges_each = each;
    ReceiveWorld w{config};
    CHECK(w.receive(packet(65535, "x")) == Outcome::too_far);
    CHECK(w.receive(packet(40000, "x")) == Outcome::too_far);
    w.now += 1h;
    CHECK_FALSE(w.is_all_due());
    CHECK_FALSE(w.channel.has_acknowledge_all());
    CHECK(w.take_singles().empty());
    CHECK(w.take().empty());
  }
}
// Damaged packets.

TEST_CASE("soe receive: a body without room for a sequence is corrupt", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive({}) == Outcome::corrupt);
  CHECK(w.receive(Bytes(1)) == Outcome::corrupt);
  CHECK(w.receive(Bytes(1), true) == Outcome::corrupt);
  CHECK(w.take().empty());
}

TEST_CASE("soe receive: a sequence without data is acknowledged and is no message", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive(packet(0, "")) == Outcome::empty);
  CHECK(w.receive_fragment(packet(1, "")) == Outcome::empty);
  CHECK(w.receive_fragment(first_fragment(2, 4, "ab")) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(3, "")) == Outcome::empty);
  CHECK(w.receive(packet(4, "")) == Outcome::empty);
  CHECK(w.receive_fragment(packet(6, "")) == Outcome::accepted);  // early
  CHECK(w.receive(packet(7, "")) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(5, "c")) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(8, "d")) == Outcome::accepted);
  CHECK(w.take() == Messages{"abcd"});
  CHECK(w.pool.used() == 0);
  CHECK(w.channel.take_acknowledge_all(w.now) == 8);
}
// Fragments.

TEST_CASE("soe receive: messages of fragments", "[soe]") {
  ReceiveWorld w;
  const std::string message = patterned(100'000, 3);
  std::int64_t sequence = 0;
  for (int round = 0; round < 3; ++round) {
    std::size_t sent = 500;
    CHECK(w.receive_fragment(first_fragment(sequence++, 100'000, message.substr(0, sent))) ==
          Outcome::accepted);
    while (sent != message.size()) {
      const std::string data = message.substr(sent, 504);
      sent += data.size();
      REQUIRE(w.receive_fragment(packet(sequence++, data)) == Outcome::accepted);
      // Of the first one, what has come decides; the others find its buffer.
      const std::size_t most = round == 0 ? std::max<std::size_t>(64 * 1024, 2 * sent) : 200'000;
      if (w.budget.used > most) FAIL(w.budget.used << " of " << sent);
    }
    CHECK(w.budget.used == 0);
    CHECK(w.take() == Messages{message});
  }
  CHECK(w.receive_fragment(first_fragment(sequence++, 1, "x")) == Outcome::accepted);
  CHECK(w.receive_fragment(first_fragment(sequence++, 2, "")) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(sequence++, "yz")) == Outcome::accepted);
  CHECK(w.take() == Messages{"x", "yz"});
}

TEST_CASE("soe receive: fragments that come early", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive_fragment(packet(2, "ef")) == Outcome::accepted);
  CHECK(w.receive_fragment(first_fragment(3, 3, "gh")) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(1, "cd")) == Outcome::accepted);
  CHECK(w.receive_fragment(first_fragment(0, 6, "ab")) == Outcome::accepted);
  CHECK(w.pool.used() == 0);
  CHECK(w.take() == Messages{"abcdef"});
  CHECK(w.receive_fragment(packet(4, "i")) == Outcome::accepted);
  CHECK(w.take() == Messages{"ghi"});
  CHECK(w.budget.used == 0);
}

TEST_CASE("soe receive: a message in between is one of its own", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive_fragment(first_fragment(0, 6, "abc")) == Outcome::accepted);
  CHECK(w.receive(packet(1, "plain")) == Outcome::accepted);
  CHECK(w.receive(packet(2, bundle({"one", "two"}))) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(3, "def")) == Outcome::accepted);
  CHECK(w.take() == Messages{"plain", "one", "two", "abcdef"});
}

TEST_CASE("soe receive: faulty fragments", "[soe]") {
  Config config;
  config.max_message = 1000;
  const auto outcome = [&](const Bytes& body) {
    ReceiveWorld w{config};
    const Outcome at_once = w.receive_fragment(body);
    CHECK(w.take().empty());

    // The same when it waits for another first.
    ReceiveWorld late{config};
    Bytes second = body;
    second[1] = std::byte{1};
    CHECK(late.receive_fragment(second) == Outcome::accepted);
    CHECK(late.receive(packet(0, "first")) ==
          (at_once == Outcome::corrupt ? Outcome::corrupt : Outcome::accepted));
    CHECK(late.take() == Messages{"first"});
    return at_once;
  };
  CHECK(outcome(packet(0, "abc")) == Outcome::corrupt);
  CHECK(outcome(packet(0, "a")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 0, "")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 0, "abc")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 1001, "abc")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 0xFFFFFFFF, "abc")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 0x80000000, "abc")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 2, "abc")) == Outcome::corrupt);
  CHECK(outcome(first_fragment(0, 1000, "abc")) == Outcome::accepted);

  ReceiveWorld w{config};
  CHECK(w.receive_fragment(first_fragment(0, 5, "abc")) == Outcome::accepted);
  CHECK(w.receive_fragment(packet(1, "def")) == Outcome::corrupt);
  CHECK(w.take().empty());
}

TEST_CASE("soe receive: what is only announced costs nothing", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive_fragment(first_fragment(0, 16 << 20, patterned(500, 1))) == Outcome::accepted);
  CHECK(w.budget.used <= 64 * 1024);
  w.channel.release(w.context());
  CHECK(w.budget.used == 0);
}

TEST_CASE("soe receive: a message grows up to its length and not beyond", "[soe]") {
  for (const std::uint32_t length : {64U * 1024U, 64U * 1024U + 1U, 100'000U, 131'072U}) {
    ReceiveWorld w;
    CHECK(w.receive_fragment(first_fragment(0, length, "x")) == Outcome::accepted);
    std::uint32_t missing = length - 1;
    std::size_t most = 0;
    for (std::int64_t sequence = 1; missing != 0; ++sequence) {
      const std::uint32_t size = std::min(missing, 500U);
      missing -= size;
      most = std::max(most, w.budget.used);
      REQUIRE(w.receive_fragment(packet(sequence, std::string(size, 'x'))) == Outcome::accepted);
    }
    CHECK(most <= length);
    CHECK(most * 2 >= length);
    CHECK(w.take() == Messages{std::string(length, 'x')});
  }
}
TEST_CASE("soe receive: a large message's memory serves the next one", "[soe]") {
  ReceiveWorld w;
  std::int64_t sequence = 0;
  const auto receive = [&](std::uint32_t size, std::uint32_t seed) {
    const std::string message = patterned(size, seed);
    CHECK(w.receive_fragment(first_fragment(sequence++, size, message.substr(0, 100))) ==
          Outcome::accepted);
    const std::size_t at_first = w.budget.used;
    for (std::size_t sent = 100; sent < size; sent += 500) {
      REQUIRE(w.receive_fragment(packet(sequence++, message.substr(sent, 500))) ==
              Outcome::accepted);
    }
    CHECK(w.take() == Messages{message});
    CHECK(w.budget.used == 0);
    return at_first;
  };
  CHECK(receive(500'000, 1) <= 64 * 1024);
  CHECK(receive(500'000, 2) == 500'000);
  CHECK(receive(450'000, 3) == 500'000);
  CHECK(receive(4'000, 4) == 4'000);  // not for what is much smaller

  // Only as far as the budget goes.
  w.budget.used = w.budget.limit - 100'000;
  CHECK(w.receive_fragment(first_fragment(sequence++, 500'000, "x")) == Outcome::accepted);
  CHECK(w.budget.used <= w.budget.limit);
  w.budget.used -= w.budget.limit - 100'000;
}

// The budget.

TEST_CASE("soe receive: what finds no memory is refused, and taken when it comes again", "[soe]") {
  Config config;
  config.reassembly_budget = 20 * 1024;
  ReceiveWorld w{config};
  w.budget.used = 14 * 1024;  // another session's
  const std::string message = patterned(12'000, 4);
  CHECK(w.receive_fragment(first_fragment(0, 12'000, message.substr(0, 4000))) ==
        Outcome::accepted);
  CHECK(w.receive_fragment(packet(1, message.substr(4000, 4000))) == Outcome::overflow);
  CHECK(w.receive_fragment(packet(1, message.substr(4000, 4000))) == Outcome::overflow);
  CHECK(w.receive(packet(2, "early")) == Outcome::accepted);
  CHECK(w.take_singles() == Sequences{2});
  CHECK(w.channel.take_acknowledge_all(w.now) == 0);
  CHECK(w.budget.used <= config.reassembly_budget);

  w.budget.used -= 14 * 1024;
  CHECK(w.receive_fragment(packet(1, message.substr(4000, 4000))) == Outcome::accepted);
  CHECK(w.take() == Messages{"early"});
  CHECK(w.receive_fragment(packet(3, message.substr(8000))) == Outcome::accepted);
  CHECK(w.take() == Messages{message});
  CHECK(w.budget.used == 0);
}

TEST_CASE("soe receive: a first fragment that finds no memory begins nothing", "[soe]") {
  Config config;
  config.reassembly_budget = 1000;
  ReceiveWorld w{config};
  w.budget.used = 990;
  CHECK(w.receive_fragment(first_fragment(0, 20, "abcdefghijklmno")) == Outcome::overflow);
  CHECK(w.receive(packet(1, "early")) == Outcome::overflow);
  CHECK(w.take_singles().empty());
  CHECK(w.budget.used == 990);
  w.budget.used = 0;
  CHECK(w.receive_fragment(first_fragment(0, 3, "abc")) == Outcome::accepted);
  CHECK(w.take() == Messages{"abc"});
}

TEST_CASE("soe receive: what was acknowledged is never refused", "[soe]") {
  Config config;
  config.reassembly_budget = 1 << 20;
  ReceiveWorld w{config};
  const std::string message = patterned(60'000, 5);
  const auto fragment = [&](std::int64_t number) {
    const std::string data = message.substr(static_cast<std::size_t>(number - 1) * 500, 500);
    return number == 1 ? first_fragment(1, 60'000, data) : packet(number, data);
  };
  for (std::int64_t i = 100; i >= 1; --i) {
    REQUIRE(w.receive_fragment(fragment(i)) == Outcome::accepted);
  }
  CHECK(w.take_singles().size() == 100);
  const std::size_t others = config.reassembly_budget;
  w.budget.used += others;

  // The peer will not send them again, so the message begins although there is no room.
  CHECK(w.receive(packet(0, "")) == Outcome::empty);
  CHECK(w.pool.used() == 0);
  CHECK(w.budget.used >= others + 50'000);
  CHECK(w.budget.used <= others + 50'000 + 50'000 / 8);

  // What is new is refused when what is reserved is used up.
  std::int64_t next = 101;
  while (w.receive_fragment(fragment(next)) == Outcome::accepted) ++next;
  CHECK(next < 120);
  CHECK(w.channel.take_acknowledge_all(w.now) == next - 1);
  CHECK(w.receive_fragment(fragment(next)) == Outcome::overflow);
  CHECK(w.receive(packet(next + 2, "early")) == Outcome::overflow);
  w.budget.used -= others;
  while (next <= 120) REQUIRE(w.receive_fragment(fragment(next++)) == Outcome::accepted);
  CHECK(w.take() == Messages{message});
}

TEST_CASE("soe receive: no limit is no limit", "[soe]") {
  Config config;
  config.reassembly_budget = 0;
  ReceiveWorld w{config};
  CHECK(w.receive_fragment(first_fragment(0, 2000, std::string(1999, 'x'))) == Outcome::accepted);
  CHECK(w.receive(packet(2, "early")) == Outcome::accepted);
  CHECK(w.budget.used == 2000 + w.pool.footprint());
  w.channel.release(w.context());
  CHECK(w.budget.used == 0);
  CHECK(w.pool.used() == 0);
}

TEST_CASE("soe receive: an early packet that no packet of the pool holds waits outside", "[soe]") {
  ReceiveWorld w;
  const std::string large = patterned(w.pool.capacity() + 1, 6);
  CHECK(w.receive_unstable(packet(1, large)) == Outcome::overflow);
  CHECK(w.receive(packet(1, large.substr(1))) == Outcome::accepted);
  CHECK(w.receive(packet(0, large)) == Outcome::accepted);
  CHECK(w.receive_unstable(packet(2, large)) == Outcome::accepted);
  CHECK(w.take() == Messages{large, large.substr(1), large});
}

TEST_CASE("soe receive: a channel gives back what it holds", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive_fragment(first_fragment(0, 100, "abc")) == Outcome::accepted);
  for (const std::int64_t early : {2, 190, 30, 7}) {
    CHECK(w.receive(packet(early, "x")) == Outcome::accepted);
  }
  CHECK(w.pool.used() == 4);
  w.channel.release(w.context());
  CHECK(w.pool.used() == 0);
  CHECK(w.budget.used == 0);
  w.channel.release(w.context());
  CHECK(w.pool.used() == 0);
}
