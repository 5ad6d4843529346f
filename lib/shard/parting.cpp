// SPDX-License-Identifier: MIT
// The table of what passes and what is final.
#include <muster/shard/parting.hpp>

#include <muster/shard/close_code.hpp>

#include <array>

namespace muster::shard {

namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, parting_count> names{
    "connection_lost", "connect_failed", "timed_out", "server_away",    "too_slow",
    "sid_in_use",      "left",           "gave_up",   "refused",        "finished",
    "kicked",          "revoked",        "replaced",  "protocol_error",
};

// RFC 6455 section 7.4.1, and the codes of the shard protocol.
Parting by_close_code(std::uint16_t code, bool joined) noexcept {
  switch (code) {
    case 0:
    case 1005:
    case 1006:
      return Parting::connection_lost;
    case 1000:
      return Parting::finished;
    case 1001:
    case 1011:
    case 1012:
    case 1013:
      return Parting::server_away;
    case 1002:
    case 1003:
    case 1007:
    case 1009:
    case 1010:
      return Parting::protocol_error;
    case 1008:
      return joined ? Parting::kicked : Parting::refused;
    case close_code::revoked:
      return Parting::revoked;
    case close_code::replaced:
      return Parting::replaced;
    default:
      return Parting::refused;
  }
}

Parting by_http_status(std::uint16_t status) noexcept {
  if (status == 409) return Parting::sid_in_use;
  const bool passes = status == 408 || status == 425 || status == 429 || status >= 500;
  return passes ? Parting::server_away : Parting::refused;
}

}  // namespace

std::string_view to_string(Parting parting) noexcept {
  return names[static_cast<std::size_t>(parting)];
}

Parting parting_of(const CloseInfo& info, bool joined) noexcept {
  if (info.by_peer && info.code >= 1000) return by_close_code(info.code, joined);
  switch (info.reason) {
    case CloseReason::connection_lost:
      return Parting::connection_lost;
    case CloseReason::connect_failed:
      return Parting::connect_failed;
    case CloseReason::timed_out:
      return Parting::timed_out;
    case CloseReason::too_slow:
      return Parting::too_slow;
    case CloseReason::internal_error:
      return Parting::server_away;
    case CloseReason::protocol_error:
    case CloseReason::too_large:
      return Parting::protocol_error;
    case CloseReason::draining:
      return info.by_peer ? Parting::server_away : Parting::left;
    case CloseReason::refused:
      if (info.code < 1000) return by_http_status(info.code);
      break;
    case CloseReason::none:
    case CloseReason::finished:
    case CloseReason::kicked:
    case CloseReason::superseded:
    case CloseReason::room_closed:
      break;
  }
  return by_close_code(info.code, joined);
}

}  // namespace muster::shard
