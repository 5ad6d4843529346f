// SPDX-License-Identifier: MIT
// Which of a host's messages a client gets, by whether it already has the state.
#pragma once

#include <muster/relay/message.hpp>

namespace muster::relay {

/// What one host message means for one client.
struct SyncStep {
  bool forward;    ///< the client gets the message, unchanged
  bool is_synced;  ///< whether the client has the state afterwards

  friend constexpr bool operator==(const SyncStep&, const SyncStep&) = default;
};

/// The decision table. A client starts unsynced on every new connection.
///
/// A kick and the host's leaving are answered by the room, so here they change nothing.
/// @source        docs/protocol/relay.md, "Sync filter"
[[nodiscard]] constexpr SyncStep sync_step(bool is_synced, FromHost message) noexcept {
  switch (message) {
    case FromHost::delta_update:
      return {is_synced, is_synced};
    case FromHost::full_update:
      return {!is_synced, true};
    case FromHost::reset:
      return {true, true};
    case FromHost::server_disconnects:
    case FromHost::client_gets_kicked:
      break;
  }
  return {false, is_synced};
}

}  // namespace muster::relay
