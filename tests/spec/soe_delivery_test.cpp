// SPDX-License-Identifier: MIT
// What is sent arrives: on reliable channels every message once, in order and unchanged, whatever
// the network does; on the others a part of them, unchanged.
#include <muster/soe/config.hpp>

#include "support/catch.hpp"
#include "support/seeds.hpp"
#include "support/soe_pair.hpp"
#include "support/soe_stream.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using muster::as_bytes;
using muster::duration;
using muster::soe::Channel;
using muster::soe::Config;
using muster::soe::EnqueueStatus;
using test::Bytes;
using test::SoeEnd;
using test::SoeEvent;
using test::SoePair;
using test::SoeRandom;
using test::SoeStream;
using Kind = SoeEvent::Kind;
using Link = muster::memory::DatagramLink::Config;

namespace {

/// What a run sends, and how.
struct Load {
  SoeStream::Sizes sizes = SoeStream::Sizes::mixed;
  std::uint64_t messages = 100;  ///< of each stream
  unsigned up = 4;               ///< channels in use
  unsigned down = 4;
  duration pause{0};  ///< between messages of a stream; zero: as fast as the budget allows
};

/// Both directions of all channels at once.
class Run {
 public:
  Run(const SoePair::Settings& settings, const Load& load) : pair_(settings), load_(load) {
    for (unsigned i = 0; i < 4; ++i) {
      up_.push_back({SoeStream{settings.seed * 8 + i, load.sizes}});
      down_.push_back({SoeStream{settings.seed * 8 + 4 + i, load.sizes}});
    }
  }

  /// @return what went wrong; empty: nothing
  std::string operator()() {
    try {
      pair_.open();
      const muster::time_point end = pair_.now() + 30min;
      while (problem_.empty() && !is_complete()) {
        feed(pair_.client, pair_.at_client, up_, load_.up);
        feed(pair_.server, pair_.at_server, down_, load_.down);
        const muster::time_point pause =
            load_.pause == 0s ? end : std::min(end, pair_.now() + load_.pause);
        if (!pair_.step(pause) && pause == end) problem_ = "does not come to an end";
        take(pair_.server, up_, "up");
        take(pair_.client, down_, "down");
      }
      if (problem_.empty()) pair_.drive();
      take(pair_.server, up_, "up");
      take(pair_.client, down_, "down");
      if (problem_.empty() && !is_complete()) problem_ = "more arrived than was sent";
    } catch (const std::exception& error) {
      problem_ = error.what();
    }
    return problem_;
  }

  [[nodiscard]] SoePair& pair() { return pair_; }

 private:
  struct Stream {
    SoeStream messages;
    bool is_blocked = false;
    muster::time_point next_at{};
  };
  using Streams = std::vector<Stream>;

  void feed(SoeEnd& end, muster::soe::SessionId session, Streams& streams, unsigned channels) {
    for (unsigned i = 0; i < channels; ++i) {
      Stream& stream = streams[i];
      while (!stream.is_blocked && stream.messages.sent() < load_.messages &&
             pair_.now() >= stream.next_at) {
        const std::string message = stream.messages.next_to_send();
        const EnqueueStatus status =
            end.mux.enqueue(session, as_bytes(message), static_cast<Channel>(i));
        if (status == EnqueueStatus::over_budget) {
          stream.is_blocked = true;
        } else if (status == EnqueueStatus::queued) {
          stream.messages.was_sent();
          if (load_.pause != 0s) stream.next_at = pair_.now() + load_.pause;
        } else {
          problem_ = "a message is refused";
          return;
        }
      }
    }
  }

  void take(SoeEnd& end, Streams& arriving, const char* direction) {
    for (const SoeEvent& event : end.take_events()) {
      if (event.kind == Kind::writable) {
        for (Stream& stream : &end == &pair_.client ? up_ : down_) stream.is_blocked = false;
      } else if (event.kind != Kind::data) {
        fail(direction, "the session ended, reason ", static_cast<unsigned>(event.reason));
      } else if (static_cast<unsigned>(event.channel) >= arriving.size()) {
        fail(direction, "not a reliable channel", 0);
      } else {
        Stream& stream = arriving[static_cast<unsigned>(event.channel)];
        if (!stream.messages.arrived(event.data)) {
          fail(direction, "not the next message, number ", stream.messages.received());
        }
      }
    }
  }

  void fail(const char* direction, const char* what, std::uint64_t number) {
    if (!problem_.empty()) return;
    problem_ = std::string{direction} + ": " + what + " " + std::to_string(number);
  }

