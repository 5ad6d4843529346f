// SPDX-License-Identifier: MIT
#include "../lib/soe/request_limits.hpp"

#include "support/catch.hpp"

using namespace muster;
using namespace std::chrono_literals;
using soe::RequestLimits;

namespace {

int admitted(RequestLimits& limits, std::uint64_t host, time_point now, int tries) {
  int count = 0;
  for (; tries != 0; --tries) count += limits.admit(host, now) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("SOE request limits: a host has a second's worth at once, and then its rate", "[soe]") {
  time_point now{1h};
  RequestLimits limits{1000, 20, now};
  CHECK(admitted(limits, 1, now, 100) == 20);
  CHECK(admitted(limits, 2, now, 100) == 20);  // another host
  CHECK(admitted(limits, 1, now + 100ms, 100) == 2);
  CHECK(admitted(limits, 1, now + 1h, 100) == 20);
}

TEST_CASE("SOE request limits: many hosts together have a limit too", "[soe]") {
  time_point now{1h};
  RequestLimits limits{100, 20, now};
  int count = 0;
  for (std::uint64_t host = 0; host < 50; ++host) count += admitted(limits, host, now, 10);
  CHECK(count == 100);
}

TEST_CASE("SOE request limits: small steps of time lose nothing", "[soe]") {
  time_point now{1h};
  RequestLimits limits{0, 20, now};
  CHECK(admitted(limits, 1, now, 100) == 20);
  int count = 0;
  for (int ms = 1; ms <= 1000; ++ms) count += admitted(limits, 1, now + ms * 1ms, 1);
  CHECK(count == 20);
}

TEST_CASE("SOE request limits: zero is none", "[soe]") {
  time_point now{1h};
  RequestLimits limits{0, 0, now};
  CHECK(admitted(limits, 1, now, 100000) == 100000);
}
