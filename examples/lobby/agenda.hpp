// SPDX-License-Identifier: MIT
// What is due when, for some hundred or thousand things.
#pragma once

#include <muster/time.hpp>

#include <map>
#include <optional>

namespace lobby_program {

/// Deadlines of things, at most one of each. What is due at one time is taken in the order in which
/// it was set. Moving a deadline allocates nothing.
/// @tparam Thing   has a member `typename Agenda<Thing>::Place place`, and must be taken off with
///                 `clear` before it goes
template <class Thing>
class Agenda {
 public:
  using Deadlines = std::multimap<muster::time_point, Thing*>;

  /// Where a thing stands, if it has a deadline.
  using Place = std::optional<typename Deadlines::iterator>;

  /// Sets a deadline in place of the one it has; `muster::no_deadline` clears it.
  void set(Thing& thing, muster::time_point deadline) {
    if (deadline == muster::no_deadline) return clear(thing);
    if (!thing.place) {
      thing.place = deadlines_.emplace(deadline, &thing);
      return;
    }
    if ((*thing.place)->first == deadline) return;
    auto node = deadlines_.extract(*thing.place);
    node.key() = deadline;
    thing.place = deadlines_.insert(std::move(node));
  }

  void clear(Thing& thing) noexcept {
    if (!thing.place) return;
    deadlines_.erase(*thing.place);
    thing.place.reset();
  }

  /// Takes one whose deadline has come, or null.
  [[nodiscard]] Thing* take_due(muster::time_point now) noexcept {
    if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
    Thing* const due = deadlines_.begin()->second;
    clear(*due);
    return due;
  }

  [[nodiscard]] muster::time_point next_deadline() const noexcept {
    return deadlines_.empty() ? muster::no_deadline : deadlines_.begin()->first;
  }

 private:
  Deadlines deadlines_;
};

}  // namespace lobby_program
