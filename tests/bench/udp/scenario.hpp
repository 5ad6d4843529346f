// SPDX-License-Identifier: MIT
// What can be measured: a table whose rows are measured anew in each run.
#pragma once

#include "peer.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace muster_bench {

struct Settings {
  double seconds = 0.5;        ///< that are measured, where time is real
  double virtual_seconds = 1;  ///< factor of the lengths of the runs in virtual time
};

struct Column {
  std::string name;
  int digits = 0;  ///< behind the point
};

struct Row {
  std::string name;
  /// The values of all columns, from a process that does nothing else.
  std::function<std::vector<double>(std::uint64_t run)> measure;
};

struct Scenario {
  std::string name;
  std::string title;
  std::vector<Column> columns;
  std::size_t compared = 0;  ///< the column whose ratios to the first row are printed
  /// Whether the same row can give other values when it runs again: then the first runs twice, as
  /// the control. In virtual time it cannot.
  bool needs_control = true;
  std::vector<Row> rows{};
};

std::vector<Scenario> floor_scenarios(const Settings& settings);
std::vector<Scenario> transfer_scenarios(const std::vector<Contestant>& contestants,
                                         const Settings& settings);
std::vector<Scenario> goodput_scenarios(const std::vector<Contestant>& contestants,
                                        const Settings& settings);
std::vector<Scenario> latency_scenarios(const std::vector<Contestant>& contestants,
                                        const Settings& settings);
std::vector<Scenario> session_scenarios(const std::vector<Contestant>& contestants,
                                        const Settings& settings);

}  // namespace muster_bench
