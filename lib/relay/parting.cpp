// SPDX-License-Identifier: MIT
// The table of what passes and what is final.
#include <muster/relay/parting.hpp>

#include <muster/relay/error_text.hpp>

#include <array>

namespace muster::relay {

namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, parting_count> names{
    "connection_lost", "connect_failed", "timed_out",       "relay_away",   "relay_fault",
    "too_slow",        "host_away",      "still_connected", "left",         "gave_up",
    "refused",         "unknown_game",   "room_exists",     "no_such_room", "room_is_full",
    "invalid_token",   "kicked",         "superseded",      "room_over",    "protocol_error",
    "promoted",
};

struct TextRule {
  std::string_view front;   // the text, or its part in front of a name
  std::string_view middle;  // of a text with names: what stands behind the first
  Parting parting;
};

namespace text = error_text;

constexpr std::array text_rules{
    // Passing.
    TextRule{text::initial_error, {}, Parting::timed_out},
    TextRule{text::host_left_during_handshake, {}, Parting::host_away},
    TextRule{text::host_not_available, {}, Parting::host_away},
    TextRule{text::host_already_connected, {}, Parting::still_connected},
    TextRule{text::response_not_sent, {}, Parting::relay_away},
    TextRule{text::connection_lost, {}, Parting::connection_lost},
    TextRule{text::channel_closed, {}, Parting::relay_away},
    TextRule{text::host_write_failed, {}, Parting::too_slow},
    TextRule{text::client_write_failed, {}, Parting::too_slow},
    TextRule{text::too_slow, {}, Parting::too_slow},
    TextRule{text::sent_too_much, {}, Parting::too_slow},
    TextRule{text::overloaded, {}, Parting::relay_away},
    TextRule{text::too_many_attempts, {}, Parting::relay_away},
    TextRule{text::broadcast_failed, {}, Parting::relay_fault},
    TextRule{text::unknown_internal_command, {}, Parting::relay_fault},
    TextRule{text::illegal_message_for_client, {}, Parting::relay_fault},
    TextRule{text::host_side_fault, {}, Parting::relay_fault},
    TextRule{text::client_side_fault, {}, Parting::relay_fault},
    // The original says this to all its clients after a mistake of the host.
    TextRule{text::malformed_message, {}, Parting::relay_fault},
    // Final.
    TextRule{text::host_left, {}, Parting::left},
    TextRule{text::client_left, {}, Parting::left},
    TextRule{text::bad_join_request, {}, Parting::refused},
    TextRule{text::password_needed, {}, Parting::refused},
    TextRule{text::wrong_password, {}, Parting::refused},
    TextRule{text::no_spectators, {}, Parting::refused},
    TextRule{text::room_closed, {}, Parting::room_is_full},
    TextRule{text::invalid_token, {}, Parting::invalid_token},
    TextRule{text::wrong_account, {}, Parting::invalid_token},
    TextRule{text::kicked, {}, Parting::kicked},
    TextRule{text::banned, {}, Parting::kicked},
    TextRule{text::superseded, {}, Parting::superseded},
    TextRule{text::host_gone, {}, Parting::room_over},
    TextRule{text::room_idle, {}, Parting::room_over},
    TextRule{text::empty_message, {}, Parting::protocol_error},
    TextRule{text::illegal_host_message, {}, Parting::protocol_error},
    TextRule{text::illegal_client_message, {}, Parting::protocol_error},
    // With names in them. A name may hold any of these middles, but then the text is final all the
    // same.
    TextRule{"Unknown game ", ".", Parting::unknown_game},
    TextRule{"Room ", " already exists for game ", Parting::room_exists},
    TextRule{"Room ", " does not exist for game ", Parting::no_such_room},
    TextRule{"Room ", " no longer exists for game ", Parting::no_such_room},
    TextRule{"Room ", " exceeded max amount of players ", Parting::room_is_full},
    TextRule{"Room ", " run out of client ids.", Parting::room_is_full},
};

bool matches(const TextRule& rule, std::string_view said) noexcept {
  if (rule.middle.empty()) return said == rule.front;
  return said.starts_with(rule.front) &&
         said.find(rule.middle, rule.front.size()) != std::string_view::npos;
}

// RFC 6455 section 7.4.1, and the registry that it founded.
Parting by_close_code(std::uint16_t code) noexcept {
  switch (code) {
    case 0:
    case 1000:
    case 1005:
    case 1006:
      return Parting::connection_lost;  // no reason given: the token finds out
    case 1001:
    case 1012:
    case 1013:
      return Parting::relay_away;
    case 1011:
      return Parting::relay_fault;
    case 1002:
    case 1003:
    case 1007:
    case 1009:
    case 1010:
      return Parting::protocol_error;
    default:
      return Parting::refused;
  }
}

Parting by_http_status(std::uint16_t status) noexcept {
  const bool passes = status == 408 || status == 425 || status == 429 || status >= 500;
  return passes ? Parting::relay_away : Parting::refused;
}

Parting by_close(const CloseInfo& info) noexcept {
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
      return Parting::relay_fault;
    case CloseReason::protocol_error:
    case CloseReason::too_large:
      return Parting::protocol_error;
    case CloseReason::draining:
      return info.by_peer ? Parting::relay_away : Parting::left;
    case CloseReason::refused:
      return info.code < 1000 ? by_http_status(info.code) : by_close_code(info.code);
    case CloseReason::none:
    case CloseReason::finished:
    case CloseReason::kicked:
    case CloseReason::superseded:
    case CloseReason::room_closed:
      break;
  }
  return by_close_code(info.code);
}

}  // namespace

std::string_view to_string(Parting parting) noexcept {
  return names[static_cast<std::size_t>(parting)];
}

std::optional<Parting> parting_of(std::string_view said) noexcept {
  for (const TextRule& rule : text_rules) {
    if (matches(rule, said)) return rule.parting;
  }
  return std::nullopt;
}

Parting parting_of(std::string_view said, const CloseInfo& info, bool joined) noexcept {
  const Parting closed = by_close(info);
  if (said.empty()) return closed;
  const std::optional<Parting> spoken = parting_of(said);
  // A text that nobody knows refuses, unless the close says that it passes.
  if (!spoken) return is_passing(closed) && (joined || info.code != 0) ? closed : Parting::refused;
  // "Connection lost." is also what a relay says about a message that it could not read.
  if (*spoken == Parting::connection_lost && closed == Parting::protocol_error) return closed;
  return *spoken;
}

}  // namespace muster::relay