  [[nodiscard]] bool is_complete() const {
    const auto has_all = [this](const Streams& streams, unsigned channels) {
      return std::all_of(streams.begin(), streams.begin() + channels, [this](const Stream& s) {
        return s.messages.received() == load_.messages;
      });
    };
    return has_all(up_, load_.up) && has_all(down_, load_.down);
  }

  SoePair pair_;
  Load load_;
  Streams up_;
  Streams down_;
  std::string problem_;
};

/// A bad network: how bad, the seed says.
Link bad_link(SoeRandom& random) {
  constexpr std::array<double, 6> losses{0, 0.005, 0.02, 0.05, 0.1, 0.2};
  Link link;
  link.loss = losses[random.below(losses.size())];
  link.delay = std::chrono::milliseconds{random.between(0, 60)};
  if (random.percent(50)) link.jitter = std::chrono::milliseconds{random.between(1, 30)};
  if (random.percent(50)) {
    link.reorder = 0.05;
    link.reorder_by = std::chrono::milliseconds{random.between(1, 40)};
  }
  if (random.percent(50)) link.duplicate = 0.05;
  if (random.percent(25)) {
    link.bytes_per_second = 400'000;
    link.queue_bytes = 32 * 1024;
  }
  return link;
}

std::vector<std::byte> key() {
  const auto bytes = as_bytes("a key for tests");
  return {bytes.begin(), bytes.end()};
}

/// What both ends have to agree on, and what each may choose.
SoePair::Settings settings_of(std::uint64_t seed, std::string& described) {
  SoeRandom random{seed};
  SoePair::Settings settings;
  settings.seed = seed;
  settings.link = bad_link(random);
  const auto kind = random.below(4);
  if (kind == 1 || kind == 3) settings.client = Config::for_own_ends();
  if (kind == 2 || kind == 3) settings.server = Config::for_own_ends();
  const bool has_key = random.percent(50);
  const bool compression = random.percent(50);
  const bool each = random.percent(20);
  const auto escape =
      random.percent(30) ? muster::soe::Escape::always : muster::soe::Escape::encrypted;
  const auto crc_length = static_cast<std::uint8_t>(random.below(5));
  for (Config* config : {&settings.client, &settings.server}) {
    if (has_key) config->encryption_key = key();
    config->compression = compression;
    if (compression && random.percent(70)) config->compress_from = 64;
    config->acknowledges_each = each;
    config->escape = escape;
    config->crc_length = crc_length;
    if (random.percent(10)) {
      config->pacing = muster::soe::Pacing::fixed_rate;
      config->bytes_per_second = 1'000'000;
    }
  }
  std::ostringstream text;
  text << "seed " << seed << ", ends " << kind << (has_key ? ", key" : "")
       << (compression ? ", compression" : "") << ", loss " << settings.link.loss << ", delay "
       << settings.link.delay / 1ms << " ms, jitter " << settings.link.jitter / 1ms
       << " ms, reorder " << settings.link.reorder << ", duplicate " << settings.link.duplicate
       << ", rate " << settings.link.bytes_per_second;
  described = text.str();
  return settings;
}

/// Runs a load with many seeds, and names each that fails.
void check_seeds(std::uint64_t first, std::uint64_t count, const Load& load) {
  for (std::uint64_t seed = first; seed < first + ::test::share_of(count); ++seed) {
    std::string described;
    Run run{settings_of(seed, described), load};
    const std::string problem = run();
    INFO(described);
    CHECK(problem == "");
  }
}

}  // namespace

TEST_CASE("SOE delivery: every message once and in order, mixed sizes on all channels",
          "[soe][delivery]") {
  check_seeds(1000, 240, {.messages = 60});
}

TEST_CASE("SOE delivery: every message once and in order, a few small ones at a time",
          "[soe][delivery]") {
  check_seeds(2000, 200, {.sizes = SoeStream::Sizes::small, .messages = 60, .pause = 16ms});
}

TEST_CASE("SOE delivery: every message once and in order, many small ones", "[soe][delivery]") {
  check_seeds(3000, 120, {.sizes = SoeStream::Sizes::small, .messages = 1000});
}

TEST_CASE("SOE delivery: every message once and in order, up to 64 KB", "[soe][delivery]") {
  check_seeds(4000, 80, {.sizes = SoeStream::Sizes::large, .messages = 8});
}

TEST_CASE("SOE delivery: every message once and in order, of a megabyte", "[soe][delivery]") {
  check_seeds(5000, 20, {.sizes = SoeStream::Sizes::huge, .messages = 2, .up = 2, .down = 1});
}

