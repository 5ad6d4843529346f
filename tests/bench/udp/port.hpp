// SPDX-License-Identifier: MIT
// Where the datagrams of an end leave and arrive: the seam between a protocol and its carrier.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace muster_bench {

/// Datagrams and their bytes, without the headers of IP and UDP.
struct Traffic {
  std::uint64_t datagrams = 0;
  std::uint64_t bytes = 0;

  friend Traffic operator+(const Traffic& a, const Traffic& b) {
    return {a.datagrams + b.datagrams, a.bytes + b.bytes};
  }
  friend Traffic operator-(const Traffic& a, const Traffic& b) {
    return {a.datagrams - b.datagrams, a.bytes - b.bytes};
  }
};

class Port {
 public:
  /// One datagram, or several of `segment` bytes each (the last may be shorter) in one buffer.
  struct Run {
    muster::Address from;
    muster::mutable_byte_view bytes;
    std::size_t segment = 0;  ///< 0: one datagram
  };

  virtual ~Port() = default;

  /// Some of what has arrived by `now`; empty when there is no more. Valid until the next call.
  virtual std::span<Run> receive(muster::time_point now) = 0;

  /// Sends datagrams of one size, of which the last may be shorter, at the latest with `flush`:
  /// until then they must stay. What the carrier does not take is lost.
  virtual void send(const muster::Address& to, std::span<const muster::byte_view> datagrams,
                    muster::time_point now) = 0;
  virtual void flush() {}

  [[nodiscard]] const Traffic& sent() const { return sent_; }

 protected:
  Traffic sent_;
};

}  // namespace muster_bench
