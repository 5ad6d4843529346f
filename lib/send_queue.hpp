// SPDX-License-Identifier: MIT
// What waits for one connection, in order: pieces of memory that hold whole encoded messages.
#pragma once

#include <muster/block.hpp>
#include <muster/bytes.hpp>
#include <muster/connection.hpp>
#include <muster/group.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster {

/// A run of messages in one block. Several plain messages that lie one after the other are one
/// entry, so that they leave without a copy.
struct SendEntry {
  enum Flag : std::uint8_t {
    latest = 1,     // a newer message of the same key may take its place
    volatile_ = 2,  // dropped if the peer is behind
    begun = 4,      // some of it has left: it must follow whole
    last = 8,       // last words or the close: never discarded
    control = 16,   // the transport's own
    owned = 32,  // not in the pass's arena or in a batch: worth keeping by reference while it waits
  };

  Block block;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t key = 0;
  std::uint16_t frames = 1;
  MessageKind kind = MessageKind::binary;
  std::uint8_t flags = 0;

  [[nodiscard]] bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
  [[nodiscard]] byte_view bytes() const noexcept { return {block.data() + offset, size}; }
  void set(Delivery delivery) noexcept {
    key = delivery.key;
    if (delivery.delivery == Delivery::Class::latest) flags |= latest;
    if (delivery.delivery == Delivery::Class::volatile_) flags |= volatile_;
  }
};

/// How much left a queue, or entered it.
struct QueueChange {
  std::size_t bytes = 0;
  std::uint32_t frames = 0;
};

struct SendQueue {
  std::vector<SendEntry> entries;
  std::size_t head = 0;  // entries before it have left

  [[nodiscard]] bool empty() const noexcept { return head == entries.size(); }

  /// Adds an entry, to the last one if both are plain frames and lie side by side.
  void push(SendEntry entry, Framing framing);

  /// Takes away bytes that have left. The rest of a message that has begun becomes an entry
  /// of its own.
  QueueChange consume(std::size_t bytes);

  /// Marks the first message that waits as begun, and lets it stand alone.
  void begin_front();

  /// Takes away one whole entry.
  QueueChange pop_front() noexcept;

  /// Takes away every entry that `drop` says may go and that has not begun.
  template <class Predicate>
  QueueChange erase_if(Predicate drop) {
    QueueChange change;
    std::size_t out = head;
    for (std::size_t i = head; i < entries.size(); ++i) {
      SendEntry& entry = entries[i];
      if (!entry.has(SendEntry::begun) && drop(entry)) {
        change.bytes += entry.size;
        change.frames += entry.frames;
        continue;
      }
      if (out != i) entries[out] = std::move(entry);
      ++out;
    }
    entries.resize(out);
    return change;
  }

  /// What an `erase_if` would take away.
  template <class Predicate>
  [[nodiscard]] QueueChange count_if(Predicate drop) const {
    QueueChange change;
    for (std::size_t i = head; i < entries.size(); ++i) {
      if (entries[i].has(SendEntry::begun) || !drop(entries[i])) continue;
      change.bytes += entries[i].size;
      change.frames += entries[i].frames;
    }
    return change;
  }

  /// Makes what waits independent of the pass: small pieces are copied together, so that a few
  /// waiting bytes do not hold a large block.
  void settle();

  void clear() noexcept {
    entries.clear();
    head = 0;
  }
};

/// A group's messages since its last flush, as a server sends them.
struct MUSTER_LOCAL Group::Batch {
  static constexpr std::uint32_t none = 0xffffffff;

  struct Record {
    std::uint32_t begin;      // of the header
    std::uint32_t next_hole;  // the next record that is not for the same member
    std::uint32_t key;
    std::uint8_t header_size;
    MessageKind kind;
    Delivery::Class delivery;
  };

  Block block;
  std::uint32_t used = 0;
  bool has_classes = false;  // some record is latest or volatile
  std::vector<Record> records;

  /// Room for `size` more bytes at the end, which count as used.
  std::byte* extend(Outbox& outbox, std::size_t size);

  [[nodiscard]] std::uint32_t end_of(std::size_t record) const noexcept {
    return record + 1 < records.size() ? records[record + 1].begin : used;
  }
};

/// The size of the header of an unmasked frame.
[[nodiscard]] constexpr std::size_t server_header_size(std::size_t payload_size) noexcept {
  return payload_size < 126 ? 2 : payload_size <= 0xffff ? 4 : 10;
}

}  // namespace muster
