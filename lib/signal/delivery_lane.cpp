// SPDX-License-Identifier: MIT
// Queueing, replacing and leaving out.
#include "delivery_lane.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace muster::signal {

namespace {

// Ranges that wait to be reported: who makes more of them than that reads nothing at all.
constexpr std::size_t max_marks = 16'384;

// What an entry costs besides its message.
constexpr std::size_t item_cost = sizeof(DeliveryLane::Item);

std::size_t cost_of(const DeliveryLane::Item& item) noexcept {
  return item.frame ? item.frame.payload().size() + item_cost : 0;
}

}  // namespace

void append_gap(std::vector<Gap>& gaps, const Gap& gap) {
  if (!gaps.empty()) {
    Gap& last = gaps.back();
    if (last.from_player == gap.from_player && last.epoch == gap.epoch &&
        last.reason == gap.reason && last.to_seq + 1 == gap.from_seq) {
      last.to_seq = gap.to_seq;
      return;
    }
  }
  gaps.push_back(gap);
}

void DeliveryLane::forget(const Item& item) noexcept {
  bytes_ -= cost_of(item);
  if (item.kind == Item::Kind::barrier) --barriers_;
  if (item.kind == Item::Kind::data) --waiting_[static_cast<std::size_t>(item.delivery)];
  if (data_count() <= limits_.messages) full_since_ = no_deadline;
}

// Puts a mark in front of `place`, as a part of one that stands there if there is one.
void DeliveryLane::mark(Place place, Gap gap) {
  unreported_[static_cast<std::size_t>(class_of(gap.reason))] += length(gap);
  if (place != items_.begin() && std::prev(place)->kind == Item::Kind::gaps) {
    std::vector<Gap>& gaps = std::prev(place)->gaps;
    const std::size_t before = gaps.size();
    append_gap(gaps, gap);
    marks_ += gaps.size() - before;
    if (place != items_.end() && place->kind == Item::Kind::gaps) {
      // Two marks have become neighbours.
      marks_ -= place->gaps.size();
      const std::size_t joined = gaps.size();
      for (const Gap& next : place->gaps) append_gap(gaps, next);
      marks_ += gaps.size() - joined;
      items_.erase(place);
    }
    return;
  }
  if (place != items_.end() && place->kind == Item::Kind::gaps) {
    std::vector<Gap> gaps{gap};
    marks_ -= place->gaps.size();
    for (const Gap& next : place->gaps) append_gap(gaps, next);
    marks_ += gaps.size();
    place->gaps = std::move(gaps);
    return;
  }
  Item item{.kind = Item::Kind::gaps};
  item.gaps.push_back(gap);
  ++marks_;
  items_.insert(place, std::move(item));
}

void DeliveryLane::leave_out(Place place, GapReason reason) {
  const Gap gap{place->from, place->epoch, place->seq, place->seq, reason};
  forget(*place);
  mark(items_.erase(place), gap);
}

DeliveryLane::Place DeliveryLane::behind_barriers() noexcept {
  if (barriers_ == 0) return items_.begin();
  return std::find_if(items_.rbegin(), items_.rend(),
                      [](const Item& item) { return item.kind == Item::Kind::barrier; })
      .base();
}

DeliveryLane::Outcome DeliveryLane::add_data(const Frame& frame, const Gap& one,
                                             DeliveryClass delivery, std::uint32_t key,
                                             bool can_drop, time_point now) {
  if (!can_drop) delivery = DeliveryClass::reliable;
  if (delivery == DeliveryClass::latest) {
    // Behind the last barrier: what is before it was said in another room.
    const Place older = std::find_if(behind_barriers(), items_.end(), [&](const Item& item) {
      return item.kind == Item::Kind::data && item.delivery == DeliveryClass::latest &&
             item.key == key && item.from == one.from_player;
    });
    if (older != items_.end()) leave_out(older, GapReason::latest_superseded);
  }
  const std::size_t size = frame.payload().size() + item_cost;
  const bool is_full = data_count() >= limits_.messages || bytes_ + size > limits_.bytes;
  if (is_full && delivery != DeliveryClass::reliable) {
    const Place victim = std::find_if(items_.begin(), items_.end(), [](const Item& item) {
      return item.kind == Item::Kind::data && item.delivery == DeliveryClass::volatile_;
    });
    const bool makes_room =
        victim != items_.end() && bytes_ - cost_of(*victim) + size <= limits_.bytes;
    if (makes_room) {
      leave_out(victim, GapReason::volatile_dropped);
    } else {
      Gap gap = one;
      gap.reason = delivery == DeliveryClass::latest ? GapReason::latest_dropped_full
                                                     : GapReason::volatile_dropped;
      mark(items_.end(), gap);
      return marks_ > max_marks ? Outcome::overflow : Outcome::left_out;
    }
  }
  if (bytes_ + size > limits_.bytes) return Outcome::overflow;
  Item item{.kind = Item::Kind::data};
  item.delivery = delivery;
  item.key = key;
  item.from = one.from_player;
  item.epoch = one.epoch;
  item.seq = one.from_seq;
  item.queued_at = now;
  item.frame = frame;
  items_.push_back(std::move(item));
  bytes_ += size;
  ++waiting_[static_cast<std::size_t>(delivery)];
  if (data_count() > limits_.messages && full_since_ == no_deadline) full_since_ = now;
  return marks_ > max_marks ? Outcome::overflow : Outcome::kept;
}

DeliveryLane::Outcome DeliveryLane::add_gap(const Gap& gap) {
  mark(items_.end(), gap);
  return marks_ > max_marks ? Outcome::overflow : Outcome::left_out;
}

DeliveryLane::Outcome DeliveryLane::add_control(const Frame& frame, bool at_end, time_point now) {
  const std::size_t size = frame.payload().size() + item_cost;
  if (bytes_ + size > limits_.bytes) return Outcome::overflow;
  Item item{.kind = Item::Kind::control};
  item.queued_at = now;
  item.frame = frame;
  Place place = items_.end();
  if (!at_end) {
    // Behind the last barrier, and behind what already follows it.
    place = std::find_if(behind_barriers(), items_.end(),
                         [](const Item& other) { return other.kind != Item::Kind::control; });
  }
  items_.insert(place, std::move(item));
  bytes_ += size;
  return Outcome::kept;
}

DeliveryLane::Outcome DeliveryLane::add_barrier(const Frame& frame, time_point now) {
  const std::size_t size = frame.payload().size() + item_cost;
  if (bytes_ + size > limits_.bytes) return Outcome::overflow;
  Item item{.kind = Item::Kind::barrier};
  item.queued_at = now;
  item.frame = frame;
  items_.push_back(std::move(item));
  bytes_ += size;
  ++barriers_;
  return Outcome::kept;
}

DeliveryLane::Item DeliveryLane::take_front() {
  forget(items_.front());
  Item front = std::move(items_.front());
  items_.pop_front();
  marks_ -= front.gaps.size();
  for (const Gap& gap : front.gaps) {
    unreported_[static_cast<std::size_t>(class_of(gap.reason))] -= length(gap);
  }
  return front;
}

time_point DeliveryLane::oldest() const noexcept {
  for (const Item& item : items_) {
    const bool may_be_dropped =
        item.kind == Item::Kind::gaps ||
        (item.kind == Item::Kind::data && item.delivery != DeliveryClass::reliable);
    if (!may_be_dropped) return item.queued_at;
  }
  return no_deadline;
}

}  // namespace muster::signal
