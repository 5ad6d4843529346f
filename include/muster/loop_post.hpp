// SPDX-License-Identifier: MIT
// How a core on one loop has something done on another.
#pragma once

#include <muster/time.hpp>

#include <cstddef>
#include <functional>

namespace muster {

/// Runs a call on the loop of that number, with that loop's time: soon, behind what was posted
/// there before, or never, if that loop ends first. Returns false when it takes nothing now, and
/// then nothing was done. The call must hold copies.
///
/// A driver has it (`asio::LoopGroup::make_post`), a core is given it.
/// @threads safe: each loop may have a copy
using LoopPost = std::function<bool(std::size_t loop, std::function<void(time_point now)> call)>;

}  // namespace muster
