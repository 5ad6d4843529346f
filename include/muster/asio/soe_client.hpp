// SPDX-License-Identifier: MIT
// One SOE session with a server, on a thread of its own.
#pragma once

#include <muster/address.hpp>
#include <muster/asio/soe_event.hpp>
#include <muster/asio/soe_handle.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/time.hpp>

#include <memory>
#include <string_view>
#include <system_error>

namespace muster::asio {

/// For programs without loops.
///
///     muster::asio::SoeClient client{options};
///     if (client.connect_to("192.0.2.1:20260", "Game_1")) ...
///     client.enqueue(hello);                       // leaves when the session is open
///     for (SoeEvent event; client.next_event(event, 1s) != EventStatus::stopped;) ...
///
/// @threads one thread makes it, connects, and ends it; one thread at a time asks for events; all
///          else from any thread
class MUSTER_API SoeClient {
 public:
  /// @param options   what concerns servers is not used
  explicit SoeClient(const SoeOptions& options, const SoeEventLimits& limits = {});
  SoeClient(const SoeClient&) = delete;
  SoeClient& operator=(const SoeClient&) = delete;

  /// Stops it.
  ~SoeClient();

  /// Asks for the session, and starts the thread. `opened` or `closed` follows. Once.
  /// @param server     "192.0.2.1:20260", "[2001:db8::1]:20260"
  /// @param protocol   the application's name: at most 32 bytes, none of them zero
  /// @error errc::bad_value     one of the two
  /// @error errc::wrong_state   it was connected before, or stopped
  /// @error otherwise           what the system says
  [[nodiscard]] std::error_code connect_to(std::string_view server, std::string_view protocol);

  [[nodiscard]] Address local() const noexcept;

  // As of `SoeHandle`, for this one session. `stopped` before `connect_to` as well.

  SoeHandle::Status enqueue(byte_view message, soe::Channel channel = soe::Channel::reliable0);
  SoeHandle::Status terminate(soe::DisconnectReason reason = soe::DisconnectReason::application);
  SoeHandle::Status close(soe::DisconnectReason reason = soe::DisconnectReason::application);

  /// The next event, in order.
  /// @param patience   how long to wait for one; 0: not at all
  [[nodiscard]] EventStatus next_event(SoeEvent& event, duration patience);

  /// Ends the session, telling the server, and the thread. Not from within a callback.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
