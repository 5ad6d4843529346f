// SPDX-License-Identifier: MIT
// What every contestant of the reliable-UDP benchmark implements.
#pragma once

#include "port.hpp"

#include <muster/bytes.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace muster_bench {

/// A run that went wrong: a message that is not what was sent, a session that ended. What it
/// measured does not count.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Receiver {
 public:
  virtual ~Receiver() = default;

  /// @param session   counted from 0 in the order in which an end's sessions were opened
  virtual void on_message(std::uint32_t session, muster::byte_view message) = 0;
};

/// A client with one session, or a server with many. Messages are reliable and ordered.
class End {
 public:
  virtual ~End() = default;

  [[nodiscard]] virtual std::uint32_t open_sessions() const = 0;

  /// Queues a copy of a message. False: not now.
  virtual bool send(std::uint32_t session, muster::byte_view message) = 0;

  /// Takes what has arrived, does what is due, and sends what may leave.
  virtual void step(muster::time_point now, Receiver& receiver) = 0;

  /// Sends what may leave, without looking at what has arrived.
  virtual void flush(muster::time_point now) = 0;

  /// When `step` has something to do although nothing arrives.
  [[nodiscard]] virtual muster::time_point next_deadline(muster::time_point now) const = 0;

  [[nodiscard]] virtual Traffic sent() const = 0;

  /// On sockets: its descriptor, and the UDP port that it is bound to.
  [[nodiscard]] virtual int descriptor() const = 0;
  [[nodiscard]] virtual std::uint16_t udp_port() const = 0;
};

/// How an end reaches the other.
struct Place {
  Port* memory = nullptr;      ///< if there is none, a socket on 127.0.0.1
  std::uint16_t udp_port = 0;  ///< client: the server's
};

/// The kinds of scenarios that a contestant takes part in.
inline constexpr unsigned in_transfers = 1;
inline constexpr unsigned in_memory = 2;
inline constexpr unsigned in_latency = 4;
inline constexpr unsigned in_goodput = 8;
inline constexpr unsigned in_sessions = 16;
inline constexpr unsigned in_all = 31;

struct Contestant {
  std::string name;
  unsigned scenarios = in_all;
  std::function<std::unique_ptr<End>(const Place&, std::uint32_t max_sessions,
                                     muster::time_point now)>
      serve;
  std::function<std::unique_ptr<End>(const Place&, muster::time_point now)> connect;
};

std::vector<Contestant> enet_contestants();
std::vector<Contestant> muster_contestants();

}  // namespace muster_bench
