// SPDX-License-Identifier: MIT
// Bulk over bad networks, in virtual time: how much arrives, and what it costs on the wire.
#include "scenario.hpp"
#include "stamp.hpp"
#include "virtual_pair.hpp"

#include <chrono>

namespace muster_bench {

namespace {

using namespace std::chrono_literals;
using LinkConfig = muster::memory::DatagramLink::Config;

constexpr std::size_t message_size = 64 * 1024;
constexpr std::uint64_t messages_ahead = 128;  // 8 MiB, more than any of the links holds
constexpr double virtual_seconds = 20;         // from the connection on, so slow starts count

// Goodput in MB/s, and wire bytes of both directions for each byte of it.
std::vector<double> goodput(const Contestant& contestant, const LinkConfig& link, double seconds,
                            std::uint64_t run) {
  VirtualPair pair{contestant, link, run};
  Stamp stamp{message_size, run};
  stamp.check_all();
  Checker checker{stamp};
  const Traffic before = pair.sent();
  const muster::time_point end = pair.now() + std::chrono::duration_cast<muster::duration>(
                                                  std::chrono::duration<double>(seconds));
  while (pair.now() < end) {
    const std::uint64_t made = stamp.made();
    while (stamp.missing() < messages_ahead) {
      if (!pair.client().send(0, stamp.make())) {
        stamp.unmake();
        break;
      }
    }
    if (stamp.made() != made) pair.client().flush(pair.now());
    pair.step(end, checker);
  }
  const auto bytes = static_cast<double>(stamp.checked() * message_size);
  const auto wire = static_cast<double>((pair.sent() - before).bytes);
  return {bytes / seconds / 1e6, bytes == 0 ? 0 : wire / bytes};
}

}  // namespace

std::vector<Scenario> goodput_scenarios(const std::vector<Contestant>& contestants,
                                        const Settings& settings) {
  std::vector<Scenario> scenarios;
  const auto add = [&](const std::string& name, const std::string& title, const LinkConfig& link) {
    Scenario scenario{name, title, {{"MB/s", 2}, {"wire/goodput", 2}}, 0, false};
    const double seconds = settings.virtual_seconds * virtual_seconds;
    for (const Contestant& contestant : contestants) {
      if ((contestant.scenarios & in_goodput) == 0) continue;
      scenario.rows.push_back({contestant.name, [=](std::uint64_t run) {
                                 return goodput(contestant, link, seconds, run);
                               }});
    }
    scenarios.push_back(std::move(scenario));
  };
  for (const int rtt : {40, 100}) {
    for (const int loss : {0, 1, 5, 10}) {
      const std::string numbers = std::to_string(rtt) + " ms, " + std::to_string(loss) + " % loss";
      add("goodput-" + std::to_string(rtt) + "-" + std::to_string(loss),
          "Bulk in virtual time, round trip " + numbers,
          {.loss = loss / 100.0, .delay = rtt * 500us});
    }
  }
  add("bottleneck", "Bulk in virtual time, 20 Mbit/s with a queue of 64 KB, round trip 40 ms",
      {.delay = 20ms, .bytes_per_second = 2'500'000, .queue_bytes = 64'000});
  add("jitter",
      "Bulk in virtual time, round trip 40 ms, 1 % loss, 5 ms jitter, 2 % reordered, 1 % twice",
      {.loss = 0.01,
       .duplicate = 0.01,
       .delay = 20ms,
       .jitter = 5ms,
       .reorder = 0.02,
       .reorder_by = 5ms});
  return scenarios;
}

}  // namespace muster_bench
