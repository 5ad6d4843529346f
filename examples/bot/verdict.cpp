// SPDX-License-Identifier: MIT
#include "verdict.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace bot_program {

namespace {

using Json = nlohmann::json;

Json parse(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<double> number(const Json& object, const char* key) {
  const Json* const value = find(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

class Own {
 public:
  Own(std::string_view participant_id, std::optional<std::int64_t> seat)
      : participant_id_(participant_id), seat_(seat) {}

  [[nodiscard]] bool is(const Json& entry) const {
    const Json* const participant = find(entry, "participant_id");
    if (participant != nullptr && participant->is_string()) {
      return !participant_id_.empty() &&
             *participant->get_ptr<const std::string*>() == participant_id_;
    }
    const auto seat = number(entry, "seat");
    return seat && seat_ && *seat == static_cast<double>(*seat_);
  }

 private:
  std::string_view participant_id_;
  std::optional<std::int64_t> seat_;
};

// Of a list in which every seat has a place, from 1.
Verdict by_place(const Json& list, const char* key, const Own& own) {
  std::optional<double> mine;
  std::optional<double> best;
  int sharers = 0;
  for (const Json& entry : list) {
    const auto place = number(entry, key);
    if (!place) return Verdict::unknown;
    if (own.is(entry)) mine = place;
    sharers = best == place ? sharers + 1 : !best || *place < *best ? 1 : sharers;
    if (!best || *place < *best) best = place;
  }
  if (!mine) return Verdict::unknown;
  if (*mine != *best) return Verdict::lost;
  return sharers > 1 ? Verdict::drawn : Verdict::won;
}

Verdict by_chips(const Json& list, const Own& own) {
  for (const Json& entry : list) {
    if (!own.is(entry)) continue;
    const auto net = number(entry, "net_chips");
    if (!net) return Verdict::unknown;
    return *net > 0 ? Verdict::won : *net < 0 ? Verdict::lost : Verdict::drawn;
  }
  return Verdict::unknown;
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::won:
      return "won";
    case Verdict::lost:
      return "lost";
    case Verdict::drawn:
      return "drawn";
    case Verdict::unknown:
      break;
  }
  return "unknown";
}

Verdict verdict_of(std::string_view match_end, std::string_view participant_id,
                   std::optional<std::int64_t> seat) {
  const Json end = parse(match_end);
  const Own own{participant_id, seat};
  if (const Json* const order = find(end, "finishing_order");
      order != nullptr && order->is_array()) {
    const Verdict verdict = by_place(*order, "place", own);
    if (verdict != Verdict::unknown) return verdict;
  }
  const Json* const results = find(end, "results");
  if (results == nullptr || !results->is_array()) return Verdict::unknown;
  const Verdict verdict = by_place(*results, "rank", own);
  return verdict != Verdict::unknown ? verdict : by_chips(*results, own);
}

std::optional<std::int64_t> seat_of(std::string_view match_start) {
  const Json start = parse(match_start);
  const auto integer = [](const Json* value) -> std::optional<std::int64_t> {
    if (value == nullptr || !value->is_number_integer()) return std::nullopt;
    return value->get<std::int64_t>();
  };
  if (const auto seat = integer(find(start, "your_seat"))) return seat;
  const Json* const seats = find(start, "seats");
  if (seats == nullptr || !seats->is_array()) return std::nullopt;
  for (const Json& entry : *seats) {
    const Json* const is_self = find(entry, "is_self");
    if (is_self != nullptr && *is_self == true) return integer(find(entry, "seat"));
  }
  return std::nullopt;
}

}  // namespace bot_program
