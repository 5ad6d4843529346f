// SPDX-License-Identifier: MIT
// Where handlers run: never on the network's thread.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <functional>

namespace muster::lobby {

/// Runs what handlers do somewhere else, and brings the answers back. A driver has threads for that
/// (`asio::HandlerThreads`); a test runs everything on its own.
class MUSTER_API Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `task` once, at any time, on any thread. Called from the loop's thread.
  ///
  /// The client never has two tasks of one match at a time, so a handler needs no lock.
  virtual void run(std::function<void()> task) = 0;

  /// Runs `task` once on the loop's thread, with the time, and not from within this call. May be
  /// called from any thread.
  /// @return false: the loop is gone, or takes nothing in; the task is not run
  virtual bool post(std::function<void(time_point now)> task) = 0;
};

}  // namespace muster::lobby
