// SPDX-License-Identifier: MIT
// Connections that only exist.
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

/// idle: memory per connection that only exists, and per connection that has echoed once.
class Idle {
 public:
  Idle(const Options& options, Client& client, Result& result)
      : options_(options), client_(client), result_(result) {
    client_.connections().resize(std::size_t{options.connections} + 1);
    for (auto& connection : client_.connections()) connection.path = "/echo";
    has_echoed_.resize(client_.connections().size());
  }

  void run(const ServerProbe& probe) {
    // The first connection faults in code and buffers that do not belong to any one connection.
    client_.open_all(0, 1, 1, *this);
    echo(0, 1);
    wait(0.1);
    result_.memory.emplace_back(0, probe.memory());
    const Window window(probe, client_);
    const auto total = options_.connections;
    for (std::uint32_t step = 0; step < 10; ++step) {
      const auto first = static_cast<std::uint32_t>(std::uint64_t{total} * step / 10);
      const auto last = static_cast<std::uint32_t>(std::uint64_t{total} * (step + 1) / 10);
      client_.open_all(first + 1, last - first, options_.parallel, *this);
      wait(step == 9 ? 0.1 + options_.hold : 0.05);
      result_.memory.emplace_back(last, probe.memory());
    }
    if (options_.does_echo_each) {
      for (std::uint32_t first = 1; first <= total; first += options_.parallel) {
        echo(first, std::min(options_.parallel, total + 1 - first));
      }
      wait(0.1);
      result_.memory_after_traffic = probe.memory();
    }
    window.finish(result_);
    if (client_.open_count() != std::size_t{total} + 1)
      client_.report("not all connections stayed open");
  }

  void on_open(std::uint32_t, std::uint64_t) {}

  void on_message(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                  std::uint64_t now) {
    Stamp stamp;
    if (size != options_.size || !check_payload(bytes, size, stamp) || stamp.sender != index ||
        stamp.sequence != 0 || has_echoed_[index]) {
      return client_.report("connection " + std::to_string(index) +
                            ": content of a message is wrong");
    }
    has_echoed_[index] = true;
    ++result_.deliveries;
    result_.latency.record(now > stamp.sent_ns ? now - stamp.sent_ns : 0);
  }

 private:
  void echo(std::uint32_t first, std::uint32_t count) {
    const auto wanted = result_.deliveries + count;
    for (auto i = first; i < first + count; ++i) {
      client_.append_message(i, Stamp{payload_magic, i, 0, now_ns()}, options_.size);
      ++result_.sent;
    }
    client_.flush();
    const auto deadline = now_ns() + 10'000'000'000u;
    while (result_.deliveries < wanted && now_ns() < deadline) client_.poll(*this, 10);
    if (result_.deliveries < wanted) client_.count_missing(wanted - result_.deliveries);
  }

  void wait(double seconds) {
    const auto end = now_ns() + static_cast<std::uint64_t>(seconds * ns_per_s);
    while (now_ns() < end) {
      client_.poll(*this, 10);
      client_.flush();
    }
  }

  const Options& options_;
  Client& client_;
  Result& result_;
  std::vector<bool> has_echoed_;
};

}  // namespace muster_bench
