// SPDX-License-Identifier: MIT
// The last step of a frame, and the first of a request: where tests of clients put their faults.
#pragma once

#include <muster/connection.hpp>
#include <muster/request.hpp>

#include <cstdint>
#include <string_view>

namespace lobby_program {

/// Where a frame comes from.
struct Origin {
  std::string_view bot_id;  ///< of who gets it
  std::uint64_t match = 0;  ///< its number, from 1 in the order of starts; 0: the lobby
};

/// How the services reach their connections. This one changes nothing.
class Wire {
 public:
  virtual ~Wire() = default;

  virtual void send(muster::Connection& connection, std::string_view frame, const Origin&) {
    write(connection, frame);
  }

  /// Whether what arrives there is to be looked at.
  [[nodiscard]] virtual bool hears(const muster::Connection&) { return true; }

  /// Answers an upgrade request in place of the service.
  /// @return   false: it did not
  virtual bool answer(const Origin&, muster::Decision&) { return false; }

  /// The subprotocol that the gateway selects.
  [[nodiscard]] virtual std::string_view select(const Origin&, std::string_view sentinel,
                                                std::string_view /*token*/) {
    return sentinel;
  }

  /// A connection is gone.
  virtual void forget(const muster::Connection&) {}

 protected:
  /// No frame is left out: who takes so little that one does not fit is closed, and may come back.
  static void write(muster::Connection& connection, std::string_view frame) {
    const muster::Message message{muster::as_bytes(frame), muster::MessageKind::text};
    if (connection.send(message) == muster::SendStatus::over_budget) {
      connection.close(muster::CloseReason::too_slow, 1011, "too slow");
    }
  }
};

}  // namespace lobby_program
