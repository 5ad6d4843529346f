// SPDX-License-Identifier: MIT
// The opponent that is always there.
#pragma once

#include <muster/entropy.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lobby_program {

/// Plays any game from the frames of its seat, like a bot on a connection: mostly what costs
/// nothing, at times something at random.
class HouseBot {
 public:
  explicit HouseBot(std::uint64_t seed) : entropy_(seed) {}

  /// @return   the frame to send; nothing if the frame asks for no action
  [[nodiscard]] std::optional<std::string> answer(std::string_view frame);

 private:
  muster::SeededEntropy entropy_;
};

}  // namespace lobby_program
