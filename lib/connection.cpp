// SPDX-License-Identifier: MIT
// Queueing, budgets and the end of a connection.
#include <muster/connection.hpp>

#include <muster/outbox.hpp>
#include <muster/service.hpp>
#include <muster/utf8.hpp>
#include <muster/wire/mask.hpp>

#include "send_queue.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace muster {

namespace {

// Slices up to this size are copied side by side before a write; larger ones are gathered.
constexpr std::size_t copy_slice = 2048;
constexpr std::size_t scratch_size = 64 * 1024;
constexpr std::size_t max_pieces = 64;

// Header, mask, code and text of a close message (RFC 6455 section 5.5).
constexpr std::size_t max_close_size = 14 + 125;

// A close frame's text has at most 123 bytes (RFC 6455 section 5.5).
constexpr std::size_t max_close_text = 123;

// Writes a client's frame: header, mask, masked payload. Returns its size.
std::size_t write_masked(std::byte* out, std::span<const byte_view> parts, std::size_t size,
                         MessageKind kind, wire::MaskKey key) noexcept {
  const std::size_t header = server_header_size(size);
  write_server_header(out + header, kind, size);
  out[1] |= std::byte{0x80};
  std::memcpy(out + header, &key, sizeof key);
  std::byte* const payload = out + header + sizeof key;
  std::size_t position = 0;
  for (const byte_view part : parts) {
    wire::copy_masked(payload + position, part, key, position);
    position += part.size();
  }
  return header + sizeof key + size;
}

}  // namespace

Connection::Connection(Outbox& outbox, Framing framing) noexcept
    : outbox_(&outbox), framing_(framing) {
  outbox.add(*this);
}

Connection::~Connection() {
  if (group_ != nullptr) group_->erase(*this);
  release_queue();
  outbox_->remove(*this);
}

SendQueue& Connection::queue() {
  if (queue_ == nullptr) {
    if (outbox_->spare_queues_.empty()) {
      queue_ = new SendQueue;
    } else {
      queue_ = outbox_->spare_queues_.back().release();
      outbox_->spare_queues_.pop_back();
    }
  }
  return *queue_;
}

void Connection::release_queue() noexcept {
  if (queue_ == nullptr) return;
  std::unique_ptr<SendQueue> queue{std::exchange(queue_, nullptr)};
  queue->clear();
  queued_bytes_ = 0;
  queued_frames_ = 0;
  // Only queues that stayed small are worth keeping.
  if (outbox_->spare_queues_.size() < 1024 && queue->entries.capacity() <= 64) {
    outbox_->spare_queues_.push_back(std::move(queue));
  }
}

const Budget& Connection::budget() const noexcept { return outbox_->budgets_[budget_]; }

bool is_valid(const Budget& budget) noexcept {
  return budget.bytes >= 4096 && budget.bytes <= 0x80000000U && budget.frames >= 8 &&
         budget.frames <= 65000 && budget.reserve_bytes <= budget.bytes / 2 &&
         budget.reserve_frames <= budget.frames / 2;
}

bool Connection::set_budget(const Budget& budget) noexcept {
  if (!is_valid(budget)) return false;
  auto& budgets = outbox_->budgets_;
  auto found = std::find(budgets.begin(), budgets.end(), budget);
  if (found == budgets.end()) {
    if (budgets.size() > 0xff) return false;
    budgets.push_back(budget);
    found = budgets.end() - 1;
  }
  budget_ = static_cast<std::uint8_t>(found - budgets.begin());
  return true;
}

// True if that much more may wait.
bool Connection::has_room(std::size_t bytes, std::size_t frames, bool reserve) const noexcept {
  const Budget& limit = budget();
  const std::size_t kept_bytes = reserve ? 0 : limit.reserve_bytes;
  const std::size_t kept_frames = reserve ? 0 : limit.reserve_frames;
  return queued_bytes_ + bytes + kept_bytes <= limit.bytes &&
         queued_frames_ + frames + kept_frames <= limit.frames;
}

// True if one more message may wait, in the place of what it replaces.
bool Connection::has_room_for(std::size_t bytes, Delivery delivery) const noexcept {
  if (has_room(bytes, 1, false)) return true;
  if (delivery.delivery != Delivery::Class::latest || queue_ == nullptr) return false;
  const QueueChange old = queue_->count_if([key = delivery.key](const SendEntry& entry) {
    return entry.has(SendEntry::latest) && entry.key == key;
  });
  const Budget& limit = budget();
  return queued_bytes_ - old.bytes + bytes + limit.reserve_bytes <= limit.bytes &&
         queued_frames_ - old.frames + 1 + limit.reserve_frames <= limit.frames;
}

