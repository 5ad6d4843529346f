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
    connection.send({muster::as_bytes(frame), muster::MessageKind::text});
  }

  /// Whether what arrives there is to be looked at.
  [[nodiscard]] virtual bool hears(const muster::Connection&) { return true; }

  /// Answers an upgrade request in place of the gateway.
  /// @return   false: it did not
  virtual bool answer(const Origin&, muster::Decision&) { return false; }

  /// The subprotocol that the gateway selects.
  [[nodiscard]] virtual std::string_view select(const Origin&, std::string_view sentinel,
                                                std::string_view /*token*/) {
    return sentinel;
  }

  /// A connection is gone.
  virtual void forget(const muster::Connection&) {}
};

}  // namespace lobby_program
