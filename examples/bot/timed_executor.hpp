// SPDX-License-Identifier: MIT
// How long it takes to get to the handlers' threads, and back.
#pragma once

#include "lobby_report.hpp"

#include <muster/lobby/executor.hpp>

#include <chrono>
#include <functional>
#include <utility>

namespace bot_program {

/// Passes everything on to another executor, and takes the time.
class TimedExecutor final : public muster::lobby::Executor {
 public:
  /// @param executor   must outlive it
  explicit TimedExecutor(muster::lobby::Executor& executor) : executor_(&executor) {}

  void run(std::function<void()> task) override {
    executor_->run([this, since = Clock::now(), task = std::move(task)] {
      there_.record(Clock::now() - since);
      task();
    });
  }

  bool post(std::function<void(muster::time_point now)> task) override {
    return executor_->post([this, since = Clock::now(), task = std::move(task)](auto now) {
      task(now);
      back_.record(Clock::now() - since);
    });
  }

  /// From a message's arrival, or from the end of the call before, to a handler's call.
  [[nodiscard]] Histogram take_there() { return there_.take(); }

  /// From a handler's word to when it is written, but for the system call.
  [[nodiscard]] Histogram take_back() { return back_.take(); }

 private:
  using Clock = std::chrono::steady_clock;

  muster::lobby::Executor* executor_;
  SharedTimes there_;
  SharedTimes back_;
};

}  // namespace bot_program
