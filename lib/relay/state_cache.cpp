// SPDX-License-Identifier: MIT
// Keeping and sending a room's state.
#include <muster/relay/state_cache.hpp>

#include <muster/relay/extension.hpp>

namespace muster::relay {

void StateCache::replace(std::byte id, byte_view payload, std::uint64_t sequence) {
  budget_->used -= bytes_.size();
  bytes_.clear();  // and keeps its memory for the next ones
  ends_.clear();
  base_ = sequence;
  add(id, payload);
}

void StateCache::append(std::byte id, byte_view payload) {
  if (!is_empty()) add(id, payload);
}

void StateCache::add(std::byte id, byte_view payload) {
  const std::size_t size = payload.size() + 1;
  if (bytes_.size() + size > max_bytes_ || ends_.size() == max_messages_ ||
      budget_->used + size > budget_->limit) {
    drop();
    return;
  }
  budget_->used += size;
  bytes_.push_back(id);
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  ends_.push_back(bytes_.size());
}

void StateCache::drop() noexcept {
  budget_->used -= bytes_.size();
  bytes_ = {};
  ends_ = {};
}

bool StateCache::send_all(Connection& connection, bool numbered) const noexcept {
  if (!send_range(connection, 0, 1)) return false;
  if (numbered && connection.send({encode_state_sequence(base_)}) != SendStatus::queued) {
    return false;
  }
  return send_range(connection, 1, ends_.size());
}

bool StateCache::send_since(Connection& connection, std::uint64_t sequence) const noexcept {
  return send_range(connection, static_cast<std::size_t>(sequence - base_) + 1, ends_.size());
}

bool StateCache::send_range(Connection& connection, std::size_t first,
                            std::size_t last) const noexcept {
  std::size_t begin = first == 0 ? 0 : ends_[first - 1];
  for (std::size_t i = first; i < last; ++i) {
    const byte_view message = byte_view{bytes_}.subspan(begin, ends_[i] - begin);
    if (connection.send({message}) != SendStatus::queued) return false;
    begin = ends_[i];
  }
  return true;
}

}  // namespace muster::relay
