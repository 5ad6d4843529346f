// SPDX-License-Identifier: MIT
// Prints what was measured: medians, and the range of the runs.
#pragma once

#include "runs.hpp"
#include "scenario.hpp"

#include <string>
#include <vector>

namespace muster_bench {

/// The table of a scenario: for a terminal, or in Markdown. A last column has the ratio of the
/// compared figure to that of the first row.
[[nodiscard]] std::string table(const Scenario& scenario, const std::vector<Measured>& rows,
                                bool markdown);

}  // namespace muster_bench
