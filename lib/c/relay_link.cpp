// SPDX-License-Identifier: MIT
#include "relay_link.hpp"

#include <muster/c/relay.h>

#include "relay_links.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace muster::c {

namespace {

// What is taken from a connection's queue before its socket takes it.
constexpr std::size_t max_output = 64 * 1024;

// An output buffer that is empty keeps no more.
constexpr std::size_t idle_output = 4 * 1024;

}  // namespace

void Link::tell(bool& what) noexcept {
  what = true;
  links_->list(*this);
}

std::ptrdiff_t Link::write(std::span<const byte_view> pieces) noexcept {
  const bool was_empty = output().empty();
  std::ptrdiff_t sum = 0;
  try {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
    for (const byte_view piece : pieces) {
      const byte_view part = piece.first(std::min(piece.size(), max_output - output_.size()));
      output_.insert(output_.end(), part.begin(), part.end());
      sum += std::ssize(part);
      if (part.size() == piece.size()) continue;
      stalled();
      break;
    }
  } catch (const std::bad_alloc&) {
    broke();
    return -1;
  }
  if (was_empty && !output_.empty()) tell(has_output_);
  return sum;
}

void Link::take(std::size_t size) noexcept {
  if (size == 0) return;
  head_ += size;
  taken_ += size;
  const std::size_t left = output().size();
  if (left == 0) {
    if (output_.capacity() > idle_output) {
      std::vector<std::byte>{}.swap(output_);
    } else {
      output_.clear();
    }
    head_ = 0;
    if (is_over_) {
      links_->settle(*this);
    } else if (is_finishing_) {
      tell(is_finished_);
    }
  }
  if (!is_over_ && is_blocked() && left <= max_output / 2) writable();
}

void Link::half_close() noexcept {
  is_finishing_ = true;
  if (output().empty()) tell(is_finished_);
}

void Link::destroy() noexcept {
  is_over_ = true;
  if (output().empty()) {
    links_->list(*this);
  } else {
    links_->linger(*this);
  }
}

int Link::next_signal() noexcept {
  if (std::exchange(has_output_, false) && !output().empty()) return MUSTER_RELAY_OUTPUT;
  if (is_over_) return output().empty() ? MUSTER_RELAY_CLOSE : 0;
  return std::exchange(is_finished_, false) ? MUSTER_RELAY_HALF_CLOSE : 0;
}

}  // namespace muster::c
