// SPDX-License-Identifier: MIT
// Posting, and the one wake-up for many posts.
#include "loop_impl.hpp"
#include "mailbox_state.hpp"

#include <asio/post.hpp>

#include <utility>

namespace muster::asio {

PostStatus Mailbox::post(std::unique_ptr<Task> task) const {
  const std::lock_guard lock{state_->mutex};
  if (state_->stopped) return PostStatus::stopped;
  if (state_->is_full()) return PostStatus::full;
  state_->push(std::move(task));
  return PostStatus::queued;
}

void Mailbox::State::push(std::unique_ptr<Task> task) {
  tasks.push_back(std::move(task));
  has_mail.store(true, std::memory_order_relaxed);
  wake();
}

void Mailbox::State::wake() {
  if (is_waking) return;
  ::asio::post(*context, [weak = loop] {
    if (const auto self = weak.lock()) (*self)->look_into_mailbox();
  });
  is_waking = true;
}

void Mailbox::State::take(std::vector<std::unique_ptr<Task>>& out) {
  const std::lock_guard lock{mutex};
  has_mail.store(false, std::memory_order_relaxed);
  out.swap(tasks);
}

void Mailbox::State::stop() noexcept {
  std::vector<std::unique_ptr<Task>> dropped;
  {
    const std::lock_guard lock{mutex};
    stopped = true;
    dropped.swap(tasks);
  }
  dropped.clear();  // outside of the lock: a task may hold what posts
}

}  // namespace muster::asio
