// SPDX-License-Identifier: MIT
// What muster-bench-load can be told.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "payload.hpp"

namespace muster_bench {

inline constexpr const char* usage =
    R"(usage: muster-bench-load SCENARIO --port N [options]
       muster-bench-load --compiler     tells what it was compiled by

  echo     every connection keeps --window messages in flight on /echo
  fan      rooms of --room members, one sender each, --window messages in flight until all members have them
  all      rooms of --room members, every member sends --rate messages a second (open loop)
  down     rooms of a host and players, --room in all: the host has --window messages in flight to all players
  up       the same rooms: every player has --window messages in flight to the host
  play     the same rooms: the host to all players, every player to the host, --rate messages a second (open loop)
  join     players enter the same rooms, --parallel at a time: connect, upgrade, first message, welcome; nobody leaves
  idle     opens --connections and holds them, samples the server's memory on the way
  accept   opens and resets --messages connections, --parallel at a time
  shard    --connections subscribers get the snapshots of --size bytes of the shard "bench" in each tick
  inputs   the same, and each sends --rate inputs of --size bytes a second (open loop)

  --port N           port of the server on 127.0.0.1
  --server-pid N     process whose CPU time and memory are sampled at the edges of the measured window
  --connections N    50             --size N       payload bytes, 24 or more (64)
  --room N           100            --window N     messages in flight per sender (1)
  --rate HZ          10             --parallel N   handshakes under way at once (64)
  --warm-up S        0.3            --duration S   length of the measured window (1)
  --messages N       end the window after N sent messages instead; accept: number of connections (2000);
                     join: number of players (all)
  --hold S           idle: seconds to hold the connections before the last sample (0)
  --spread SHARE     all, play: the share of a period in which the members of a room send; each room at its own time (1)
  --signal FORM      speak the signaling protocol with muster-relay, game data as binary or as json (down, play, join);
                     in play everybody sends to all others
  --relay            speak the relay protocol with muster-relay (down, up, play, join)
  --except-sender    all: a sender does not get its own messages back
  --bad KIND         down, play with --relay: one more member of the first room, which never-reads, or sends garbage,
                     or floods, or trickles; shard: one more subscriber, which never-reads
  --memory           fan: samples the server's memory with the first room only, with all rooms, and after the traffic;
                     shard: at the start, in the middle and at the end of the window
  --echo-each        idle: one echo of --size bytes on every connection, then a further sample
  --lockstep         echo, fan: start a message only when nothing is under way, so that all connections go in rounds
  --block            sleep in epoll_wait; the default spins, so that no send of the server pays for waking the reader
)";

struct Options {
  std::string scenario;
  std::uint16_t port = 0;
  pid_t server_pid = 0;
  std::uint32_t connections = 50;
  std::uint32_t room = 100;
  std::uint32_t window = 1;
  std::uint32_t parallel = 64;
  std::size_t size = 64;
  double rate = 10;
  double spread = 1;
  double warm_up = 0.3;
  double duration = 1;
  double hold = 0;
  std::uint64_t messages = 0;
  std::string bad;
  std::string signal;  // binary or json; empty: another protocol
  bool is_relay = false;
  bool is_except_sender = false;
  bool does_sample_memory = false;
  bool does_echo_each = false;
  bool is_blocking = false;
  bool is_lockstep = false;

  /// Rooms with a host, and players who hear only the host.
  bool has_hosts() const {
    return scenario == "down" || scenario == "up" || scenario == "play" || scenario == "join";
  }

  bool is_signal() const { return !signal.empty(); }
  bool is_json() const { return signal == "json"; }

  /// Subscribers of a shard, which have no rooms.
  bool is_shard() const { return scenario == "shard" || scenario == "inputs"; }
};

[[noreturn]] inline void fail_usage(const std::string& why) {
  std::fprintf(stderr, "muster-bench-load: %s\n%s", why.c_str(), usage);
  std::exit(2);
}

