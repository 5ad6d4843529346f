// SPDX-License-Identifier: MIT
// Bots that want an opponent.
#pragma once

#include "accounts.hpp"

#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace lobby_program {

/// First come, first served. Who waits for too long has to ask again.
/// @threads distinct objects: safe; shared objects: unsafe
class Queue {
 public:
  struct Config {
    muster::duration ttl = std::chrono::seconds{60};  ///< how long one may wait
    std::size_t max_waiting = 1000;                   ///< 1 and more
  };

  struct Waiting {
    Credential who{};
    muster::time_point since{};
  };

  /// Where a bot stands.
  struct Place {
    enum class State : std::uint8_t { idle, queued, timed_out };
    State state = State::idle;
    std::size_t position = 0;  ///< from 1; 0 if not queued
    muster::duration waited{0};
  };

  explicit Queue(const Config& config) : config_(config) {}

  /// Puts a bot at the end, unless it waits already.
  /// @return   false: the queue is full
  bool join(const Credential& who, muster::time_point now);

  /// @return   false: it was not there
  bool leave(std::string_view bot_id);

  /// A bot that timed out is told so once.
  [[nodiscard]] Place place(std::string_view bot_id, muster::time_point now);

  /// Takes the first two, if there are two.
  [[nodiscard]] std::optional<std::pair<Waiting, Waiting>> take_pair(muster::time_point now);

  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
  [[nodiscard]] const Config& config() const noexcept { return config_; }

 private:
  void expire(muster::time_point now);

  Config config_;
  std::deque<Waiting> waiting_;
  std::set<std::string, std::less<>> timed_out_;  // bots, which exist; so it is bounded
};

}  // namespace lobby_program
