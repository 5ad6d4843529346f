// SPDX-License-Identifier: MIT
// How long small messages take over a lossy network, in virtual time.
#include "scenario.hpp"
#include "stamp.hpp"
#include "virtual_pair.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace muster_bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t message_size = 64;
constexpr auto interval = muster::duration{1s} / 60;
constexpr double virtual_seconds = 120;  // of each session
constexpr std::uint64_t sessions = 5;    // of a run

// Notes how long each message took.
class Arrivals final : public Receiver {
 public:
  Arrivals(Stamp& stamp, const VirtualPair& pair, muster::time_point first_sent,
           std::vector<double>& milliseconds)
      : stamp_(stamp), pair_(pair), sent_at_(first_sent), milliseconds_(milliseconds) {}

  void on_message(std::uint32_t, muster::byte_view message) override {
    stamp_.check(message);
    milliseconds_.push_back(
        std::chrono::duration<double, std::milli>(pair_.now() - sent_at_).count());
    sent_at_ += interval;
  }

 private:
  Stamp& stamp_;
  const VirtualPair& pair_;
  muster::time_point sent_at_;  // of the message that comes next
  std::vector<double>& milliseconds_;
};

// Adds a session's latencies; returns what it sent in both directions.
Traffic run_session(const Contestant& contestant, double loss, std::uint64_t count,
                    std::uint64_t run, std::vector<double>& milliseconds) {
  VirtualPair pair{contestant, {.loss = loss, .delay = 50ms}, run};
  Stamp stamp{message_size, run};
  stamp.check_all();
  Nobody nobody;
  // What opening the session left to do is not the messages' doing.
  for (const muster::time_point settled = pair.now() + 1s; pair.now() < settled;) {
    pair.step(settled, nobody);
  }
  const Traffic before = pair.sent();
  muster::time_point next = pair.now() + interval;
  Arrivals arrivals{stamp, pair, next, milliseconds};
  while (stamp.made() < count) {
    pair.step(next, arrivals);
    if (pair.now() < next) continue;
    if (!pair.client().send(0, stamp.make())) throw Failure("a message was not taken");
    pair.client().flush(pair.now());
    next += interval;
  }
  const Traffic sent = pair.sent() - before;
  const muster::time_point give_up = pair.now() + 2min;
  while (stamp.missing() != 0) {
    if (pair.now() >= give_up) throw Failure("messages did not arrive");
    pair.step(give_up, arrivals);
  }
  return sent;
}

std::vector<double> latency(const Contestant& contestant, double loss, double seconds,
                            std::uint64_t run) {
  const auto count = static_cast<std::uint64_t>(seconds * 60);
  std::vector<double> milliseconds;
  Traffic sent;
  for (std::uint64_t i = 0; i < sessions; ++i) {
    sent = sent + run_session(contestant, loss, count, run * sessions + i, milliseconds);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto total = static_cast<double>(milliseconds.size());
  const auto percentile = [&](double share) {
    return milliseconds[static_cast<std::size_t>(std::ceil(share * total)) - 1];
  };
  return {percentile(0.5), percentile(0.99), percentile(0.999),
          static_cast<double>(sent.bytes) / total, static_cast<double>(sent.datagrams) / total};
}

}  // namespace

std::vector<Scenario> latency_scenarios(const std::vector<Contestant>& contestants,
                                        const Settings& settings) {
  std::vector<Scenario> scenarios;
  for (const int loss : {0, 1, 5, 10}) {
    Scenario scenario{
        "latency-" + std::to_string(loss),
        "One-way latency of 64-byte messages, 60 a second, in virtual time, round "
        "trip 100 ms, " +
            std::to_string(loss) + " % loss",
        {{"p50 ms"}, {"p99 ms"}, {"p99.9 ms"}, {"wire bytes/message"}, {"datagrams/message", 2}},
        1,
        false};
    const double seconds = settings.virtual_seconds * virtual_seconds;
    for (const Contestant& contestant : contestants) {
      if ((contestant.scenarios & in_latency) == 0) continue;
      scenario.rows.push_back({contestant.name, [=](std::uint64_t run) {
                                 return latency(contestant, loss / 100.0, seconds, run);
                               }});
    }
    scenarios.push_back(std::move(scenario));
  }
  return scenarios;
}

}  // namespace muster_bench
