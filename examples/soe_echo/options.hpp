// SPDX-License-Identifier: MIT
// What muster-soe-echo can be told by its command line.
#pragma once

#include <muster/soe/config.hpp>
#include <muster/soe/event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace soe_echo {

struct Options {
  enum class Mode : std::uint8_t {
    server,
    client,
    link,  ///< both ends in this process, over a network that loses and delays
  };
  Mode mode = Mode::link;
  std::string address;  ///< server: where it listens; client: whom it asks
  std::string protocol = "echo";
  muster::soe::Config config;  ///< valid, of either end

  // Of a client.
  std::size_t size = 64;       ///< bytes of each message, 1 to 16 MiB
  double rate = 20;            ///< messages per second and session, 0.1 to 100,000; 0: in bulk
  std::uint64_t count = 0;     ///< messages of each session; 0: as many as there is time for
  double seconds = 10;         ///< 0: until all messages are sent
  std::uint32_t sessions = 1;  ///< 1 to 1000
  std::vector<muster::soe::Channel> channels{muster::soe::Channel::reliable0};  ///< in turn

  // Of a link.
  double loss = 0;                      ///< share of datagrams that get lost, each way, 0 to 0.9
  double round_trip_milliseconds = 50;  ///< 0 to 10,000
  std::uint64_t seed = 1;
  bool is_fast = false;  ///< does not wait for the clock
};

/// What a command line comes to: options to run with, or a text to print and a status to end with.
struct Invocation {
  std::optional<Options> options{};
  int status = 0;      ///< 0: help or version, for stdout; 2: a mistake, for stderr
  std::string text{};  ///< ends without a line break
};

[[nodiscard]] Invocation parse_options(std::span<const std::string> arguments);

}  // namespace soe_echo
