// SPDX-License-Identifier: MIT
// Cells of text, padded or between bars.
#include "table.hpp"

#include <algorithm>
#include <cstdio>

namespace muster_bench {

namespace {

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string cell(const Measured& row, std::size_t column, int digits) {
  if (row.runs.empty()) return "-";
  const std::string low = number(row.lowest(column), digits);
  const std::string high = number(row.highest(column), digits);
  const std::string median = number(row.median(column), digits);
  return low == high ? median : median + " (" + low + " to " + high + ")";
}

}  // namespace

std::string table(const Scenario& scenario, const std::vector<Measured>& rows, bool markdown) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> head{scenario.name};
  for (const Column& column : scenario.columns) head.push_back(column.name);
  const std::size_t compared = scenario.compared;
  head.push_back(scenario.columns[compared].name + ", ratio");
  lines.push_back(head);
  std::string failures;
  for (const Measured& row : rows) {
    std::vector<std::string> line{row.name};
    for (std::size_t i = 0; i < scenario.columns.size(); ++i) {
      line.push_back(cell(row, i, scenario.columns[i].digits));
    }
    const bool has_ratio =
        !row.runs.empty() && !rows.front().runs.empty() && rows.front().median(compared) != 0;
    line.push_back(has_ratio ? number(row.median(compared) / rows.front().median(compared), 2)
                             : "-");
    lines.push_back(std::move(line));
    if (!row.failure.empty()) failures += row.name + ": " + row.failure + "\n";
  }

  std::vector<std::size_t> widths(head.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text = (markdown ? "### " : "") + scenario.title + "\n\n";
  for (std::size_t at = 0; at < lines.size(); ++at) {
    for (std::size_t i = 0; i < lines[at].size(); ++i) {
      if (markdown) {
        text += (i == 0 ? "| " : " ") + lines[at][i] + " |";
      } else {
        text += lines[at][i] + std::string(widths[i] - lines[at][i].size() + 2, ' ');
      }
    }
    if (!markdown) text.erase(text.find_last_not_of(' ') + 1);
    text += "\n";
    if (at == 0 && markdown) {
      text += "|---|";
      for (std::size_t i = 1; i < head.size(); ++i) text += "---:|";
      text += "\n";
    }
  }
  if (!failures.empty()) text += "\nFailed runs:\n" + failures;
  return text + "\n";
}

}  // namespace muster_bench
