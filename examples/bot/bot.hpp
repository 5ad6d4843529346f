// SPDX-License-Identifier: MIT
// What every kind of run is to the program.
#pragma once

#include <muster/service.hpp>

namespace bot_program {

/// A run against a server.
/// @threads the loop's thread
class Bot : public muster::Service {
 public:
  virtual void start() = 0;

  /// Ends the run before its time; the summary follows.
  virtual void stop() noexcept = 0;

  /// Prints the summary. 0: everything was as it should be.
  [[nodiscard]] virtual int finish() = 0;
};

}  // namespace bot_program
