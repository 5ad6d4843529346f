// SPDX-License-Identifier: MIT
// The words of which the protocol has a closed list each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::signal {

/// The generation of the wire format that a connection has negotiated.
enum class Version : std::uint8_t { v2 = 2, v3 = 3 };

enum class GameDataFormat : std::uint8_t { json, message_pack, rkyv };
enum class RelayTransport : std::uint8_t { tcp, udp, websocket, automatic };
enum class LobbyState : std::uint8_t { waiting, lobby, finalized };
enum class SpectatorChange : std::uint8_t {
  joined,
  voluntary_leave,
  disconnected,
  removed,
  room_closed,
};
enum class DeliveryClass : std::uint8_t { reliable, latest, volatile_ };
enum class GapReason : std::uint8_t {
  latest_superseded,
  latest_dropped_full,
  volatile_dropped,
  unsupported_format,
};
enum class ReplayStatus : std::uint8_t { complete, truncated, unavailable };
enum class Topology : std::uint8_t { relay, host, mesh };  // in the order of their ranks
enum class Transport : std::uint8_t { relay, direct, webrtc };

// As they stand on the wire.
[[nodiscard]] std::string_view to_string(GameDataFormat word) noexcept;
[[nodiscard]] std::string_view to_string(RelayTransport word) noexcept;
[[nodiscard]] std::string_view to_string(LobbyState word) noexcept;
[[nodiscard]] std::string_view to_string(SpectatorChange word) noexcept;
[[nodiscard]] std::string_view to_string(DeliveryClass word) noexcept;
[[nodiscard]] std::string_view to_string(GapReason word) noexcept;
[[nodiscard]] std::string_view to_string(ReplayStatus word) noexcept;
[[nodiscard]] std::string_view to_string(Topology word) noexcept;
[[nodiscard]] std::string_view to_string(Transport word) noexcept;

/// The word of a text, exactly as it stands on the wire; nothing for any other.
template <class Word>
[[nodiscard]] std::optional<Word> read_word(std::string_view text) noexcept;

}  // namespace muster::signal
