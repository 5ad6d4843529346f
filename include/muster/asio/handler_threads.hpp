// SPDX-License-Identifier: MIT
// Threads that run the handlers of lobby clients.
#pragma once

#include <muster/asio/loop.hpp>
#include <muster/export.hpp>
#include <muster/lobby/executor.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace muster::asio {

/// Runs handlers on threads of its own, and brings their answers to a loop.
///
///     muster::asio::HandlerThreads threads{loop, 4};
///     muster::lobby::LobbyClient<Game, Handler> bot{config, dialer, loop.outbox(), entropy,
///     threads,
///                                                   factory};
///
/// It must outlive the clients that use it. Its destructor waits for handlers that are running;
/// what has not begun is destroyed.
/// @threads `run` and `post`: safe; the others: the loop's thread
class MUSTER_API HandlerThreads final : public lobby::Executor {
 public:
  /// @param loop    must outlive it, or at least be stopped before it is gone
  /// @param count   how many handlers run at the same time, 1 to 256
  HandlerThreads(Loop& loop, std::size_t count);
  HandlerThreads(const HandlerThreads&) = delete;
  HandlerThreads& operator=(const HandlerThreads&) = delete;
  ~HandlerThreads() override;

  void run(std::function<void()> task) override;

  /// Waits while the loop's mailbox is full, so not to be called from the loop's own thread when
  /// that may be.
  bool post(std::function<void(time_point now)> task) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muster::asio
