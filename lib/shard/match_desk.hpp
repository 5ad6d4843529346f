// SPDX-License-Identifier: MIT
// Those who wait to hear what becomes of a player, on the matchmaker's loop.
#pragma once

#include <muster/connection.hpp>
#include <muster/shard/match_wish.hpp>
#include <muster/shard/service.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace muster::shard {

/// One who waits and one stream for each player: a second one takes the place of the first. So
/// there are no more of those who wait than players in queues, and no more streams than
/// connections.
struct MUSTER_LOCAL Service::MatchDesk {
  struct Waiter {
    std::uint64_t id;    // of the question
    std::uint32_t from;  // the loop where it was asked
    time_point until;
  };
  using Streams = std::map<std::string, ConnectionId, std::less<>>;

  Matchmaker* matchmaker = nullptr;
  MatchRule rule;  // none: everybody alone, with the rating that it says
  std::map<std::string, Waiter, std::less<>> waiters;
  std::set<std::pair<time_point, std::string>> due;  // of those who wait
  Streams streams;
  std::set<std::string> changed;  // of whom somebody has to be told
};

}  // namespace muster::shard
