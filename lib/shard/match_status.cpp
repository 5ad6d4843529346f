// SPDX-License-Identifier: MIT
#include <muster/shard/match_status.hpp>

#include <nlohmann/json.hpp>

namespace muster::shard {

namespace {

// In quotes. Ids are UTF-8, but a status may have been filled in by anybody.
std::string in_quotes(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string_view to_string(IdleReason reason) noexcept {
  switch (reason) {
    case IdleReason::max_wait:
      return "max_wait";
    case IdleReason::unclaimed:
      return "unclaimed";
    case IdleReason::party_left:
      return "party_left";
    case IdleReason::none:
      break;
  }
  return "none";
}

std::string to_json(const MatchStatus& status) {
  switch (status.state) {
    case MatchStatus::State::queued: {
      const auto waited = std::chrono::duration_cast<std::chrono::seconds>(status.waited);
      return R"({"status":"queued","position":)" + std::to_string(status.position) +
             R"(,"waiting_secs":)" + std::to_string(waited.count()) + "}";
    }
    case MatchStatus::State::matched: {
      std::string json = R"({"status":"matched","shard_id":)" + in_quotes(status.shard);
      if (!status.ticket.empty()) {
        json += R"(,"ticket":)" + in_quotes(status.ticket) + R"(,"expires":)" +
                std::to_string(status.expires.time_since_epoch().count());
      }
      return json + "}";
    }
    case MatchStatus::State::idle:
      break;
  }
  if (status.reason == IdleReason::none) return R"({"status":"idle"})";
  return R"({"status":"idle","reason":)" + in_quotes(to_string(status.reason)) + "}";
}

}  // namespace muster::shard
