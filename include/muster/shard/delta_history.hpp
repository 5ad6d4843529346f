// SPDX-License-Identifier: MIT
// The snapshots that deltas may be based on.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

namespace muster::shard {

/// What each view was after the last ticks. Only views that somebody was sent are kept, and each
/// for `depth` ticks: a subscriber who acknowledges later than that gets a whole snapshot.
/// @tparam Snapshot   a value that can be moved
/// @threads distinct objects: safe; shared objects: unsafe
template <class Snapshot>
class DeltaHistory {
 public:
  static constexpr std::uint64_t depth = 64;  ///< ticks

  /// The view's snapshot after the running tick; made if nobody has asked for it yet.
  template <class Make>
  const Snapshot& current(std::uint64_t tick, std::uint64_t view_key, Make&& make) {
    while (!kept_.empty() && kept_.begin()->first.first + depth < tick) kept_.erase(kept_.begin());
    const std::pair key{tick, view_key};
    const auto found = kept_.find(key);
    if (found != kept_.end()) return found->second;
    return kept_.emplace(key, make()).first->second;
  }

  /// What the view was after an earlier tick, or null if that is not kept.
  [[nodiscard]] const Snapshot* find(std::uint64_t tick, std::uint64_t view_key) const noexcept {
    const auto found = kept_.find({tick, view_key});
    return found == kept_.end() ? nullptr : &found->second;
  }

  void clear() noexcept { kept_.clear(); }

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, Snapshot> kept_;  // by tick, then view
};

}  // namespace muster::shard
