// SPDX-License-Identifier: MIT
// Rooms in which some members send, and others must receive everything.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bad_peer.hpp"
#include "client.hpp"
#include "joining.hpp"
#include "options.hpp"
#include "payload.hpp"
#include "window.hpp"

namespace muster_bench {

/// echo, fan, all, down, up and play: groups of connections in which some members send and others
/// must receive everything, exactly once and in order. An echo connection is a group of one.
class Traffic {
 public:
  Traffic(const Options& options, Client& client, Result& result)
      : options_(options),
        client_(client),
        result_(result),
        joining_(options, client),
        bad_(options.bad, client.address(), bad_requests(), options.is_signal()),
        is_open_loop_(options.scenario == "all" || options.scenario == "play"),
        first_sender_(options.scenario == "up" ? 1 : 0),
        senders_(is_open_loop_              ? options.room
                 : options.scenario == "up" ? options.room - 1
                                            : 1),
        groups_(options.connections / options.room) {
    if (!options.has_hosts()) {
      const std::string prefix = options.is_except_sender ? "/others/" : "/room/";
      for (std::uint32_t i = 0; i < options.connections; ++i) {
        client_.connections()[i].path =
            options.scenario == "echo" ? "/echo" : prefix + std::to_string(i / options.room);
      }
    }
    expected_.resize(std::size_t{options.connections} * senders_);
    next_sequence_.resize(options.connections);
    in_flight_.resize(options.connections);
    missing_.resize(std::size_t{options.connections} * options.window);
    // Open loop: every sender has its own fixed phase, a share of the period, in an order unlike
    // that of the rooms.
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      const double share =
          static_cast<double>(mix(i + 1) >> 11) / static_cast<double>(std::uint64_t{1} << 53);
      const double room = static_cast<double>(i / options.room) / groups_;
      phases_.push_back({std::fmod(room + share * options.spread, 1.0), i});
    }
    std::sort(phases_.begin(), phases_.end());
  }

  void run(const ServerProbe& probe) {
    if (options_.does_sample_memory) open_first_group(probe);
    open(options_.does_sample_memory ? 1 : 0, groups_);
    if (options_.does_sample_memory)
      result_.memory.emplace_back(options_.connections, probe.memory());
    if (options_.warm_up > 0) {
      send_for(options_.warm_up, UINT64_MAX);
      drain();
    }
    result_.latency.clear();
    result_.deliveries = result_.sent = wanted_ = 0;
    // Both edges are quiet: no message is under way, so CPU time and deliveries belong to each
    // other exactly.
    const Window window(probe, client_);
    send_for(options_.messages != 0 ? 3600 : options_.duration,
             options_.messages != 0 ? options_.messages : UINT64_MAX);
    drain();
    window.finish(result_);
    const auto deliveries = result_.deliveries;
    run_until(now_ns() + (options_.does_sample_memory ? 300'000'000u : 50'000'000u));
    if (result_.deliveries != deliveries) client_.report("deliveries after the end");
    if (options_.does_sample_memory) result_.memory_after_traffic = probe.memory();
    result_.bad_connections = bad_.connections();
    result_.bad_ended = bad_.ended();
  }

  void on_open(std::uint32_t index, std::uint64_t) {
    if (options_.has_hosts()) joining_.on_open(index);
  }

