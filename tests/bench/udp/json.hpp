// SPDX-License-Identifier: MIT
// Writes what was measured as JSON: every run, with the values of all columns.
#pragma once

#include "runs.hpp"
#include "scenario.hpp"

#include <string>
#include <vector>

namespace muster_bench {

/// An object with the scenario's name, its columns, and its rows with their runs.
[[nodiscard]] std::string json(const Scenario& scenario, const std::vector<Measured>& rows);

}  // namespace muster_bench
