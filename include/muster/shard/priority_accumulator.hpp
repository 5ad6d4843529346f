// SPDX-License-Identifier: MIT
// What to send to one subscriber first when not everything fits.
#pragma once

#include <muster/rate_limit.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shard {

/// Shares the bandwidth of one subscriber among the entities that it sees: each gathers its
/// priority for as long as it is not sent, and those with the most go first.
///
///     accumulator.add(id, 2.0F, now);  // it came in sight
///     ...
///     accumulator.fill(now, budget, size_of, [&](std::uint32_t id) { write(id); });  // each tick
///
/// The budget is a token bucket of bytes. `fill` ends at the first entity that does not fit, and
/// what is left of the budget is there in the next tick; one that is larger than a full bucket is
/// sent when the bucket is full, and paid for in time. So nothing is passed over for being large,
/// and nothing starves: under priorities that stay, an entity waits at most as long as the budget
/// takes for one of each, times the highest priority over its own, and a tick. (What is larger than
/// the full bucket costs up to a tick more, in which the bucket is full and nobody comes.)
/// @threads distinct objects: safe; shared objects: unsafe
class PriorityAccumulator {
 public:
  /// No priority counts for more.
  static constexpr float max_priority = 1'000'000;

  /// @param max_entities   at least 1
  explicit PriorityAccumulator(std::size_t max_entities) noexcept : max_entities_(max_entities) {
    assert(max_entities >= 1);
  }

  /// Adds an entity, as if it was sent at this moment; if it is there, sets its priority only.
  /// @param priority   how much it gathers in a second, 0 to `max_priority`; 0, negative or no
  ///                   number: it is never sent
  /// @return        false, and nothing is added, if there are `max_entities`
  bool add(std::uint32_t id, float priority, time_point now) {
    const auto at = find(id);
    if (at != entities_.end() && at->id == id) {
      at->gather(now);
      at->priority = limited(priority);
      return true;
    }
    if (entities_.size() == max_entities_) return false;
    entities_.insert(at, {id, limited(priority), now, 0, false});
    return true;
  }

  /// What it has gathered is kept. Nothing happens if it is not there.
  void set_priority(std::uint32_t id, float priority, time_point now) noexcept {
    const auto at = find(id);
    if (at == entities_.end() || at->id != id) return;
    at->gather(now);
    at->priority = limited(priority);
  }

  /// Nothing happens if it is not there.
  void remove(std::uint32_t id) noexcept {
    const auto at = find(id);
    if (at != entities_.end() && at->id == id) entities_.erase(at);
  }

  [[nodiscard]] bool contains(std::uint32_t id) const noexcept {
    const auto at = std::lower_bound(entities_.begin(), entities_.end(), id, is_before);
    return at != entities_.end() && at->id == id;
  }
  [[nodiscard]] std::size_t size() const noexcept { return entities_.size(); }

  /// Calls `send(id)`, the most urgent first, until the budget is used up. Of equals those go first
  /// that were never sent, then the lower id. What was sent begins again at nothing.
  /// @param now       not before that of any call until now
  /// @param budget    valid; may change between two calls. `messages_per_second` are entities. The
  ///                  burst is to be a tick or more
  /// @param size_of   the bytes that an id takes now; 0: nothing is to be said of it, and so it
  ///                  counts as sent
  /// @param send      neither may change this object
  /// @return          bytes
  template <class SizeOf, class Send>
  std::size_t fill(time_point now, const RateLimit& budget, SizeOf&& size_of, Send&& send) {
    assert(is_valid(budget));
    heap_.clear();
    for (std::uint32_t i = 0; i < entities_.size(); ++i) {
      Entity& entity = entities_[i];
      entity.gather(now);
      if (entity.priority > 0) heap_.push_back({entity.urgency, i, entity.was_sent});
    }
    std::make_heap(heap_.begin(), heap_.end());
    std::size_t sent = 0;
    for (auto last = heap_.end(); last != heap_.begin(); --last) {
      Entity& entity = entities_[heap_.front().index];
      const std::size_t size = size_of(entity.id);
      if (size != 0) {
        if (!meter_.take(size, now, budget)) break;
        send(entity.id);
        sent += size;
      }
      entity.urgency = 0;
      entity.was_sent = true;
      std::pop_heap(heap_.begin(), last);
    }
    return sent;
  }

 private:
  struct Entity {
    std::uint32_t id;
    float priority;
    time_point since;  // `urgency` is that of this time
    double urgency;    // priority times seconds, since it was sent
    bool was_sent;     // ever

    void gather(time_point now) noexcept {
      urgency += priority * std::chrono::duration<double>(now - since).count();
      since = now;
    }
  };

  struct Candidate {
    double urgency;
    std::uint32_t index;  // in the order of ids
    bool was_sent;

    // Whether it is less urgent than another.
    friend bool operator<(const Candidate& a, const Candidate& b) noexcept {
      if (a.urgency != b.urgency) return a.urgency < b.urgency;
      if (a.was_sent != b.was_sent) return a.was_sent;
      return a.index > b.index;
    }
  };

  static bool is_before(const Entity& entity, std::uint32_t id) noexcept { return entity.id < id; }

  // A priority that is no number is 0.
  static float limited(float priority) noexcept {
    return priority > 0 ? std::min(priority, max_priority) : 0.0F;
  }

  [[nodiscard]] std::vector<Entity>::iterator find(std::uint32_t id) noexcept {
    return std::lower_bound(entities_.begin(), entities_.end(), id, is_before);
  }

  std::size_t max_entities_;
  std::vector<Entity> entities_;  // by id
  std::vector<Candidate> heap_;
  RateMeter meter_;
};

}  // namespace muster::shard
