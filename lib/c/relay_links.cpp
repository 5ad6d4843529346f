// SPDX-License-Identifier: MIT
#include "relay_links.hpp"

#include <utility>

namespace muster::c {

Link* Links::find(std::uint64_t number) const noexcept {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : found->second;
}

bool Links::poll(muster_relay_event& event) noexcept {
  while (first_ != nullptr) {
    Link& link = *first_;
    event = {};
    event.kind = link.next_signal();
    event.connection = link.number;
    if (event.kind == 0 || event.kind == MUSTER_RELAY_CLOSE) unlist_first();
    if (event.kind == 0) continue;
    if (event.kind == MUSTER_RELAY_CLOSE) {
      by_number_.erase(link.number);
      links_.erase(link.self);
    }
    return true;
  }
  return false;
}

void Links::advance() noexcept {
  while (next_deadline() <= clock_->now) lingering_.front().drop_output();
}

void Links::linger(Link& link) noexcept {
  link.linger_until = clock_->now + close_timeout_;
  lingering_.splice(lingering_.end(), links_, link.self);
}

void Links::settle(Link& link) noexcept {
  links_.splice(links_.end(), lingering_, link.self);
  list(link);
}

void Links::list(Link& link) noexcept {
  if (std::exchange(link.is_listed, true)) return;
  link.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &link;
  last_ = &link;
}

void Links::unlist_first() noexcept {
  Link& link = *first_;
  link.is_listed = false;
  first_ = link.next;
  if (first_ == nullptr) last_ = nullptr;
}

}  // namespace muster::c
