// SPDX-License-Identifier: MIT
// Batches: broadcasting, joining and leaving between flushes, and the flush of one group.
#include <muster/group.hpp>

#include <muster/outbox.hpp>

#include "send_queue.hpp"

#include <algorithm>
#include <cstring>

namespace muster {

Group::Group(Outbox& outbox, FlushWindow window) noexcept : outbox_(&outbox), window_(window) {}

Group::~Group() {
  while (!members_.empty()) leave(*members_.back().connection);
  if (batch_ != nullptr) outbox_->recycle(batch_);
  if (dirty_) std::erase(outbox_->dirty_groups_, this);
}

SendStatus Group::broadcast(const Frame& frame, const Connection* except,
                            Delivery delivery) noexcept {
  const byte_view payload = frame.payload();
  return append({&payload, 1}, frame.kind(), except, delivery);
}

SendStatus Group::broadcast(std::span<const byte_view> parts, MessageKind kind,
                            const Connection* except, Delivery delivery) noexcept {
  return append(parts, kind, except, delivery);
}

SendStatus Group::append(std::span<const byte_view> parts, MessageKind kind,
                         const Connection* except, Delivery delivery) noexcept {
  if (members_.empty()) return SendStatus::queued;
  std::size_t size = 0;
  for (const byte_view part : parts) size += part.size();
  const std::size_t header = server_header_size(size);
  if (batch_ == nullptr) batch_ = outbox_->take_batch();
  if (batch_->used + header + size > outbox_->config_.max_batch_bytes) {
    ++outbox_->stats_.refused_sends;
    return SendStatus::over_budget;
  }
  std::byte* payload = batch_->extend(*outbox_, header + size) + header;
  write_server_header(payload, kind, size);
  for (const byte_view part : parts) {
    if (!part.empty()) std::memcpy(payload, part.data(), part.size());
    payload += part.size();
  }
  const auto index = static_cast<std::uint32_t>(batch_->records.size());
  batch_->records.push_back({static_cast<std::uint32_t>(batch_->used - header - size), Batch::none,
                             delivery.key, static_cast<std::uint8_t>(header), kind,
                             delivery.delivery});
  if (delivery.delivery != Delivery::Class::reliable) batch_->has_classes = true;
  if (except != nullptr && except->group_ == this) {
    Member& member = members_[except->member_index_];
    if (member.first_hole == Batch::none) {
      member.first_hole = index;
    } else {
      batch_->records[member.last_hole].next_hole = index;
    }
    member.last_hole = index;
  }
  outbox_->mark_dirty(*this);
  return SendStatus::queued;
}

void Group::join(Connection& connection) noexcept {
  if (connection.group_ == this || !connection.is_open() || connection.moving_) return;
  if (connection.group_ != nullptr) connection.group_->leave(connection);
  connection.group_ = this;
  connection.member_index_ = static_cast<std::uint32_t>(members_.size());
  members_.push_back({&connection, 0, Batch::none, Batch::none});
  skip(members_.back());
}

void Group::leave(Connection& connection) noexcept {
  if (connection.group_ != this) return;
  seal(members_[connection.member_index_]);
  erase(connection);
  if (connection.dirty_) outbox_->notify();  // it may have waited for the group's window
}

void Group::move_all_to(Group& other) noexcept {
  if (&other == this) return;
  while (!members_.empty()) {
    Connection& connection = *members_.back().connection;
    leave(connection);
    other.join(connection);
  }
}

void Group::tick() noexcept {
  ticked_ = true;
  // Also if the group has nothing of its own: direct messages of members may wait.
  if (dirty_) {
    outbox_->notify();
  } else {
    outbox_->mark_dirty(*this);
  }
}

void Group::set_window(FlushWindow window) noexcept {
  window_ = window;
  due_ = time_point::min();
  if (dirty_) outbox_->notify();
}

// Takes a member off the list without regard to what it has not been sent.
void Group::erase(Connection& connection) noexcept {
  const std::uint32_t index = connection.member_index_;
  members_[index] = members_.back();
  members_[index].connection->member_index_ = index;
  members_.pop_back();
  connection.group_ = nullptr;
}

// Marks everything in the batch as seen.
void Group::skip(Member& member) const noexcept {
  member.cursor = batch_ == nullptr ? 0 : static_cast<std::uint32_t>(batch_->records.size());
  member.first_hole = member.last_hole = Batch::none;
}

// How many messages of the batch a member has not been given yet.
std::uint32_t Group::unseen(const Member& member) const noexcept {
  if (batch_ == nullptr) return 0;
  auto count = static_cast<std::uint32_t>(batch_->records.size()) - member.cursor;
  for (std::uint32_t hole = member.first_hole; hole != Batch::none;
       hole = batch_->records[hole].next_hole) {
    --count;
  }
  return count;
}

// How far the records [at, stop) of the batch fit into a connection's budget, as they lie.
std::uint32_t Group::fitting(const Connection& connection, std::uint32_t at,
                             std::uint32_t stop) const noexcept {
  const std::uint32_t begin = batch_->records[at].begin;
  const auto fits = [&](std::uint32_t end) {
    return connection.has_room(batch_->end_of(end - 1) - begin, end - at, false);
  };
  if (fits(stop)) return stop;
  std::uint32_t low = at;
  while (stop - low > 1) {
    const std::uint32_t middle = low + (stop - low) / 2;
    (fits(middle) ? low : stop) = middle;
  }
  return low;
}

// Moves what is new to a member from the batch to the connection's own queue. What does not fit is
// lost, and so is all that follows until the service has heard of it.
void Group::seal(Member& member) noexcept {
  if (batch_ == nullptr || member.cursor == batch_->records.size()) return;
  Connection& connection = *member.connection;
  const Batch& batch = *batch_;
  const auto end = static_cast<std::uint32_t>(batch.records.size());
  std::uint32_t hole = member.first_hole;
  std::uint32_t at = member.cursor;
  skip(member);
  if (connection.state_ != Connection::State::open) return;
  std::uint32_t lost = 0;
  const bool server = connection.framing_ == Framing::server;
  const bool as_it_lies = server && !batch.has_classes;
  while (at < end) {
    if (at == hole) {
      hole = batch.records[at].next_hole;
      ++at;
      continue;
    }
    const Batch::Record& record = batch.records[at];
    const Delivery delivery{record.delivery, record.key};
    if (delivery.delivery == Delivery::Class::volatile_ && connection.blocked_) {
      ++outbox_->stats_.dropped_volatile;
      ++at;
      continue;
    }
    // A run of records up to the next hole, or one record where each has to be looked at.
    std::uint32_t stop = as_it_lies ? std::min({end, hole, at + 0x8000U}) : at + 1;
    const std::uint32_t begin = record.begin + (server ? 0U : record.header_size);
    const std::uint32_t payload = batch.end_of(at) - record.begin - record.header_size;
    const bool replaces = delivery.delivery == Delivery::Class::latest && connection.blocked_;
    const auto fits = [&] {
      if (lost != 0 || connection.overrun_) return at;
      if (as_it_lies) return fitting(connection, at, stop);
      const Delivery place = replaces ? delivery : Delivery::reliable;
      return connection.has_room_for(connection.encoded_size(payload), place) ? stop : at;
    };
    std::uint32_t fit = fits();
    if (fit == at && lost == 0 && !connection.overrun_ && outbox_->flushing_ &&
        !connection.blocked_) {
      // The budget is for a peer that is behind: whether this one is shows now.
      if (connection.queue_ != nullptr && !connection.flush()) return;
      fit = connection.queue_ == nullptr ? std::max(fits(), at + 1) : fits();
    }
    if (fit == at) {
      if (delivery.delivery == Delivery::Class::volatile_) {
        ++outbox_->stats_.dropped_volatile;
      } else {
        lost += stop - at;
      }
      at = stop;
      continue;
    }
    if (replaces) connection.drop_replaced(delivery.key);
    if (connection.framing_ == Framing::client) {
      const byte_view bytes{batch.block.data() + begin, payload};
      connection.append({&bytes, 1}, payload, record.kind, delivery, 0);
    } else {
      SendEntry entry;
      entry.block = batch.block;
      entry.offset = begin;
      entry.size = batch.end_of(fit - 1) - begin;
      entry.frames = static_cast<std::uint16_t>(fit - at);
      entry.kind = record.kind;
      entry.set(delivery);
      outbox_->stats_.messages += entry.frames;
      connection.push(std::move(entry));
    }
    at = fit;
  }
  if (lost != 0) connection.overrun(lost);
  if (connection.queue_ != nullptr) outbox_->mark_dirty(connection, Urgency::normal);
}

// When the group may be flushed. Decided once for what is queued now.
time_point Group::window_opens(time_point now) noexcept {
  if (ticked_) return now;
  switch (window_.kind) {
    case FlushWindow::Kind::end_of_pass:
      return now;
    case FlushWindow::Kind::lead:
      return last_flush_ == time_point::min() ? now : std::max(now, last_flush_ + window_.length);
    case FlushWindow::Kind::tick:
      break;
  }
  if (window_.length == duration{0}) return no_deadline;
  if (due_ == time_point::min()) {
    const duration since = now.time_since_epoch();
    const duration into = since % window_.length;
    due_ = into == duration{0} ? now : now + (window_.length - into);
  }
  return due_;
}

void Group::flush(time_point now) noexcept {
  last_flush_ = now;
  round_ = outbox_->stats_.flushes;
  due_ = time_point::min();
  ticked_ = false;
  if (batch_ == nullptr) return;
  Batch& batch = *batch_;
  const auto end = static_cast<std::uint32_t>(batch.records.size());
  for (Member& member : members_) {
    Connection& connection = *member.connection;
    if (member.cursor == end || connection.state_ != Connection::State::open) {
      // Nothing is new to it, or it has ended and leaves after the flush.
    } else if (connection.framing_ == Framing::server && connection.queue_ == nullptr &&
               !connection.blocked_ && member.first_hole == Batch::none) {
      const std::uint32_t begin = batch.records[member.cursor].begin;
      const byte_view bytes{batch.block.data() + begin, batch.used - begin};
      outbox_->stats_.messages += end - member.cursor;
      ++outbox_->stats_.writes;
      const std::ptrdiff_t taken = connection.write({&bytes, 1});
      if (taken >= 0) {
        connection.took(static_cast<std::size_t>(taken));
        if (static_cast<std::size_t>(taken) < bytes.size()) {
          keep_rest(member, static_cast<std::size_t>(taken));
        }
      }
    } else {
      seal(member);
    }
    member.cursor = 0;
    member.first_hole = member.last_hole = Batch::none;
  }
  outbox_->recycle(batch_);
  batch_ = nullptr;
}

// Queues what a transport did not take of the batch, as far as the budget allows: a message that
// has begun must follow whole, of the others the newest are dropped.
void Group::keep_rest(const Member& member, std::size_t taken) noexcept {
  Connection& connection = *member.connection;
  connection.blocked_ = true;
  const auto& records = batch_->records;
  const std::size_t position = records[member.cursor].begin + taken;
  const auto next = std::upper_bound(
      records.begin() + member.cursor, records.end(), position,
      [](std::size_t at, const Batch::Record& record) { return at < record.begin; });
  // The record in which the write ended, or with which it goes on.
  Member rest = member;
  rest.cursor = static_cast<std::uint32_t>(next - records.begin()) - 1;
  const auto left = static_cast<std::uint32_t>(records.size()) - rest.cursor;
  outbox_->stats_.messages -= left;  // counted again below
  if (position != records[rest.cursor].begin || connection.holds_next()) {
    SendEntry entry;
    entry.block = batch_->block;
    entry.offset = static_cast<std::uint32_t>(position);
    entry.size = batch_->end_of(rest.cursor) - entry.offset;
    entry.kind = records[rest.cursor].kind;
    entry.flags = SendEntry::begun;
    ++outbox_->stats_.messages;
    connection.push(std::move(entry));
    ++rest.cursor;
  }
  seal(rest);
  outbox_->mark_dirty(connection, Urgency::normal);
}

}  // namespace muster
