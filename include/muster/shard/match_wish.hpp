// SPDX-License-Identifier: MIT
// What somebody asks for who wants to be matched.
#pragma once

#include <muster/shard/authenticator.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace muster::shard {

/// A wish to be put into a queue, as it came by HTTP.
struct MatchWish {
  std::string mode = "default";        ///< the name of a `MatchMode`, or not
  std::vector<std::string> players{};  ///< who asks, and then those with whom it wants to play
  std::int32_t rating = 0;             ///< as the client says
};

/// What the application says to a wish: whether it is granted. It may change the wish, and should
/// set the rating if that counts for something. Who is named in a party has not been asked: say yes
/// only if it has agreed.
using MatchRule = std::function<bool(const Identity& who, MatchWish& wish)>;

}  // namespace muster::shard
