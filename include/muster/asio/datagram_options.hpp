// SPDX-License-Identifier: MIT
// How a socket for datagrams is set up.
#pragma once

#include <cstddef>

namespace muster::asio {

/// The defaults are for everybody; the switches are for measuring, and for networks that lie.
struct DatagramOptions {
  /// Several datagrams for one peer are handed to the system in one piece (UDP_SEGMENT, Linux 4.18
  /// and newer), which is what makes bulk fast. Where the system or a route refuses it, they leave
  /// one by one.
  bool gso = true;

  /// Takes such pieces from the system as well (UDP_GRO, Linux 5.0 and newer).
  bool gro = true;

  /// Several loops have a socket each on one port; the system keeps each peer with one of them.
  bool reuse_port = false;

  /// What the system is asked to buffer in each direction, 4 KiB to 1 GiB. It may give less:
  /// `DatagramStats` says what it gave.
  std::size_t buffer_bytes = 4 << 20;
};

}  // namespace muster::asio
