// SPDX-License-Identifier: MIT
// A receiving channel behind a network that loses, repeats and reorders.
#include "support/catch.hpp"
#include "support/receive_world.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

using muster::soe::Config;
using muster::soe::Escape;
using muster::soe::Rc4;
using namespace std::string_literals;
using test::big_endian;
using test::bundle;
using test::Bytes;
using test::bytes_of;
using test::encrypted;
using test::Outcome;
using test::packet;
using test::patterned;
using test::ReceiveWorld;

namespace {

using Messages = std::vector<std::string>;

// A peer that packs messages in every way the protocol has, and knows what was acknowledged.
class Sender {
 public:
  struct Sent {
    Bytes body;
    bool is_fragment = false;
    bool is_acknowledged = false;
  };

  Sender(std::mt19937& random, Escape escape, const Rc4* cipher, std::int64_t first)
      : random_(random), escape_(escape), first_(first) {
    if (cipher != nullptr) cipher_ = std::make_unique<Rc4>(*cipher);
  }

  void send(const Messages& messages) {
    std::size_t next = 0;
    while (next != messages.size()) {
      Bytes payload;
      const std::size_t count = std::min<std::size_t>(draw(5), messages.size() - next);
      if (count > 1) {
        Messages items;
        for (std::size_t i = 0; i < count; ++i) items.push_back(item(messages[next++]));
        payload = bundle(items);
      } else {
        const std::string text = item(messages[next++]);
        // In clear it would be taken for a bundle.
        const bool is_bundle_like = text.size() > 2 && text.substr(0, 2) == "\0\x19"s;
        payload = is_bundle_like ? bundle({text}) : bytes_of(text);
      }
      pack(payload);
      if (draw(30) == 0) add({}, draw(2) == 0);
    }
  }

  std::vector<Sent> packets;  // from `first` on

  void on_acknowledged(std::int64_t sequence) {
    packets.at(static_cast<std::size_t>(sequence - first_)).is_acknowledged = true;
  }

 private:
  std::size_t draw(std::size_t count) { return random_() % count; }

  std::string item(const std::string& message) {
    if (cipher_) return encrypted(*cipher_, message);
    return escape_ == Escape::always && message[0] == '\0' ? '\0' + message : message;
  }

  void pack(const Bytes& payload) {
    if (payload.size() <= largest && draw(20) != 0) return add(payload, false);
    Bytes rest = test::join(big_endian(payload.size(), 4), payload);
    while (!rest.empty()) {
      const std::size_t least = rest.size() == payload.size() + 4 ? 4 : 1;
      const std::size_t size =
          std::min(rest.size(), draw(3) != 0 ? largest : least + draw(largest - least + 1));
      const auto end = rest.begin() + static_cast<std::ptrdiff_t>(size);
      add(Bytes(rest.begin(), end), true);
      rest.erase(rest.begin(), end);
      if (!rest.empty() && draw(40) == 0) add({}, true);
    }
  }

  void add(const Bytes& data, bool is_fragment) {
    const std::int64_t sequence = first_ + static_cast<std::int64_t>(packets.size());
    packets.push_back({packet(sequence, data), is_fragment});
  }

  static constexpr std::size_t largest = 100;
  std::mt19937& random_;
  Escape escape_;
  std::int64_t first_;
  std::unique_ptr<Rc4> cipher_;
};

struct Scenario {
  Config config;
  bool is_encrypted = false;
  std::int64_t first = 0;
};

void run_random(std::mt19937& random, const Scenario& scenario) {
  const auto draw = [&random](std::size_t count) { return random() % count; };
  ReceiveWorld w{scenario.config, scenario.first};
  const Rc4 cipher = Rc4{muster::as_bytes("secret")};
  if (scenario.is_encrypted) w.channel.set_cipher(&cipher);

  Messages messages;
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = 1 + (draw(10) == 0 ? draw(3000) : draw(80));
    messages.push_back(patterned(size, static_cast<unsigned>(random())));
    if (draw(5) == 0) messages.back()[0] = '\0';
    if (draw(20) == 0) messages.back().replace(0, 2, "\0\x19"s);
  }
  Sender sender{random, scenario.config.escape, scenario.is_encrypted ? &cipher : nullptr,
                scenario.first};
  sender.send(messages);

