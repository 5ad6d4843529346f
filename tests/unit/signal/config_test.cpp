// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/error.hpp>
#include <muster/signal/config.hpp>

#include <chrono>
#include <string>

using muster::signal::Config;
using muster::signal::validate;

TEST_CASE("signal config: the defaults are allowed", "[signal][config]") {
  std::string problem = "untouched";
  CHECK_FALSE(validate(Config{}, problem));
  CHECK(problem == "untouched");
}

TEST_CASE("signal config: a field out of range is named, and what is allowed", "[signal][config]") {
  Config config;
  std::string problem;
  config.default_max_players = 0;
  CHECK(validate(config, problem) == muster::errc::invalid_config);
  CHECK(problem == "default_max_players must be from 1 to 100");

  config = {};
  config.slow_consumer_timeout = std::chrono::milliseconds{0};
  CHECK(validate(config, problem));
  CHECK(problem == "slow_consumer_timeout must be from 1 ms to 600 s");

  config = {};
  config.max_message_size = 16 * 1024 * 1024;
  CHECK(validate(config, problem));
  CHECK(problem == "max_outbound_message_size must be from 16777472 to 67108864");

  config = {};
  config.delivery_stats_interval = std::chrono::milliseconds{1};
  CHECK(validate(config, problem));
  CHECK(problem == "delivery_stats_interval must be from 1 s to 3600 s, or 0");

  config = {};
  config.idle_timeout = std::chrono::seconds{-1};
  CHECK(validate(config, problem));
  CHECK(problem == "idle_timeout must be from 0 s to 86400 s");
}
