// SPDX-License-Identifier: MIT
// The one table of HTTP errors.
#include <muster/shard/error_body.hpp>

#include <muster/wire/json_string.hpp>

#include <cassert>
#include <cstddef>
#include <iterator>
#include <vector>

namespace muster::shard {
namespace {

struct Row {
  ErrorCode code;
  unsigned status;
  std::string_view text;
  std::string_view message;
};

constexpr Row rows[] = {
    {ErrorCode::missing_shard, 400, "MISSING_SHARD", "the query names no shard"},
    {ErrorCode::bad_query, 400, "BAD_QUERY", "a query parameter is not valid"},
    {ErrorCode::bad_sid, 400, "BAD_SID", "sid must have 1 to 128 bytes"},
    {ErrorCode::invalid_json, 400, "INVALID_JSON", "Invalid request body"},
    {ErrorCode::input_rejected, 400, "INPUT_REJECTED", "invalid input"},
    {ErrorCode::bad_party, 400, "BAD_PARTY", "a party has different players, and fits into a team"},
    {ErrorCode::auth_required, 401, "AUTH_REQUIRED",
     "Shard connect requires an authenticated session"},
    {ErrorCode::unauthorized, 403, "UNAUTHORIZED", "unauthorized"},
    {ErrorCode::forbidden, 403, "FORBIDDEN", "forbidden"},
    {ErrorCode::shard_not_found, 404, "SHARD_NOT_FOUND", "Shard not found"},
    {ErrorCode::mode_not_found, 404, "MODE_NOT_FOUND", "there are no matches of that mode"},
    {ErrorCode::method_not_allowed, 405, "METHOD_NOT_ALLOWED", "method not allowed"},
    {ErrorCode::sid_in_use, 409, "SID_IN_USE", "the subscriber id is in use"},
    {ErrorCode::already_matched, 409, "ALREADY_MATCHED", "a player of the party has a seat"},
    {ErrorCode::upgrade_required, 426, "UPGRADE_REQUIRED", "a WebSocket upgrade is required"},
    {ErrorCode::rate_limited, 429, "RATE_LIMITED", "too many requests"},
    {ErrorCode::subscribe_failed, 429, "SUBSCRIBE_FAILED", "the shard takes no subscribers now"},
    {ErrorCode::shard_full, 503, "SHARD_FULL", "shard is at max subscribers"},
    {ErrorCode::shard_stopped, 503, "SHARD_STOPPED", "shard is stopped"},
    {ErrorCode::queue_full, 503, "QUEUE_FULL", "too many players wait for a match"},
    {ErrorCode::busy, 503, "BUSY", "the server is busy"},
    {ErrorCode::draining, 503, "DRAINING", "the server is shutting down"},
    {ErrorCode::shards_not_available, 503, "SHARDS_NOT_AVAILABLE",
     "Shard system is not configured"},
};

constexpr bool is_in_order() noexcept {
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    if (static_cast<std::size_t>(rows[i].code) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

const Row& row(ErrorCode code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  assert(index < std::size(rows));
  return rows[index];
}

}  // namespace

unsigned http_status(ErrorCode code) noexcept { return row(code).status; }
std::string_view to_string(ErrorCode code) noexcept { return row(code).text; }
std::string_view default_message(ErrorCode code) noexcept { return row(code).message; }

std::string error_body(ErrorCode code, std::string_view message) {
  std::vector<std::byte> out;
  wire::ByteWriter writer{out};
  writer.text("{\"error\":{\"code\":");
  wire::write_json_string(writer, to_string(code));
  writer.text(",\"message\":");
  wire::write_json_string(writer, message.empty() ? default_message(code) : message);
  writer.text("}}");
  return std::string{as_text(out)};
}

}  // namespace muster::shard
