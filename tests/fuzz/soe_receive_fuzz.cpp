// SPDX-License-Identifier: MIT
// Fuzzes a receiving channel of the SOE protocol: whatever comes, what it shows is memory that is
// there, what it acknowledges has come, and what it holds is bounded and given back.
//
// Byte 0: each packet is acknowledged by itself (bit 0), messages are escaped always (bit 1),
// encryption (bit 2), window (bits 3 and 4), budget (bits 5 and 6), it begins shortly before
// sequence 65536 (bit 7). Then packets: a byte that says whether it is a fragment (bit 0), comes in
// a scratch buffer (bit 1), is followed by acknowledgements (bit 2) or by the application (bit 3),
// and which time passes (the rest); the size of the body, two bytes; the body.
#include "support/receive_world.hpp"
#include "support/require.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace muster::soe;
using test::Outcome;
using test::require;

Config config_of(unsigned flags) {
  constexpr std::uint32_t windows[] = {1, 5, 64, 300};
  constexpr std::size_t budgets[] = {0, 700, 5000, 100'000};
  Config config;
  config.udp_length = 64;
  config.max_message = 60'000;
  config.acknowledges_each = (flags & 1U) != 0;
  config.escape = (flags & 2U) != 0 ? Escape::always : Escape::encrypted;
  config.receive_window = windows[(flags >> 3U) & 3U];
  config.reassembly_budget = budgets[(flags >> 5U) & 3U];
  return config;
}

struct Run {
  explicit Run(unsigned flags)
      : first((flags & 128U) != 0 ? 65'500 : 0), world(config_of(flags), first) {
    const Rc4 cipher{as_bytes("key")};
    if ((flags & 4U) != 0) world.channel.set_cipher(&cipher);
  }

  Outcome receive(unsigned how, byte_view bytes) {
    // A block of its own for each: nothing beyond it may be touched.
    test::Bytes body(bytes.begin(), bytes.end());
    largest = std::max(largest, body.size());
    const bool is_fragment = (how & 1U) != 0;
    const Outcome outcome = (how & 2U) != 0 ? world.receive_unstable(body, is_fragment)
                                            : world.receive(body, is_fragment);
    if (outcome == Outcome::accepted || outcome == Outcome::empty ||
        outcome == Outcome::duplicate) {
      arrived.insert(static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) * 256 +
                                                std::to_integer<unsigned>(bytes[1])));
    }
    return outcome;
  }

  // What comes before the first one came before it.
  [[nodiscard]] bool has_arrived(std::uint16_t sequence) const {
    return arrived.count(sequence) != 0 || (first != 0 && sequence < first && sequence > 32'000);
  }

  void acknowledge() {
    for (const std::uint16_t sequence : world.take_singles()) require(has_arrived(sequence));
    const ReceiveChannel& channel = world.channel;
    if (!channel.has_acknowledge_all()) {
      require(!world.is_all_due());
      require(channel.acknowledge_deadline(world.config) == no_deadline);
      return;
    }
    require(!world.config.acknowledges_each);
    world.now = std::max(world.now, channel.acknowledge_deadline(world.config));
    require(world.is_all_due());
    require(has_arrived(world.channel.take_acknowledge_all(world.now)));
    require(!channel.has_acknowledge_all());
  }

  // Reads all of every message.
  void collect() {
    for (const std::string& message : world.take()) {
      require(!message.empty());
      require(message.size() <= std::max(largest, world.config.max_message));
      require(message != "not a message of the channel");
    }
  }

  void check_memory() {
    const ReassemblyBudget& budget = world.budget;
    const std::size_t footprint = world.pool.footprint();
    if (budget.limit != 0) require(budget.used <= budget.limit + budget.limit / 8 + footprint);
    if (budget.limit != 0) require(budget.early <= budget.limit / 2);
    require(budget.used <= 60'000 + world.config.receive_window * footprint);
  }

  std::int64_t first;
  test::ReceiveWorld world;
  std::set<std::uint16_t> arrived;
  std::size_t largest = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Run run{data[0]};
  byte_view input = std::as_bytes(std::span{data + 1, size - 1});
  while (input.size() >= 3) {
    const auto how = std::to_integer<unsigned>(input[0]);
    const std::size_t length =
        std::to_integer<std::size_t>(input[1]) * 256 + std::to_integer<std::size_t>(input[2]);
    input = input.subspan(3);
    const byte_view body = input.first(std::min(length, input.size()));
    input = input.subspan(body.size());

    const Outcome outcome = run.receive(how, body);
    run.check_memory();
    if (outcome == Outcome::corrupt) break;  // the session ends
    if ((how & 4U) != 0) run.acknowledge();
    if ((how & 8U) != 0) run.collect();
    run.world.now += std::chrono::microseconds{how >> 4U} * 300;
  }
  run.collect();
  run.world.channel.release(run.world.context());
  require(run.world.pool.used() == 0);
  require(run.world.budget.used == 0);
  return 0;
}
