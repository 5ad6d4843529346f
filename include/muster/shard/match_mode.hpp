// SPDX-License-Identifier: MIT
// What a queue puts together: how many players, in which teams, and how alike.
#pragma once

#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>

namespace muster::shard {

/// How far ratings may be apart. It widens while a party waits.
struct RatingWindow {
  std::uint32_t initial = 100;    ///< to each side, in points
  std::uint32_t per_second = 10;  ///< points that it widens by, up to 1 million
  std::uint32_t most = 500;       ///< it gets no wider; not below `initial`
  friend bool operator==(const RatingWindow&, const RatingWindow&) = default;
};

/// A kind of match, with a queue of its own.
struct MatchMode {
  std::string name = "default";  ///< 1 to 128 bytes of UTF-8 without control characters

  /// A group is full with `teams * team_size` players, at most 256. A party is never larger than a
  /// team, and stays in one. A free-for-all of N to which friends may come together is one team of
  /// N; one in which everybody is alone is N teams of one.
  ///
  /// The ways to fill teams of k are combinations, C(teams + k, k), of which there may be 2048: 2
  /// teams of 62, 5 of 8, 20 of 3, 50 of 2.
  std::uint16_t teams = 1;
  std::uint16_t team_size = 2;

  /// Nothing: ratings are ignored, and whoever came first is matched first.
  std::optional<RatingWindow> window{};
};

/// @error errc::invalid_config   with what is wrong in `problem`
[[nodiscard]] MUSTER_API std::error_code validate(const MatchMode& mode, std::string& problem);

}  // namespace muster::shard
