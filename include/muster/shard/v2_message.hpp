// SPDX-License-Identifier: MIT
// The messages of version 2 of the shard protocol: binary, for clients that ask for it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/shard/format.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

/// A byte says what a message is, then its fields follow. Integers are base-128 varints in their
/// shortest form, least significant group first; signed ones after zig-zag. A payload or a text at
/// the end has no length of its own: it goes to the end of the message.
///
/// Full, Delta, Unchanged and Event hold nothing that only one subscriber may see, so one encoded
/// frame serves all subscribers of a view. What is theirs alone is in InputAck.
namespace muster::shard::v2 {

inline constexpr std::uint64_t protocol_version = 2;

/// The largest `client_seq`: one more must still be a number.
inline constexpr std::uint64_t max_client_seq = std::numeric_limits<std::uint64_t>::max() - 1;

enum class MessageType : std::uint8_t {
  full = 0x01,
  delta = 0x02,
  unchanged = 0x03,
  event = 0x04,
  hello = 0x05,
  nack = 0x06,
  bye = 0x07,
  clock_reply = 0x08,
  input_ack = 0x09,
  input = 0x81,
  snapshot_ack = 0x82,
  clock_query = 0x83,
  interest = 0x84,
};

// From the server. Views in decoded messages are into the message.

/// The whole view after a tick.
struct Full {
  std::uint64_t tick = 0;
  byte_view payload{};  ///< in the format that the hello names
};

/// What has changed in the view since an older tick, whose view the client must have. One that does
/// not answers with SnapshotAck{0}.
struct Delta {
  std::uint64_t tick = 0;
  std::uint64_t base_tick = 0;
  byte_view payload{};
};

/// The view is after this tick what it was after an older one: a delta with nothing in it. It names
/// its base too, since what was sent in between may have been replaced before it left.
struct Unchanged {
  std::uint64_t tick = 0;
  std::uint64_t base_tick = 0;
};

/// A reliable message of the game, beside the state.
struct Event {
  std::uint64_t sequence = 0;
  byte_view payload{};
};

/// The first message on a connection.
struct Hello {
  std::uint64_t tick = 0;               ///< the last that has run
  std::uint64_t rate_mhz = 0;           ///< ticks in 1000 seconds; 0: event-driven
  Format format = Format::json;         ///< of payloads in both directions
  std::string_view sid{};               ///< the client's own subscriber id
  std::uint64_t max_message_bytes = 0;  ///< the largest message that the server takes
  std::uint64_t max_inputs_per_second = 0;
};

enum class NackCode : std::uint8_t {
  bad_input = 1,     ///< it cannot be decoded
  unauthorized = 2,  ///< this subscriber may not do that
  queue_full = 3,    ///< too many inputs wait
  rate = 4,          ///< above the rate that the hello names
  stale = 5,         ///< its number, or one above it, came before
  too_early = 6,     ///< for a tick too far ahead
  stopped = 7,       ///< the shard has ended
};

/// An input that will not be applied.
struct Nack {
  std::uint64_t client_seq = 0;
  NackCode code = NackCode::bad_input;
};

/// The last message before the connection is closed.
struct Bye {
  std::uint16_t code = 0;  ///< that of the close frame
  std::string_view text{};
};

struct ClockReply {
  std::uint64_t t0 = 0;  ///< as the client sent it
  std::uint64_t server_time_us = 0;
  std::uint64_t tick = 0;  ///< the last that has run
};

/// Which inputs of this client have been applied.
struct InputAck {
  std::uint64_t tick = 0;                   ///< after this one
  std::optional<std::uint64_t> client_seq;  ///< the highest; at most `max_client_seq`
  std::int64_t margin_ms = 0;  ///< how long the last one waited for its tick; below 0: it was late
};

// From the client.

struct Input {
  std::uint64_t client_seq = 0;          ///< at most `max_client_seq`
  std::uint64_t last_received_tick = 0;  ///< 0: none
  std::uint64_t target_tick = 0;         ///< which it is for; 0: the next
  byte_view payload{};
};

/// The client has the view of this tick: a delta may be based on it. 0: it has none it can use.
struct SnapshotAck {
  std::uint64_t tick = 0;
};

struct ClockQuery {
  std::uint64_t t0 = 0;  ///< the client's clock, in a unit of its own
};

/// What the client wants to see. Only the game knows what the bytes mean.
struct Interest {
  byte_view parameters{};
};

using ServerMessage =
    std::variant<Full, Delta, Unchanged, Event, Hello, Nack, Bye, ClockReply, InputAck>;
using ClientMessage = std::variant<Input, SnapshotAck, ClockQuery, Interest>;

/// Append one message. Where it ends with a payload that is empty, the payload may be appended
/// behind it.
MUSTER_API void encode(const Full& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Delta& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Unchanged& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Event& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Hello& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Nack& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Bye& message, std::vector<std::byte>& out);
MUSTER_API void encode(const ClockReply& message, std::vector<std::byte>& out);
MUSTER_API void encode(const InputAck& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Input& message, std::vector<std::byte>& out);
MUSTER_API void encode(const SnapshotAck& message, std::vector<std::byte>& out);
MUSTER_API void encode(const ClockQuery& message, std::vector<std::byte>& out);
MUSTER_API void encode(const Interest& message, std::vector<std::byte>& out);

/// Read one message. They accept only what `encode` writes, byte for byte.
/// @error         errc::unexpected_end   it ends inside a field
/// @error         errc::bad_varint       an integer beyond 64 bits, or not in its shortest form
/// @error         errc::bad_utf8         a text is not UTF-8
/// @error         errc::bad_value        an unknown type, version, format or code; a client_seq
///                                       above `max_client_seq`
/// @error         errc::bad_syntax       bytes behind the last field
/// @complexity    O(1), O(n) for texts; they do not allocate
[[nodiscard]] MUSTER_API result<ServerMessage> decode_server_message(byte_view message) noexcept;
[[nodiscard]] MUSTER_API result<ClientMessage> decode_client_message(byte_view message) noexcept;

}  // namespace muster::shard::v2
