// SPDX-License-Identifier: MIT
// Lets ENet run without sockets and on a clock that is moved by hand.
#pragma once

#include "port.hpp"

#include <muster/time.hpp>

namespace muster_bench::enet_seam {

/// The next socket that ENet makes is this port; null: a real one.
void use_port(Port* port);

/// From the first call on, ENet's clock shows this and no longer runs by itself.
void set_time(muster::time_point now);

}  // namespace muster_bench::enet_seam
