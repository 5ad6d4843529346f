// SPDX-License-Identifier: MIT
// The flush, the events after it, and the buffers that passes share.
#include <muster/outbox.hpp>

#include <muster/service.hpp>

#include "send_queue.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace muster {

namespace {

constexpr std::size_t scratch_size = 64 * 1024;
constexpr std::size_t smallest_block = 4096;
constexpr std::size_t arena_size = 64 * 1024;

// Lists that are being walked keep their places.
void forget(std::vector<Connection*>& list, Connection& connection) noexcept {
  std::replace(list.begin(), list.end(), &connection, static_cast<Connection*>(nullptr));
}

// Takes away the places that were walked; what was added meanwhile waits for the next round.
template <class T>
void drop_front(std::vector<T>& list, std::size_t count) noexcept {
  list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace

Outbox::Outbox() : Outbox(Config{}) {}

Outbox::Outbox(const Config& config)
    : config_(config), budgets_{config.budget}, scratch_(new std::byte[scratch_size]) {}

Outbox::~Outbox() { assert(connection_count_ == 0 && "a connection outlives its outbox"); }

// Connections: a slot for each, with the generation of its next user while it is free.

void Outbox::add(Connection& connection) {
  std::uint32_t index = 0;
  std::uint32_t generation = 1;
  if (free_slots_.empty()) {
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.push_back({});
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
    generation = static_cast<std::uint32_t>(slots_[index].word >> 1U);
  }
  slots_[index].word = reinterpret_cast<std::uintptr_t>(&connection);
  connection.index_ = index;
  connection.generation_ = generation;
  ++connection_count_;
}

void Outbox::remove(Connection& connection) noexcept {
  const std::uint32_t index = connection.index_;
  std::uint32_t next = (connection.generation_ + 1) & 0x7fffffffU;
  if (next == 0) next = 1;
  slots_[index].word = (std::uintptr_t{next} << 1U) | 1U;
  free_slots_.push_back(index);
  --connection_count_;
  closes_.erase(index);
  if (!opened_.empty()) forget(opened_, connection);
  if (connection.dirty_) forget(dirty_connections_, connection);
  if (connection.overrun_) {
    for (Overrun& overrun : overruns_) {
      if (overrun.connection == &connection) overrun.connection = nullptr;
    }
  }
  if (connection.writable_) forget(writables_, connection);
  if (connection.moving_) forget(moving_, connection);
  if (connection.state_ == Connection::State::ended && !connection.told_) {
    forget(ended_, connection);
  }
}

Connection* Outbox::find(ConnectionId id) const noexcept {
  if (id.index >= slots_.size() || (slots_[id.index].word & 1U) != 0) return nullptr;
  auto* const connection = reinterpret_cast<Connection*>(slots_[id.index].word);
  return connection->generation_ == id.generation && !connection->told_ ? connection : nullptr;
}

// What is dirty.

void Outbox::notify() noexcept {
  if (notified_ || flushing_) return;
  notified_ = true;
  if (on_dirty_) on_dirty_();
}

void Outbox::mark_dirty(Connection& connection, Urgency urgency) noexcept {
  if (urgency == Urgency::urgent) connection.urgent_ = true;
  if (!connection.dirty_) {
    connection.dirty_ = true;
    dirty_connections_.push_back(&connection);
    notify();
  } else if (urgency == Urgency::urgent) {
    notify();  // it may be waiting for a window
  }
}

void Outbox::mark_dirty(Group& group) noexcept {
  if (group.dirty_) return;
  group.dirty_ = true;
  dirty_groups_.push_back(&group);
  notify();
}

// Buffers.

std::byte* Outbox::reserve_arena(std::size_t size) {
  if (!arena_ || arena_used_ + size > arena_.capacity()) {
    retire_block(std::move(arena_));
    arena_ = take_block(std::max(size, arena_size));
    arena_used_ = 0;
  }
  std::byte* const out = arena_.data() + arena_used_;
  arena_used_ += size;
  return out;
}

Block Outbox::take_block(std::size_t capacity) {
  for (std::size_t i = spare_blocks_.size(); i-- > 0;) {
    if (spare_blocks_[i].capacity() < capacity) continue;
    std::swap(spare_blocks_[i], spare_blocks_.back());
    Block block = std::move(spare_blocks_.back());
    spare_blocks_.pop_back();
    spare_block_bytes_ -= block.capacity();
    return block;
  }
  return Block::allocate(std::bit_ceil(std::max(capacity, smallest_block)));
}

void Outbox::give_block(Block block) noexcept {
  if (!block || !block.is_unique() || spare_block_bytes_ + block.capacity() > config_.spare_bytes) {
    return;
  }
  spare_block_bytes_ += block.capacity();
  spare_blocks_.push_back(std::move(block));
}

// Queues refer to it until the flush is over; then it may be used again.
void Outbox::retire_block(Block block) noexcept {
  if (block) retired_blocks_.push_back(std::move(block));
}

Group::Batch* Outbox::take_batch() {
  if (spare_batches_.empty()) return new Group::Batch;
  Group::Batch* const batch = spare_batches_.back().release();
  spare_batches_.pop_back();
  return batch;
}

void Outbox::recycle(Group::Batch* batch) noexcept {
  std::unique_ptr<Group::Batch> owned{batch};
  retire_block(std::move(owned->block));
  owned->used = 0;
  owned->has_classes = false;
  owned->records.clear();
  if (spare_batches_.size() < 256 && owned->records.capacity() <= 1024) {
    spare_batches_.push_back(std::move(owned));
  }
}

std::byte* Group::Batch::extend(Outbox& outbox, std::size_t size) {
  if (!block || used + size > block.capacity()) {
    Block larger = outbox.take_block(used + size);
    if (used != 0) std::memcpy(larger.data(), block.data(), used);
    outbox.retire_block(std::exchange(block, std::move(larger)));
  }
  std::byte* const out = block.data() + used;
  used += static_cast<std::uint32_t>(size);
  return out;
}

// The flush.

void Outbox::flush(time_point now) noexcept {
  notified_ = false;
  next_window_ = no_deadline;
  if (dirty_groups_.empty() && dirty_connections_.empty()) return;
  flushing_ = true;
  ++stats_.flushes;

  std::size_t waiting = 0;
  for (std::size_t i = 0; i < dirty_groups_.size(); ++i) {
    Group& group = *dirty_groups_[i];
    const time_point opens = group.window_opens(now);
    if (opens > now) {
      next_window_ = std::min(next_window_, opens);
      dirty_groups_[waiting++] = &group;
      continue;
    }
    group.dirty_ = false;
    group.flush(now);
  }
  dirty_groups_.resize(waiting);

  waiting = 0;
  for (std::size_t i = 0; i < dirty_connections_.size(); ++i) {
    Connection* const connection = dirty_connections_[i];
    if (connection == nullptr) continue;
    if (connection->state_ != Connection::State::ended) {
      Group* const group = connection->group_;
      if (group != nullptr && !connection->urgent_ && group->round_ != stats_.flushes) {
        const time_point opens = group->window_opens(now);
        if (opens > now) {
          next_window_ = std::min(next_window_, opens);
          dirty_connections_[waiting++] = connection;
          if (!group->dirty_) {  // so that a tick finds it
            group->dirty_ = true;
            dirty_groups_.push_back(group);
          }
          continue;
        }
        group->flush(now);
      }
      connection->dirty_ = connection->urgent_ = false;
      connection->flush();
    } else {
      connection->dirty_ = connection->urgent_ = false;
    }
  }
  dirty_connections_.resize(waiting);

  for (Connection* const connection : ended_) {
    if (connection == nullptr) continue;
    if (connection->group_ != nullptr) connection->group_->erase(*connection);
    connection->release_queue();
  }
  // What waits for a window lies in the arena; then the next pass goes on behind it.
  for (Block& block : retired_blocks_) give_block(std::move(block));
  retired_blocks_.clear();
  if (arena_ && arena_.is_unique()) {
    arena_used_ = 0;
    if (arena_.capacity() > config_.spare_bytes) arena_ = {};
  }
  flushing_ = false;
}

void Outbox::dispatch(time_point now) {
  tell_opened(now);
  tell_overruns(now);
  tell_writables(now);
  tell_ended(now);
  let_depart(now);
}

void Outbox::tell_opened(time_point now) {
  for (std::size_t i = 0; i < opened_.size(); ++i) {
    Connection* const connection = std::exchange(opened_[i], nullptr);
    if (connection == nullptr || connection->announced_) continue;
    connection->announce(now);
    connection->announced(now);
  }
  opened_.clear();
}

void Outbox::tell_overruns(time_point now) {
  const std::size_t count = overruns_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto [connection, lost] = overruns_[i];
    if (connection == nullptr) continue;
    connection->overrun_ = false;
    overruns_[i].connection = nullptr;
    if (connection->is_open()) connection->service_->on_overrun(*connection, lost, now);
  }
  drop_front(overruns_, count);
}

void Outbox::tell_writables(time_point now) {
  const std::size_t count = writables_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Connection* const connection = std::exchange(writables_[i], nullptr);
    if (connection == nullptr) continue;
    connection->writable_ = false;
    if (connection->is_moving()) {
      connection->wants_writable_ = true;  // told there
      continue;
    }
    if (!connection->is_open()) continue;
    if (connection->watched_ && connection->wants_writable_) {
      connection->service_->on_backlog(*connection, now);
    } else {
      connection->service_->on_writable(*connection, now);
    }
  }
  drop_front(writables_, count);
}

struct MUSTER_LOCAL Outbox::Releaser {
  void operator()(Connection* connection) const {
    connection->told_ = true;
    connection->release();
  }
};

void Outbox::tell_ended(time_point now) {
  const std::size_t count = ended_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Connection* const connection = std::exchange(ended_[i], nullptr);
    if (connection == nullptr) continue;
    if (connection->group_ != nullptr) connection->group_->erase(*connection);
    // Whatever the service does: an exception must not leave the connection behind.
    const std::unique_ptr<Connection, Releaser> released{connection};
    if (connection->service_ != nullptr) {
      connection->service_->on_close(*connection, connection->close_info(), now);
    }
  }
  drop_front(ended_, count);
}

void Outbox::let_depart(time_point now) {
  const std::size_t count = moving_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Connection* const connection = std::exchange(moving_[i], nullptr);
    if (connection == nullptr) continue;
    connection->moving_ = false;
    connection->depart(now);
  }
  drop_front(moving_, count);
}

void Outbox::run(time_point now) {
  for (int round = 0; round < 4; ++round) {
    flush(now);
    dispatch(now);
    if (!notified_) return;
  }
}

}  // namespace muster
