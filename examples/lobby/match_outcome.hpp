// SPDX-License-Identifier: MIT
// How a match ended.
#pragma once

#include "game.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lobby_program {

/// How a match ended.
struct Outcome {
  enum class Status : std::uint8_t {
    completed,  ///< played out, or given up by a seat
    cancelled,  ///< not all seats came
    abandoned,  ///< everybody left: nobody has won
    failed      ///< the server gave it up
  };
  Status status = Status::completed;
  std::optional<std::size_t> forfeit{};  ///< the seat that gave it up, where one did
  std::vector<std::size_t> absent{};     ///< cancelled: seats that did not come
  GameResult result{};                   ///< of completed and abandoned matches
};

}  // namespace lobby_program
