// SPDX-License-Identifier: MIT
// Three batches: one is filled, one waits, one is taken from.
#include "soe_event_queue.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace muster::asio {

void SoeEventQueue::Batch::append(const SoeEvent& event) {
  events.push_back(event);
  bytes.insert(bytes.end(), event.data.begin(), event.data.end());
}

void SoeEventQueue::Batch::clear() noexcept {
  events.clear();
  bytes.clear();
}

SoeEventQueue::SoeEventQueue(const SoeEventLimits& limits, std::function<void()> resume)
    : limits_(limits), resume_(std::move(resume)) {}

void SoeEventQueue::add(const SoeEvent& event) { batch_.append(event); }

bool SoeEventQueue::is_full() const noexcept {
  return waiting_.events.size() >= limits_.events || waiting_.bytes.size() >= limits_.bytes;
}

bool SoeEventQueue::publish() {
  const std::lock_guard lock{mutex_};
  if (waiting_.events.empty()) {
    std::swap(waiting_, batch_);
  } else {
    waiting_.events.insert(waiting_.events.end(), batch_.events.begin(), batch_.events.end());
    waiting_.bytes.insert(waiting_.bytes.end(), batch_.bytes.begin(), batch_.bytes.end());
    batch_.clear();
  }
  arrival_.notify_one();
  if (!is_full()) return false;
  is_paused_ = true;
  return true;
}

EventStatus SoeEventQueue::take(SoeEvent& event, duration patience) {
  if (next_ == taken_.events.size()) {
    taken_.clear();
    next_ = next_byte_ = 0;
    bool resumes = false;
    {
      std::unique_lock lock{mutex_};
      const auto has_news = [this] { return !waiting_.events.empty() || is_stopped_; };
      if (patience > duration::zero()) {
        // A longer wait would overflow the clock of some standard libraries.
        arrival_.wait_for(lock, std::min<duration>(patience, std::chrono::hours{24}), has_news);
      }
      if (waiting_.events.empty()) return is_stopped_ ? EventStatus::stopped : EventStatus::none;
      std::swap(waiting_, taken_);
      resumes = std::exchange(is_paused_, false);
    }
    if (resumes) resume_();
  }
  event = taken_.events[next_++];
  event.data = byte_view{taken_.bytes}.subspan(next_byte_, event.data.size());
  next_byte_ += event.data.size();
  return EventStatus::event;
}

void SoeEventQueue::stop() {
  const std::lock_guard lock{mutex_};
  is_stopped_ = true;
  arrival_.notify_all();
}

}  // namespace muster::asio
