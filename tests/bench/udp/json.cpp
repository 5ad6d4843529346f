// SPDX-License-Identifier: MIT
// Text, numbers and lists.
#include "json.hpp"

#include <cmath>
#include <cstdio>
#include <string_view>

namespace muster_bench {

namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      result += '\\';
      result += character;
    } else if (static_cast<unsigned char>(character) < 0x20) {
      result += ' ';
    } else {
      result += character;
    }
  }
  return result + '"';
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

template <typename Values, typename Write>
std::string list(const Values& values, Write write) {
  std::string result = "[";
  for (const auto& value : values) {
    if (result.size() > 1) result += ',';
    result += write(value);
  }
  return result + ']';
}

}  // namespace

std::string json(const Scenario& scenario, const std::vector<Measured>& rows) {
  const auto column = [](const Column& value) { return quoted(value.name); };
  const auto run = [](const std::vector<double>& values) { return list(values, number); };
  const auto row = [&run](const Measured& value) {
    return "\n  {\"name\": " + quoted(value.name) + ", \"failure\": " + quoted(value.failure) +
           ", \"runs\": " + list(value.runs, run) + '}';
  };
  return "{\"name\": " + quoted(scenario.name) +
         ", \"columns\": " + list(scenario.columns, column) + ", \"rows\": " + list(rows, row) +
         '}';
}

}  // namespace muster_bench