// A window that is too much for the line, at a loss of a tenth or a fifth. With each of these seeds
// an end once gave up: all that was lost left at once, again and again, and most of it was lost
// again.
TEST_CASE("SOE delivery: every message once and in order, with a fixed window on a bad line",
          "[soe][delivery]") {
  const Load mixed{.messages = 60};
  const Load large{.sizes = SoeStream::Sizes::large, .messages = 8};
  const std::pair<std::uint64_t, Load> runs[] = {{100014, mixed}, {100319, large}, {100433, large},
                                                 {101036, large}, {101129, large}, {101225, large},
                                                 {200807, large}};
  for (const auto& [seed, load] : runs) {
    std::string described;
    SoePair::Settings settings = settings_of(seed, described);
    settings.client.pacing = settings.server.pacing = muster::soe::Pacing::fixed_window;
    Run run{settings, load};
    const std::string problem = run();
    INFO(described);
    CHECK(problem == "");
  }
}

// One packet for each message: sequences of 16 bits go around twice.
TEST_CASE("SOE delivery: every message once and in order, past 2^17 packets", "[soe][delivery]") {
  const bool is_own = GENERATE(false, true);
  SoePair::Settings settings;
  settings.seed = 7;
  if (is_own) settings.client = settings.server = Config::for_own_ends();
  settings.client.bundles = settings.server.bundles = false;
  settings.client.encryption_key = settings.server.encryption_key = key();
  settings.link = {
      .loss = 0.01, .duplicate = 0.01, .delay = 5ms, .reorder = 0.01, .reorder_by = 3ms};
  constexpr std::uint64_t messages = (1U << 17U) + 2000;
  Run run{settings, {.sizes = SoeStream::Sizes::small, .messages = messages, .up = 1, .down = 1}};
  const std::string problem = run();
  INFO("own ends: " << is_own);
  CHECK(problem == "");
  CHECK(run.pair().client.mux.stats(run.pair().at_client).packets_sent > messages);
  CHECK(run.pair().server.mux.stats(run.pair().at_server).packets_sent > messages);
}

TEST_CASE("SOE delivery: with a small budget everything arrives in its time", "[soe][delivery]") {
  for (std::uint64_t seed = 6000; seed < 6000 + ::test::share_of(60); ++seed) {
    std::string described;
    SoePair::Settings settings = settings_of(seed, described);
    settings.client.send_budget = settings.server.send_budget = 256 * 1024;
    Run run{settings, {.sizes = SoeStream::Sizes::mixed, .messages = 100}};
    const std::string problem = run();
    INFO(described);
    CHECK(problem == "");
  }
}

TEST_CASE("SOE delivery: the last message is acknowledged though its acknowledgement got lost",
          "[soe][delivery]") {
  const bool is_own = GENERATE(false, true);
  SoePair::Settings settings;
  settings.link.delay = 10ms;
  if (is_own) settings.client = settings.server = Config::for_own_ends();
  settings.client.net_status_interval = 0s;  // only what answers the message counts
  SoePair pair{settings};
  pair.open();
  pair.drive();
  unsigned lost = 0;
  pair.on_down = [&](muster::byte_view) { return ++lost > 1; };
  REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes("last")) == EnqueueStatus::queued);
  pair.drive_until([&] { return pair.client.mux.stats(pair.at_client).queued_bytes == 0; },
                   "the acknowledgement", 3s);
  pair.run_for(10s);
  // Once lost, once answered, and then there is silence.
  CHECK(lost <= 4);
  CHECK(pair.server.count(Kind::data) == 1);
}