inline double parse_number(std::string_view name, const char* text, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= low && value <= high)) {
    fail_usage(std::string(name) + " must be a number from " + std::to_string(low) + " to " +
               std::to_string(high));
  }
  return value;
}

inline Options parse_options(int argc, char** argv) {
  Options options;
  if (argc < 2) fail_usage("a scenario is needed");
  options.scenario = argv[1];
  const std::pair<std::string_view, bool&> switches[] = {
      {"--relay", options.is_relay},
      {"--except-sender", options.is_except_sender},
      {"--memory", options.does_sample_memory},
      {"--echo-each", options.does_echo_each},
      {"--lockstep", options.is_lockstep},
      {"--block", options.is_blocking},
  };
  for (int i = 2; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto known = std::find_if(std::begin(switches), std::end(switches),
                                    [name](const auto& entry) { return entry.first == name; });
    if (known != std::end(switches)) {
      known->second = true;
      continue;
    }
    if (i + 1 == argc) fail_usage(std::string(name) + " needs a value");
    const char* text = argv[++i];
    const auto number = [&](double low, double high) {
      return parse_number(name, text, low, high);
    };
    if (name == "--port")
      options.port = static_cast<std::uint16_t>(number(1, 65535));
    else if (name == "--server-pid")
      options.server_pid = static_cast<pid_t>(number(1, 1e9));
    else if (name == "--connections")
      options.connections = static_cast<std::uint32_t>(number(1, 1e6));
    else if (name == "--room")
      options.room = static_cast<std::uint32_t>(number(1, 1e6));
    else if (name == "--window")
      options.window = static_cast<std::uint32_t>(number(1, 1e5));
    else if (name == "--parallel")
      options.parallel = static_cast<std::uint32_t>(number(1, 1e5));
    else if (name == "--size")
      options.size = static_cast<std::size_t>(number(min_payload_size, 1 << 26));
    else if (name == "--rate")
      options.rate = number(1e-3, 1e6);
    else if (name == "--spread")
      options.spread = number(1e-3, 1);
    else if (name == "--warm-up")
      options.warm_up = number(0, 3600);
    else if (name == "--duration")
      options.duration = number(1e-3, 3600);
    else if (name == "--hold")
      options.hold = number(0, 3600);
    else if (name == "--bad")
      options.bad = text;
    else if (name == "--signal")
      options.signal = text;
    else if (name == "--messages")
      options.messages = static_cast<std::uint64_t>(number(1, 1e12));
    else
      fail_usage("unknown option " + std::string(name));
  }
  if (options.port == 0) fail_usage("--port is needed");
  if (options.scenario == "echo") options.room = 1;
  if (options.scenario != "idle" && options.scenario != "accept" && !options.is_shard() &&
      options.connections % options.room != 0) {
    fail_usage("--connections must be a multiple of --room");
  }
  if (options.has_hosts() && options.room < 2) fail_usage("--room must count a host and a player");
  if (options.is_relay && !options.has_hosts())
    fail_usage("--relay goes with down, up, play and join only");
  if (options.is_signal()) {
    if (options.signal != "binary" && options.signal != "json")
      fail_usage("--signal is binary or json");
    if (options.scenario != "down" && options.scenario != "play" && options.scenario != "join")
      fail_usage("--signal goes with down, play and join only");
    if (options.is_json() && (options.size % 2 != 0 || options.size < 2 * min_payload_size))
      fail_usage("--size of json must be even, and 48 or more");
  }
  if (options.scenario == "shard" && !options.bad.empty() && options.bad != "never-reads")
    fail_usage("--bad of shard is never-reads");
  if (!options.bad.empty() && options.scenario != "shard" &&
      ((!options.is_relay && !options.is_signal()) ||
       (options.scenario != "down" && options.scenario != "play")))
    fail_usage("--bad goes with shard, or with --relay or --signal and down or play, only");
  return options;
}

}  // namespace muster_bench
