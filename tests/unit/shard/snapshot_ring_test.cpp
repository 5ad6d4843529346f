// SPDX-License-Identifier: MIT
#include <muster/shard/snapshot_ring.hpp>
#include <muster/shard/vector.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <limits>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

template <class T>
bool is(const result<T>& found, const T& value) {
  return found && *found == value;
}
template <class T>
bool is(const result<T>& found, errc error) {
  return !found && found.error() == error;
}

}  // namespace

TEST_CASE("snapshot ring: it reaches back as far as it says, and a tick more is too old",
          "[shard]") {
  SnapshotRing<int> ring{20, 4};  // 250 ms are 5 ticks before the newest
  CHECK(ring.capacity() == 6);
  CHECK(is(ring.at(1, 0), errc::bad_value));
  CHECK_FALSE(ring.newest().has_value());
  for (std::uint64_t tick = 1; tick <= 100; ++tick) {
    ring.begin(tick);
    ring.record(2, static_cast<int>(tick * 10));
  }
  CHECK(ring.newest() == 100U);
  CHECK(is(ring.at(100, 2), 1000));
  CHECK(is(ring.at(95, 2), 950));
  CHECK(is(ring.at(94, 2), errc::timed_out));
  CHECK(is(ring.at(0, 2), errc::timed_out));
  CHECK(is(ring.at(101, 2), errc::bad_value));
  CHECK(is(ring.at(std::numeric_limits<std::uint64_t>::max(), 2), errc::bad_value));
}

TEST_CASE("snapshot ring: its length is rounded up to ticks, and is a second at most", "[shard]") {
  CHECK(SnapshotRing<int>{60, 1}.capacity() == 16);
  CHECK(SnapshotRing<int>{60, 1, 1s}.capacity() == 61);
  CHECK(SnapshotRing<int>{1000, 1, 1s}.capacity() == 1001);
  CHECK(SnapshotRing<int>{30, 1, 50ms}.capacity() == 3);
  CHECK(SnapshotRing<int>{1, 1}.capacity() == 2);
  CHECK(SnapshotRing<int>{64, 1, 0ms}.capacity() == 1);
}

TEST_CASE("snapshot ring: who was not there then is unknown", "[shard]") {
  SnapshotRing<int> ring{20, 130};
  for (std::uint64_t tick = 1; tick <= 20; ++tick) {
    ring.begin(tick);
    if (tick != 17) ring.record(64, 1);
    if (tick >= 18) ring.record(129, 2);
  }
  CHECK(is(ring.at(16, 64), 1));
  CHECK(is(ring.at(17, 64), errc::not_found));
  CHECK(is(ring.at(17, 129), errc::not_found));
  CHECK(is(ring.at(18, 129), 2));
  CHECK(is(ring.at(18, 128), errc::not_found));
  CHECK(is(ring.at(18, 0xffffffff), errc::not_found));
  CHECK(is(ring.between(16, 0.5F, 64), errc::not_found));
  CHECK(is(ring.between(17, 0.5F, 64), errc::not_found));
  CHECK(is(ring.between(17, 0.5F, 129), errc::not_found));
}

TEST_CASE("snapshot ring: ticks that were left out have nothing, also where an older one lay",
          "[shard]") {
  SnapshotRing<int> ring{20, 1};
  for (std::uint64_t tick = 1; tick <= 6; ++tick) {
    ring.begin(tick);
    ring.record(0, static_cast<int>(tick));
  }
  ring.begin(9);
  ring.record(0, 9);
  CHECK(is(ring.at(9, 0), 9));
  CHECK(is(ring.at(8, 0), errc::not_found));
  CHECK(is(ring.at(7, 0), errc::not_found));
  CHECK(is(ring.at(6, 0), 6));
  CHECK(is(ring.at(3, 0), errc::timed_out));
  ring.begin(1000);
  CHECK(is(ring.at(1000, 0), errc::not_found));
  CHECK(is(ring.at(999, 0), errc::not_found));
}

TEST_CASE("snapshot ring: between two ticks", "[shard]") {
  SnapshotRing<Vector2> ring{20, 2};
  ring.begin(7);
  ring.record(1, {0, 10});
  ring.begin(8);
  ring.record(1, {4, 20});
  CHECK(is(ring.between(7, 0, 1), Vector2{0, 10}));
  CHECK(is(ring.between(7, 0.25F, 1), Vector2{1, 12.5F}));
  CHECK(is(ring.between(7, 1, 1), Vector2{4, 20}));
  CHECK(is(ring.between(8, 0, 1), Vector2{4, 20}));
  CHECK(is(ring.between(8, 0.1F, 1), errc::bad_value));  // the next has not begun
  CHECK(is(ring.between(7, 1.01F, 1), errc::bad_value));
  CHECK(is(ring.between(7, -0.01F, 1), errc::bad_value));
  CHECK(is(ring.between(7, std::numeric_limits<float>::quiet_NaN(), 1), errc::bad_value));
}

TEST_CASE("snapshot ring: the last tick of all has none after it", "[shard]") {
  constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  SnapshotRing<float> ring{20, 1};
  ring.begin(last);
  ring.record(0, 1.5F);
  CHECK(is(ring.at(last, 0), 1.5F));
  CHECK(is(ring.between(last, 0.5F, 0), errc::bad_value));
  CHECK(is(ring.at(0, 0), errc::timed_out));
}

TEST_CASE("snapshot ring: numbers between numbers, without overflow", "[shard]") {
  const Lerp lerp;
  CHECK(lerp(1.0, 2.0, 0.5F) == 1.5);
  CHECK(lerp(-10, 10, 0.5F) == 0);
  CHECK(lerp(10, -10, 0.25F) == 5);
  CHECK(lerp(0, 3, 0.5F) == 2);  // rounded
  CHECK(lerp(std::uint8_t{250}, std::uint8_t{0}, 0.1F) == 225);
  using Limits = std::numeric_limits<std::int64_t>;
  CHECK(lerp(Limits::min(), Limits::max(), 0.0F) == Limits::min());
  CHECK(lerp(Limits::min(), Limits::max(), 1.0F) == Limits::max());
  CHECK(lerp(Limits::max(), Limits::min(), 1.0F) == Limits::min());
  CHECK(lerp(Limits::min(), Limits::max(), 0.5F) == 0);
  CHECK(lerp(Vector3{0, 2, 4}, Vector3{2, 4, 6}, 0.5F) == Vector3{1, 3, 5});
}

TEST_CASE("snapshot ring: the game may say what lies between", "[shard]") {
  struct Nearest {
    int operator()(int from, int to, float fraction) const { return fraction < 0.5F ? from : to; }
  };
  SnapshotRing<int, Nearest> ring{20, 1};
  ring.begin(1);
  ring.record(0, 100);
  ring.begin(2);
  ring.record(0, 200);
  CHECK(is(ring.between(1, 0.4F, 0), 100));
  CHECK(is(ring.between(1, 0.6F, 0), 200));
}