TEST_CASE("SOE delivery: unreliable messages arrive unchanged, those that do", "[soe][delivery]") {
  const Channel channel = GENERATE(Channel::unreliable, Channel::ordered);
  for (std::uint64_t seed = 8000; seed < 8030; ++seed) {
    std::string described;
    SoePair::Settings settings = settings_of(seed, described);
    settings.client.unreliable_flag = settings.server.unreliable_flag = seed % 3 == 0;
    settings.link.bytes_per_second = 0;
    SoePair pair{settings};
    pair.open();
    // All in one direction, while a reliable stream goes on, too.
    constexpr std::uint64_t messages = 1500;
    SoeRandom random{seed};
    std::vector<std::uint64_t> arrived;
    bool is_changed = false;
    const auto message_of = [&](std::uint64_t number) {
      SoeRandom content{seed * 1'000'003 + number};
      std::string text(content.between(4, 400), '\0');
      content.fill(std::as_writable_bytes(std::span{text}));
      // Zeros in front, and in the number's place.
      if (number % 4 == 0) text[0] = '\0';
      for (unsigned i = 0; i < 3; ++i) {
        text[text.size() - 1 - i] = static_cast<char>(number >> (8 * i));
      }
      return text;
    };
    const auto take = [&] {
      for (const SoeEvent& event : pair.server.take_events()) {
        if (event.kind != Kind::data || event.channel != channel) continue;
        const std::string& data = event.data;
        std::uint64_t number = 0;
        for (unsigned i = 0; i < 3 && i < data.size(); ++i) {
          number |= std::uint64_t{static_cast<std::uint8_t>(data[data.size() - 1 - i])} << (8 * i);
        }
        is_changed |= number >= messages || data != message_of(number);
        arrived.push_back(number);
      }
    };
    for (std::uint64_t number = 0; number < messages; ++number) {
      REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(message_of(number)), channel) ==
              EnqueueStatus::queued);
      if (number % 10 == 0) {
        REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes("reliable")) ==
                EnqueueStatus::queued);
      }
      pair.run_for(std::chrono::microseconds{random.below(4000)});
      take();
    }
    pair.drive();
    take();
    INFO(described << ", " << arrived.size() << " arrived");
    CHECK_FALSE(is_changed);
    // Not many more get lost than the network loses, or, where one overtakes another, come late.
    const double most = static_cast<double>(messages);
    const bool keeps_order = settings.link.jitter == 0s && settings.link.reorder == 0;
    CHECK(static_cast<double>(arrived.size()) >=
          most * (0.9 - settings.link.loss) *
              (keeps_order || channel != Channel::ordered ? 1 : 0.1));
    if (channel == Channel::ordered) {
      CHECK(std::adjacent_find(arrived.begin(), arrived.end(), std::greater_equal<>{}) ==
            arrived.end());
    } else {
      CHECK(std::set<std::uint64_t>(arrived.begin(), arrived.end()).size() >=
            arrived.size() - pair.up.stats().duplicated);
    }
    if (settings.link.loss == 0 && keeps_order && settings.link.duplicate == 0) {
      CHECK(arrived.size() == messages);
    }
  }
}

TEST_CASE("SOE delivery: an unreliable message that is too large goes by the reliable channel",
          "[soe][delivery]") {
  SoePair pair{{.link = {.delay = 1ms}}};
  pair.open();
  for (const std::size_t size : {500U, 510U, 511U, 5000U}) {
    const std::string message(size, 'l');
    REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(message), Channel::unreliable) ==
            EnqueueStatus::queued);
    pair.drive();
    const std::vector<SoeEvent> events = pair.server.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].data == message);
    CHECK(events[0].channel == (size <= 510 ? Channel::unreliable : Channel::reliable0));
  }
}

TEST_CASE("SOE delivery: what is lost on one channel holds up no other", "[soe][delivery]") {
  SoePair pair{{.link = {.delay = 10ms}}};
  pair.open();
  bool is_first = true;
  pair.on_up = [&](muster::byte_view) { return !std::exchange(is_first, false); };
  for (const Channel channel :
       {Channel::reliable0, Channel::reliable1, Channel::reliable2, Channel::reliable3}) {
    REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes("message"), channel) ==
            EnqueueStatus::queued);
  }
  pair.run_for(11ms);
  CHECK(pair.server.count(Kind::data) == 3);
  pair.drive();
  CHECK(pair.server.count(Kind::data) == 4);
}

TEST_CASE("SOE delivery: encryption may begin, change and end on the way", "[soe][delivery]") {
  SoePair::Settings settings;
  settings.link = {.loss = 0.1, .delay = 10ms, .jitter = 5ms};
  const bool bundles = GENERATE(false, true);
  settings.client.bundles = settings.server.bundles = bundles;
  SoePair pair{settings};
  pair.open();
  constexpr unsigned channels = 0b0101;
  for (const std::string name : {"one", "two", "", "three"}) {
    CHECK(pair.client.mux.set_encryption(pair.at_client, channels, as_bytes(name)));
    CHECK(pair.server.mux.set_encryption(pair.at_server, channels, as_bytes(name)));
    for (unsigned i = 0; i < 50; ++i) {
      for (unsigned channel = 0; channel < 4; ++channel) {
        const std::string message = name + std::to_string(i);
        REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(message),
                                        static_cast<Channel>(channel)) == EnqueueStatus::queued);
        REQUIRE(pair.server.mux.enqueue(pair.at_server, as_bytes(message),
                                        static_cast<Channel>(channel)) == EnqueueStatus::queued);
      }
    }
    pair.drive();
    for (SoeEnd* const end : {&pair.client, &pair.server}) {
      std::array<unsigned, 4> next{};
      for (const SoeEvent& event : end->take_events()) {
        CHECK(event.data == name + std::to_string(next.at(static_cast<unsigned>(event.channel))++));
      }
      CHECK(next == std::array<unsigned, 4>{50, 50, 50, 50});
    }
  }
  CHECK_FALSE(pair.client.mux.set_encryption(pair.at_client, 1, Bytes(257)));
}
