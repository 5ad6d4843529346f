// SPDX-License-Identifier: MIT
// The table of endings.
#include <muster/relay/ending.hpp>

#include <muster/relay/error_text.hpp>

namespace muster::relay {

namespace {

namespace text = error_text;

// In the order of the enumeration.
constexpr std::array<EndingRule, ending_count> rules{{
    {"handshake_failed", CloseReason::timed_out, 1008, text::initial_error},
    {"bad_join_request", CloseReason::protocol_error, 1002, text::bad_join_request},
    {"id_too_long", CloseReason::refused, 1008, text::bad_join_request},
    {"unknown_game", CloseReason::refused, 1008, {}},
    {"room_exists", CloseReason::refused, 1008, {}},
    {"no_such_room", CloseReason::refused, 1008, {}},
    {"room_full", CloseReason::refused, 1013, {}},
    {"out_of_ids", CloseReason::refused, 1013, {}},
    {"too_many_rooms", CloseReason::refused, 1013, text::overloaded},
    {"relay_busy", CloseReason::refused, 1013, text::overloaded},
    {"host_not_reachable", CloseReason::refused, 1013, text::host_left_during_handshake},
    {"room_is_gone", CloseReason::refused, 1008, {}},
    {"invalid_token", CloseReason::refused, 1008, text::invalid_token},
    {"wrong_account", CloseReason::refused, 1008, text::wrong_account},
    {"too_many_attempts", CloseReason::refused, 1013, text::too_many_attempts},
    {"password_needed", CloseReason::refused, 1008, text::password_needed},
    {"wrong_password", CloseReason::refused, 1008, text::wrong_password},
    {"banned", CloseReason::refused, 1008, text::banned},
    {"room_closed", CloseReason::refused, 1008, text::room_closed},
    {"no_spectators", CloseReason::refused, 1008, text::no_spectators},
    {"refused", CloseReason::refused, 1008, {}},
    {"connection_lost", CloseReason::connection_lost, 1002, text::connection_lost},
    {"empty_message", CloseReason::protocol_error, 1002, text::empty_message},
    {"relay_drains", CloseReason::draining, 1001, text::channel_closed},
    {"superseded", CloseReason::superseded, 1008, text::superseded},
    {"room_idle", CloseReason::room_closed, 1000, text::room_idle},
    {"host_left", CloseReason::finished, 1000, text::host_left},
    {"illegal_host_message", CloseReason::protocol_error, 1002, text::illegal_host_message},
    {"host_too_slow", CloseReason::too_slow, 1008, text::host_write_failed},
    {"client_left", CloseReason::finished, 1000, text::client_left},
    {"illegal_client_message", CloseReason::protocol_error, 1002, text::illegal_client_message},
    {"kicked", CloseReason::kicked, 1008, text::kicked},
    {"host_gone", CloseReason::room_closed, 1000, text::host_gone},
    {"sent_too_much", CloseReason::too_slow, 1008, text::sent_too_much},
    {"client_too_slow", CloseReason::too_slow, 1008, text::too_slow},
}};

}  // namespace

const EndingRule& rule_of(Ending ending) noexcept {
  return rules[static_cast<std::size_t>(ending)];
}

}  // namespace muster::relay
