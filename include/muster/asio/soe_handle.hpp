// SPDX-License-Identifier: MIT
// The way to a socket's SOE sessions from other threads.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/soe/event.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace muster::asio {

/// A handle on a socket, which it may outlive. What is called for happens at the start of the
/// loop's next pass, in the order of the calls of one thread.
///
/// What is enqueued here and finds no room in its session waits for it, in order, and before the
/// session is open as well; each session has a share of `Config::send_budget` bytes for that, so
/// one that is slow fills up nothing but its own.
/// @threads safe
class MUSTER_API SoeHandle {
 public:
  enum class Status : std::uint8_t {
    queued,     ///< it is done, unless the socket ends first
    full,       ///< too much waits already, and nothing was queued; `on_writable` follows when a
                ///< message of that session may be tried again
    too_large,  ///< the message can never be sent
    stopped,    ///< the socket or its loop is gone
  };

  /// `on_opened`, `on_closed` or `on_not_connected` follows.
  Status connect(const Address& to, std::string protocol) const;

  /// Queues a copy of a message. It is dropped if the session is over by then, or if it is
  /// unreliable and finds no room.
  Status enqueue(soe::SessionId session, byte_view message,
                 soe::Channel channel = soe::Channel::reliable0) const;

  /// Ends a session at once. What waits is dropped.
  Status terminate(soe::SessionId session,
                   soe::DisconnectReason reason = soe::DisconnectReason::application) const;

  /// Ends a session when everything queued before is acknowledged, at the latest after
  /// `Config::close_timeout` from when it was all handed over.
  Status close(soe::SessionId session,
               soe::DisconnectReason reason = soe::DisconnectReason::application) const;

  [[nodiscard]] bool is_stopped() const noexcept;

  struct State;
  explicit SoeHandle(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  [[nodiscard]] State& state() const noexcept { return *state_; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace muster::asio
