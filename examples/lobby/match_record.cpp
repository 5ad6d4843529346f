// SPDX-License-Identifier: MIT
#include "match_record.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace lobby_program {

namespace {

constexpr std::array<std::string_view, 7> kind_names{"attach",   "detach", "text",   "not_json",
                                                     "too_long", "fail",   "advance"};

}  // namespace

void MatchRecord::add(MatchInput::Kind kind, std::size_t seat, muster::duration at,
                      std::string_view text) {
  constexpr std::size_t overhead = 32;
  if (!is_complete_ || bytes_ + overhead + text.size() > max_bytes) {
    is_complete_ = false;
    return;
  }
  bytes_ += overhead + text.size();
  inputs_.push_back({kind, static_cast<std::uint8_t>(seat), at, std::string{text}});
}

nlohmann::json MatchRecord::to_json() const {
  nlohmann::json inputs = nlohmann::json::array();
  for (const MatchInput& input : inputs_) {
    nlohmann::json row = nlohmann::json::array();
    row.push_back(kind_names[static_cast<std::size_t>(input.kind)]);
    row.push_back(input.seat);
    row.push_back(input.at.count());
    row.push_back(input.text);
    inputs.push_back(std::move(row));
  }
  return {{"started", started_.time_since_epoch().count()},
          {"complete", is_complete_},
          {"inputs", std::move(inputs)}};
}

muster::result<MatchRecord> MatchRecord::from_json(const nlohmann::json& json) {
  constexpr muster::errc bad = muster::errc::bad_value;
  constexpr std::chrono::hours max_time{24 * 365};  // so that no sum of times overflows
  if (!json.is_object()) return bad;
  const auto started = json.find("started");
  const auto complete = json.find("complete");
  const auto inputs = json.find("inputs");
  if (started == json.end() || !started->is_number_integer() || complete == json.end() ||
      !complete->is_boolean() || inputs == json.end() || !inputs->is_array()) {
    return bad;
  }
  MatchRecord record{
      WallTime{std::chrono::milliseconds{started->get<std::chrono::milliseconds::rep>()}}};
  muster::duration last{0};
  for (const nlohmann::json& row : *inputs) {
    if (!row.is_array() || row.size() != 4 || !row[0].is_string() || !row[1].is_number_unsigned() ||
        row[1].get<std::uint64_t>() > 255 || !row[2].is_number_integer() || !row[3].is_string()) {
      return bad;
    }
    const auto kind =
        std::find(kind_names.begin(), kind_names.end(), row[0].get_ref<const std::string&>());
    const muster::duration at{row[2].get<muster::duration::rep>()};
    if (kind == kind_names.end() || at < last || at > max_time) return bad;
    last = at;
    record.add(static_cast<MatchInput::Kind>(kind - kind_names.begin()), row[1].get<std::size_t>(),
               at, row[3].get_ref<const std::string&>());
  }
  record.is_complete_ = record.is_complete_ && complete->get<bool>();
  return record;
}

}  // namespace lobby_program
