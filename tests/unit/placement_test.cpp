// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/placement.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace muster;

namespace {

// The published algorithm, word for word, on a hash.
std::uint32_t published_jump(std::uint64_t key, std::int32_t count) {
  std::int64_t b = -1;
  std::int64_t j = 0;
  while (j < count) {
    b = j;
    key = key * 2862933555777941757ULL + 1;
    j = static_cast<std::int64_t>(
        static_cast<double>(b + 1) *
        (static_cast<double>(1LL << 31) / static_cast<double>((key >> 33) + 1)));
  }
  return static_cast<std::uint32_t>(b);
}

std::string name(int i) { return "room " + std::to_string(i); }

}  // namespace

TEST_CASE("placement: is the published jump over the keyed hash", "[placement]") {
  const SipKey seed{1, 2};
  for (const std::uint32_t count : {1U, 2U, 3U, 4U, 16U, 64U, 1000U}) {
    const Placement placement{seed, count};
    for (int i = 0; i < 1000; ++i) {
      const std::string key = name(i);
      const std::uint32_t place = placement.of(as_bytes(key));
      REQUIRE(place < count);
      REQUIRE(place ==
              published_jump(sip_hash(seed, as_bytes(key)), static_cast<std::int32_t>(count)));
    }
  }
}

TEST_CASE("placement: spreads keys evenly, and otherwise with another seed", "[placement]") {
  const Placement placement{{1, 2}, 8};
  const Placement other{{1, 3}, 8};
  std::vector<int> counts(8);
  int same = 0;
  for (int i = 0; i < 8000; ++i) {
    const std::uint32_t place = placement.of(as_bytes(name(i)));
    ++counts[place];
    same += place == other.of(as_bytes(name(i))) ? 1 : 0;
  }
  // 1000 each, with a deviation of about 30.
  for (const int count : counts) CHECK(std::abs(count - 1000) < 200);
  CHECK(std::abs(same - 1000) < 200);
}

TEST_CASE("placement: one more place takes its share, and moves no other key", "[placement]") {
  const Placement before{{1, 2}, 4};
  const Placement after{{1, 2}, 5};
  int moved = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::uint32_t was = before.of(as_bytes(name(i)));
    const std::uint32_t is = after.of(as_bytes(name(i)));
    if (was == is) continue;
    CHECK(is == 4);
    ++moved;
  }
  CHECK(std::abs(moved - 1000) < 200);
}

TEST_CASE("placement: the seed is drawn from the entropy", "[placement]") {
  SeededEntropy one{1};
  SeededEntropy again{1};
  const Placement first{one, 64};
  const Placement same{again, 64};
  const Placement next{one, 64};
  int differ = 0;
  for (int i = 0; i < 64; ++i) {
    CHECK(first.of(as_bytes(name(i))) == same.of(as_bytes(name(i))));
    differ += first.of(as_bytes(name(i))) != next.of(as_bytes(name(i))) ? 1 : 0;
  }
  CHECK(differ > 0);
}

TEST_CASE("placement: a key is drawn until it belongs where it is wanted", "[placement]") {
  SeededEntropy entropy{3};
  const Placement placement{entropy, 16};
  for (std::uint32_t place = 0; place < 16; ++place) {
    int draws = 0;
    const auto key = placement.draw_for(place, [&] {
      ++draws;
      return std::to_string(entropy.next_u64());
    });
    REQUIRE(key);
    CHECK(placement.of(as_bytes(*key)) == place);
    CHECK(draws < 1024);
  }
  // One that repeats itself does not hold the caller up for ever.
  const std::uint32_t place = placement.of(as_bytes("same"));
  CHECK(placement.draw_for(place, [] { return std::string{"same"}; }));
  CHECK(!placement.draw_for((place + 1) % 16, [] { return std::string{"same"}; }));
}
