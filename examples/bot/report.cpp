// SPDX-License-Identifier: MIT
// Counting in slots, following numbers, and writing lines.
#include "report.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include <unistd.h>

namespace bot_program {

namespace {

// How many missing numbers of one sender are remembered.
constexpr std::size_t max_missing = 4096;

double milliseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

double microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

std::string count(std::uint64_t number, std::string_view noun) {
  std::string text = std::to_string(number);
  text += ' ';
  text += noun;
  if (number != 1) text += 's';
  return text;
}

std::string table_row(const char* name, const Flow& flow) {
  return format(
      "%-16s%10llu %10llu %6llu %8llu %9llu %6llu %9.3f %9.3f %9.3f %9.3f %9.2f\n", name,
      static_cast<unsigned long long>(flow.expected),
      static_cast<unsigned long long>(flow.delivered), static_cast<unsigned long long>(flow.lost),
      static_cast<unsigned long long>(flow.repeated),
      static_cast<unsigned long long>(flow.reordered), static_cast<unsigned long long>(flow.wrong),
      milliseconds(flow.latency.quantile(0.5)), milliseconds(flow.latency.quantile(0.9)),
      milliseconds(flow.latency.quantile(0.99)), milliseconds(flow.latency.max()),
      static_cast<double>(flow.bytes) / 1e6);
}

std::string json_object(const Flow& flow) {
  return format(
      R"({"expected":%llu,"delivered":%llu,"lost":%llu,"repeated":%llu,"reordered":%llu,)"
      R"("wrong":%llu,"refused":%llu,"bytes":%llu,"p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,)"
      R"("p999_us":%.1f,"max_us":%.1f})",
      static_cast<unsigned long long>(flow.expected),
      static_cast<unsigned long long>(flow.delivered), static_cast<unsigned long long>(flow.lost),
      static_cast<unsigned long long>(flow.repeated),
      static_cast<unsigned long long>(flow.reordered), static_cast<unsigned long long>(flow.wrong),
      static_cast<unsigned long long>(flow.refused), static_cast<unsigned long long>(flow.bytes),
      microseconds(flow.latency.quantile(0.5)), microseconds(flow.latency.quantile(0.9)),
      microseconds(flow.latency.quantile(0.99)), microseconds(flow.latency.quantile(0.999)),
      microseconds(flow.latency.max()));
}

}  // namespace

std::string format(const char* pattern, ...) {
  std::array<char, 1024> text;
  std::va_list arguments;
  va_start(arguments, pattern);
  const int size = std::vsnprintf(text.data(), text.size(), pattern, arguments);
  va_end(arguments);
  return {text.data(), std::min(text.size() - 1, static_cast<std::size_t>(std::max(size, 0)))};
}

void Histogram::record(std::uint64_t nanoseconds) noexcept {
  ++slots_[slot_of(nanoseconds)];
  ++count_;
  max_ = std::max(max_, nanoseconds);
}

void Histogram::add(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i] += other.slots_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::quantile(double share) const noexcept {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    seen += slots_[slot];
    if (seen != 0 && seen >= wanted) return std::min(upper_edge(slot), max_);
  }
  return max_;
}

std::size_t Histogram::slot_of(std::uint64_t value) noexcept {
  if (value < slots_per_octave) return static_cast<std::size_t>(value);
  // The highest bits choose the slot: the top one its octave, the next `slot_bits` the place in it.
  const auto octave = static_cast<unsigned>(std::bit_width(value)) - slot_bits;
  const auto place = static_cast<std::size_t>(value >> (octave - 1)) - slots_per_octave;
  return octave * slots_per_octave + place;
}

std::uint64_t Histogram::upper_edge(std::size_t slot) noexcept {
  const std::size_t octave = slot / slots_per_octave;
  const std::uint64_t place = slot % slots_per_octave;
  if (octave == 0) return place;
  return ((slots_per_octave + place + 1) << (octave - 1)) - 1;
}

void Flow::deliver(std::size_t size, std::uint64_t nanoseconds) noexcept {
  ++delivered;
  bytes += size;
  recent.record(nanoseconds);
}

void Flow::fold() noexcept {
  latency.add(recent);
  recent = {};
}

void Sequence::skip_to(std::uint64_t number, Flow& flow) {
  if (number <= next_) return;
  flow.lost += number - next_;
  const std::uint64_t oldest = number - std::min<std::uint64_t>(number - next_, max_missing);
  for (std::uint64_t gone = oldest; gone < number; ++gone) missing_.insert(missing_.end(), gone);
  while (missing_.size() > max_missing) missing_.erase(missing_.begin());
  next_ = number;
}

void Sequence::restart(std::uint64_t next, Flow& flow) {
  if (started_) {
    skip_to(next, flow);
    return;
  }
  started_ = true;
  first_ = next_ = next;
}

