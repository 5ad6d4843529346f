// SPDX-License-Identifier: MIT
// A room's state as its host last told it: for those who come late, come back or fall behind.
#pragma once

#include <muster/bytes.hpp>
#include <muster/connection.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::relay {

/// What all caches of one relay hold together, and may hold.
struct CacheBudget {
  std::size_t limit = 0;  ///< bytes
  std::size_t used = 0;
};

/// The last whole state and the changes since, as the messages that they came in.
///
/// A FULL_UPDATE is by definition the state after all earlier changes, so whoever is sent the cache
/// has what the host told. The cache is empty until a state comes, and again as soon as a change
/// does not fit.
/// @threads one loop; the budget's
/// @source docs/protocol/relay.md, "State cache"
class MUSTER_API StateCache {
 public:
  /// @param max_bytes      0: nothing is kept
  /// @param max_messages   what a receiver's budget has room for, the state included
  StateCache(std::size_t max_bytes, std::size_t max_messages, CacheBudget& budget) noexcept
      : max_bytes_(max_bytes), max_messages_(max_messages), budget_(&budget) {}
  StateCache(const StateCache&) = delete;
  StateCache& operator=(const StateCache&) = delete;
  ~StateCache() { drop(); }

  /// A whole state, whose number is `sequence`.
  /// @param id        the message's first byte
  /// @param payload   what follows it
  void replace(std::byte id, byte_view payload, std::uint64_t sequence);

  /// A change to it; its number is the next one.
  void append(std::byte id, byte_view payload);

  /// Forgets everything.
  void drop() noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return ends_.empty(); }

  /// Of the last change, when there is a state.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return base_ + ends_.size() - 1; }

  /// Whether every change after that one is here.
  [[nodiscard]] bool can_resume(std::uint64_t sequence) const noexcept {
    return !is_empty() && sequence >= base_ && sequence <= this->sequence();
  }

  /// Queues the state and all changes. False if they did not all fit.
  /// @param numbered   with a STATE_SEQUENCE behind the state
  bool send_all(Connection& connection, bool numbered) const noexcept;

  /// Queues the changes after that one, which `can_resume` knows. False if they did not all fit.
  bool send_since(Connection& connection, std::uint64_t sequence) const noexcept;

 private:
  bool send_range(Connection& connection, std::size_t first, std::size_t last) const noexcept;
  void add(std::byte id, byte_view payload);

  std::size_t max_bytes_;
  std::size_t max_messages_;
  CacheBudget* budget_;
  std::uint64_t base_ = 0;         // the state's number
  std::vector<std::byte> bytes_;   // the messages, one behind the other
  std::vector<std::size_t> ends_;  // where each ends
};

}  // namespace muster::relay
