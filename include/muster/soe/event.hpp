// SPDX-License-Identifier: MIT
// What a multiplexer tells its user: sessions that open and close, and what arrives on them.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/disconnect_reason.hpp>

#include <cstdint>

namespace muster::soe {

/// Names a session for good: a later session in the same place has another generation.
struct SessionId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  ///< 0: no session
  friend bool operator==(const SessionId&, const SessionId&) = default;
};

/// The streams of a session. The reliable ones are independent of each other: what is lost on one
/// holds up no other.
enum class Channel : std::uint8_t {
  reliable0 = 0,  ///< delivered once and in order, or the session ends
  reliable1 = 1,
  reliable2 = 2,
  reliable3 = 3,
  unreliable = 4,  ///< may get lost, be repeated or overtaken; never encrypted. One that is larger
                   ///< than a datagram goes by `reliable0`
  ordered = 5,     ///< may get lost, but is never repeated or overtaken; never encrypted
};
inline constexpr unsigned reliable_channel_count = 4;

/// What became of a message that was to be sent.
enum class EnqueueStatus : std::uint8_t {
  queued,       ///< it leaves with this or a later `advance`
  over_budget,  ///< too much waits already; `Event::writable` follows when there is room
  too_large,    ///< it can never be sent: larger than the budget, or, ordered, than a datagram
  not_open,     ///< no such session, or not open yet, or closing
};

/// Something that happened. For each session: opened, then data and writable, then closed.
struct Event {
  enum class Kind : std::uint8_t {
    opened,    ///< the session may be used
    data,      ///< a message
    writable,  ///< what waited was over the budget, and is at most half of it now
    closed,    ///< the session is over; its id is no longer known
  };
  Kind kind = Kind::opened;
  Channel channel = Channel::reliable0;              ///< data
  DisconnectReason reason = DisconnectReason::none;  ///< closed
  bool by_peer = false;                              ///< closed: the peer said so
  SessionId session{};
  byte_view data{};  ///< valid until the next call of `receive` or `advance`
};

}  // namespace muster::soe
