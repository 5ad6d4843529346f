// SPDX-License-Identifier: MIT
#include "match_queue.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace muster::shard {

namespace {

constexpr std::uint64_t distance_of(std::int64_t a, std::int64_t b) noexcept {
  return static_cast<std::uint64_t>(a < b ? b - a : a - b);
}

}  // namespace

MatchQueue::MatchQueue(const MatchMode& mode, duration max_wait)
    : mode_(mode),
      max_wait_(max_wait),
      widest_(mode.window ? mode.window->most : 0),
      packing_(mode.teams, mode.team_size),
      by_size_(mode.team_size) {}

void MatchQueue::insert(QueuedParty& party) {
  assert(!party.is_queued && party.size() >= 1 && party.size() <= mode_.team_size);
  party.is_queued = true;
  party.reach = QueuedParty::no_group;
  party.ready = no_deadline;
  by_number_.emplace(party.number, &party);
  by_size_[party.size() - 1U].emplace(key_of(party), &party);
  arrivals_.emplace(key_of(party), &party);
  players_by_chunk_[party.number >> chunk_bits] += party.size();
  player_count_ += party.size();
}

void MatchQueue::erase(QueuedParty& party) {
  assert(party.is_queued);
  party.is_queued = false;
  by_number_.erase(party.number);
  by_size_[party.size() - 1U].erase(key_of(party));
  arrivals_.erase(key_of(party));
  candidates_.erase(party.number);
  by_ready_.erase({party.ready, party.number});
  const auto chunk = players_by_chunk_.find(party.number >> chunk_bits);
  chunk->second -= party.size();
  if (chunk->second == 0) players_by_chunk_.erase(chunk);
  player_count_ -= party.size();
}

std::size_t MatchQueue::players_before(const QueuedParty& party) const {
  const std::uint64_t chunk = party.number >> chunk_bits;
  std::size_t count = 0;
  for (auto it = players_by_chunk_.begin(); it != players_by_chunk_.end() && it->first < chunk;
       ++it) {
    count += it->second;
  }
  for (auto it = by_number_.lower_bound(chunk << chunk_bits); it->first < party.number; ++it) {
    count += it->second->size();
  }
  return count;
}

time_point MatchQueue::next_search() const noexcept {
  if (player_count_ < group_size()) return no_deadline;
  if (!arrivals_.empty() || !candidates_.empty()) return time_point::min();
  return by_ready_.empty() ? no_deadline : by_ready_.begin()->first.first;
}