bool Sequence::take(std::uint64_t number, Flow& flow) {
  if (number < next_) {
    if (missing_.erase(number) == 0) {
      ++flow.repeated;
      return false;
    }
    --flow.lost;
    ++flow.reordered;
    return true;
  }
  skip_to(number, flow);
  next_ = number + 1;
  return true;
}

void Sequence::finish(std::uint64_t end, Flow& flow) {
  if (!started_) return;
  skip_to(end, flow);
  flow.expected += next_ - first_;
}

std::string live_line(Tally& tally, double elapsed_seconds, double line_seconds) {
  Flow& down = tally.to_players;
  Flow& up = tally.to_host;
  const auto deliveries = static_cast<double>(down.recent.count() + up.recent.count());
  const std::uint64_t bad = down.lost + down.repeated + down.reordered + down.wrong + up.lost +
                            up.repeated + up.reordered + up.wrong;
  std::string line = format(
      "%5.0f s %9.0f deliveries/s   to players p50 %.3f p99 %.3f ms   to host p50 %.3f p99 %.3f ms",
      elapsed_seconds, deliveries / line_seconds, milliseconds(down.recent.quantile(0.5)),
      milliseconds(down.recent.quantile(0.99)), milliseconds(up.recent.quantile(0.5)),
      milliseconds(up.recent.quantile(0.99)));
  if (bad != 0) line += "   " + std::to_string(bad) + " lost or wrong";
  down.fold();
  up.fold();
  return line;
}

std::string summary(const Tally& tally, const Plan& plan, double seconds) {
  const auto deliveries = static_cast<double>(tally.to_players.delivered + tally.to_host.delivered);
  std::string text =
      format("\n%s with a host and %s, payloads of %u bytes, %.1f s, %.0f deliveries/s\n\n",
             count(plan.rooms, "room").c_str(), count(plan.players, "player").c_str(), plan.size,
             seconds, seconds > 0 ? deliveries / seconds : 0.0);
  text += format("%-16s%10s %10s %6s %8s %9s %6s %9s %9s %9s %9s %9s\n", "", "expected",
                 "delivered", "lost", "repeated", "reordered", "wrong", "p50 ms", "p90 ms",
                 "p99 ms", "max ms", "MB");
  text += table_row("host to players", tally.to_players);
  text += table_row("players to host", tally.to_host);
  const std::uint64_t refused = tally.to_players.refused + tally.to_host.refused;
  text += "\n" + count(tally.connections, "connection") + ", " + count(tally.departures, "break") +
          ", " + count(tally.reconnects, "return");
  if (refused != 0) text += ", " + count(refused, "payload") + " not sent: the queue was full";
  text += tally.is_clean() ? "; every payload arrived once, whole and in order\n"
                           : "; NOT every payload arrived once, whole and in order\n";
  return text;
}

std::string json_line(const Tally& tally, const Plan& plan, double seconds) {
  std::string line = format(R"({"mode":"relay","rooms":%u,"players":%u,"size":%u,"seconds":%.3f,)",
                            plan.rooms, plan.players, plan.size, seconds);
  line += format(R"("connections":%llu,"breaks":%llu,"returns":%llu,"lost":%llu,"ok":%s,)",
                 static_cast<unsigned long long>(tally.connections),
                 static_cast<unsigned long long>(tally.departures),
                 static_cast<unsigned long long>(tally.reconnects),
                 static_cast<unsigned long long>(tally.to_players.lost + tally.to_host.lost),
                 tally.is_clean() ? "true" : "false");
  line += R"("to_players":)" + json_object(tally.to_players);
  line += R"(,"to_host":)" + json_object(tally.to_host) + "}";
  return line;
}

Screen::Screen(bool is_quiet) noexcept
    : is_quiet_(is_quiet), is_terminal_(::isatty(STDOUT_FILENO) != 0) {}

void Screen::live(std::string_view text) {
  if (is_quiet_) return;
  std::string out;
  if (is_terminal_) {
    out = "\r";
    if (live_breaks_ > 0) out += "\x1b[" + std::to_string(live_breaks_) + "A";
    live_breaks_ = std::count(text.begin(), text.end(), '\n');
    has_live_text_ = true;
  }
  while (true) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += text.substr(0, end);
    // ESC [ K erases what a longer line left behind, ESC [ J what a longer table did.
    if (is_terminal_) out += "\x1b[K";
    if (end == text.size()) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  out += is_terminal_ ? "\x1b[J" : "\n";
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

void Screen::settle() {
  if (!has_live_text_) return;
  std::fputc('\n', stdout);
  std::fflush(stdout);
  has_live_text_ = false;
  live_breaks_ = 0;
}

void Screen::print(std::string_view text) {
  settle();
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace bot_program
