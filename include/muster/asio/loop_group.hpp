// SPDX-License-Identifier: MIT
// Several loops, each with an io_context and a thread of its own.
#pragma once

#include <muster/asio/handover.hpp>
#include <muster/asio/loop.hpp>
#include <muster/export.hpp>
#include <muster/loop_post.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace muster::asio {

/// For programs that have no threads of their own to run loops on.
///
/// Make the group, then what lives on each loop, then `start`. `stop` before any of that is
/// destroyed. Nothing is shared between the loops but what is handed over.
///
/// What a service throws ends the program: nobody is there to catch it.
/// @threads the thread that made it; `loop(i).post` from any
class MUSTER_API LoopGroup {
 public:
  /// @param count   of loops, 1 to 1024; usually one for each core
  explicit LoopGroup(std::size_t count);
  LoopGroup(std::size_t count, const Loop::Config& config);
  LoopGroup(const LoopGroup&) = delete;
  LoopGroup& operator=(const LoopGroup&) = delete;

  /// Stops it at once if it runs.
  ~LoopGroup();

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] Loop& loop(std::size_t i) const noexcept;

  /// A new handover between all loops, for one server on each.
  [[nodiscard]] Handover make_handover() const;

  /// How services on these loops have something done on another of them. The group must outlive
  /// its use.
  [[nodiscard]] LoopPost make_post() const;

  /// Starts the threads. Afterwards a loop, and what lives on it, belongs to its thread.
  void start();

  /// How one loop ends: called on its thread, with its number; calls `done` there, then or later.
  using End = std::function<void(std::size_t loop, std::function<void()> done)>;

  /// Ends all loops, and waits: for `done` from each, and for the threads. They all run until the
  /// last is done. What lived on the loops may then be destroyed here. Not from a loop's thread.
  ///
  ///     group.stop([&](std::size_t i, auto done) { servers[i]->drain(5s, done); });
  ///
  /// @param end   empty: at once
  void stop(const End& end = {});

 private:
  struct Member;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muster::asio
