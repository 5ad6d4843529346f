// SPDX-License-Identifier: MIT
// What a shard server answers over HTTP when it refuses: {"error":{"code":C,"message":M}}
#pragma once

#include <muster/export.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::shard {

/// Why a request is refused. Clients compare the code's text: it is part of the protocol.
enum class ErrorCode : std::uint8_t {
  missing_shard,         ///< 400: no shard is named
  bad_query,             ///< 400: a query parameter cannot be decoded
  bad_sid,               ///< 400: the subscriber id is empty or too long
  invalid_json,          ///< 400: the body is no envelope
  input_rejected,        ///< 400: the game does not know such an input
  bad_party,             ///< 400: an id twice, one that is none, or more than a team has
  auth_required,         ///< 401: nobody is logged in
  unauthorized,          ///< 403: logged in, but may not do this
  forbidden,             ///< 403: for administrators, or from another origin
  shard_not_found,       ///< 404
  mode_not_found,        ///< 404: there are no matches of that mode
  method_not_allowed,    ///< 405
  sid_in_use,            ///< 409: the shard admits each subscriber id once
  already_matched,       ///< 409: a player has a seat, which it must take or give up
  upgrade_required,      ///< 426: not a WebSocket upgrade of version 13
  rate_limited,          ///< 429: too many connections or requests from the address
  subscribe_failed,      ///< 429: no event stream now, since the shard is full or has stopped
  shard_full,            ///< 503
  shard_stopped,         ///< 503
  queue_full,            ///< 503: too many players wait for a match
  busy,                  ///< 503: what would know does not answer in time
  draining,              ///< 503: this server is going away
  shards_not_available,  ///< 503: this server has no shards
};

/// The HTTP status that goes with a code.
[[nodiscard]] MUSTER_API unsigned http_status(ErrorCode code) noexcept;

/// The code as the body has it, for example "SHARD_NOT_FOUND".
[[nodiscard]] MUSTER_API std::string_view to_string(ErrorCode code) noexcept;

/// The message that the body has unless there is more to say.
[[nodiscard]] MUSTER_API std::string_view default_message(ErrorCode code) noexcept;

/// The body, compact JSON.
/// @param message   escaped, and made UTF-8 where it is not; empty: the default message
[[nodiscard]] MUSTER_API std::string error_body(ErrorCode code, std::string_view message = {});

}  // namespace muster::shard