// How long a party must have waited for its window to be so wide; nothing: it never is.
std::optional<duration> MatchQueue::wait_for(std::uint64_t distance) const noexcept {
  if (!mode_.window || distance <= mode_.window->initial) return duration{0};
  if (distance > mode_.window->most || mode_.window->per_second == 0) return std::nullopt;
  // The product is below 2^62.
  const std::uint64_t points = distance - mode_.window->initial;
  const std::uint64_t rate = mode_.window->per_second;
  const std::uint64_t nanoseconds = (points * 1'000'000'000 + rate - 1) / rate;
  return std::chrono::nanoseconds{static_cast<std::int64_t>(nanoseconds)};
}

std::uint64_t MatchQueue::nearest_arrival(std::int64_t rating) const {
  std::uint64_t nearest = QueuedParty::no_group;
  const auto above = arrivals_.lower_bound({rating, 0});
  if (above != arrivals_.end()) nearest = distance_of(rating, above->first.first);
  if (above != arrivals_.begin()) {
    nearest = std::min(nearest, distance_of(rating, std::prev(above)->first.first));
  }
  return nearest;
}

void MatchQueue::collect(time_point now) {
  while (!by_ready_.empty() && by_ready_.begin()->first.first <= now) {
    QueuedParty& party = *by_ready_.begin()->second;
    by_ready_.erase(by_ready_.begin());
    party.ready = no_deadline;
    candidates_.insert(party.number);
  }
  // Too few are no group, whoever has come.
  if (arrivals_.empty() || player_count_ < group_size()) return;
  // Each party that someone could be within the window of, once, however many have come. It is a
  // candidate if one of them is nearer than the group that it knows; any arrival itself is.
  for (const ByRating& parties : by_size_) {
    auto it = parties.begin();
    for (const auto& [key, arrival] : arrivals_) {
      const std::int64_t low = key.first - widest_;
      if (it != parties.end() && it->first.first < low) it = parties.lower_bound({low, 0});
      for (; it != parties.end() && it->first.first <= key.first + widest_; ++it) {
        ++examined_;
        const QueuedParty& party = *it->second;
        if (nearest_arrival(it->first.first) < party.reach) candidates_.insert(party.number);
      }
    }
  }
  arrivals_.clear();
}

QueuedParty* MatchQueue::take_candidate() {
  if (candidates_.empty()) return nullptr;
  const auto found = by_number_.find(*candidates_.begin());
  candidates_.erase(candidates_.begin());
  assert(found != by_number_.end());
  return found->second;
}

// The nearest parties of one size on both sides: as many as a group can hold. Of equal ratings the
// earlier come first.
void MatchQueue::gather_size(const ByRating& parties, const QueuedParty& anchor, std::size_t most) {
  const std::int64_t rating = rating_of(anchor);
  const auto add = [&](const ByRating::value_type& entry) {
    ++examined_;
    near_.push_back({distance_of(rating, entry.first.first), entry.second});
  };
  std::size_t count = 0;
  for (auto it = parties.lower_bound({rating, 0});
       it != parties.end() && it->first.first <= rating + widest_ && count < most; ++it) {
    if (it->second == &anchor) continue;
    add(*it);
    ++count;
  }
  count = 0;
  for (auto end = parties.lower_bound({rating, 0}); end != parties.begin() && count < most;) {
    const std::int64_t below = std::prev(end)->first.first;
    if (below < rating - widest_) break;
    const auto begin = parties.lower_bound({below, 0});
    for (auto it = begin; it != end && count < most; ++it, ++count) add(*it);
    end = begin;
  }
}

void MatchQueue::gather(const QueuedParty& anchor) {
  near_.clear();
  const std::size_t room = group_size() - anchor.size();
  const std::size_t largest = std::min<std::size_t>(by_size_.size(), room);
  for (std::size_t size = 1; size <= largest; ++size) {
    const ByRating& parties = by_size_[size - 1];
    if (!parties.empty()) gather_size(parties, anchor, room / size);
  }
  std::sort(near_.begin(), near_.end(), [](const Near& a, const Near& b) {
    return std::pair{a.distance, a.party->number} < std::pair{b.distance, b.party->number};
  });
}

void MatchQueue::schedule(QueuedParty& party, std::uint64_t reach) {
  party.reach = reach;
  const auto wait = wait_for(reach);
  if (!wait || *wait > max_wait_) return;  // it will have gone by then
  party.ready = party.joined + *wait;
  by_ready_.emplace(std::pair{party.ready, party.number}, &party);
}

bool MatchQueue::find_group(QueuedParty& anchor, time_point now, std::vector<Member>& out) {
  assert(anchor.is_queued);
  by_ready_.erase({anchor.ready, anchor.number});
  anchor.ready = no_deadline;
  anchor.reach = QueuedParty::no_group;
  const auto is_in_window = [&](std::uint64_t distance) {
    const auto wait = wait_for(distance);
    return wait && now - anchor.joined >= *wait;
  };

  gather(anchor);
  // However they fit into teams, a group reaches at least to where there are enough of them.
  std::size_t players = anchor.size();
  std::uint64_t at_least = 0;
  for (auto it = near_.begin(); it != near_.end() && players < group_size(); ++it) {
    players += it->party->size();
    at_least = it->distance;
  }
  if (players < group_size()) return false;
  if (!is_in_window(at_least)) {
    schedule(anchor, at_least);
    return false;
  }

  bool is_full = packing_.begin(anchor.size());
  std::size_t offered = 0;
  while (!is_full && offered < near_.size())
    is_full = packing_.offer(near_[offered++].party->size());
  if (!is_full) return false;
  const std::uint64_t reach = offered == 0 ? 0 : near_[offered - 1].distance;
  if (!is_in_window(reach)) {
    schedule(anchor, reach);
    return false;
  }
  packing_.choose(choices_);
  out.clear();
  for (const TeamPacking::Choice& choice : choices_) {
    QueuedParty* const party = choice.offered == 0 ? &anchor : near_[choice.offered - 1].party;
    out.push_back({party, choice.team});
  }
  return true;
}

}  // namespace muster::shard
