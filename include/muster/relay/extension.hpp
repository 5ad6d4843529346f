// SPDX-License-Identifier: MIT
// The relay protocol's extension: the trailers that offer it, and the messages it adds.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/mac.hpp>
#include <muster/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

/// @source docs/protocol/relay.md, "The extension"
namespace muster::relay {

inline constexpr std::size_t max_name_size = 64;        ///< bytes of a display name
inline constexpr std::size_t max_metadata_size = 1024;  ///< bytes of a room's metadata
inline constexpr std::size_t nonce_size = 16;           ///< bytes of a CHALLENGE's nonce

/// In MEMBER_EVENT and in a response: no seat.
inline constexpr std::uint16_t no_seat = 65535;

/// Whether a name may be shown: 1 to `max_name_size` bytes of UTF-8 without control characters.
[[nodiscard]] MUSTER_API bool is_display_name(std::string_view name) noexcept;

/// What a peer can use of the extension: a set of bits.
enum class Capability : std::uint32_t {
  targeted = 1U << 0U,       ///< TARGETED
  member_events = 1U << 1U,  ///< MEMBER_EVENT
  host_state = 1U << 2U,     ///< HOST_STATE
  room_info = 1U << 3U,      ///< ROOM_INFO
  sequence = 1U << 4U,       ///< STATE_SEQUENCE
  may_host = 1U << 5U,       ///< HOST_OFFER
};
using Capabilities = std::uint32_t;
inline constexpr Capabilities all_capabilities = 0x3f;

[[nodiscard]] constexpr bool has(Capabilities set, Capability capability) noexcept {
  return (set & static_cast<Capabilities>(capability)) != 0;
}

/// What a JoinRequest or a response carries behind its last field. Views are into the decoded
/// bytes.
struct Trailer {
  Capabilities capabilities = 0;
  std::string_view name{};  ///< empty: none
  bool is_spectator = false;
  std::optional<Mac::Tag> proof{};
  std::optional<std::uint16_t> seat{};
  std::optional<std::uint64_t> sequence{};
  std::optional<Mac::Tag> password_key{};
  std::optional<byte_view> metadata{};
  bool is_listed = false;
  std::optional<std::uint16_t> max_players{};
};

/// Reads a trailer. Nothing if there is none: the bytes do not begin with its magic and version.
/// @error         errc::unexpected_end   an item is cut off
/// @error         errc::bad_value        an item has a size that its type does not allow, or a name
///                                       has control characters
/// @error         errc::bad_utf8         a name is not UTF-8
/// @complexity    O(n); does not allocate
[[nodiscard]] MUSTER_API result<std::optional<Trailer>> decode_trailer(byte_view bytes) noexcept;

/// Appends a trailer in the order of its item types. The caller keeps to the sizes.
MUSTER_API void append_trailer(std::vector<std::byte>& message, const Trailer& trailer);

/// The extension's message ids, from 16 on. Some mean something else in the other direction.
enum class Extended : std::uint8_t {
  targeted = 16,
  member_event = 17,
  host_state = 18,
  room_info = 19,
  state_sequence = 20,
  challenge = 21,
  host_offer = 22,   ///< relay to client
  host_accept = 22,  ///< client to relay
  ban = 23,
};

/// The extension's id that a message begins with; nothing for other ids and for no bytes.
[[nodiscard]] MUSTER_API std::optional<Extended> read_extended(byte_view message) noexcept;

/// TARGETED of a host: whom it is for. The views are into the decoded bytes.
struct Targeted {
  bool all_but = false;    ///< everybody but the players named
  byte_view player_bytes;  ///< two bytes each, as on the wire
  byte_view payload;

  [[nodiscard]] std::size_t player_count() const noexcept { return player_bytes.size() / 2; }
  [[nodiscard]] std::uint16_t player(std::size_t i) const noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(player_bytes[2 * i]) << 8U |
                                      std::to_integer<unsigned>(player_bytes[2 * i + 1]));
  }
};

