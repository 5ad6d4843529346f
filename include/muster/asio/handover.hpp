// SPDX-License-Identifier: MIT
// The servers of several loops that hand connections to each other.
#pragma once

#include <muster/asio/mailbox.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <memory>
#include <span>

namespace muster::asio {

/// Joins one WebSocket server per loop, so that `Connection::move_to(loop, ...)` takes a connection
/// from any of them to the one on the loop of that number.
///
///     Handover handover{mailboxes};          // of loop 0, loop 1, ...
///     server_of_loop_0.join(handover, 0);    // on its loop's thread, or before that runs
///     server_of_loop_1.join(handover, 1);
///
/// A program that listens on two ports has a handover for each. All copies are the same one.
/// @threads copies may be given to any thread
class MUSTER_API Handover {
 public:
  /// @param loops   one mailbox for each loop (`Loop::mailbox`); their order numbers the loops
  explicit Handover(std::span<const Mailbox> loops);

  /// How many loops there are.
  [[nodiscard]] std::size_t size() const noexcept;

  struct State;
  [[nodiscard]] State& state() const noexcept { return *state_; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace muster::asio
