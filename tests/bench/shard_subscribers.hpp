// SPDX-License-Identifier: MIT
// Subscribers of a shard: what they get of it, and what they send.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client.hpp"
#include "options.hpp"
#include "payload.hpp"
#include "window.hpp"

namespace muster_bench {

/// The types of version 2 of the shard protocol that a subscriber without deltas meets.
enum class ShardMessage : unsigned char {
  full = 0x01,
  hello = 0x05,
  input_ack = 0x09,
  input = 0x81,
};

inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

/// Reads one number and moves `at` behind it; false at the end of the bytes.
inline bool read_varint(const unsigned char* bytes, std::size_t size, std::size_t& at,
                        std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; at < size && shift < 64; shift += 7) {
    const unsigned char byte = bytes[at++];
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/// shard: everybody gets a snapshot of --size bytes in each tick. Its content is checked, and that
/// ticks grow; a tick that did not come is counted, since a subscriber that is behind may miss one.
///
/// inputs: and everybody sends --rate inputs a second, evenly spread (open loop), until the shard
/// has said of each that it was applied.
class ShardSubscribers {
 public:
  ShardSubscribers(const Options& options, Client& client, Result& result)
      : options_(options),
        client_(client),
        result_(result),
        does_send_(options.scenario == "inputs"),
        deaf_(options.bad.empty() ? none : options.connections),
        seen_(options.connections + 1),
        sent_(options.connections + 1),
        applied_(options.connections + 1) {
    client_.connections().resize(options.connections + (options.bad.empty() ? 0U : 1U));
    for (auto& connection : client_.connections())
      connection.path = "/shard?shard=bench&v=2&format=binary";
  }

  void run(const ServerProbe& probe) {
    client_.open_all(0, options_.connections, options_.parallel, *this);
    if (deaf_ != none) {
      client_.connections()[deaf_].receive_buffer = 4096;
      client_.open_all(deaf_, 1, 1, *this);
      client_.stop_reading(deaf_);
    }
    pass_until(now_ns() + seconds(options_.warm_up));
    result_.deliveries = result_.missed = 0;
    result_.latency.clear();
    const Window window(probe, client_);
    if (options_.does_sample_memory) sample(probe, 0);
    const auto start = window.start_ns();
    const auto end = start + seconds(options_.duration);
    if (does_send_) {
      send_until(start, end);
      drain();
    } else if (options_.does_sample_memory) {
      pass_until(start + seconds(options_.duration / 2));
      sample(probe, now_ns() - start);
    }
    if (!does_send_) pass_until(end);
    window.finish(result_);
    if (options_.does_sample_memory) sample(probe, result_.wall_ns);
    if (deaf_ != none) listen_again();
  }

  void on_open(std::uint32_t, std::uint64_t) {}

  void on_message(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                  std::uint64_t now) {
    const auto type = static_cast<ShardMessage>(size == 0 ? 0 : bytes[0]);
    std::size_t at = 1;
    std::uint64_t tick = 0;
    if (type == ShardMessage::hello) return;
    if ((type != ShardMessage::full && type != ShardMessage::input_ack) ||
        !read_varint(bytes, size, at, tick)) {
      return client_.report(of(index) + "a message of type " +
                            std::to_string(static_cast<unsigned>(type)));
    }
    if (type == ShardMessage::full) {
      take_snapshot(index, tick, bytes + at, size - at, now);
    } else {
      take_acknowledgement(index, bytes, size, at);
    }
  }

 private:
  static std::uint64_t seconds(double count) {
    return static_cast<std::uint64_t>(count * ns_per_s);
  }
  static std::string of(std::uint32_t index) {
    return "connection " + std::to_string(index) + ": ";
  }

  void take_snapshot(std::uint32_t index, std::uint64_t tick, const unsigned char* bytes,
                     std::size_t size, std::uint64_t now) {
    Stamp stamp;
    if (size != options_.size || !check_payload(bytes, size, stamp) || stamp.sequence != tick)
      return client_.report(of(index) + "content of a snapshot is wrong");
    auto& seen = seen_[index];
    // Who comes between two ticks gets the state at once; before the first tick that has number 0.
    if (tick == 0) return;
    if (tick <= seen)
      return client_.report(of(index) + "tick " + std::to_string(tick) + " after " +
                            std::to_string(seen));
    const auto missed = seen == 0 ? 0 : tick - seen - 1;
    seen = tick;
    if (index == deaf_) {
      result_.deaf_missed += missed;
      return;
    }
    if (is_over_) return;
    result_.missed += missed;
    if (tick > newest_) {
      newest_ = tick;
      have_newest_ = 0;
    }
    if (tick == newest_) ++have_newest_;
    if (does_send_) return;
    ++result_.deliveries;
    result_.latency.record(now > stamp.sent_ns ? now - stamp.sent_ns : 0);
  }

  /// It names the highest number of this client that has been applied.
  void take_acknowledgement(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                            std::size_t at) {
    std::uint64_t applied = 0;  // with one added; 0: none
    if (!read_varint(bytes, size, at, applied) || applied < applied_[index] ||
        applied > sent_[index]) {
      return client_.report(of(index) + "an acknowledgement of what was not sent");
    }
    result_.deliveries += applied - applied_[index];
    applied_[index] = applied;
  }

  /// Passes until then, and on until everybody has the newest snapshot. Between two such moments,
  /// CPU time and deliveries belong to each other.
  void pass_until(std::uint64_t wake_ns) {
    const auto deadline = wake_ns + patience_ns;
    while (now_ns() < wake_ns || newest_ == 0 || have_newest_ < options_.connections) {
      pass();
      if (now_ns() > deadline) fail("there was no moment at which all had the newest snapshot");
    }
  }

  void pass() {
    client_.poll(*this, options_.is_blocking ? 1 : 0);
    client_.flush();
    if (client_.open_count() < options_.connections) fail("a subscriber was closed");
  }

  void send_until(std::uint64_t start, std::uint64_t end) {
    const double step = ns_per_s / options_.rate / options_.connections;
    std::string head;
    for (std::uint64_t i = 0;; ++i) {
      const auto due = start + static_cast<std::uint64_t>(static_cast<double>(i) * step);
      if (due >= end) return;
      while (now_ns() < due) pass();
      const auto index = static_cast<std::uint32_t>(i % options_.connections);
      const auto sequence = sent_[index]++;
      head.assign(1, static_cast<char>(ShardMessage::input));
      append_varint(head, sequence);
      head.append(2, '\0');  // no tick received, and for the next
      client_.append_message(index, Stamp{payload_magic, index, sequence, due}, options_.size,
                             head);
      ++result_.sent;
    }
  }

  void drain() {
    const auto deadline = now_ns() + patience_ns;
    while (result_.deliveries < result_.sent && now_ns() < deadline) pass();
    if (result_.deliveries < result_.sent) client_.count_missing(result_.sent - result_.deliveries);
  }

  /// Once it reads, the deaf one must get what is newest, and not all that it missed.
  void listen_again() {
    is_over_ = true;
    const auto target = newest_;
    const auto deadline = now_ns() + patience_ns;
    client_.read_again(deaf_);
    while (seen_[deaf_] < target) {
      pass();
      if (now_ns() > deadline) fail("the deaf subscriber did not get the newest snapshot");
    }
  }

  void sample(const ServerProbe& probe, std::uint64_t at_ns) {
    result_.memory.emplace_back(at_ns / 1'000'000, probe.memory());
  }

  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::uint64_t patience_ns = 10'000'000'000u;

  const Options& options_;
  Client& client_;
  Result& result_;
  bool does_send_;
  bool is_over_ = false;      // the measured window; only the deaf one matters
  std::uint32_t deaf_;        // its index
  std::uint64_t newest_ = 0;  // tick
  std::uint64_t have_newest_ = 0;
  std::vector<std::uint64_t> seen_;     // by connection: its newest tick
  std::vector<std::uint64_t> sent_;     // inputs
  std::vector<std::uint64_t> applied_;  // of these
};

}  // namespace muster_bench
