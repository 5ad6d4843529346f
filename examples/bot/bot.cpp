// SPDX-License-Identifier: MIT
// The rhythm of lines, and the end.
#include "bot.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace bot_program {

namespace {

constexpr muster::duration line_interval = std::chrono::seconds{1};

}  // namespace

Bot::Bot(Surroundings around, bool is_quiet) : around_(std::move(around)), screen_(is_quiet) {}

void Bot::begin_lines(muster::time_point now) noexcept {
  line_start_ = now;
  next_line_ = now + line_interval;
}

void Bot::show_due_line(muster::time_point now) {
  if (next_line_ > now) return;
  show_line(now, seconds(now - line_start_));
  line_start_ = now;
  next_line_ += line_interval;
  if (next_line_ <= now) next_line_ = now + line_interval;
}

void Bot::end() noexcept {
  if (!std::exchange(is_over_, true)) around_.done();
}

void Bot::note_problem(std::string sentence) {
  if (problem_.empty()) problem_ = std::move(sentence);
}

void Bot::print_problem() const {
  if (has_problem()) std::fprintf(stderr, "muster-bot: %s\n", problem_.c_str());
}

std::uint64_t clock_ns() noexcept {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{since}.count());
}

double seconds(muster::duration span) noexcept {
  return std::chrono::duration<double>{span}.count();
}

}  // namespace bot_program
