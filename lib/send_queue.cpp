// SPDX-License-Identifier: MIT
// Order, partial writes and memory of a connection's queue.
#include "send_queue.hpp"

#include <cstring>
#include <utility>

namespace muster {

namespace {

// Waiting pieces are kept by reference if they are large, and most of their share of the block that
// they lie in: otherwise they are copied, so that what a slow peer holds in memory stays in
// proportion to what its budget counts.
bool should_copy(const SendEntry& entry, std::size_t held) noexcept {
  const std::size_t share = entry.block.capacity() / entry.block.reference_count();
  return held < share / 4 || (!entry.has(SendEntry::owned) && held <= 4096);
}

// The size of the encoded frame that starts here (RFC 6455 section 5.2; either role wrote it).
std::size_t encoded_frame_size(const std::byte* frame) noexcept {
  const auto at = [frame](std::size_t i) { return std::to_integer<std::uint64_t>(frame[i]); };
  const std::size_t mask = (at(1) & 0x80U) != 0 ? 4 : 0;
  const std::uint64_t length = at(1) & 0x7fU;
  if (length < 126) return 2 + mask + static_cast<std::size_t>(length);
  if (length == 126) return 4 + mask + static_cast<std::size_t>(at(2) << 8U | at(3));
  std::uint64_t size = 0;
  for (std::size_t i = 2; i < 10; ++i) size = size << 8U | at(i);
  return 10 + mask + static_cast<std::size_t>(size);
}

constexpr bool is_plain(const SendEntry& entry) noexcept {
  return (entry.flags & ~unsigned{SendEntry::owned}) == 0;
}

}  // namespace

void SendQueue::push(SendEntry entry, Framing framing) {
  // Only frames say where each of them ends.
  const bool is_framed = framing == Framing::server || framing == Framing::client;
  if (is_framed && !empty() && is_plain(entry)) {
    SendEntry& last = entries.back();
    if (is_plain(last) && last.block == entry.block && last.offset + last.size == entry.offset &&
        last.frames + entry.frames <= 0xffff) {
      last.size += entry.size;
      last.frames = static_cast<std::uint16_t>(last.frames + entry.frames);
      return;
    }
  }
  entries.push_back(std::move(entry));
}

QueueChange SendQueue::consume(std::size_t bytes) {
  QueueChange change{bytes, 0};
  while (bytes != 0) {
    SendEntry& front = entries[head];
    if (front.size <= bytes) {
      bytes -= front.size;
      change.frames += front.frames;
      front.block = {};
      ++head;
      continue;
    }
    if (front.has(SendEntry::begun)) {
      front.offset += static_cast<std::uint32_t>(bytes);
      front.size -= static_cast<std::uint32_t>(bytes);
      return change;
    }
    // Find the message in the middle of which the write ended, and let it stand alone.
    std::size_t whole = 0;
    std::size_t next = front.frames == 1 ? front.size : encoded_frame_size(front.bytes().data());
    std::uint16_t frames = 0;
    while (next <= bytes) {
      whole = next;
      ++frames;
      next += encoded_frame_size(front.bytes().data() + whole);
    }
    change.frames += frames;
    front.offset += static_cast<std::uint32_t>(whole);
    front.size -= static_cast<std::uint32_t>(whole);
    front.frames = static_cast<std::uint16_t>(front.frames - frames);
    bytes -= whole;
    if (bytes == 0) return change;  // between two messages
    begin_front();
    entries[head].offset += static_cast<std::uint32_t>(bytes);
    entries[head].size -= static_cast<std::uint32_t>(bytes);
    return change;
  }
  return change;
}

void SendQueue::begin_front() {
  SendEntry& front = entries[head];
  front.flags |= SendEntry::begun;
  if (front.frames == 1) return;
  const auto size = static_cast<std::uint32_t>(encoded_frame_size(front.bytes().data()));
  SendEntry rest = front;
  rest.offset += size;
  rest.size -= size;
  rest.frames = static_cast<std::uint16_t>(front.frames - 1);
  rest.flags = static_cast<std::uint8_t>(rest.flags & ~unsigned{SendEntry::begun});
  front.size = size;
  front.frames = 1;
  entries.insert(entries.begin() + static_cast<std::ptrdiff_t>(head) + 1, std::move(rest));
}

QueueChange SendQueue::pop_front() noexcept {
  SendEntry& front = entries[head++];
  front.block = {};
  return {front.size, front.frames};
}

void SendQueue::settle() {
  entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(head));
  head = 0;
  // The bytes from one entry on that lie in the same block, and where that ends.
  const auto run = [this](std::size_t begin) {
    std::size_t held = 0;
    std::size_t end = begin;
    while (end < entries.size() && entries[end].block == entries[begin].block) {
      held += entries[end++].size;
    }
    return std::pair{held, end};
  };
  for (std::size_t i = 0; i < entries.size();) {
    // Neighbours that are copied go into one block, which then holds nothing else.
    std::size_t end = i;
    std::size_t small = 0;
    while (end < entries.size()) {
      const auto [held, next] = run(end);
      if (!should_copy(entries[end], held)) break;
      small += held;
      end = next;
    }
    if (end == i) {
      end = run(i).second;
      for (; i < end; ++i) entries[i].flags |= SendEntry::owned;
      continue;
    }
    const Block copy = Block::allocate(small);
    std::uint32_t used = 0;
    for (; i < end; ++i) {
      SendEntry& entry = entries[i];
      if (entry.size != 0) std::memcpy(copy.data() + used, entry.bytes().data(), entry.size);
      entry.block = copy;
      entry.offset = used;
      entry.flags |= SendEntry::owned;
      used += entry.size;
    }
  }
}

}  // namespace muster
