// SPDX-License-Identifier: MIT
#include <muster/shard/match_mode.hpp>

#include "team_packing.hpp"

#include <muster/error.hpp>
#include <muster/shard/id.hpp>

namespace muster::shard {

namespace {

constexpr std::size_t max_group = 256;

}  // namespace

std::error_code validate(const MatchMode& mode, std::string& problem) {
  problem.clear();
  const std::size_t players = std::size_t{mode.teams} * mode.team_size;
  if (!is_valid_id(mode.name)) {
    problem = "name must be 1 to 128 bytes of UTF-8 without control characters";
  } else if (players < 2 || players > max_group) {
    problem = "teams * team_size must be between 2 and 256";
  } else if (TeamPacking::count_states(mode.teams, mode.team_size) > TeamPacking::max_states) {
    problem = "there are more than 2048 ways to fill so many teams of that team_size";
  } else if (mode.window && mode.window->per_second > 1'000'000) {
    problem = "window.per_second must be at most 1000000";
  } else if (mode.window && mode.window->most < mode.window->initial) {
    problem = "window.most must not be below window.initial";
  }
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

}  // namespace muster::shard
