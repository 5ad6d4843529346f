// SPDX-License-Identifier: MIT
// Two ports that are joined in memory: by queues without a delay, or by links in virtual time.
#pragma once

#include "port.hpp"

#include <muster/memory/datagram_link.hpp>

#include <array>
#include <cstring>
#include <vector>

namespace muster_bench {

/// The address of the other end, whoever asks.
inline muster::Address memory_address() { return muster::Address::v4(0x7f000001, 9); }

/// A queue in one direction. It starts over at its beginning whenever it has been emptied, so that
/// what it costs is one copy within the cache.
class MemoryQueue {
 public:
  void push(muster::byte_view datagram) {
    if (next_ == entries_.size()) clear();
    const std::size_t offset = used_;
    used_ += (datagram.size() + 15) / 16 * 16;
    if (used_ > bytes_.size()) bytes_.resize(2 * used_);
    std::memcpy(bytes_.data() + offset, datagram.data(), datagram.size());
    entries_.push_back({offset, datagram.size()});
  }

  bool pop(muster::mutable_byte_view& datagram) {
    if (next_ == entries_.size()) return false;
    const Entry& entry = entries_[next_++];
    datagram = {bytes_.data() + entry.offset, entry.size};
    return true;
  }

 private:
  struct Entry {
    std::size_t offset;
    std::size_t size;
  };
  void clear() {
    entries_.clear();
    next_ = used_ = 0;
  }

  std::vector<std::byte> bytes_;
  std::vector<Entry> entries_;
  std::size_t next_ = 0;
  std::size_t used_ = 0;
};

class QueuePort final : public Port {
 public:
  QueuePort(MemoryQueue& in, MemoryQueue& out) : in_(in), out_(out) {}

  std::span<Run> receive(muster::time_point) override {
    std::size_t count = 0;
    while (count < runs_.size() && in_.pop(runs_[count].bytes)) runs_[count++].from = address_;
    return std::span{runs_}.first(count);
  }

  void send(const muster::Address&, std::span<const muster::byte_view> datagrams,
            muster::time_point) override {
    for (const muster::byte_view datagram : datagrams) {
      out_.push(datagram);
      ++sent_.datagrams;
      sent_.bytes += datagram.size();
    }
  }

 private:
  MemoryQueue& in_;
  MemoryQueue& out_;
  muster::Address address_ = memory_address();
  std::array<Run, 64> runs_;
};

class LinkPort final : public Port {
 public:
  LinkPort(muster::memory::DatagramLink& in, muster::memory::DatagramLink& out)
      : in_(in), out_(out) {}

  /// What arrives at one moment is one batch, as it would be on a socket.
  std::span<Run> receive(muster::time_point now) override {
    std::size_t count = 0;
    while (count < runs_.size()) {
      const auto datagram = in_.receive(now);
      if (!datagram) break;
      std::vector<std::byte>& buffer = buffers_[count];
      buffer.assign(datagram->begin(), datagram->end());
      runs_[count++] = {memory_address(), buffer, 0};
    }
    return std::span{runs_}.first(count);
  }

  void send(const muster::Address&, std::span<const muster::byte_view> datagrams,
            muster::time_point now) override {
    for (const muster::byte_view datagram : datagrams) {
      out_.send(datagram, now);
      ++sent_.datagrams;
      sent_.bytes += datagram.size();
    }
  }

 private:
  muster::memory::DatagramLink& in_;
  muster::memory::DatagramLink& out_;
  std::array<Run, 64> runs_;
  std::array<std::vector<std::byte>, 64> buffers_;
};

}  // namespace muster_bench