std::size_t Connection::encoded_size(std::size_t payload_size) const noexcept {
  switch (framing_) {
    case Framing::server:
      return server_header_size(payload_size) + payload_size;
    case Framing::client:
      return server_header_size(payload_size) + 4 + payload_size;
    case Framing::messages:
    case Framing::none:
      break;
  }
  return payload_size;
}

SendStatus Connection::refuse() noexcept {
  wants_writable_ = true;
  ++outbox_->stats_.refused_sends;
  return SendStatus::over_budget;
}

void Connection::overrun(std::uint32_t lost) noexcept {
  outbox_->stats_.dropped_overrun += lost;
  wants_writable_ = true;
  if (overrun_) {
    const auto found = std::find_if(outbox_->overruns_.begin(), outbox_->overruns_.end(),
                                    [this](const auto& entry) { return entry.connection == this; });
    found->lost += lost;
    return;
  }
  overrun_ = true;
  outbox_->overruns_.push_back({this, lost});
  outbox_->notify();
}

// Accounts for what went into the queue, and puts it there.
void Connection::push(SendEntry&& entry) {
  if (entry.size == 0 && framing_ == Framing::none) return;  // no write would take it
  queued_bytes_ += entry.size;
  queued_frames_ = static_cast<std::uint16_t>(queued_frames_ + entry.frames);
  queue().push(std::move(entry), framing_);
}

// Accounts for what left the queue. Returns the number of messages.
std::uint32_t Connection::gone(const QueueChange& change) noexcept {
  queued_bytes_ -= static_cast<std::uint32_t>(change.bytes);
  queued_frames_ = static_cast<std::uint16_t>(queued_frames_ - change.frames);
  return change.frames;
}

void Connection::drop_replaced(std::uint32_t key) noexcept {
  if (queue_ == nullptr) return;
  outbox_->stats_.replaced_latest += gone(queue_->erase_if(
      [key](const SendEntry& entry) { return entry.has(SendEntry::latest) && entry.key == key; }));
}

// An entry for the last `size` bytes of the arena.
SendEntry Connection::arena_entry(const std::byte* begin, std::size_t size) const {
  SendEntry entry;
  entry.block = outbox_->arena_;
  entry.offset = static_cast<std::uint32_t>(begin - outbox_->arena_.data());
  entry.size = static_cast<std::uint32_t>(size);
  return entry;
}

void Connection::push_control(byte_view encoded, std::uint8_t flags) {
  std::byte* const out = outbox_->reserve_arena(encoded.size());
  std::memcpy(out, encoded.data(), encoded.size());
  SendEntry entry = arena_entry(out, encoded.size());
  entry.flags = flags;
  push(std::move(entry));
}

void Connection::append(std::span<const byte_view> parts, std::size_t size, MessageKind kind,
                        Delivery delivery, std::uint8_t flags) {
  const std::size_t encoded = encoded_size(size);
  std::byte* const out = outbox_->reserve_arena(encoded);
  if (framing_ == Framing::client) {
    write_masked(out, parts, size, kind, masking_key());
  } else {
    std::byte* payload = out + (encoded - size);
    if (framing_ == Framing::server) write_server_header(payload, kind, size);
    for (const byte_view part : parts) {
      if (!part.empty()) std::memcpy(payload, part.data(), part.size());
      payload += part.size();
    }
  }
  SendEntry entry = arena_entry(out, encoded);
  entry.kind = kind;
  entry.flags = flags;
  entry.set(delivery);
  ++outbox_->stats_.messages;
  push(std::move(entry));
}

SendStatus Connection::send(std::span<const byte_view> parts, MessageKind kind, Delivery delivery,
                            Urgency urgency) noexcept {
  if (state_ != State::open) return SendStatus::closed;
  if (group_ != nullptr) group_->seal(group_->members_[member_index_]);
  std::size_t size = 0;
  for (const byte_view part : parts) size += part.size();
  if (!has_room_for(encoded_size(size), delivery)) return refuse();
  if (delivery.delivery == Delivery::Class::latest) drop_replaced(delivery.key);
  append(parts, size, kind, delivery, 0);
  outbox_->mark_dirty(*this, urgency);
  return SendStatus::queued;
}

SendStatus Connection::send(const Frame& frame, Delivery delivery, Urgency urgency) noexcept {
  const byte_view payload = frame.payload();
  if (framing_ == Framing::client || payload.size() <= copy_slice) {
    return send(Message{payload, frame.kind()}, delivery, urgency);
  }
  if (state_ != State::open) return SendStatus::closed;
  if (group_ != nullptr) group_->seal(group_->members_[member_index_]);
  const byte_view bytes = framing_ == Framing::server ? frame.encoded() : payload;
  if (!has_room_for(bytes.size(), delivery)) return refuse();
  if (delivery.delivery == Delivery::Class::latest) drop_replaced(delivery.key);
  SendEntry entry;
  entry.block = frame.block();
  entry.offset = static_cast<std::uint32_t>(bytes.data() - frame.block().data());
  entry.size = static_cast<std::uint32_t>(bytes.size());
  entry.kind = frame.kind();
  entry.flags = SendEntry::owned;
  entry.set(delivery);
  ++outbox_->stats_.messages;
  push(std::move(entry));
  outbox_->mark_dirty(*this, urgency);
  return SendStatus::queued;
}