  void on_text(std::uint32_t index, std::string_view text, std::uint64_t now) {
    // {"type":"GameData","data":{"from_player":UUID,"data":"DIGITS", ...}}
    constexpr std::string_view head = R"({"type":"GameData","data":{"from_player":")";
    if (!options_.is_json() || text.substr(0, head.size()) != head) {
      return joining_.on_text(index, text);
    }
    constexpr std::size_t before = head.size() + 36 + std::string_view{R"(","data":")"}.size();
    digits_.clear();
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = before; i + 1 < text.size() && text[i] != '"'; i += 2) {
      digits_.push_back(static_cast<unsigned char>(digit(text[i]) * 16 + digit(text[i + 1])));
    }
    take(index, digits_.data(), digits_.size(), options_.size / 2, now);
  }

  void on_message(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                  std::uint64_t now) {
    std::size_t envelope = 0;
    if (options_.is_signal()) {
      // A map of five: the sender, the format and the payload, whose length takes two or three
      // bytes, and behind it the stamp.
      constexpr std::size_t head = 61;
      if (size < head + 3) return client_.report("a binary message without an envelope");
      const bool is_short = bytes[head] == 0xc4;
      const std::size_t length =
          is_short ? bytes[head + 1] : std::size_t{bytes[head + 1]} << 8 | bytes[head + 2];
      const std::size_t at = head + (is_short ? 2 : 3);
      if (at + length > size) return client_.report("a binary message that is cut off");
      return take(index, bytes + at, length, options_.size, now);
    }
    if (options_.has_hosts()) {
      if (joining_.on_message(index, {reinterpret_cast<const char*>(bytes), size})) return;
      if (is_of_bad_peer(index, bytes, size)) return;
      if (options_.is_relay) envelope = joining_.is_host(index) ? 3 : 1;
    }
    Stamp stamp;
    if (envelope != 0 && (size < envelope + min_payload_size ||
                          !check_payload(bytes + envelope, size - envelope, stamp) ||
                          !is_right_envelope(index, bytes, stamp))) {
      return client_.report("connection " + std::to_string(index) +
                            ": content of a message is wrong");
    }
    take(index, bytes + envelope, size - envelope, options_.size, now);
  }

 private:
  /// The content of a message, whatever it came in.
  void take(std::uint32_t index, const unsigned char* bytes, std::size_t size,
            std::size_t expected_size, std::uint64_t now) {
    Stamp stamp;
    if (size != expected_size || !check_payload(bytes, size, stamp)) {
      return client_.report("connection " + std::to_string(index) +
                            ": content of a message is wrong");
    }
    if (stamp.sender >= options_.connections ||
        stamp.sender / options_.room != index / options_.room || !is_sender(stamp.sender) ||
        !does_receive(index, stamp.sender)) {
      return client_.report("connection " + std::to_string(index) + ": message of a stranger");
    }
    auto& expected =
        expected_[std::size_t{index} * senders_ + (stamp.sender % options_.room - first_sender_)];
    if (stamp.sequence != expected || stamp.sequence >= next_sequence_[stamp.sender]) {
      client_.report("connection " + std::to_string(index) + ": message " +
                     std::to_string(stamp.sequence) + " instead of " + std::to_string(expected));
      if (stamp.sequence < expected || stamp.sequence >= next_sequence_[stamp.sender]) return;
    }
    expected = stamp.sequence + 1;
    ++result_.deliveries;
    result_.latency.record(now > stamp.sent_ns ? now - stamp.sent_ns : 0);
    if (is_open_loop_) return;
    auto& missing =
        missing_[std::size_t{stamp.sender} * options_.window + stamp.sequence % options_.window];
    if (--missing == 0) {
      --in_flight_[stamp.sender];
      --total_in_flight_;
      if (is_sending_ && !options_.is_lockstep && result_.sent < limit_) send(stamp.sender, now);
    }
  }

  /// What makes one more member of the first room.
  std::vector<std::string> bad_requests() const {
    if (!options_.has_hosts() || options_.bad.empty()) return {};
    if (!options_.is_signal()) return {joining_.request(1)};
    std::vector<std::string> requests;
    for (std::string& text : joining_.signal_requests(options_.connections)) {
      constexpr std::string_view code = R"("room_code":")";
      if (const auto at = text.find(code); at != std::string::npos)
        text.replace(at + code.size(), 6, "AAAAAA");
      requests.push_back(std::move(text));
    }
    return requests;
  }

  bool is_sender(std::uint32_t index) const {
    const auto position = index % options_.room;
    return position >= first_sender_ && position - first_sender_ < senders_;
  }

  bool does_receive(std::uint32_t index, std::uint32_t sender) const {
    if (options_.is_signal()) return index != sender;
    if (options_.has_hosts()) return joining_.is_host(index) != joining_.is_host(sender);
    return !options_.is_except_sender || index != sender;
  }

  std::uint32_t receivers(std::uint32_t sender) const {
    if (options_.is_signal()) return options_.room - 1;
    if (options_.has_hosts()) return joining_.is_host(sender) ? options_.room - 1 : 1;
    return options_.is_except_sender ? options_.room - 1 : options_.room;
  }

  /// The relay puts a player's id in front of what it sends to the host, and passes on the host's
  /// messages as they are.
  bool is_right_envelope(std::uint32_t index, const unsigned char* bytes,
                         const Stamp& stamp) const {
    if (bytes[0] != 2) return false;
    if (!joining_.is_host(index)) return true;
    return stamp.sender < options_.connections &&
           (bytes[1] << 8 | bytes[2]) == joining_.id(stamp.sender);
  }

  /// The first room's host hears of the bad peer: that it comes and goes, and what it floods with.
  bool is_of_bad_peer(std::uint32_t index, const unsigned char* bytes, std::size_t size) const {
    if (options_.bad.empty() || index != 0 || size < 3) return false;
    const int id = bytes[1] << 8 | bytes[2];
    return bytes[0] == 1 ? size == 3 : bytes[0] == 2 && id >= static_cast<int>(options_.room);
  }

  void open(std::uint32_t first_group, std::uint32_t last_group) {
    const auto first = first_group * options_.room;
    const auto groups = last_group - first_group;
    if (options_.has_hosts()) {
      client_.open_all(first, groups, options_.parallel, *this, options_.room);
      await("hosts", [&] { return joining_.hosts() == groups; });
      for (auto group = first_group; group < last_group; ++group) {
        client_.open_all(group * options_.room + 1, options_.room - 1, options_.parallel, *this);
      }
      const auto players = std::uint64_t{groups} * (options_.room - 1);
      await("players",
            [&] { return joining_.welcomed() == players && joining_.announced() == players; });
      bool is_syncing = false;
      for (auto group = first_group; group < last_group; ++group)
        is_syncing = joining_.sync(group * options_.room);
      if (is_syncing) await("full states", [&] { return joining_.synced() == players; });
    } else {
      client_.open_all(first, groups * options_.room, options_.parallel, *this);
      // A server may join the member to its room only after it has sent the response.
      run_until(now_ns() + 300'000'000u);
    }
    active_groups_ = last_group;
    if (!options_.bad.empty()) bad_.start();
  }

  /// The first room faults in code and buffers that do not belong to any one connection.
  void open_first_group(const ServerProbe& probe) {
    open(0, 1);
    send_for(0.3, UINT64_MAX);
    drain();
    run_until(now_ns() + 100'000'000u);
    result_.memory.emplace_back(options_.room, probe.memory());
  }

  template <class Condition>
  void await(const char* what, Condition is_done) {
    const auto deadline = now_ns() + patience_ns;
    while (!is_done()) {
      pass(deadline);
      if (now_ns() > deadline) fail(std::string("missing at the start: ") + what);
    }
  }

  void send(std::uint32_t sender, std::uint64_t stamp_ns) {
    const auto sequence = next_sequence_[sender]++;
    const Stamp stamp{payload_magic, sender, sequence, stamp_ns};
    if (options_.is_json()) {
      client_.append_text_message(sender, stamp, options_.size,
                                  R"({"type":"GameData","data":{"data":")", R"("}})");
    } else {
      // In the relay protocol a host's DELTA_UPDATE and a player's SERVER_RPC begin alike.
      client_.append_message(sender, stamp, options_.size,
                             options_.is_relay ? std::string_view{"\x02"} : std::string_view{});
    }
    ++result_.sent;
    wanted_ += receivers(sender);
    if (is_open_loop_) return;
    missing_[std::size_t{sender} * options_.window + sequence % options_.window] =
        receivers(sender);
    ++in_flight_[sender];
    ++total_in_flight_;
  }

  void pass(std::uint64_t wake_ns) {
    int timeout_ms = 0;
    if (options_.is_blocking) {
      const auto now = now_ns();
      timeout_ms = now < wake_ns
                       ? static_cast<int>(std::min<std::uint64_t>((wake_ns - now) / 1'000'000, 10))
                       : 0;
    }
    bad_.step();
    client_.poll(*this, timeout_ms);
    client_.flush();
  }

  void run_until(std::uint64_t end) {
    while (now_ns() < end) pass(end);
  }

  void send_for(double seconds, std::uint64_t limit) {
    const auto start = now_ns();
    const auto end = start + static_cast<std::uint64_t>(seconds * ns_per_s);
    limit_ = limit;
    is_sending_ = true;
    if (is_open_loop_) {
      send_on_schedule(start, end);
    } else {
      send_round();
      auto deliveries = result_.deliveries;
      auto stalled_at = start + patience_ns;
      for (auto now = start;
           now < end && now < stalled_at && result_.sent < limit_ && !is_hopeless();
           now = now_ns()) {
        pass(end);
        if (options_.is_lockstep && total_in_flight_ == 0) send_round();
        if (result_.deliveries != deliveries) {
          deliveries = result_.deliveries;
          stalled_at = now + patience_ns;
        }
      }
    }
    is_sending_ = false;
  }

  void send_round() {
    for (std::uint32_t i = 0; i < active_groups_ * options_.room; ++i) {
      if (!is_sender(i)) continue;
      while (in_flight_[i] < options_.window && result_.sent < limit_) send(i, now_ns());
    }
    client_.flush();
  }

  /// The stamp is the scheduled time, not the time of the send: a late generator must not hide
  /// latency.
  void send_on_schedule(std::uint64_t start, std::uint64_t end) {
    const auto period = ns_per_s / options_.rate;
    for (std::uint64_t round = 0; result_.sent < limit_ && !is_hopeless(); ++round) {
      for (const auto& [phase, sender] : phases_) {
        const auto due =
            start + static_cast<std::uint64_t>((static_cast<double>(round) + phase) * period);
        if (due >= end || result_.sent >= limit_) return;
        while (now_ns() < due) pass(due);
        send(sender, due);
      }
    }
  }

  void drain() {
    const auto deadline = now_ns() + patience_ns;
    while (result_.deliveries < wanted_ && now_ns() < deadline && !is_hopeless()) pass(deadline);
    if (result_.deliveries < wanted_) client_.count_missing(wanted_ - result_.deliveries);
  }

  /// Such a run gives no figure any more, so it need not wait for what will never come.
  bool is_hopeless() const {
    return client_.errors() >= 1000 ||
           client_.open_count() < std::size_t{active_groups_} * options_.room;
  }

  static constexpr std::uint64_t patience_ns = 10'000'000'000u;

  const Options& options_;
  Client& client_;
  Result& result_;
  Joining joining_;
  BadPeer bad_;
  bool is_open_loop_;
  bool is_sending_ = false;
  std::uint32_t first_sender_;  // of each room
  std::uint32_t senders_;
  std::uint32_t groups_;
  std::uint32_t active_groups_ = 0;
  std::uint64_t wanted_ = 0;  // deliveries of what was sent
  std::uint64_t limit_ = 0;
  std::uint64_t total_in_flight_ = 0;
  std::vector<std::uint64_t> expected_;       // per receiver and sender of its room
  std::vector<std::uint64_t> next_sequence_;  // per sender
  std::vector<std::uint32_t> in_flight_;      // per sender
  std::vector<std::uint32_t> missing_;        // per sender and message: receivers without it
  std::vector<std::pair<double, std::uint32_t>> phases_;
  std::vector<unsigned char> digits_;  // of a message of JSON
};

}  // namespace muster_bench
