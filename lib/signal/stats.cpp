// SPDX-License-Identifier: MIT
#include <muster/signal/stats.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <type_traits>

namespace muster::signal {

void Stats::add(const Stats& more) noexcept {
  using Counters = std::array<std::uint64_t, sizeof(Stats) / sizeof(std::uint64_t)>;
  static_assert(sizeof(Counters) == sizeof(Stats) && std::is_trivially_copyable_v<Stats>);
  auto sums = std::bit_cast<Counters>(*this);
  const auto counters = std::bit_cast<Counters>(more);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += counters[i];
  *this = std::bit_cast<Stats>(sums);
}

}  // namespace muster::signal
