// SPDX-License-Identifier: MIT
// Lines for people.
#include "report.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace soe_echo {

namespace {

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
}

unsigned long long number(std::uint64_t value) { return value; }

const char* plural(std::uint64_t value) { return value == 1 ? "" : "s"; }

double milliseconds(const std::vector<std::uint32_t>& sorted, double share) {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[at] / 1e3;
}

}  // namespace

double Tally::seconds() const {
  if (last_back < first_sent) return 0;
  return std::chrono::duration<double>{last_back - first_sent}.count();
}

Transport summarize(const std::vector<muster::soe::SessionStats>& sessions) {
  Transport sum;
  double measured = 0;
  for (const muster::soe::SessionStats& session : sessions) {
    sum.packets += session.packets_sent;
    sum.resent += session.packets_resent;
    if (session.smoothed_rtt == muster::duration::zero()) continue;
    measured += 1;
    sum.loss += session.loss;
    sum.round_trip_milliseconds +=
        std::chrono::duration<double, std::milli>{session.smoothed_rtt}.count();
  }
  if (measured > 0) {
    sum.loss /= measured;
    sum.round_trip_milliseconds /= measured;
  }
  return sum;
}

void Report::live(const Tally& tally, const Transport& transport, double seconds) {
  const double passed = seconds - last_;
  std::printf(
      "%5.0f s %9.0f messages/s %9.3f MB/s   rtt %8.2f ms   loss %4.1f %%   resent %6llu   under "
      "way %llu\n",
      seconds, per_second(tally.back - last_back_, passed),
      per_second(tally.bytes - last_bytes_, passed) / 1e6, transport.round_trip_milliseconds,
      transport.loss * 100, number(transport.resent - std::min(last_resent_, transport.resent)),
      number(tally.sent - tally.back - tally.lost));
  std::fflush(stdout);
  last_ = seconds;
  last_back_ = tally.back;
  last_bytes_ = tally.bytes;
  last_resent_ = transport.resent;
}

void Report::summary(Tally& tally, const Transport& transport) const {
  const double seconds = tally.seconds();
  std::printf(
      "\n%u session%s, %llu message%s of %zu byte%s in %.1f s: %.0f/s, %.3f MB/s each way\n",
      options_.sessions, plural(options_.sessions), number(tally.sent), plural(tally.sent),
      options_.size, plural(options_.size), seconds, per_second(tally.back, seconds),
      per_second(tally.bytes, seconds) / 1e6);
  if (!tally.round_trips.empty()) {
    std::sort(tally.round_trips.begin(), tally.round_trips.end());
    std::printf("there and back: half within %.2f ms, 99 %% within %.2f ms, all within %.2f ms\n",
                milliseconds(tally.round_trips, 0.5), milliseconds(tally.round_trips, 0.99),
                milliseconds(tally.round_trips, 1));
  }
  std::printf("%llu reliable packet%s sent, %llu of them again\n", number(transport.packets),
              plural(transport.packets), number(transport.resent));
  for (const auto& [failure, count] : tally.failures) {
    std::printf("%llu session%s FAILED: %s\n", number(count), plural(count), failure.c_str());
  }
  if (tally.lost != 0) std::printf("%llu lost, as they may be\n", number(tally.lost));
  if (tally.wrong != 0) std::printf("%llu came back WRONG\n", number(tally.wrong));
  if (tally.missing != 0) std::printf("%llu did NOT come back\n", number(tally.missing));
  if (tally.back == 0) std::printf("NOTHING came back\n");
  if (tally.is_good()) {
    std::printf("%llu came back, every one as it was\n", number(tally.back));
  }
  std::fflush(stdout);
}

}  // namespace soe_echo
