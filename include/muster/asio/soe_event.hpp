// SPDX-License-Identifier: MIT
// What servers and clients with a thread of their own tell the program's.
#pragma once

#include <muster/address.hpp>
#include <muster/soe/event.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::asio {

/// `data` is valid until the next event is asked for. A `closed` of a session of generation 0 is
/// about a `connect` that could not even begin.
struct SoeEvent : soe::Event {
  Address remote{};  ///< opened, closed
};

/// What came of asking for an event.
enum class EventStatus : std::uint8_t {
  event,    ///< there was one
  none,     ///< not in that time
  stopped,  ///< the driver has stopped, and all its events have been taken
};

/// How much may wait beside the events that are being taken. More, by what a look at the socket
/// brings at most, stops the driver from reading until they are all taken: nothing is lost, and
/// peers have to wait. If that lasts as long as a session's timeouts, the session ends.
struct SoeEventLimits {
  std::size_t events = 64 * 1024;  ///< from 1
  std::size_t bytes = 16 << 20;    ///< of their data; from 1
};

}  // namespace muster::asio
