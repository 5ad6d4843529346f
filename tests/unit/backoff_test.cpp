// SPDX-License-Identifier: MIT
// How long clients wait, and when they start over.
#include <muster/backoff.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>

using muster::Backoff;
using muster::duration;
using muster::time_point;
using namespace std::chrono_literals;

namespace {

// The same bytes for ever.
class Constant final : public muster::Entropy {
 public:
  explicit Constant(std::byte value) : value_(value) {}
  void fill(muster::mutable_byte_view out) noexcept override {
    std::fill(out.begin(), out.end(), value_);
  }

 private:
  std::byte value_;
};

}  // namespace

TEST_CASE("backoff: the bound doubles up to the longest", "[backoff]") {
  muster::SeededEntropy entropy{1};
  const Backoff backoff{{.first = 500ms, .longest = 3s}, entropy};
  CHECK(backoff.bound(0) == 500ms);
  CHECK(backoff.bound(1) == 1s);
  CHECK(backoff.bound(2) == 2s);
  CHECK(backoff.bound(3) == 3s);
  CHECK(backoff.bound(63) == 3s);
  CHECK(backoff.bound(0xffffffff) == 3s);
}

TEST_CASE("backoff: a wait is anything up to the bound, both ends included", "[backoff]") {
  muster::SeededEntropy entropy{7};
  const Backoff backoff{{.first = 1ms, .longest = 1h}, entropy};
  for (std::uint32_t attempt = 0; attempt < 30; ++attempt) {
    duration least = duration::max();
    duration most{0};
    for (int i = 0; i < 200; ++i) {
      const duration wait = backoff.next(attempt);
      REQUIRE(wait >= 0ms);
      REQUIRE(wait <= backoff.bound(attempt));
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    CHECK(least < backoff.bound(attempt) / 10);
    CHECK(most > backoff.bound(attempt) - backoff.bound(attempt) / 10);
  }
  Constant nothing{std::byte{0}};
  CHECK(Backoff{{}, nothing}.next(5) == 0ms);
}

TEST_CASE("backoff: attempts are counted until a connection held long enough", "[backoff]") {
  muster::SeededEntropy entropy{3};
  Backoff backoff{{.reset_after = 10s}, entropy};
  const time_point start{};
  for (int i = 0; i < 4; ++i) (void)backoff.next();
  CHECK(backoff.attempt() == 4);
  backoff.went_up(start);
  backoff.went_down(start + 9s);
  CHECK(backoff.attempt() == 4);
  backoff.went_down(start + 20s);  // it was not up
  CHECK(backoff.attempt() == 4);
  backoff.went_up(start + 30s);
  backoff.went_down(start + 40s);
  CHECK(backoff.attempt() == 0);
  CHECK(backoff.next() <= 500ms);
  backoff.reset();
  CHECK(backoff.attempt() == 0);
}

TEST_CASE("backoff: ranges of the configuration", "[backoff]") {
  CHECK(Backoff::is_valid({}));
  CHECK_FALSE(Backoff::is_valid({.first = 0ms}));
  CHECK_FALSE(Backoff::is_valid({.first = 61s, .longest = 1h}));
  CHECK_FALSE(Backoff::is_valid({.first = 2s, .longest = 1s}));
  CHECK_FALSE(Backoff::is_valid({.longest = 61min}));
  CHECK_FALSE(Backoff::is_valid({.reset_after = -1s}));
}
