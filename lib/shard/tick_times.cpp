// SPDX-License-Identifier: MIT
#include <muster/shard/tick_times.hpp>

#include <algorithm>
#include <utility>

namespace muster::shard {

std::string_view to_string(TickPhase phase) noexcept {
  switch (phase) {
    case TickPhase::apply:
      return "apply";
    case TickPhase::step:
      return "step";
    case TickPhase::view:
      return "view";
    case TickPhase::encode:
      return "encode";
    case TickPhase::publish:
      break;
  }
  return "publish";
}

TickTimes::Stats& TickTimes::Stats::operator+=(const Stats& other) noexcept {
  for (std::size_t i = 0; i < phases.size(); ++i) phases[i] += other.phases[i];
  lag += other.lag;
  return *this;
}

void TickTimes::begin() noexcept {
  is_running_ = stopwatch_ != nullptr;
  if (!is_running_) return;
  spent_ = {};
  phase_ = TickPhase::apply;
  read_ = stopwatch_->read();
}

// A loop reads its clock once for many shards: the last of them begins later than that.
void TickTimes::late(time_point now, duration lag) noexcept {
  stats_.lag.add(lag + (is_running_ ? std::max(read_ - now, duration{0}) : duration{0}));
}

void TickTimes::change(TickPhase phase) noexcept {
  const time_point before = std::exchange(read_, stopwatch_->read());
  spent_[static_cast<std::size_t>(phase_)] += read_ - before;
  phase_ = phase;
}

void TickTimes::end() noexcept {
  if (!is_running_) return;
  change(TickPhase::apply);
  is_running_ = false;
  for (std::size_t i = 0; i < spent_.size(); ++i) stats_.phases[i].add(spent_[i]);
}

}  // namespace muster::shard
