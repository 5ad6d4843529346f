// SPDX-License-Identifier: MIT
// A queue of handlers' calls, and the threads that take from it.
#include <muster/asio/handler_threads.hpp>

#include <muster/asio/mailbox.hpp>

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace muster::asio {

struct MUSTER_LOCAL HandlerThreads::State {
  explicit State(Loop& on) : loop(on), mailbox(on.mailbox()) {}

  void work() {
    std::unique_lock lock{mutex};
    while (true) {
      ready.wait(lock, [this] { return is_ending || !tasks.empty(); });
      if (is_ending) return;
      {
        const std::function<void()> task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        task();
      }
      lock.lock();
    }
  }

  Loop& loop;
  Mailbox mailbox;
  std::mutex mutex;
  std::condition_variable ready;
  std::deque<std::function<void()>> tasks;  // at most one of each match
  std::atomic<bool> is_ending{false};
  std::vector<std::thread> threads;
};

HandlerThreads::HandlerThreads(Loop& loop, std::size_t count)
    : state_(std::make_unique<State>(loop)) {
  assert(count >= 1 && count <= 256);
  for (std::size_t i = 0; i < count; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
  }
}

HandlerThreads::~HandlerThreads() {
  {
    const std::scoped_lock lock{state_->mutex};
    state_->is_ending = true;
  }
  state_->ready.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void HandlerThreads::run(std::function<void()> task) {
  {
    const std::scoped_lock lock{state_->mutex};
    state_->tasks.push_back(std::move(task));
  }
  state_->ready.notify_one();
}

bool HandlerThreads::post(std::function<void(time_point now)> task) {
  const auto shared = std::make_shared<std::function<void(time_point)>>(std::move(task));
  while (true) {
    const PostStatus status =
        state_->mailbox.post([loop = &state_->loop, shared] { (*shared)(loop->now()); });
    if (status == PostStatus::queued) return true;
    if (status == PostStatus::stopped || state_->is_ending) return false;
    // A match whose answer is lost would wait for it for ever; the loop empties its mailbox soon.
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

}  // namespace muster::asio
