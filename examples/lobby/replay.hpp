// SPDX-License-Identifier: MIT
// Shows a stored match again.
#pragma once

#include "result_store.hpp"

#include <ostream>

namespace lobby_program {

/// Runs a match again from its seed and what came in, and prints all its frames: the seat, a blank
/// and the frame on each line.
/// @param problem   on failure, a sentence
/// @return          false: the record is not complete, or does not end as the match did
[[nodiscard]] bool print_replay(const StoredMatch& match, std::ostream& out, std::string& problem);

}  // namespace lobby_program
