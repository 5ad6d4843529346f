// SPDX-License-Identifier: MIT
// SOE sessions on a loop: one UDP socket for all of them, as a server, a client or both.
#pragma once

#include <muster/asio/datagram_stats.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/soe_handle.hpp>
#include <muster/asio/soe_handler.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/soe/multiplexer.hpp>

#include <memory>
#include <string_view>
#include <system_error>

namespace muster::asio {

/// Reads what is there, tells the handler, and sends once at the end of each pass: what a handler
/// enqueues leaves in the same pass, and what is enqueued between passes leaves in one soon after.
///
///     muster::asio::SoeSocket socket{loop, options, entropy, handler};
///     if (socket.bind("[::]:20260")) ...        // both families
///
/// A program with several loops gives each a socket on the same port (`DatagramOptions::
/// reuse_port`); a peer stays with one of them. A socket on any address answers from the address
/// that the system chooses, so a host of several addresses binds one socket to each.
///
/// Everything it uses must outlive it: the loop, the entropy, the handler. Its end takes the
/// sessions with it, without a word to the peers or to the handler: `terminate_all` before, and a
/// pass, says it.
/// @threads the loop's thread; a `handle()` that was fetched before from any
class MUSTER_API SoeSocket {
 public:
  SoeSocket(Loop& loop, const SoeOptions& options, Entropy& entropy, SoeHandler& handler);
  SoeSocket(const SoeSocket&) = delete;
  SoeSocket& operator=(const SoeSocket&) = delete;
  ~SoeSocket();

  /// Opens it: for clients that come, and for sessions that `connect` asks for.
  /// @param address   "127.0.0.1:20260", "[::]:0"; port 0: any free one
  /// @error errc::bad_value     not of that form
  /// @error errc::wrong_state   it is open already
  /// @error otherwise           what the system says
  [[nodiscard]] std::error_code bind(std::string_view address);

  /// Opens it for one server alone, in place of `bind`: a datagram costs a tenth less.
  /// @error as of `bind`
  [[nodiscard]] std::error_code open_for(std::string_view server);

  /// Asks a server for a session. `on_opened` or `on_closed` follows. Opens the socket on any port
  /// if it is not open yet.
  /// @param to         or as text, "192.0.2.1:20260"
  /// @param protocol   the application's name: at most 32 bytes, none of them zero
  /// @error errc::already_exists   there is a session with this address
  /// @error errc::limit_reached    `Config::max_sessions`
  /// @error errc::bad_value        the name, or the text
  /// @error errc::connect_failed   no socket, or one that does not reach this address
  [[nodiscard]] result<soe::SessionId> connect(const Address& to, std::string_view protocol);
  [[nodiscard]] result<soe::SessionId> connect(std::string_view to, std::string_view protocol);

  /// Queues a copy of a message; an empty one is ignored.
  soe::EnqueueStatus enqueue(soe::SessionId session, byte_view message,
                             soe::Channel channel = soe::Channel::reliable0);

  /// Encrypts and decrypts what follows, on the channels of a mask (bit 0: `reliable0`).
  /// @param key   1 to 256 bytes; empty: no encryption
  /// @return whether the session exists and the key is of that size
  bool set_encryption(soe::SessionId session, unsigned channels, byte_view key);

  /// Ends a session at once; the peer is told. What waits is dropped.
  /// @return whether there was one
  bool terminate(soe::SessionId session,
                 soe::DisconnectReason reason = soe::DisconnectReason::application);
  void terminate_all(soe::DisconnectReason reason = soe::DisconnectReason::application);

  /// Ends a session when everything queued is acknowledged, at the latest after
  /// `Config::close_timeout`.
  /// @return whether there was one
  bool close(soe::SessionId session,
             soe::DisconnectReason reason = soe::DisconnectReason::application);

  /// Stops reading, for an application that cannot keep up, and goes on. Peers repeat what finds
  /// no place; sessions whose silence or lack of acknowledgements lasts too long end as ever.
  void pause();
  void resume();

  /// Where it is bound; all zero if it is not open.
  [[nodiscard]] Address local() const noexcept;

  /// Sessions, their state and what is counted.
  [[nodiscard]] const SoeMultiplexer<>& multiplexer() const noexcept;
  [[nodiscard]] const DatagramStats& stats() const noexcept;

  /// For other threads. All are the same one.
  [[nodiscard]] SoeHandle handle();

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
