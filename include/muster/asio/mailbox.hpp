// SPDX-License-Identifier: MIT
// The way into a loop from other threads.
#pragma once

#include <muster/export.hpp>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace muster::asio {

/// What became of a post.
enum class PostStatus : std::uint8_t {
  queued,   ///< it runs on the loop's thread, unless the loop ends first
  full,     ///< too much waits already; nothing was queued
  stopped,  ///< the loop is gone; nothing was queued
};

/// A handle on a loop's mailbox. It may outlive the loop.
///
/// What is posted runs at the start of a pass, in the order in which it was posted, and may use
/// everything of that loop but not destroy the loop, or its servers and clients. It is destroyed
/// unrun if the loop ends first. What it throws leaves the io_context's `run()`.
/// @threads safe: the only thing here that any thread may call
class MUSTER_API Mailbox {
 public:
  /// Something to do on the loop's thread, once.
  class Task {
   public:
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    virtual ~Task() = default;
    virtual void run() = 0;
  };

  /// Never blocks for longer than another post takes. Wakes the loop up once for all that is posted
  /// before it looks.
  /// @param call   callable without arguments; may be of a type that only moves
  template <class Call>
  requires std::is_invocable_v < std::decay_t<Call>
  & > PostStatus post(Call&& call) const {
    return post(std::unique_ptr<Task>{new CallTask<std::decay_t<Call>>{std::forward<Call>(call)}});
  }
  PostStatus post(std::unique_ptr<Task> task) const;

  struct State;
  explicit Mailbox(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  template <class Call>
  class CallTask final : public Task {
   public:
    explicit CallTask(Call call) : call_(std::move(call)) {}
    void run() override { call_(); }

   private:
    Call call_;
  };

  std::shared_ptr<State> state_;
};

}  // namespace muster::asio