// The common part of closing: `sent_text` goes into the close message.
void Connection::start_close(std::uint16_t code, std::string_view sent_text, Message last_words) {
  if (group_ != nullptr) group_->leave(*this);
  if (state_ == State::open) {
    std::array<std::byte, max_close_size> close{};
    const std::size_t close_size = encode_close(close.data(), code, sent_text);
    if (!last_words.bytes.empty()) {
      // The close that follows has its place in the reserve too.
      const std::size_t size = last_words.bytes.size();
      if (has_room(encoded_size(size) + close_size, close_size == 0 ? 1 : 2, true)) {
        append({&last_words.bytes, 1}, size, last_words.kind, {}, SendEntry::last);
      } else {
        ++outbox_->stats_.lost_last_words;
      }
    }
    if (close_size != 0) {
      push_control({close.data(), close_size}, SendEntry::last | SendEntry::control);
    }
  }
  state_ = State::closing;
  outbox_->mark_dirty(*this, Urgency::urgent);
}

// Code and text are kept apart: few connections are closing at a time.
void Connection::remember_close(std::uint16_t code, std::string_view text) {
  if (code != 0 || !text.empty()) {
    outbox_->closes_.insert_or_assign(index_, Outbox::Close{code, std::string{text}});
  }
}

CloseInfo Connection::close_info() const noexcept {
  const auto found = outbox_->closes_.find(index_);
  if (found == outbox_->closes_.end()) return {reason_, closed_by_peer_, 0, {}};
  return {reason_, closed_by_peer_, found->second.code, found->second.text};
}

void Connection::close(CloseReason reason, std::uint16_t code, std::string_view text,
                       Message last_words) noexcept {
  if (state_ != State::open && state_ != State::opening) return;
  reason_ = reason;
  text = utf8_prefix(text, max_close_text);
  remember_close(code, text);
  start_close(code, text, last_words);
}

void Connection::closed_by_peer(std::uint16_t code, std::string_view text) noexcept {
  if (state_ != State::open) return;
  reason_ = CloseReason::finished;
  closed_by_peer_ = true;
  remember_close(code, text);
  start_close(code, {}, {});
}

std::uint32_t Connection::discard_queue() noexcept {
  std::uint32_t dropped = 0;
  if (group_ != nullptr) {
    Group::Member& member = group_->members_[member_index_];
    dropped = group_->unseen(member);
    group_->skip(member);
  }
  if (queue_ == nullptr) return dropped;
  return dropped +
         gone(queue_->erase_if([](const SendEntry& entry) { return !entry.has(SendEntry::last); }));
}

void Connection::opened(Service& service) noexcept {
  service_ = &service;
  if (state_ != State::opening) return;
  state_ = State::open;
  outbox_->opened_.push_back(this);
  outbox_->notify();
}

void Connection::announce(time_point now) {
  if (announced_ || state_ != State::open) return;
  announced_ = true;
  service_->on_open(*this, now);
}

void Connection::writable() noexcept {
  if (!blocked_) return;
  blocked_ = false;
  if (queue_ != nullptr || wants_writable_) outbox_->mark_dirty(*this, Urgency::urgent);
}

void Connection::ended(CloseReason reason, bool by_peer, std::uint16_t code,
                       std::string_view text) noexcept {
  if (state_ == State::ended) return;
  if (reason_ == CloseReason::none) {
    reason_ = reason;
    closed_by_peer_ = by_peer;
    remember_close(code, utf8_prefix(text, max_close_text));
  }
  state_ = State::ended;
  outbox_->ended_.push_back(this);
  outbox_->notify();
}

bool Connection::send_control(byte_view encoded) noexcept {
  if (state_ != State::open) return false;  // nothing follows a close
  if (group_ != nullptr) group_->seal(group_->members_[member_index_]);
  // Only the newest of several control messages needs to leave (RFC 6455 section 5.5.3).
  if (queue_ != nullptr) {
    gone(queue_->erase_if([](const SendEntry& entry) {
      return entry.has(SendEntry::control) && !entry.has(SendEntry::last);
    }));
  }
  if (!has_room(encoded.size(), 1, true)) return false;
  push_control(encoded, SendEntry::control);
  outbox_->mark_dirty(*this, Urgency::urgent);
  return true;
}

