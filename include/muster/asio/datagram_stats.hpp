// SPDX-License-Identifier: MIT
// What a socket for datagrams counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace muster::asio {

/// Since the socket was opened.
struct DatagramStats {
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t groups_received = 0;  ///< pieces of several datagrams
  std::uint64_t receive_calls = 0;    ///< of the system
  std::uint64_t receive_errors = 0;   ///< such as that a peer's port is closed

  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t groups_sent = 0;                ///< pieces of several datagrams
  std::uint64_t datagrams_in_groups = 0;        ///< sent so
  std::uint64_t datagrams_in_large_groups = 0;  ///< of at least 16
  std::uint64_t groups_refused = 0;             ///< that left one by one in the end
  std::uint64_t send_calls = 0;                 ///< of the system
  std::uint64_t send_errors = 0;                ///< datagrams that the system did not take: lost
  std::uint64_t times_blocked = 0;              ///< the system's buffer was full; nothing is lost

  bool gso = false;                ///< in use: wanted, there, and not refused time and again
  bool gro = false;                ///< in use
  std::size_t receive_buffer = 0;  ///< bytes, as the system counts them
  std::size_t send_buffer = 0;
};

}  // namespace muster::asio
