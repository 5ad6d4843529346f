// SPDX-License-Identifier: MIT
// One channel of packets over a bad path, in virtual time: what Recovery and Pacer make of it.
#pragma once

#include <muster/entropy.hpp>
#include <muster/soe/config.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <vector>

#include "../lib/soe/packet_pool.hpp"
#include "../lib/soe/recovery.hpp"

namespace muster::test {

/// A sender, a path in both directions and a receiver, without any bytes: packets are numbers. The
/// receiver acknowledges at once what comes too early, and the rest as the configuration says, in
/// shared datagrams.
class SoeFlow {
 public:
  struct Path {
    duration delay{0};   // one way
    double loss = 0;     // of each direction
    duration jitter{0};  // up to so much more
    double reorder = 0;  // share that is held back
    duration reorder_by{0};
    double duplicate = 0;
    std::uint64_t bytes_per_second = 0;  // of the data's direction, 0: no bottleneck
    std::size_t queue_bytes = 65536;
  };
  struct Traffic {
    std::size_t datagram = 512;
    std::size_t payload = 506;  // of it
    duration message_every{0};  // zero: as much as passes
    std::size_t message_datagram = 72;
  };
  struct Report {                 // of one `run`
    double goodput = 0;           // payload in order, bytes per second
    double waste = 0;             // datagram bytes of the data's direction, over payload
    std::vector<double> latency;  // of each message, ms, sorted
    double wire_per_message = 0;  // datagram bytes of both directions
    std::uint64_t queue_drops = 0;
    [[nodiscard]] double latency_at(double share) const {
      return latency.at(static_cast<std::size_t>(share * static_cast<double>(latency.size() - 1)));
    }
  };

  SoeFlow(const soe::Config& config, const Path& path, const Traffic& traffic, std::uint64_t seed)
      : config_(config),
        path_(path),
        traffic_(traffic),
        entropy_(seed),
        recovery_(config, traffic.datagram, start),
        slots_(sequences),
        received_(sequences),
        sent_at_(sequences) {}

  /// Timers fire on whole ticks; with `arrives_on_ticks` datagrams are processed then, too.
  duration tick = std::chrono::milliseconds{1};
  bool arrives_on_ticks = false;

  Report run(duration length) {
    const time_point end = now_ + length;
    const Totals before = totals_;
    if (!is_running_) next_message_ = now_;
    is_running_ = true;
    pump();
    while (true) {
      const time_point at = next_event();
      if (at > end) break;
      now_ = at;
      step();
    }
    now_ = end;
    Report report;
    const double seconds = std::chrono::duration<double>(length).count();
    const double size =
        traffic_.message_every > duration{0} ? 64.0 : static_cast<double>(traffic_.payload);
    totals_.delivered = expected_;
    const auto delivered = static_cast<double>(expected_ - before.delivered);
    const auto data = static_cast<double>(totals_.data_bytes - before.data_bytes);
    const auto back = static_cast<double>(totals_.acknowledge_bytes - before.acknowledge_bytes);
    report.goodput = delivered * size / seconds;
    report.waste = data / (delivered * size);
    report.wire_per_message = (data + back) / delivered;
    std::sort(latency_.begin(), latency_.end());
    report.latency.swap(latency_);
    report.queue_drops = totals_.queue_drops - before.queue_drops;
    return report;
  }

  /// For what is sent from now on.
  void set_path(const Path& path) { path_ = path; }

  [[nodiscard]] const soe::Recovery& recovery() const { return recovery_; }
  [[nodiscard]] time_point now() const { return now_; }

  static constexpr time_point start = time_point{} + std::chrono::hours{1};

 private:
  static constexpr std::size_t sequences = 65536;

