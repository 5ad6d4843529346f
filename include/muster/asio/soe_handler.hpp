// SPDX-License-Identifier: MIT
// What answers the SOE sessions of a socket.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/export.hpp>
#include <muster/soe/event.hpp>
#include <muster/time.hpp>

namespace muster::asio {

/// The application's side of a socket for SOE.
///
/// For each session: opened, then data and writable, then closed. Every call comes from the thread
/// that drives the socket, never from within `enqueue`, `terminate` and the like. A call may use
/// everything of the socket but not destroy it. What it throws leaves the loop's `run()` or the
/// `step`; the events behind it follow later.
class MUSTER_API SoeHandler {
 public:
  virtual ~SoeHandler() = default;

  /// The session may be used.
  virtual void on_opened(soe::SessionId session, const Address& remote, time_point now);

  /// One whole message; its bytes are valid during the call.
  virtual void on_data(soe::SessionId session, byte_view data, soe::Channel channel,
                       time_point now) = 0;

  /// An `enqueue` was refused for want of room, and there is room again.
  virtual void on_writable(soe::SessionId session, time_point now);

  /// The session is over: exactly once for each that was opened or asked for, but not for what a
  /// socket's own end takes with it.
  virtual void on_closed(soe::SessionId session, const Address& remote,
                         soe::DisconnectReason reason, bool by_peer, time_point now);

  /// A `connect` that a handle was given could not even begin.
  /// @param why   as of `SoeSocket::connect`
  virtual void on_not_connected(const Address& remote, errc why, time_point now);
};

}  // namespace muster::asio
