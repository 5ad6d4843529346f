// SPDX-License-Identifier: MIT
// Threads that run loops, and their end.
#include <muster/asio/loop_group.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

namespace muster::asio {

struct MUSTER_LOCAL LoopGroup::Member {
  explicit Member(const Loop::Config& config) : loop(context, config) {}

  ::asio::io_context context{1};
  Loop loop;
  ::asio::executor_work_guard<::asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread;
};

struct MUSTER_LOCAL LoopGroup::State {
  std::vector<std::unique_ptr<Member>> members;
  std::atomic<std::size_t> running = 0;  // loops that are not done yet, while it is being stopped
};

LoopGroup::LoopGroup(std::size_t count) : LoopGroup(count, Loop::Config{}) {}

LoopGroup::LoopGroup(std::size_t count, const Loop::Config& config)
    : state_(std::make_unique<State>()) {
  for (std::size_t i = 0; i < count; ++i) {
    state_->members.push_back(std::make_unique<Member>(config));
  }
}

LoopGroup::~LoopGroup() { stop(); }

std::size_t LoopGroup::size() const noexcept { return state_->members.size(); }
Loop& LoopGroup::loop(std::size_t i) const noexcept { return state_->members[i]->loop; }

Handover LoopGroup::make_handover() const {
  std::vector<Mailbox> mailboxes;
  for (const auto& member : state_->members) mailboxes.push_back(member->loop.mailbox());
  return Handover{mailboxes};
}

LoopPost LoopGroup::make_post() const {
  return [state = state_.get()](std::size_t i, std::function<void(time_point)> call) {
    Loop& loop = state->members[i]->loop;
    return loop.post([&loop, call = std::move(call)] { call(loop.now()); }) == PostStatus::queued;
  };
}

void LoopGroup::start() {
  for (const auto& member : state_->members) {
    if (!member->thread.joinable()) {
      member->thread = std::thread{[&context = member->context] { context.run(); }};
    }
  }
}

void LoopGroup::stop(const End& end) {
  if (state_->members.empty() || !state_->members.front()->thread.joinable()) return;
  if (end) {
    state_->running = state_->members.size();
    const auto done = [&running = state_->running] {
      --running;
      running.notify_one();
    };
    for (std::size_t i = 0; i < state_->members.size(); ++i) {
      // Not by the mailbox, which may be full.
      ::asio::post(state_->members[i]->context, [&end, i, done] { end(i, done); });
    }
    for (std::size_t left = 0; (left = state_->running) != 0;) state_->running.wait(left);
  }
  for (const auto& member : state_->members) member->context.stop();
  for (const auto& member : state_->members) member->thread.join();
}

}  // namespace muster::asio
