// SPDX-License-Identifier: MIT
// Players who all come at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "client.hpp"
#include "joining.hpp"
#include "options.hpp"
#include "window.hpp"

namespace muster_bench {

/// join: the hosts are there and the first room is full, then all other players enter and stay, or
/// --messages of them. A "delivery" is a welcome; the latency is from the connect to the welcome.
class Storm {
 public:
  Storm(const Options& options, Client& client, Result& result)
      : options_(options), client_(client), result_(result), joining_(options, client) {
    if (options.connections / options.room < 2) fail_usage("join needs two rooms at least");
  }

  void run(const ServerProbe& probe) {
    const auto rooms = options_.connections / options_.room;
    client_.open_all(0, rooms, options_.parallel, *this, options_.room);
    wait([&] { return joining_.hosts() == rooms; });
    enter(1, options_.room);
    result_.latency.clear();
    result_.deliveries = result_.sent = 0;
    const Window window(probe, client_);
    enter(options_.room + 1, options_.connections, options_.messages);
    window.finish(result_);
  }

  void on_open(std::uint32_t index, std::uint64_t) { joining_.on_open(index); }

  void on_message(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                  std::uint64_t now) {
    const auto before = joining_.welcomed();
    if (!joining_.on_message(index, {reinterpret_cast<const char*>(bytes), size}))
      return client_.report("connection " + std::to_string(index) + ": a message that nobody sent");
    if (joining_.welcomed() != before) note(index, now);
  }

  void on_text(std::uint32_t index, std::string_view text, std::uint64_t now) {
    const auto before = joining_.welcomed();
    joining_.on_text(index, text);
    if (joining_.welcomed() != before) note(index, now);
  }

 private:
  void note(std::uint32_t index, std::uint64_t now) {
    ++result_.deliveries;
    result_.latency.record(now - client_.connections()[index].opened_ns);
  }

  /// Players of [first, last), `most` of them unless it is 0: in the window when they are welcomed,
  /// and their hosts know it.
  void enter(std::uint32_t first, std::uint32_t last, std::uint64_t most = 0) {
    const auto welcomed = joining_.welcomed();
    std::uint64_t started = 0;
    auto next = first;
    if (most == 0) most = last;
    const auto is_done = [&] {
      while (next < last && started - (joining_.welcomed() - welcomed) < options_.parallel) {
        if (!joining_.is_host(next)) {
          client_.start_open(next);
          ++started;
          ++result_.sent;
        }
        ++next;
        if (started == most) next = last;
      }
      return next == last && joining_.welcomed() == welcomed + started &&
             joining_.announced() == joining_.welcomed();
    };
    wait(is_done);
  }

  template <class Condition>
  void wait(Condition is_done) {
    const auto deadline = now_ns() + 60'000'000'000u;
    while (!is_done()) {
      client_.poll(*this, options_.is_blocking ? 10 : 0);
      client_.flush();
      if (now_ns() > deadline) fail("not everybody was welcomed within 60 s");
    }
  }

  const Options& options_;
  Client& client_;
  Result& result_;
  Joining joining_;
};

}  // namespace muster_bench
