// SPDX-License-Identifier: MIT
// The tables of a page in docs/, for tests that compare them with the code.
#pragma once

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// The cells of a table's row.
using Row = std::vector<std::string>;

inline std::string without_backticks(const std::string& cell) {
  REQUIRE(cell.size() >= 2);
  REQUIRE(cell.front() == '`');
  REQUIRE(cell.back() == '`');
  return cell.substr(1, cell.size() - 2);
}

class Document {
 public:
  /// @param name   of the file, seen from the folder of the test data
  explicit Document(const std::string& name) : text_(read_data_file(name)) {}

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  /// The rows of the table whose header row begins with these cells; of several, the first behind a
  /// heading. Empty if there is none.
  [[nodiscard]] std::vector<Row> table(const std::string& header,
                                       const std::string& heading = "# ") const {
    std::vector<Row> rows;
    std::istringstream lines{text_};
    bool is_behind_heading = false;
    bool is_inside = false;
    for (std::string line; std::getline(lines, line);) {
      if (!is_inside) {
        is_behind_heading = is_behind_heading || line.starts_with(heading);
        is_inside = is_behind_heading && line.starts_with(header);
        continue;
      }
      if (!line.starts_with("|")) break;
      if (line.starts_with("|---")) continue;
      Row row;
      for (std::size_t at = 1; at < line.size();) {
        const std::size_t end = line.find('|', at);
        row.push_back(trimmed(std::string_view{line}.substr(at, end - at)));
        at = end == std::string::npos ? line.size() : end + 1;
      }
      rows.push_back(row);
    }
    return rows;
  }

 private:
  static std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return std::string{text.substr(first, text.find_last_not_of(' ') - first + 1)};
  }

  std::string text_;
};

}  // namespace test
