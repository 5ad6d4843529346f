// SPDX-License-Identifier: MIT
// Fuzzes the wish to be matched: it is read, or it is not, and what is read can be queued.
#include <muster/error.hpp>
#include <muster/mac.hpp>
#include <muster/shard/match_wish.hpp>
#include <muster/shard/matchmaker.hpp>

#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace {

using namespace muster;
using test::require;

struct Handler final : shard::MatchHandler {
  bool on_match(const shard::Match&, time_point) override { return true; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const auto wish = shard::read_match_wish(std::as_bytes(std::span{copy}), "ann");
  if (!wish) return 0;
  require(!wish->players.empty() && wish->players.front() == "ann");
  SeededEntropy entropy{1};
  WeakMac mac;
  Handler handler;
  shard::Matchmaker matchmaker{{.modes = {{.name = "default"}, {.name = "team", .team_size = 4}}},
                               {},
                               entropy,
                               mac,
                               handler,
                               time_point{},
                               std::chrono::sys_seconds{}};
  const std::vector<std::string_view> players(wish->players.begin(), wish->players.end());
  const auto error = matchmaker.enqueue(
      {.mode = wish->mode, .players = players, .rating = wish->rating}, time_point{});
  require(error || matchmaker.queued_count() == players.size());
  require(!error || matchmaker.queued_count() == 0);
  matchmaker.advance(time_point{} + std::chrono::seconds{1});
  return 0;
}
