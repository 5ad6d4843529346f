// SPDX-License-Identifier: MIT
#include "queue.hpp"

#include <algorithm>
#include <utility>

namespace lobby_program {

using muster::time_point;

void Queue::expire(time_point now) {
  while (!waiting_.empty() && now - waiting_.front().since >= config_.ttl) {
    timed_out_.insert(waiting_.front().who.bot_id);
    waiting_.pop_front();
  }
}

bool Queue::join(const Credential& who, time_point now) {
  expire(now);
  timed_out_.erase(who.bot_id);
  const bool waits = std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
    return waiting.who.bot_id == who.bot_id;
  });
  if (waits) return true;
  if (waiting_.size() >= config_.max_waiting) return false;
  waiting_.push_back({who, now});
  return true;
}

bool Queue::leave(std::string_view bot_id) {
  return std::erase_if(waiting_,
                       [&](const Waiting& waiting) { return waiting.who.bot_id == bot_id; }) != 0;
}

Queue::Place Queue::place(std::string_view bot_id, time_point now) {
  expire(now);
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i].who.bot_id != bot_id) continue;
    return {Place::State::queued, i + 1, now - waiting_[i].since};
  }
  const auto found = timed_out_.find(bot_id);
  if (found == timed_out_.end()) return {};
  timed_out_.erase(found);
  return {Place::State::timed_out, 0, muster::duration{0}};
}

std::optional<std::pair<Queue::Waiting, Queue::Waiting>> Queue::take_pair(time_point now) {
  expire(now);
  if (waiting_.size() < 2) return std::nullopt;
  std::pair<Waiting, Waiting> pair{waiting_[0], waiting_[1]};
  waiting_.erase(waiting_.begin(), waiting_.begin() + 2);
  return pair;
}

}  // namespace lobby_program