  struct Datagram {
    time_point at;
    std::uint64_t order;
    std::array<std::int64_t, 4> sequences;  // data
    std::uint32_t acknowledgement;          // index, for the other direction
    std::uint8_t count;                     // of sequences; 0: acknowledgements
    bool operator<(const Datagram& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  struct Acknowledgement {
    std::int64_t all = -1;
    std::vector<std::int64_t> singles;
  };

  bool strikes(double share) {
    return share > 0 && static_cast<double>(number() >> 11U) * 0x1p-53 < share;
  }
  std::uint64_t number() {
    std::array<std::byte, 8> bytes{};
    entropy_.fill(bytes);
    std::uint64_t value = 0;
    for (const std::byte byte : bytes) value = value << 8U | static_cast<std::uint64_t>(byte);
    return value;
  }

  time_point on_tick(time_point at) const {
    const duration rest = (at - start) % tick;
    return rest == duration{0} ? at : at + (tick - rest);
  }

  [[nodiscard]] time_point next_event() const {
    time_point at = under_way_.empty() ? no_deadline : under_way_.top().at;
    at = std::min({at, timer_, acknowledge_timer_});
    if (traffic_.message_every > duration{0}) at = std::min(at, next_message_);
    return at;
  }

  void step() {
    bool sender = false;
    while (!under_way_.empty() && under_way_.top().at <= now_) {
      const Datagram datagram = under_way_.top();
      under_way_.pop();
      if (datagram.count > 0) {
        for (unsigned i = datagram.count; i-- > 0;) receive(datagram.sequences[i]);
        after_receive();
      } else {
        receive_acknowledgement(datagram.acknowledgement);
        sender = true;
      }
    }
    if (now_ >= acknowledge_timer_) acknowledge();
    if (traffic_.message_every > duration{0} && now_ >= next_message_) {
      ++messages_;
      sent_at_[static_cast<std::size_t>(messages_ - 1) % sequences] = now_;
      next_message_ += traffic_.message_every;
      sender = true;
    }
    if (now_ >= timer_) sender = true;
    if (sender) {
      recovery_.advance(now_);
      pump();
    }
  }

  // The sender.

  [[nodiscard]] bool has_more() const {
    const bool waits = traffic_.message_every == duration{0} || next_ < messages_;
    return waits && next_ < oldest_ + static_cast<std::int64_t>(config_.send_window);
  }

  void pump() {
    while (recovery_.may_send(now_)) {
      soe::Packet* packet = recovery_.first_lost();
      const bool is_new = packet == nullptr;
      if (is_new) {
        if (!has_more()) break;
        packet = &take(next_++);
      }
      const bool is_bulk = traffic_.message_every == duration{0};
      std::size_t bytes = packet->size;
      Datagram datagram{};
      datagram.sequences[datagram.count++] = packet->sequence;
      recovery_.on_sent(*packet, now_, !is_bulk && next_ == messages_);
      if (is_new && config_.redundancy > 0 && !is_bulk) {
        const double loss = recovery_.loss();
        unsigned rides = loss < 0.005 ? 0 : loss < 0.02 ? 1 : loss < 0.04 ? 2 : 3;
        rides = std::min(rides, config_.redundancy);
        for (std::int64_t s = packet->sequence - 1; s >= oldest_ && rides > 0; --s) {
          soe::Packet* const rider = slots_[static_cast<std::size_t>(s) % sequences];
          if (rider == nullptr) continue;
          recovery_.on_ride(*rider, now_);
          datagram.sequences[datagram.count++] = s;
          bytes += rider->size - 3U;
          --rides;
        }
      }
      totals_.data_bytes += bytes;
      send(datagram, bytes, true);
    }
    const time_point deadline = recovery_.next_deadline(has_more());
    timer_ = deadline == no_deadline
                 ? no_deadline
                 : on_tick(std::max(deadline, now_ + std::chrono::nanoseconds{1}));
  }

  soe::Packet& take(std::int64_t sequence) {
    if (free_.empty()) {
      packets_.push_back(std::make_unique<soe::Packet>());
      free_.push_back(packets_.back().get());
    }
    soe::Packet* const packet = free_.back();
    free_.pop_back();
    *packet = {};
    packet->sequence = sequence;
    packet->state = soe::Packet::State::queued;
    packet->size = static_cast<std::uint16_t>(
        traffic_.message_every > duration{0} ? traffic_.message_datagram : traffic_.datagram);
    slots_[static_cast<std::size_t>(sequence) % sequences] = packet;
    return *packet;
  }

  void receive_acknowledgement(std::uint32_t index) {
    for (const std::int64_t s : acknowledgements_[index].singles) acknowledged(s);
    for (std::int64_t s = oldest_; s <= acknowledgements_[index].all; ++s) acknowledged(s);
    free_acknowledgements_.push_back(index);
    while (oldest_ < next_ && slots_[static_cast<std::size_t>(oldest_) % sequences] == nullptr) {
      ++oldest_;
    }
    recovery_.finish_acknowledgements(now_);
  }

  void acknowledged(std::int64_t sequence) {
    if (sequence < oldest_) return;
    soe::Packet*& packet = slots_[static_cast<std::size_t>(sequence) % sequences];
    if (packet == nullptr) return;
    recovery_.on_acknowledged(*packet, now_);
    free_.push_back(packet);
    packet = nullptr;
  }

  // The path.

  void send(Datagram datagram, std::size_t bytes, bool is_data) {
    time_point leaves = now_;
    if (is_data && path_.bytes_per_second > 0) {
      const auto wire = static_cast<std::int64_t>(bytes + 28);
      const duration takes{wire * 1'000'000'000 /
                           static_cast<std::int64_t>(path_.bytes_per_second)};
      const duration waits = std::max(idle_at_ - now_, duration{0});
      const double waiting = std::chrono::duration<double>(waits).count() *
                             static_cast<double>(path_.bytes_per_second);
      if (waits > duration{0} &&
          waiting + static_cast<double>(wire) > static_cast<double>(path_.queue_bytes)) {
        ++totals_.queue_drops;
        return;
      }
      idle_at_ = now_ + waits + takes;
      leaves = idle_at_;
    }
    if (strikes(path_.loss)) return;
    const unsigned copies = strikes(path_.duplicate) ? 2 : 1;
    for (unsigned i = 0; i < copies; ++i) {
      time_point at = leaves + path_.delay;
      if (path_.jitter > duration{0}) {
        at += duration{static_cast<duration::rep>(
            number() % static_cast<std::uint64_t>(path_.jitter.count()))};
      }
      if (strikes(path_.reorder)) at += path_.reorder_by;
      datagram.at = arrives_on_ticks ? on_tick(at) : at;
      datagram.order = order_++;
      // A copy of acknowledgements tells nothing new, and would need a copy of its list.
      if (i > 0 && datagram.count == 0) break;
      under_way_.push(datagram);
    }
    is_delivered_ = true;
  }

  // The receiver.

  void receive(std::int64_t sequence) {
    if (sequence < expected_) {
      is_all_due_ = true;
      return;
    }
    if (sequence >= expected_ + static_cast<std::int64_t>(config_.receive_window)) return;
    received_[static_cast<std::size_t>(sequence) % sequences] = 1;
    if (sequence != expected_) {
      singles_.push_back(sequence);
      return;
    }
    while (received_[static_cast<std::size_t>(expected_) % sequences] != 0) {
      received_[static_cast<std::size_t>(expected_) % sequences] = 0;
      if (traffic_.message_every > duration{0}) {
        const duration took = now_ - sent_at_[static_cast<std::size_t>(expected_) % sequences];
        latency_.push_back(std::chrono::duration<double, std::milli>(took).count());
      }
      ++expected_;
      ++unacknowledged_;
    }
    if (unacknowledged_ >= config_.acknowledge_every ||
        now_ - last_all_ > config_.acknowledge_delay) {
      is_all_due_ = true;
    }
  }

  void after_receive() {
    if (is_all_due_ || !singles_.empty()) {
      acknowledge();
    } else if (unacknowledged_ > 0) {
      acknowledge_timer_ = on_tick(last_all_ + config_.acknowledge_delay);
    }
  }

  void acknowledge() {
    acknowledge_timer_ = no_deadline;
    std::uint32_t index = 0;
    if (free_acknowledgements_.empty()) {
      index = static_cast<std::uint32_t>(acknowledgements_.size());
      acknowledgements_.emplace_back();
    } else {
      index = free_acknowledgements_.back();
      free_acknowledgements_.pop_back();
    }
    Acknowledgement& acknowledgement = acknowledgements_[index];
    acknowledgement.singles.clear();
    acknowledgement.singles.swap(singles_);
    acknowledgement.all = expected_ - 1;
    const std::size_t parts = acknowledgement.singles.size() + (is_all_due_ || unacknowledged_ > 0);
    unacknowledged_ = 0;
    is_all_due_ = false;
    last_all_ = now_;
    const std::size_t bytes = parts == 1 ? 8 : 6 + 5 * parts;
    totals_.acknowledge_bytes += bytes;
    Datagram datagram{};
    datagram.acknowledgement = index;
    is_delivered_ = false;
    send(datagram, bytes, false);
    if (!is_delivered_) free_acknowledgements_.push_back(index);
  }

  struct Totals {
    std::int64_t delivered = 0;
    std::uint64_t data_bytes = 0;
    std::uint64_t acknowledge_bytes = 0;
    std::uint64_t queue_drops = 0;
  };

  soe::Config config_;
  Path path_;
  Traffic traffic_;
  SeededEntropy entropy_;
  time_point now_ = start;
  bool is_running_ = false;
  Totals totals_;

  std::priority_queue<Datagram> under_way_;
  std::uint64_t order_ = 0;
  time_point idle_at_{};
  bool is_delivered_ = false;

  soe::Recovery recovery_;
  std::vector<std::unique_ptr<soe::Packet>> packets_;
  std::vector<soe::Packet*> free_;
  std::vector<soe::Packet*> slots_;
  std::int64_t oldest_ = 0;
  std::int64_t next_ = 0;
  std::int64_t messages_ = 0;
  time_point next_message_{};
  time_point timer_ = no_deadline;

  std::vector<std::uint8_t> received_;
  std::vector<time_point> sent_at_;
  std::int64_t expected_ = 0;
  std::uint32_t unacknowledged_ = 0;
  bool is_all_due_ = false;
  std::vector<std::int64_t> singles_;
  time_point last_all_{};
  time_point acknowledge_timer_ = no_deadline;
  std::vector<Acknowledgement> acknowledgements_;
  std::vector<std::uint32_t> free_acknowledgements_;
  std::vector<double> latency_;
};

}  // namespace muster::test
