// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <muster/lobby/retry_policy.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

using muster::lobby::RetryPolicy;
using nlohmann::json;

namespace {

RetryPolicy read(const json& policy) {
  RetryPolicy out;
  out.jitter = 0;
  out.max_reconnect_attempts = policy["max_reconnect_attempts"].get<std::uint32_t>();
  out.initial_backoff = std::chrono::milliseconds{policy["initial_backoff_ms"].get<int>()};
  out.max_backoff = std::chrono::milliseconds{policy["max_backoff_ms"].get<int>()};
  const json& multiplier = policy["backoff_multiplier"];
  if (multiplier == "NaN") {
    out.backoff_multiplier = std::numeric_limits<double>::quiet_NaN();
  } else if (multiplier == "Infinity") {
    out.backoff_multiplier = std::numeric_limits<double>::infinity();
  } else {
    out.backoff_multiplier = multiplier.get<double>();
  }
  return out;
}

}  // namespace

TEST_CASE("retry policy: every recorded delay", "[lobby][vectors]") {
  const json vectors = test::load_vectors("lobby_vectors.json");
  std::size_t checked = 0;
  for (const json& c : vectors["backoff"]) {
    INFO(c["name"].get<std::string>());
    const RetryPolicy policy = read(c["policy"]);
    CHECK(policy.is_valid());
    for (const json& pair : c["attempt_to_delay_ms_no_jitter"]) {
      INFO("attempt " << pair[0].get<std::uint32_t>());
      CHECK(policy.delay(pair[0].get<std::uint32_t>()).count() == pair[1].get<std::int64_t>());
      ++checked;
    }
    std::int64_t sum = 0;
    for (std::uint32_t n = 1; n <= policy.max_reconnect_attempts; ++n) {
      sum += policy.delay(n).count();
    }
    CHECK(sum == c["sum_of_full_budget_ms"].get<std::int64_t>());
  }
  CHECK(checked > 60);
}

TEST_CASE("retry policy: every recorded part that chance takes off", "[lobby][vectors]") {
  const json vectors = test::load_vectors("lobby_vectors.json");
  REQUIRE(vectors["backoff_jitter"]["cases"].size() == 32);
  for (const json& c : vectors["backoff_jitter"]["cases"]) {
    INFO(c.dump());
    RetryPolicy policy;
    policy.initial_backoff = std::chrono::milliseconds{c["base_ms"].get<int>()};
    policy.jitter = c["jitter"].get<double>();
    CHECK(policy.delay(1, c["u"].get<double>()).count() == c["delay_ms"].get<std::int64_t>());
  }
}

TEST_CASE("retry policy: what is out of range is refused", "[lobby][vectors]") {
  CHECK(RetryPolicy{}.is_valid());
  const json vectors = test::load_vectors("lobby_vectors.json");
  REQUIRE(vectors["backoff_invalid_policies"].size() == 6);
  for (const json& c : vectors["backoff_invalid_policies"]) {
    // The number of attempts has no sign here.
    if (c["policy"]["max_reconnect_attempts"] == -1) continue;
    INFO(c["error"].get<std::string>());
    CHECK_FALSE(read(c["policy"]).is_valid());
  }
  RetryPolicy policy;
  policy.jitter = 1.01;
  CHECK_FALSE(policy.is_valid());
  policy.jitter = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(policy.is_valid());
}
