// SPDX-License-Identifier: MIT
// What an endpoint asks of its sessions.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/multiplexer.hpp>
#include <muster/time.hpp>

#include <string_view>

namespace muster::soe {

/// A driver with its multiplexer, or a multiplexer alone. None of its calls may call upward.
class MUSTER_API SessionPort {
 public:
  virtual ~SessionPort() = default;

  virtual result<SessionId> connect(const Address& to, std::string_view protocol) = 0;
  virtual EnqueueStatus enqueue(SessionId session, byte_view message, Channel channel) = 0;

  /// After everything that was queued.
  virtual void close(SessionId session) = 0;

  /// At once.
  virtual void terminate(SessionId session) = 0;
};

/// A multiplexer in a loop of the application's own.
class MUSTER_API MultiplexerPort final : public SessionPort {
 public:
  MultiplexerPort(SoeMultiplexer<>& multiplexer, time_point now) noexcept
      : multiplexer_(&multiplexer), now_(now) {}

  /// The time of the calls that follow.
  void set_time(time_point now) noexcept { now_ = now; }

  result<SessionId> connect(const Address& to, std::string_view protocol) override {
    return multiplexer_->connect(to, protocol, now_);
  }
  EnqueueStatus enqueue(SessionId session, byte_view message, Channel channel) override {
    return multiplexer_->enqueue(session, message, channel);
  }
  void close(SessionId session) override {
    multiplexer_->close(session, DisconnectReason::application, now_);
  }
  void terminate(SessionId session) override {
    multiplexer_->terminate(session, DisconnectReason::application, now_);
  }

 private:
  SoeMultiplexer<>* multiplexer_;
  time_point now_;
};

}  // namespace muster::soe
