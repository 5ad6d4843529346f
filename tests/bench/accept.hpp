// SPDX-License-Identifier: MIT
// Connections that come and go.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client.hpp"
#include "options.hpp"
#include "window.hpp"

namespace muster_bench {

/// accept: connect, upgrade, reset, again. A "delivery" is an upgrade whose answer was right.
class Accept {
 public:
  Accept(const Options& options, Client& client, Result& result)
      : options_(options), client_(client), result_(result) {
    client_.connections().resize(options.parallel);
    for (auto& connection : client_.connections()) connection.path = "/echo";
  }

  void run(const ServerProbe& probe) {
    const auto total = options_.messages != 0 ? options_.messages : 2000;
    open(std::max<std::uint64_t>(total / 10, options_.parallel));
    settle();
    result_.latency.clear();
    result_.deliveries = result_.sent = 0;
    const Window window(probe, client_);
    open(total);
    const auto wall_ns = now_ns() - window.start_ns();
    settle();
    window.finish(result_);
    result_.wall_ns = wall_ns;
  }

  void on_open(std::uint32_t index, std::uint64_t now) {
    ++result_.deliveries;
    result_.latency.record(now - client_.connections()[index].opened_ns);
    opened_.push_back(index);
  }

  void on_message(std::uint32_t index, const unsigned char*, std::size_t, std::uint64_t) {
    client_.report("connection " + std::to_string(index) + ": a message that nobody sent");
  }

 private:
  void open(std::uint64_t count) {
    const auto deadline = now_ns() + 60'000'000'000u;
    const auto wanted = result_.deliveries + count;
    const auto limit = result_.sent + count;
    for (std::uint32_t i = 0; i < options_.parallel && result_.sent < limit; ++i) start(i);
    while (result_.deliveries < wanted) {
      client_.poll(*this, options_.is_blocking ? 10 : 0);
      for (const auto index : opened_) {
        client_.reset(index);
        if (result_.sent < limit) start(index);
      }
      opened_.clear();
      if (now_ns() > deadline) fail("connections did not open within 60 s");
    }
  }

  /// The server has still to notice the last resets; that work belongs to the window.
  static void settle() { ::usleep(100'000); }

  void start(std::uint32_t index) {
    ++result_.sent;
    client_.start_open(index);
  }

  const Options& options_;
  Client& client_;
  Result& result_;
  std::vector<std::uint32_t> opened_;
};

}  // namespace muster_bench