/// @error errc::unexpected_end   shorter than its count says
/// @error errc::bad_value        an unknown flag
[[nodiscard]] MUSTER_API result<Targeted> decode_targeted(byte_view message) noexcept;

/// What a host sends: id, flags, players; the payload follows.
[[nodiscard]] MUSTER_API std::vector<std::byte> targeted_header(
    bool all_but, std::span<const std::uint16_t> players);

enum class MemberChange : std::uint8_t { joined, away, back, left, kicked, expired };

inline constexpr std::uint8_t spectator_flag = 1;
inline constexpr std::uint8_t extended_flag = 2;

/// One entry of a MEMBER_EVENT.
struct MemberEvent {
  MemberChange change = MemberChange::joined;
  std::uint16_t player_id = 0;
  std::uint16_t seat = no_seat;
  std::uint8_t flags = 0;
  std::string_view name{};

  friend bool operator==(const MemberEvent&, const MemberEvent&) = default;
};

/// Appends an entry to a message, and its id in front of the first.
MUSTER_API void append_member_event(std::vector<std::byte>& message, const MemberEvent& event);

/// The views are into the decoded bytes. Unknown changes are an error, not skipped.
/// @error errc::unexpected_end, errc::bad_value, errc::bad_utf8
[[nodiscard]] MUSTER_API result<std::vector<MemberEvent>> decode_member_events(byte_view message);

enum class HostPresence : std::uint8_t { away, back, changed };

struct HostState {
  HostPresence presence = HostPresence::away;
  std::uint16_t player_id = 0;     ///< of `changed`: the id that the new host had; 0: the server
  std::uint32_t remaining_ms = 0;  ///< of `away`
  friend bool operator==(const HostState&, const HostState&) = default;
};

[[nodiscard]] MUSTER_API std::array<std::byte, 8> encode_host_state(
    const HostState& state) noexcept;
[[nodiscard]] MUSTER_API result<HostState> decode_host_state(byte_view message) noexcept;

struct RoomInfo {
  bool is_open = true;     ///< newcomers are admitted
  bool is_listed = false;  ///< the relay may list the room
  byte_view metadata{};    ///< at most `max_metadata_size` bytes; a view when decoded
};

[[nodiscard]] MUSTER_API std::vector<std::byte> encode_room_info(const RoomInfo& info);
/// @error errc::bad_value   an unknown flag, or too much metadata
[[nodiscard]] MUSTER_API result<RoomInfo> decode_room_info(byte_view message) noexcept;

[[nodiscard]] MUSTER_API std::array<std::byte, 9> encode_state_sequence(
    std::uint64_t sequence) noexcept;
[[nodiscard]] MUSTER_API result<std::uint64_t> decode_state_sequence(byte_view message) noexcept;

using Nonce = std::array<std::byte, nonce_size>;

[[nodiscard]] MUSTER_API std::array<std::byte, 1 + nonce_size> encode_challenge(
    const Nonce& nonce) noexcept;
[[nodiscard]] MUSTER_API result<Nonce> decode_challenge(byte_view message) noexcept;

[[nodiscard]] MUSTER_API std::array<std::byte, 5> encode_host_offer(
    std::uint32_t remaining_ms) noexcept;
[[nodiscard]] MUSTER_API result<std::uint32_t> decode_host_offer(byte_view message) noexcept;

/// What a ban keeps out, as bits.
enum class BanScope : std::uint8_t { user = 1, address = 2 };

struct Ban {
  std::uint16_t player_id = 0;
  std::uint8_t scopes = 0;  ///< of `BanScope`
};

[[nodiscard]] MUSTER_API std::array<std::byte, 4> encode_ban(const Ban& ban) noexcept;
/// @error errc::bad_value   no scope, or an unknown one
[[nodiscard]] MUSTER_API result<Ban> decode_ban(byte_view message) noexcept;

/// The key of a room's password: what a creator sends, and what a proof is made with.
[[nodiscard]] MUSTER_API Mac::Tag password_key(Mac& mac, std::string_view password,
                                               std::string_view game_id, std::string_view room_id);

}  // namespace muster::relay