void Connection::send_raw(byte_view bytes) noexcept {
  if (state_ == State::ended) return;
  push_control(bytes, SendEntry::last | SendEntry::control);
  outbox_->mark_dirty(*this, Urgency::urgent);
}

void Connection::took(std::size_t bytes) noexcept {
  written_ += bytes;
  outbox_->stats_.bytes += bytes;
}

void Connection::drop_volatile() noexcept {
  outbox_->stats_.dropped_volatile += gone(
      queue_->erase_if([](const SendEntry& entry) { return entry.has(SendEntry::volatile_); }));
}

// Writes as much as the transport takes. False: it broke.
bool Connection::flush() noexcept {
  while (queue_ != nullptr && !queue_->empty() && !blocked_) {
    SendQueue& waiting = *queue_;
    QueueChange change;
    ++outbox_->stats_.writes;
    if (framing_ == Framing::messages) {
      const SendEntry& front = waiting.entries[waiting.head];
      const auto delivery = front.has(SendEntry::volatile_) ? Delivery::Class::volatile_
                            : front.has(SendEntry::latest)  ? Delivery::Class::latest
                                                            : Delivery::Class::reliable;
      if (!write_message({front.bytes(), front.kind}, delivery)) {
        if (state_ == State::ended) return false;
        blocked_ = true;
        break;
      }
      change = waiting.pop_front();
      took(change.bytes);
    } else {
      std::array<byte_view, max_pieces> pieces;
      std::size_t count = 0;
      std::size_t total = 0;
      std::byte* const scratch = outbox_->scratch_.get();
      std::size_t copied = 0;
      const bool single = waiting.entries.size() - waiting.head == 1;
      for (std::size_t i = waiting.head; i < waiting.entries.size(); ++i) {
        byte_view bytes = waiting.entries[i].bytes();
        if (!single && bytes.size() <= copy_slice && copied + bytes.size() <= scratch_size) {
          std::memcpy(scratch + copied, bytes.data(), bytes.size());
          bytes = {scratch + copied, bytes.size()};
          copied += bytes.size();
        }
        if (count != 0 && pieces[count - 1].data() + pieces[count - 1].size() == bytes.data()) {
          pieces[count - 1] = {pieces[count - 1].data(), pieces[count - 1].size() + bytes.size()};
        } else if (count < max_pieces) {
          pieces[count++] = bytes;
        } else {
          break;
        }
        total += bytes.size();
      }
      const std::ptrdiff_t taken = write({pieces.data(), count});
      if (taken < 0) return false;
      change = waiting.consume(static_cast<std::size_t>(taken));
      took(change.bytes);
      blocked_ = change.bytes < total;
      if (blocked_ && holds_next()) waiting.begin_front();
    }
    gone(change);
  }
  if (queue_ != nullptr && !queue_->empty()) {  // the peer is behind
    drop_volatile();
    queue_->settle();
  }
  if (queue_ != nullptr && queue_->empty()) release_queue();
  if (queue_ == nullptr && state_ == State::closing && !finished_) {
    finished_ = true;
    finish(close_info());
  }
  report_backlog();
  return true;
}

// Notes what the service wants to hear of the queue after a flush.
void Connection::report_backlog() noexcept {
  if (state_ != State::open) return;
  if (watched_) {
    if (wants_writable_ == (queued_bytes_ != 0)) return;
    // Both ends of a backlog are told by the same list: `wants_writable_` says which it is.
    if (wants_writable_) watched_ = false;
    wants_writable_ = !wants_writable_;
  } else {
    if (!wants_writable_ || queued_bytes_ > budget().bytes / 2 ||
        queued_frames_ > budget().frames / 2) {
      return;
    }
    wants_writable_ = false;
  }
  if (!writable_) outbox_->writables_.push_back(this);
  writable_ = true;
  outbox_->notify();
}

void Connection::report_drained() noexcept {
  watched_ = wants_writable_ = true;
  if (state_ == State::open) outbox_->mark_dirty(*this, Urgency::urgent);
}

std::ptrdiff_t Connection::write(std::span<const byte_view>) noexcept { return -1; }
bool Connection::write_message(Message, Delivery::Class) noexcept { return false; }
std::size_t Connection::encode_close(std::byte*, std::uint16_t, std::string_view) noexcept {
  return 0;
}
void Connection::accept_upgrade(Service&, std::string_view) noexcept {}
void Connection::respond(const Response&) noexcept {}

bool Connection::accept_stream(Service&, std::span<const HeaderField>) noexcept {
  respond({.status = 501, .body = as_bytes("no streams here\n")});
  return false;
}

}  // namespace muster
