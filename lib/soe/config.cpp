// SPDX-License-Identifier: MIT
// What a configuration of SOE sessions may be, and the one for two ends of our own.
#include <muster/soe/config.hpp>

#include <muster/error.hpp>

#include <algorithm>
#include <string_view>

namespace muster::soe {

namespace {

using namespace std::chrono_literals;

// A point in time plus any length that is allowed has to be a point in time too.
constexpr duration longest = 24h;

bool is_optional(duration length) noexcept { return length >= 0s && length <= longest; }
bool is_needed(duration length) noexcept { return length > 0s && length <= longest; }

bool is_protocol_name(const std::string& name) noexcept {
  return name.size() <= 32 && name.find('\0') == std::string::npos;
}

}  // namespace

std::error_code validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();

  check(config.udp_length >= 64 && config.udp_length <= 65507,
        "udp_length must be between 64 and 65507");
  check(config.crc_length <= 4, "crc_length must be between 0 and 4");
  check(std::all_of(config.protocols.begin(), config.protocols.end(), is_protocol_name),
        "protocols must be names of at most 32 bytes without a zero byte");
  check(config.encryption_key.size() <= 256,
        "encryption_key must have between 1 and 256 bytes, or none to send in clear");
  check(config.redundancy <= 3, "redundancy must be between 0 and 3");
  check(config.redundancy == 0 || config.multi_packets,
        "redundancy must be 0 unless multi_packets is set: what rides along shares a datagram");

  check(config.max_message >= 1 && config.max_message <= std::size_t{1} << 30U,
        "max_message must be between 1 byte and 1 GiB");
  check(config.send_budget >= 64 * 1024, "send_budget must be at least 64 KiB");
  check(config.reassembly_budget >= config.max_message,
        "reassembly_budget must be at least max_message, or the largest never arrives");

  // A sequence has 16 bits: beyond half of them, old and new cannot be told apart.
  check(config.send_window >= 1 && config.send_window <= 32767,
        "send_window must be between 1 and 32767 packets");
  check(config.receive_window >= 1 && config.receive_window <= 32767,
        "receive_window must be between 1 and 32767 packets");
  check(config.acknowledge_every >= 1 && config.acknowledge_every <= 16384,
        "acknowledge_every must be between 1 and 16384 packets");
  check(config.acknowledge_delay >= 0s && config.acknowledge_delay <= 1s,
        "acknowledge_delay must be between 0 and 1 s");

  check(config.pacing != Pacing::fixed_rate || config.bytes_per_second >= 1000,
        "bytes_per_second must be at least 1000 with Pacing::fixed_rate");
  check(config.min_rto >= 1ms, "min_rto must be at least 1 ms");
  check(config.max_rto >= config.min_rto && config.max_rto <= 1min,
        "max_rto must be between min_rto and 1 min");
  check(config.initial_rto >= config.min_rto && config.initial_rto <= config.max_rto,
        "initial_rto must be between min_rto and max_rto");
  check(is_optional(config.unacknowledged_timeout),
        "unacknowledged_timeout must be between 0 and 24 h");

  check(is_optional(config.request_retry), "request_retry must be between 0 and 24 h");
  check(is_needed(config.connect_timeout),
        "connect_timeout must be longer than 0 and at most 24 h");
  check(is_needed(config.half_open_timeout),
        "half_open_timeout must be longer than 0 and at most 24 h");
  check(is_optional(config.heartbeat_after), "heartbeat_after must be between 0 and 24 h");
  check(is_optional(config.inactivity_timeout), "inactivity_timeout must be between 0 and 24 h");
  check(is_optional(config.close_timeout), "close_timeout must be between 0 and 24 h");
  check(is_optional(config.net_status_interval), "net_status_interval must be between 0 and 24 h");

  check(config.max_sessions >= 1 && config.max_sessions <= std::size_t{1} << 20U,
        "max_sessions must be between 1 and 1048576");
  check(config.max_half_open >= 1 && config.max_half_open <= std::size_t{1} << 16U,
        "max_half_open must be between 1 and 65536");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Config Config::for_own_ends(std::uint32_t udp_length) {
  Config config;
  config.udp_length = udp_length;
  // Two bytes of checksum let one damaged or forged datagram in 65,536 through.
  config.crc_length = 4;
  // It begins with the session: so a server hears of a client that has nothing to say yet.
  config.net_status_interval = 5s;
  config.bundles = true;
  config.multi_packets = true;
  config.redundancy = 3;
  config.pacing = Pacing::model;

  // In packets from the oldest that is missing on, and that one may have to be sent three times:
  // 4096 packets of 1400 bytes in three round trips of 100 ms are 19 MB/s. So much has to fit into
  // what a session may keep, too.
  config.send_window = 4096;
  config.receive_window = 4096;
  config.send_budget = 8 << 20;

  // An end of ours acknowledges at once what comes too early or after a pause, and in a steady
  // stream after 2 ms at most. So it need not be waited for: the sender learns of a loss from the
  // first packet behind it. Waiting longer would save datagrams only where nothing goes back
  // anyway, since an acknowledgement rides along with whatever leaves.
  config.acknowledge_every = 16;
  config.acknowledge_delay = 2ms;
  config.acknowledges_each = false;

  // 200 ms would be for peers that acknowledge late. RFC 9002 has no such bound at all; 25 ms is
  // what a busy scheduler can be late by without a packet being lost.
  config.min_rto = 25ms;
  // Before anything is measured: longer than nearly every round trip between two places on earth.
  config.initial_rto = 300ms;
  // A packet every two seconds hurts no network, and after an outage play goes on that soon.
  config.max_rto = 2s;
  return config;
}

}  // namespace muster::soe
