// SPDX-License-Identifier: MIT
#include "team_packing.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

namespace muster::shard {

namespace {

using Fills = std::vector<std::uint16_t>;  // players in each team, descending

void enumerate(Fills& fills, std::size_t at, std::uint16_t most, std::vector<Fills>& out) {
  if (at == fills.size()) {
    out.push_back(fills);
    return;
  }
  for (std::uint16_t fill = 0; fill <= most; ++fill) {
    fills[at] = fill;
    enumerate(fills, at + 1, fill, out);
  }
}

}  // namespace

std::size_t TeamPacking::count_states(std::size_t teams, std::size_t team_size) noexcept {
  // C(teams + team_size, team_size), which stays whole at each step.
  const std::size_t smaller = std::min(teams, team_size);
  const std::size_t larger = std::max(teams, team_size);
  std::size_t count = 1;
  for (std::size_t i = 1; i <= smaller; ++i) {
    if (larger + i > max_states) return max_states + 1;
    count = count * (larger + i) / i;
    if (count > max_states) return max_states + 1;
  }
  return count;
}

TeamPacking::TeamPacking(std::uint16_t teams, std::uint16_t team_size)
    : teams_(teams), team_size_(team_size) {
  assert(teams >= 1 && team_size >= 1 && count_states(teams, team_size) <= max_states);
  std::vector<Fills> states;
  Fills fills(teams);
  enumerate(fills, 0, team_size, states);
  std::map<Fills, std::uint16_t> numbers;
  for (std::size_t i = 0; i < states.size(); ++i) {
    numbers.emplace(states[i], static_cast<std::uint16_t>(i));
  }
  for (const Fills& state : states) {
    for (std::uint16_t size = 1; size <= team_size; ++size) {
      first_step_.push_back(static_cast<std::uint32_t>(steps_.size()));
      for (std::size_t team = 0; team < teams; ++team) {
        if (state[team] + size > team_size) continue;
        if (team > 0 && state[team] == state[team - 1]) continue;
        fills = state;
        fills[team] = static_cast<std::uint16_t>(fills[team] + size);
        std::sort(fills.begin(), fills.end(), std::greater<>{});
        steps_.push_back({state[team], numbers.at(fills)});
      }
    }
  }
  first_step_.push_back(static_cast<std::uint32_t>(steps_.size()));
  full_ = static_cast<std::uint16_t>(states.size() - 1);
  origins_.resize(states.size());
  is_reached_.resize(states.size());
}

bool TeamPacking::reach(std::uint16_t state, Origin origin) {
  if (is_reached_[state]) return false;
  is_reached_[state] = true;
  reached_.push_back(state);
  origins_[state] = origin;
  return state == full_;
}

bool TeamPacking::begin(std::uint16_t size) {
  for (const std::uint16_t state : reached_) is_reached_[state] = false;
  reached_.clear();
  sizes_.clear();
  assert(size >= 1 && size <= team_size_);
  sizes_.push_back(size);
  // All teams are empty and alike: there is one step.
  return reach(steps_[first_step_[size - 1U]].next, {.state = 0, .fill = 0, .offered = 0});
}

bool TeamPacking::offer(std::uint16_t size) {
  assert(size >= 1 && size <= team_size_);
  const auto offered = static_cast<std::uint32_t>(sizes_.size());
  sizes_.push_back(size);
  // Not from what is reached with this very party.
  const std::size_t count = reached_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t state = reached_[i];
    const std::size_t at = std::size_t{state} * team_size_ + size - 1U;
    for (std::uint32_t step = first_step_[at]; step < first_step_[at + 1]; ++step) {
      const Origin origin{.state = state, .fill = steps_[step].fill, .offered = offered};
      if (reach(steps_[step].next, origin)) return true;
    }
  }
  return false;
}

void TeamPacking::choose(std::vector<Choice>& out) const {
  assert(is_reached_[full_]);
  std::vector<Origin> path;
  for (std::uint16_t state = full_; state != 0; state = origins_[state].state) {
    path.push_back(origins_[state]);
  }
  out.clear();
  Fills fills(teams_);
  for (auto origin = path.rbegin(); origin != path.rend(); ++origin) {
    const auto team = std::find(fills.begin(), fills.end(), origin->fill);
    assert(team != fills.end());
    *team = static_cast<std::uint16_t>(*team + sizes_[origin->offered]);
    out.push_back({origin->offered, static_cast<std::uint16_t>(team - fills.begin())});
  }
}

}  // namespace muster::shard
