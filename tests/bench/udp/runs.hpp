// SPDX-License-Identifier: MIT
// Runs the rows of a scenario in turns, each run in a process of its own, and keeps the figures.
#pragma once

#include "scenario.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace muster_bench {

/// All runs of one row.
struct Measured {
  std::string name;
  std::vector<std::vector<double>> runs;  ///< values of all columns
  std::string failure;                    ///< of the last run that failed

  [[nodiscard]] double median(std::size_t column) const;
  [[nodiscard]] double lowest(std::size_t column) const;
  [[nodiscard]] double highest(std::size_t column) const;
};

/// The rows take turns, so that what else happens on the machine happens to all of them. Where a
/// control is needed, the first is there twice: what lies between the two is chance.
/// @param runs   of each row, numbered from 1
[[nodiscard]] std::vector<Measured> run(const Scenario& scenario, std::uint64_t runs,
                                        bool with_control);

}  // namespace muster_bench
