// SPDX-License-Identifier: MIT
// What a configuration of SOE sessions may be.
#include <muster/soe/config.hpp>

#include <muster/error.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using muster::errc;
using muster::soe::Config;
using muster::soe::Pacing;
using muster::soe::validate;

namespace {

using Change = std::function<void(Config&)>;

std::string problem_after(const Change& change) {
  Config config;
  change(config);
  std::string problem = "what was here before";
  const std::error_code error = validate(config, problem);
  CHECK(static_cast<bool>(error) == !problem.empty());
  if (error) CHECK(error == make_error_code(errc::invalid_config));
  return problem;
}

// Each with the name that the sentence begins with.
void check_refused(const std::vector<std::pair<Change, std::string>>& cases) {
  for (const auto& [change, field] : cases) {
    CAPTURE(field);
    CHECK_THAT(problem_after(change),
               StartsWith(field + " must be ") || StartsWith(field + " must have "));
  }
}

void check_taken(const std::vector<Change>& cases) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    CHECK(problem_after(cases[i]).empty());
  }
}

}  // namespace

TEST_CASE("soe config: the defaults are valid, and those for own ends", "[soe][config]") {
  std::string problem;
  CHECK_FALSE(validate(Config{}, problem));
  for (const unsigned length : {64U, 512U, 1200U, 1400U, 65507U}) {
    const Config config = Config::for_own_ends(length);
    CHECK_FALSE(validate(config, problem));
    CHECK(problem.empty());
    CHECK(config.udp_length == length);
  }
  CHECK(Config::for_own_ends().udp_length == 1400);
}

TEST_CASE("soe config: two own ends use what legacy peers do not know", "[soe][config]") {
  const Config own = Config::for_own_ends();
  const Config legacy;
  CHECK(own.crc_length == 4);
  CHECK(own.bundles);
  CHECK(own.multi_packets);
  CHECK(own.redundancy == 3);
  CHECK(own.pacing == Pacing::model);
  CHECK(own.min_rto == 25ms);
  CHECK(own.initial_rto == 300ms);
  CHECK(own.heartbeat_after == legacy.heartbeat_after);
  CHECK(own.inactivity_timeout == legacy.inactivity_timeout);
  // A full window fits into what a session may keep, else the window is never full.
  CHECK(own.send_budget >= std::size_t{own.send_window} * own.udp_length);
}

TEST_CASE("soe config: a datagram holds a packet and passes IPv4", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.udp_length = 0; }, "udp_length"},
      {[](Config& c) { c.udp_length = 63; }, "udp_length"},
      {[](Config& c) { c.udp_length = 65508; }, "udp_length"},
  });
  check_taken({
      [](Config& c) { c.udp_length = 64; },
      [](Config& c) { c.udp_length = 65507; },
  });
}

TEST_CASE("soe config: a checksum has at most four bytes", "[soe][config]") {
  check_refused({{[](Config& c) { c.crc_length = 5; }, "crc_length"}});
  check_taken({[](Config& c) { c.crc_length = 0; }, [](Config& c) { c.crc_length = 4; }});
}

TEST_CASE("soe config: a protocol's name fits into a request", "[soe][config]") {
  check_refused({
      {[](Config& c) {
         c.protocols = {"good", std::string(33, 'a')};
       },
       "protocols"},
      {[](Config& c) { c.protocols = {std::string("a\0b", 3)}; }, "protocols"},
  });
  check_taken({
      [](Config& c) {
        c.protocols = {std::string(32, 'a'), ""};
      },
  });
}

TEST_CASE("soe config: a key is one that RC4 takes, or none", "[soe][config]") {
  check_refused({{[](Config& c) { c.encryption_key.resize(257); }, "encryption_key"}});
  check_taken({
      [](Config& c) { c.encryption_key.resize(1); },
      [](Config& c) { c.encryption_key.resize(256); },
  });
}

TEST_CASE("soe config: packets ride along in shared datagrams only", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.redundancy = 1; }, "redundancy"},
      {[](Config& c) {
         c.redundancy = 4;
         c.multi_packets = true;
       },
       "redundancy"},
  });
  check_taken({[](Config& c) {
    c.redundancy = 3;
    c.multi_packets = true;
  }});
}

TEST_CASE("soe config: a message has a size", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.max_message = 0; }, "max_message"},
      {[](Config& c) {
         c.max_message = (1UL << 30U) + 1;
         c.reassembly_budget = 1UL << 31U;
       },
       "max_message"},
  });
  check_taken({
      [](Config& c) { c.max_message = 1; },
      [](Config& c) {
        c.max_message = 1UL << 30U;
        c.reassembly_budget = 1UL << 30U;
      },
  });
}

TEST_CASE("soe config: there is memory to send", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.send_budget = 0; }, "send_budget"},
      {[](Config& c) { c.send_budget = 65535; }, "send_budget"},
  });
  check_taken({[](Config& c) { c.send_budget = 65536; }});
}

TEST_CASE("soe config: the largest message can be put together", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.reassembly_budget = 0; }, "reassembly_budget"},
      {[](Config& c) { c.reassembly_budget = c.max_message - 1; }, "reassembly_budget"},
  });
  check_taken({[](Config& c) { c.reassembly_budget = c.max_message; }});
}

