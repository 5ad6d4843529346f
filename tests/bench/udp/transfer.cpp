// SPDX-License-Identifier: MIT
// As much as goes through: large and small messages, over sockets and in memory.
#include "pair.hpp"
#include "scenario.hpp"
#include "stamp.hpp"
#include "usage.hpp"

namespace muster_bench {

namespace {

constexpr double warm_up = 0.2;  // seconds

// How many messages the sender is ahead of the receiver at most: ENet queues whatever it is given.
struct Load {
  Carrier carrier;
  std::size_t message_size;
  std::uint64_t messages_ahead;
};

constexpr Load bulk{Carrier::sockets, 64 * 1024, 4};
constexpr Load messages{Carrier::sockets, 64, 8192};

struct Figures {
  double seconds;
  double cpu;
  double messages;
  double bytes;
  double datagrams;
  double wire_bytes;
  double allocations;
};

Figures transfer(const Contestant& contestant, const Load& load, double seconds,
                 std::uint64_t run) {
  Pair pair{contestant, load.carrier};
  Stamp stamp{load.message_size, run};
  Checker checker{stamp};
  Nobody nobody;
  const auto run_until = [&](double end) {
    while (clock_seconds(CLOCK_MONOTONIC) < end) {
      while (stamp.missing() < load.messages_ahead) {
        if (!pair.client().send(0, stamp.make())) {
          stamp.unmake();
          break;
        }
      }
      pair.client().flush(Pair::now());
      pair.server().step(Pair::now(), checker);
      pair.client().step(Pair::now(), nobody);
    }
  };

  run_until(clock_seconds(CLOCK_MONOTONIC) + warm_up);
  const Usage before;
  const Traffic sent_before = pair.sent();
  const std::uint64_t checked_before = stamp.checked();
  run_until(before.wall + seconds);
  const Usage after;
  const Traffic sent = pair.sent() - sent_before;
  const auto count = static_cast<double>(stamp.checked() - checked_before);
  if (count == 0) throw Failure("nothing arrived");
  return {after.wall - before.wall,
          after.cpu - before.cpu,
          count,
          count * static_cast<double>(load.message_size),
          static_cast<double>(sent.datagrams),
          static_cast<double>(sent.bytes),
          static_cast<double>(after.allocations - before.allocations)};
}

const std::vector<Column> bulk_columns{{"MB/s"},
                                       {"CPU s/GB", 2},
                                       {"CPU ns/datagram"},
                                       {"wire/goodput", 3},
                                       {"allocations/datagram", 3}};

std::vector<double> bulk_values(const Figures& figures) {
  return {figures.bytes / figures.seconds / 1e6, figures.cpu / figures.bytes * 1e9,
          figures.cpu / figures.datagrams * 1e9, figures.wire_bytes / figures.bytes,
          figures.allocations / figures.datagrams};
}

const std::vector<Column> message_columns{{"k messages/s"},
                                          {"CPU ns/message"},
                                          {"messages/datagram", 2},
                                          {"wire bytes/message", 1},
                                          {"allocations/datagram", 3}};

std::vector<double> message_values(const Figures& figures) {
  return {figures.messages / figures.seconds / 1e3, figures.cpu / figures.messages * 1e9,
          figures.messages / figures.datagrams, figures.wire_bytes / figures.messages,
          figures.allocations / figures.datagrams};
}

}  // namespace

std::vector<Scenario> transfer_scenarios(const std::vector<Contestant>& contestants,
                                         const Settings& settings) {
  std::vector<Scenario> scenarios;
  const auto add = [&](const char* name, const char* title, Load load, Carrier carrier,
                       const std::vector<Column>& columns,
                       std::vector<double> (*values)(const Figures&)) {
    load.carrier = carrier;
    Scenario scenario{name, title, columns, 1};
    const unsigned kind = carrier == Carrier::sockets ? in_transfers : in_memory;
    for (const Contestant& contestant : contestants) {
      if ((contestant.scenarios & kind) == 0) continue;
      scenario.rows.push_back({contestant.name, [=](std::uint64_t run) {
                                 return values(transfer(contestant, load, settings.seconds, run));
                               }});
    }
    scenarios.push_back(std::move(scenario));
  };
  add("bulk", "64 KiB messages over UDP on loopback, both ends in one process", bulk,
      Carrier::sockets, bulk_columns, bulk_values);
  add("messages", "64-byte messages over UDP on loopback, both ends in one process", messages,
      Carrier::sockets, message_columns, message_values);
  add("memory-bulk", "64 KiB messages in memory, without system calls, both ends", bulk,
      Carrier::memory, bulk_columns, bulk_values);
  add("memory-messages", "64-byte messages in memory, without system calls, both ends", messages,
      Carrier::memory, message_columns, message_values);
  return scenarios;
}

}  // namespace muster_bench