  const auto count = static_cast<std::int64_t>(sender.packets.size());
  const std::int64_t first = scenario.first;
  std::int64_t oldest = 0;         // that is not acknowledged
  std::set<std::int64_t> arrived;  // all of them
  std::set<std::int64_t> unanswered;
  Messages delivered;
  const auto collect = [&] {
    for (std::string& message : w.take()) delivered.push_back(std::move(message));
  };
  // Tells the sender, or not, and checks that nothing is told that is not so.
  const auto answer = [&](std::int64_t from, std::int64_t to) {
    const bool is_lost = draw(4) == 0;
    for (std::int64_t i = from; i <= to; ++i) {
      if (arrived.count(i) == 0) FAIL(i << " is acknowledged and has not arrived");
      if (!is_lost) sender.on_acknowledged(first + i);
    }
    unanswered.erase(unanswered.lower_bound(from), unanswered.upper_bound(to));
  };
  const auto expand = [&](std::uint16_t wire) {
    std::int64_t number = (first & ~std::int64_t{0xFFFF}) + wire - first;
    while (number < 0) number += 65536;
    return number;
  };
  const auto flush = [&] {
    if (w.is_all_due()) answer(0, expand(w.channel.take_acknowledge_all(w.now)));
    for (const std::uint16_t wire : w.take_singles()) answer(expand(wire), expand(wire));
  };

  std::int64_t steps = 0;
  while (true) {
    const auto is_acknowledged = [&](std::int64_t i) {
      return sender.packets[static_cast<std::size_t>(i)].is_acknowledged;
    };
    while (oldest < count && is_acknowledged(oldest)) ++oldest;
    if (oldest == count) break;
    REQUIRE(++steps < 400 * count);

    const std::int64_t window = scenario.config.receive_window;
    std::int64_t i = oldest;
    switch (draw(8)) {
      case 0:  // anything: what is long done, or too far
        i = std::max<std::int64_t>(0, oldest - 300) +
            static_cast<std::int64_t>(draw(static_cast<std::size_t>(window) + 400));
        break;
      case 1:
      case 2:  // what is missing longest
        break;
      default:
        i += static_cast<std::int64_t>(
            draw(static_cast<std::size_t>(std::min<std::int64_t>(window, 12)) + 1));
    }
    if (i >= count || (draw(3) != 0 && is_acknowledged(i))) continue;
    const Sender::Sent& sent = sender.packets[static_cast<std::size_t>(i)];
    const Outcome outcome = draw(4) == 0 ? w.receive_unstable(sent.body, sent.is_fragment)
                                         : w.receive(sent.body, sent.is_fragment);
    REQUIRE(outcome != Outcome::corrupt);
    REQUIRE(outcome != Outcome::overflow);
    if (outcome != Outcome::too_far) {
      CHECK((outcome == Outcome::duplicate) == (arrived.count(i) != 0));
      arrived.insert(i);
      unanswered.insert(i);
    }
    if (draw(5) == 0) flush();
    if (draw(20) == 0) {
      // When all that is due has left, all that arrived since then is covered.
      if (w.channel.has_acknowledge_all()) {
        REQUIRE_FALSE(scenario.config.acknowledges_each);
        w.now = std::max(w.now, w.channel.acknowledge_deadline(w.config));
        REQUIRE(w.is_all_due());
      }
      flush();
      REQUIRE(unanswered.empty());
    }
    if (draw(10) == 0) collect();
    w.now += std::chrono::microseconds{draw(1000)};
  }
  collect();
  CHECK(delivered.size() == messages.size());
  CHECK((delivered == messages));
  CHECK(w.channel.stats().messages == messages.size());
  CHECK(w.pool.used() == 0);
  CHECK(w.budget.used == 0);
}

}  // namespace

TEST_CASE("soe receive: whatever the network does, each message comes once and in order", "[soe]") {
  const unsigned seed = std::random_device{}();
  std::mt19937 random{seed};
  for (int round = 0; round < 60; ++round) {
    Scenario scenario;
    constexpr std::int64_t starts[] = {0, 65'500, 131'000, (std::int64_t{1} << 31) - 100};
    constexpr std::uint32_t windows[] = {1, 7, 64, 256, 4000};
    scenario.first = starts[random() % 4];
    scenario.is_encrypted = random() % 2 == 0;
    scenario.config.escape = random() % 2 == 0 ? Escape::always : Escape::encrypted;
    scenario.config.acknowledges_each = random() % 3 == 0;
    scenario.config.receive_window = windows[random() % 5];
    scenario.config.acknowledge_every = 1 + static_cast<std::uint32_t>(random() % 40);
    scenario.config.udp_length = 120;
    INFO("seed " << seed << ", round " << round);
    run_random(random, scenario);
  }
}
