// SPDX-License-Identifier: MIT
// The part of a connection that moves from one loop to another.
#include <muster/connection.hpp>

#include <muster/backlog.hpp>
#include <muster/outbox.hpp>

#include "send_queue.hpp"

#include <cstring>
#include <utility>

namespace muster {

MoveStatus Connection::move_to(std::size_t loop, Service& service_there,
                               std::unique_ptr<Luggage> luggage) noexcept {
  if (state_ != State::open || !announced_ || moving_) return MoveStatus::closed;
  const MoveStatus status = prepare_move(loop, service_there, std::move(luggage));
  if (status != MoveStatus::moving) return status;
  if (group_ != nullptr) group_->leave(*this);
  moving_ = true;
  outbox_->moving_.push_back(this);
  outbox_->notify();
  return MoveStatus::moving;
}

MoveStatus Connection::prepare_move(std::size_t, Service&, std::unique_ptr<Luggage>) noexcept {
  return MoveStatus::not_movable;
}

void Connection::depart(time_point) {}

// Copied whole: blocks are counted without atomics, and belong to their loop.
Backlog Connection::take_backlog() noexcept {
  Backlog backlog;
  backlog.written = written_;
  backlog.budget = budget();
  backlog.wants_writable = wants_writable_;
  if (queue_ == nullptr) return backlog;
  backlog.bytes.reserve(queued_bytes_);
  for (std::size_t i = queue_->head; i < queue_->entries.size(); ++i) {
    const SendEntry& entry = queue_->entries[i];
    const byte_view bytes = entry.bytes();
    backlog.bytes.insert(backlog.bytes.end(), bytes.begin(), bytes.end());
    backlog.entries.push_back({entry.size, entry.key, entry.frames, entry.kind, entry.flags});
  }
  release_queue();
  return backlog;
}

void Connection::give_backlog(const Backlog& backlog) noexcept {
  set_budget(backlog.budget);  // or the default, if this outbox knows too many others
  written_ = backlog.written;
  wants_writable_ = backlog.wants_writable;
  if (!backlog.entries.empty()) {
    const Block block = Block::allocate(backlog.bytes.size());
    if (!backlog.bytes.empty()) {
      std::memcpy(block.data(), backlog.bytes.data(), backlog.bytes.size());
    }
    std::uint32_t used = 0;
    for (const Backlog::Entry& that : backlog.entries) {
      SendEntry entry;
      entry.block = block;
      entry.offset = used;
      entry.size = that.size;
      entry.key = that.key;
      entry.frames = that.frames;
      entry.kind = that.kind;
      entry.flags = static_cast<std::uint8_t>(that.flags | SendEntry::owned);
      used += that.size;
      push(std::move(entry));
    }
  }
  if (queue_ != nullptr || wants_writable_) outbox_->mark_dirty(*this, Urgency::urgent);
}

void Connection::departed() noexcept {
  state_ = State::ended;
  told_ = true;
}

void Connection::arrived(Service& service) noexcept {
  service_ = &service;
  state_ = State::open;
  announced_ = true;
}

}  // namespace muster
