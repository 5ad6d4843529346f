// SPDX-License-Identifier: MIT
// A heap of arrivals over buffers that are used again and again.
#include <muster/memory/datagram_link.hpp>

#include <muster/error.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <string_view>

namespace muster::memory {

namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;
constexpr std::uint64_t max_rate = 1'000'000'000'000;
constexpr std::size_t max_queue = std::size_t{1} << 30U;
constexpr std::size_t max_header = 1024;
// So that a buffer that had a small datagram need not grow for each larger one.
constexpr std::size_t smallest_buffer = 512;

// A draw is as fine as a double between 0 and 1 is, so that the comparison is exact everywhere.
constexpr unsigned draw_bits = 53;

bool is_share(double value) noexcept { return value >= 0 && value <= 1; }

bool is_wait(duration value) noexcept {
  return value >= duration{0} && value <= std::chrono::hours{1};
}

}  // namespace

std::error_code DatagramLink::validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(is_share(config.loss), "loss must be between 0 and 1");
  check(is_share(config.duplicate), "duplicate must be between 0 and 1");
  check(is_wait(config.delay), "delay must be between 0 and 1 h");
  check(is_wait(config.jitter), "jitter must be between 0 and 1 h");
  check(is_share(config.reorder), "reorder must be between 0 and 1");
  check(is_wait(config.reorder_by), "reorder_by must be between 0 and 1 h");
  check(config.bytes_per_second <= max_rate, "bytes_per_second must be at most 1000000000000");
  check(config.queue_bytes >= 1 && config.queue_bytes <= max_queue,
        "queue_bytes must be between 1 and 1073741824");
  check(config.header_bytes <= max_header, "header_bytes must be at most 1024");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

DatagramLink::Chance::Chance(double share, std::uint64_t seed) noexcept
    : threshold_(
          static_cast<std::uint64_t>(share * static_cast<double>(std::uint64_t{1} << draw_bits))),
      entropy_(seed) {}

bool DatagramLink::Chance::strikes() noexcept {
  return threshold_ != 0 && entropy_.next_u64() >> (64 - draw_bits) < threshold_;
}

// The generator's states are one walk through all numbers by a constant step. Seeds that are
// themselves drawn put the four walks far from each other.
DatagramLink::DatagramLink(const Config& config)
    : DatagramLink(config, SeededEntropy{config.seed}) {}

DatagramLink::DatagramLink(const Config& config, SeededEntropy seeds)
    : config_(config),
      loss_(config.loss, seeds.next_u64()),
      duplicate_(config.duplicate, seeds.next_u64()),
      reorder_(config.reorder, seeds.next_u64()),
      jitter_(seeds.next_u64()) {}

void DatagramLink::send(byte_view datagram, time_point now) {
  ++stats_.sent;
  stats_.sent_bytes += datagram.size();
  const std::optional<time_point> left_at = pass_bottleneck(datagram.size(), now);
  if (!left_at) {
    ++stats_.dropped;
    return;
  }
  if (loss_.strikes()) {
    ++stats_.lost;
    return;
  }
  deliver(datagram, *left_at);
  if (duplicate_.strikes()) {
    ++stats_.duplicated;
    deliver(datagram, *left_at);
  }
}

// When the last byte has left the bottleneck; empty if the queue has no room.
std::optional<time_point> DatagramLink::pass_bottleneck(std::size_t size, time_point now) noexcept {
  const std::uint64_t rate = config_.bytes_per_second;
  if (rate == 0) return now;
  const std::uint64_t bytes = size + config_.header_bytes;
  if (idle_at_ <= now) {
    idle_at_ = now;
    carry_ = 0;
  } else {
    // What waits follows from how long it will take.
    const auto wait = static_cast<std::uint64_t>((idle_at_ - now) / std::chrono::nanoseconds{1});
    const std::uint64_t waiting = (wait * rate + ns_per_second - 1) / ns_per_second;
    if (waiting + bytes > config_.queue_bytes) return std::nullopt;
  }
  const std::uint64_t work = bytes * ns_per_second + carry_;
  idle_at_ += std::chrono::nanoseconds{work / rate};
  carry_ = work % rate;
  return idle_at_;
}

void DatagramLink::deliver(byte_view datagram, time_point sent_at) {
  time_point at = sent_at + config_.delay;
  if (config_.jitter > duration{0}) {
    const auto range = static_cast<std::uint64_t>(config_.jitter.count()) + 1;
    at += duration{static_cast<duration::rep>(jitter_.next_u64() % range)};
  }
  if (reorder_.strikes()) at += config_.reorder_by;

  if (free_.empty()) {
    buffers_.emplace_back();
    free_.reserve(buffers_.capacity());
    free_.push_back(static_cast<std::uint32_t>(buffers_.size() - 1));
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  std::vector<std::byte>& buffer = buffers_[index];
  buffer.reserve(std::bit_ceil(std::max(datagram.size(), smallest_buffer)));
  buffer.assign(datagram.begin(), datagram.end());
  arrivals_.push_back({at, next_number_++, index});
  std::push_heap(arrivals_.begin(), arrivals_.end());
}

time_point DatagramLink::next_delivery() const noexcept {
  return arrivals_.empty() ? no_deadline : arrivals_.front().at;
}

std::optional<mutable_byte_view> DatagramLink::receive(time_point now) noexcept {
  if (handed_out_) {
    free_.push_back(*handed_out_);
    handed_out_.reset();
  }
  if (arrivals_.empty() || arrivals_.front().at > now) return std::nullopt;
  std::pop_heap(arrivals_.begin(), arrivals_.end());
  handed_out_ = arrivals_.back().buffer;
  arrivals_.pop_back();
  std::vector<std::byte>& buffer = buffers_[*handed_out_];
  ++stats_.delivered;
  stats_.delivered_bytes += buffer.size();
  return mutable_byte_view{buffer};
}

}  // namespace muster::memory
