// SPDX-License-Identifier: MIT
// Both ends in one process, over a network that loses and delays.
#pragma once

#include "options.hpp"

namespace soe_echo {

/// Runs to the end of the options, in virtual time that keeps pace with the clock.
/// @return the status to end with
[[nodiscard]] int run_link(const Options& options);

}  // namespace soe_echo
