// SPDX-License-Identifier: MIT
// What somebody asks for who wants to be matched.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/shard/authenticator.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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

/// Reads `{"mode":"duel","rating":1500,"party":["bob"]}`. What is not said is as in `MatchWish`;
/// members of other names are ignored.
/// @param user   who asks
/// @return       empty if it is no such object
[[nodiscard]] MUSTER_API std::optional<MatchWish> read_match_wish(byte_view body,
                                                                  std::string_view user);

}  // namespace muster::shard
