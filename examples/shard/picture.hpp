// SPDX-License-Identifier: MIT
// What a player of the arena is shown, and how that is written.
#pragma once

#include <muster/shard/format.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace shard_program {

/// Bodies and shots near a cell, as messages say it: places in units.
///
/// Whole, in JSON:
///
///     {"cell":37,"bodies":[{"n":1,"id":"ann","x":0,"y":0,"aim":0,"health":100,"score":0}],
///      "shots":[{"by":1,"x":0,"y":0,"aim":0}]}
///
/// What has changed is the same, with the bodies that are new or different, whole, and `"gone":[2]`
/// for those that are not there any more.
///
/// Binary has no ids, and the least significant byte first. Whole: cell:u8, bodies:u16 and so many
/// times n:u16 x:u16 y:u16 aim:u16 health:u8 score:u16; then shots:u16 and so many times by:u16
/// x:u16 y:u16 aim:u16. What has changed: cell:u8, gone:u16 and so many times n:u16; bodies:u16 and
/// so many times n:u16 fields:u8 and those fields of which a bit is set, from the lowest: x, y,
/// aim, health, score; then the shots as above.
struct Picture {
  struct Body {
    std::uint16_t number = 0;
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    std::uint16_t aim = 0;
    std::uint8_t health = 0;
    std::uint16_t score = 0;
    std::string id{};
    friend bool operator==(const Body&, const Body&) = default;
  };
  struct Shot {
    std::uint16_t by = 0;
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    std::uint16_t aim = 0;
    friend bool operator==(const Shot&, const Shot&) = default;
  };

  std::uint8_t cell = 0;       ///< from 1; 0: of somebody who is not in the game
  std::vector<Body> bodies{};  ///< by number
  std::vector<Shot> shots{};
  friend bool operator==(const Picture&, const Picture&) = default;
};

/// Appends the whole picture.
void write(const Picture& picture, muster::shard::Format format, std::vector<std::byte>& out);

/// Appends what has changed. False: nothing has, and nothing is appended.
bool write_changes(const Picture& base, const Picture& picture, muster::shard::Format format,
                   std::vector<std::byte>& out);

}  // namespace shard_program