TEST_CASE("soe config: a window is less than half of the sequences", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.send_window = 0; }, "send_window"},
      {[](Config& c) { c.send_window = 32768; }, "send_window"},
      {[](Config& c) { c.receive_window = 0; }, "receive_window"},
      {[](Config& c) { c.receive_window = 32768; }, "receive_window"},
  });
  check_taken({
      [](Config& c) { c.send_window = c.receive_window = 1; },
      [](Config& c) { c.send_window = c.receive_window = 32767; },
  });
}

TEST_CASE("soe config: acknowledgements leave some time", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.acknowledge_every = 0; }, "acknowledge_every"},
      {[](Config& c) { c.acknowledge_every = 16385; }, "acknowledge_every"},
      {[](Config& c) { c.acknowledge_delay = -1ns; }, "acknowledge_delay"},
      {[](Config& c) { c.acknowledge_delay = 1s + 1ns; }, "acknowledge_delay"},
  });
  check_taken({
      [](Config& c) { c.acknowledge_every = 1; },
      [](Config& c) { c.acknowledge_every = 16384; },
      [](Config& c) { c.acknowledge_delay = 0ms; },
      [](Config& c) { c.acknowledge_delay = 1s; },
  });
}

TEST_CASE("soe config: a fixed rate is a rate", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.pacing = Pacing::fixed_rate; }, "bytes_per_second"},
      {[](Config& c) {
         c.pacing = Pacing::fixed_rate;
         c.bytes_per_second = 999;
       },
       "bytes_per_second"},
  });
  check_taken({
      [](Config& c) {
        c.pacing = Pacing::fixed_rate;
        c.bytes_per_second = 1000;
      },
      [](Config& c) { c.pacing = Pacing::model; },
  });
}

TEST_CASE("soe config: timeouts of packets are in order", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.min_rto = 0ms; }, "min_rto"},
      {[](Config& c) { c.min_rto = 1ms - 1ns; }, "min_rto"},
      {[](Config& c) { c.min_rto = -1s; }, "min_rto"},
      {[](Config& c) { c.max_rto = c.min_rto - 1ns; }, "max_rto"},
      {[](Config& c) { c.max_rto = 1min + 1ns; }, "max_rto"},
      {[](Config& c) { c.initial_rto = c.min_rto - 1ns; }, "initial_rto"},
      {[](Config& c) { c.initial_rto = c.max_rto + 1ns; }, "initial_rto"},
  });
  check_taken({
      [](Config& c) { c.min_rto = 1ms; },
      [](Config& c) { c.min_rto = c.initial_rto = c.max_rto = 1min; },
  });
}

TEST_CASE("soe config: what has to end has a timeout", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.connect_timeout = 0s; }, "connect_timeout"},
      {[](Config& c) { c.connect_timeout = -1s; }, "connect_timeout"},
      {[](Config& c) { c.connect_timeout = 24h + 1ns; }, "connect_timeout"},
      {[](Config& c) { c.half_open_timeout = 0s; }, "half_open_timeout"},
      {[](Config& c) { c.half_open_timeout = -1s; }, "half_open_timeout"},
      {[](Config& c) { c.half_open_timeout = 24h + 1ns; }, "half_open_timeout"},
  });
  check_taken({
      [](Config& c) { c.connect_timeout = c.half_open_timeout = 1ns; },
      [](Config& c) { c.connect_timeout = c.half_open_timeout = 24h; },
  });
}

TEST_CASE("soe config: other timeouts may be none, but not negative or endless", "[soe][config]") {
  const std::vector<std::pair<muster::duration Config::*, std::string>> fields{
      {&Config::unacknowledged_timeout, "unacknowledged_timeout"},
      {&Config::request_retry, "request_retry"},
      {&Config::heartbeat_after, "heartbeat_after"},
      {&Config::inactivity_timeout, "inactivity_timeout"},
      {&Config::close_timeout, "close_timeout"},
      {&Config::net_status_interval, "net_status_interval"},
  };
  for (const auto& [member, name] : fields) {
    const auto set = [field = member](muster::duration value) {
      return [field, value](Config& c) { c.*field = value; };
    };
    check_refused({
        {set(-1ns), name},
        {set(24h + 1ns), name},
        {set(muster::duration::max()), name},
    });
    check_taken({set(0s), set(24h)});
  }
}

TEST_CASE("soe config: sessions are bounded", "[soe][config]") {
  check_refused({
      {[](Config& c) { c.max_sessions = 0; }, "max_sessions"},
      {[](Config& c) { c.max_sessions = (1UL << 20U) + 1; }, "max_sessions"},
      {[](Config& c) { c.max_half_open = 0; }, "max_half_open"},
      {[](Config& c) { c.max_half_open = (1UL << 16U) + 1; }, "max_half_open"},
  });
  check_taken({
      [](Config& c) { c.max_sessions = c.max_half_open = 1; },
      [](Config& c) { c.max_sessions = 1UL << 20U; },
      [](Config& c) { c.max_half_open = 1UL << 16U; },
  });
}

TEST_CASE("soe config: the first problem is named", "[soe][config]") {
  CHECK_THAT(problem_after([](Config& c) {
               c.max_sessions = 0;
               c.udp_length = 1;
             }),
             StartsWith("udp_length"));
}
