// SPDX-License-Identifier: MIT
// Lines about snapshots and inputs.
#include "shard_report.hpp"

namespace bot_program {

namespace {

using Long = unsigned long long;

double milliseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

std::string row(const char* name, const Histogram& times) {
  return format("%-28s%10llu %9.3f %9.3f %9.3f %9.3f\n", name, static_cast<Long>(times.count()),
                milliseconds(times.quantile(0.5)), milliseconds(times.quantile(0.9)),
                milliseconds(times.quantile(0.99)), milliseconds(times.max()));
}

std::string json_object(const Histogram& times) {
  return format(R"({"count":%llu,"p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,"max_us":%.1f})",
                static_cast<Long>(times.count()), 1e3 * milliseconds(times.quantile(0.5)),
                1e3 * milliseconds(times.quantile(0.9)), 1e3 * milliseconds(times.quantile(0.99)),
                1e3 * milliseconds(times.max()));
}

}  // namespace

void ShardTally::fold() noexcept {
  age.add(recent_age);
  reply.add(recent_reply);
  recent_age = {};
  recent_reply = {};
}

std::string live_line(ShardTally& tally, double elapsed_seconds, double line_seconds) {
  std::string line = format(
      "%5.0f s %9.0f snapshots/s   age p50 %.3f p99 %.3f ms   input to reply p50 %.3f p99 %.3f ms",
      elapsed_seconds, static_cast<double>(tally.recent_age.count()) / line_seconds,
      milliseconds(tally.recent_age.quantile(0.5)), milliseconds(tally.recent_age.quantile(0.99)),
      milliseconds(tally.recent_reply.quantile(0.5)),
      milliseconds(tally.recent_reply.quantile(0.99)));
  if (tally.wrong != 0) line += format("   %llu wrong", static_cast<Long>(tally.wrong));
  tally.fold();
  return line;
}

std::string summary(const ShardTally& tally, std::uint32_t players, double hz, double seconds) {
  const double a_second = seconds > 0 ? 1 / seconds : 0;
  std::string text =
      format("\n%u players in a shard of %g Hz, %.1f s, %.0f snapshots/s, %.2f MB/s received\n\n",
             players, hz, seconds, static_cast<double>(tally.snapshots) * a_second,
             static_cast<double>(tally.bytes) * a_second / 1e6);
  text +=
      format("%-28s%10s %9s %9s %9s %9s\n", "", "count", "p50 ms", "p90 ms", "p99 ms", "max ms");
  text += row("snapshot's age on arrival", tally.age);
  text += row("input to reply", tally.reply);
  text += format(
      "\n%llu connections, %llu breaks; %llu snapshots (%llu deltas, %llu unchanged), "
      "%llu ticks without one, %llu events;\n%llu inputs, %llu applied, %llu refused, %llu not "
      "sent",
      static_cast<Long>(tally.connections), static_cast<Long>(tally.breaks),
      static_cast<Long>(tally.snapshots), static_cast<Long>(tally.deltas),
      static_cast<Long>(tally.unchanged), static_cast<Long>(tally.skipped),
      static_cast<Long>(tally.events), static_cast<Long>(tally.inputs),
      static_cast<Long>(tally.applied), static_cast<Long>(tally.refused),
      static_cast<Long>(tally.unsent));
  text += tally.is_clean() ? "; every message made sense\n"
                           : format("; NOT all went well, %llu messages made no sense\n",
                                    static_cast<Long>(tally.wrong));
  return text;
}

std::string json_line(const ShardTally& tally, std::uint32_t players, double hz, double seconds) {
  return format(R"({"mode":"shard","players":%u,"hz":%g,"seconds":%.3f,"connections":%llu,)"
                R"("breaks":%llu,"ok":%s,"snapshots":%llu,"deltas":%llu,"unchanged":%llu,)"
                R"("skipped":%llu,"events":%llu,"inputs":%llu,"applied":%llu,"refused":%llu,)"
                R"("unsent":%llu,"wrong":%llu,"bytes":%llu,)",
                players, hz, seconds, static_cast<Long>(tally.connections),
                static_cast<Long>(tally.breaks), tally.is_clean() ? "true" : "false",
                static_cast<Long>(tally.snapshots), static_cast<Long>(tally.deltas),
                static_cast<Long>(tally.unchanged), static_cast<Long>(tally.skipped),
                static_cast<Long>(tally.events), static_cast<Long>(tally.inputs),
                static_cast<Long>(tally.applied), static_cast<Long>(tally.refused),
                static_cast<Long>(tally.unsent), static_cast<Long>(tally.wrong),
                static_cast<Long>(tally.bytes)) +
         R"("age":)" + json_object(tally.age) + R"(,"reply":)" + json_object(tally.reply) + "}";
}

}  // namespace bot_program
