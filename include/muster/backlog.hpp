// SPDX-License-Identifier: MIT
// What waits for a connection that is between two loops.
#pragma once

#include <muster/connection.hpp>
#include <muster/message.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster {

/// The sending side of a connection without its outbox: a copy of everything that is queued and not
/// yet written, as it goes on the wire, and how much may be queued.
/// @threads may be given from one thread to another
struct Backlog {
  struct Entry {
    std::uint32_t size = 0;
    std::uint32_t key = 0;
    std::uint16_t frames = 0;
    MessageKind kind = MessageKind::binary;
    std::uint8_t flags = 0;
  };

  std::vector<std::byte> bytes;  ///< of all entries, one after the other
  std::vector<Entry> entries;
  std::uint64_t written = 0;
  Budget budget{};
  bool wants_writable = false;  ///< something was refused: `on_writable` is owed
};

}  // namespace muster
