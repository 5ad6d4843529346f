// SPDX-License-Identifier: MIT
#include "json.hpp"

#include <nlohmann/json.hpp>

namespace muster_bench {

std::string json(const Scenario& scenario, const std::vector<Measured>& rows) {
  nlohmann::ordered_json out{{"name", scenario.name},
                             {"columns", nlohmann::ordered_json::array()},
                             {"rows", nlohmann::ordered_json::array()}};
  for (const Column& column : scenario.columns) out["columns"].push_back(column.name);
  for (const Measured& row : rows) {
    out["rows"].push_back({{"name", row.name}, {"failure", row.failure}, {"runs", row.runs}});
  }
  return out.dump();
}

}  // namespace muster_bench
