// SPDX-License-Identifier: MIT
// An SOE server with a thread of its own, for programs without loops.
#pragma once

#include <muster/address.hpp>
#include <muster/asio/soe_event.hpp>
#include <muster/asio/soe_handle.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/export.hpp>
#include <muster/time.hpp>

#include <memory>
#include <string_view>
#include <system_error>

namespace muster::asio {

/// Sessions are handled on its thread; events wait in a queue for the program.
///
///     muster::asio::SoeServer server{options};
///     if (server.listen("[::]:20260")) ...
///     for (SoeEvent event; server.next_event(event, 1s) != EventStatus::stopped;) ...
///
/// @threads one thread makes it, listens, and ends it; one thread at a time asks for events;
///          `handle` and `stop` from any thread, and copies of a handle too
class MUSTER_API SoeServer {
 public:
  explicit SoeServer(const SoeOptions& options, const SoeEventLimits& limits = {});
  SoeServer(const SoeServer&) = delete;
  SoeServer& operator=(const SoeServer&) = delete;

  /// Stops it.
  ~SoeServer();

  /// Opens the socket and starts the thread.
  /// @param address   "127.0.0.1:20260", "[::]:0" for both families; port 0: any free one
  /// @error errc::bad_value     not of that form
  /// @error errc::wrong_state   it listens already, or was stopped
  /// @error otherwise           what the system says
  [[nodiscard]] std::error_code listen(std::string_view address);

  [[nodiscard]] Address local() const noexcept;

  /// Acts on sessions from any thread, and may outlive the server.
  [[nodiscard]] SoeHandle handle() const noexcept;

  /// The next event, in order.
  /// @param patience   how long to wait for one; 0: not at all
  [[nodiscard]] EventStatus next_event(SoeEvent& event, duration patience);

  /// Ends all sessions, telling the peers, and the thread. Not from within a callback.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
