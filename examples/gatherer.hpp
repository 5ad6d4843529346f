// SPDX-License-Identifier: MIT
// How one of a program's loops asks all of them.
#pragma once

#include <muster/asio/loop_group.hpp>
#include <muster/asio/mailbox.hpp>

#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace examples {

/// Asks all loops the same question.
/// @threads the loop that asks
template <class Value>
class Gatherer {
 public:
  /// Called on the thread of the loop of that number.
  using Question = std::function<Value(std::size_t loop)>;

  /// What has come in time, in no particular order.
  using Done = std::function<void(std::vector<Value>)>;

  /// How long an answer may take. A loop that is busy for longer is left out.
  static constexpr std::chrono::milliseconds patience{500};

  Gatherer(const muster::asio::LoopGroup& group, std::size_t here, Question question)
      : group_(&group),
        here_(here),
        question_(std::move(question)),
        alive_(std::make_shared<Gatherer*>(this)) {}
  Gatherer(const Gatherer&) = delete;
  Gatherer& operator=(const Gatherer&) = delete;

  void ask(Done done) {
    const std::uint64_t id = next_id_++;
    Asked& asked =
        asked_.try_emplace(id, group_->loop(here_).context(), std::move(done)).first->second;
    for (std::size_t loop = 0; loop < group_->size(); ++loop) {
      if (loop == here_) continue;
      const auto status =
          group_->loop(loop).post([question = question_, loop, home = group_->loop(here_).mailbox(),
                                   alive = std::weak_ptr{alive_}, id] {
            home.post([alive, id, value = question(loop)]() mutable {
              if (const auto self = alive.lock()) (*self)->take(id, std::move(value));
            });
          });
      if (status == muster::asio::PostStatus::queued) ++asked.missing;
    }
    asked.values.push_back(question_(here_));
    if (asked.missing == 0) return finish(id);
    asked.timer.expires_after(patience);
    asked.timer.async_wait([alive = std::weak_ptr{alive_}, id](const std::error_code& error) {
      const auto self = alive.lock();
      if (!error && self) (*self)->finish(id);
    });
  }

 private:
  struct Asked {
    Asked(::asio::io_context& context, Done what) : done(std::move(what)), timer(context) {}
    Done done;
    ::asio::steady_timer timer;
    std::vector<Value> values;
    std::size_t missing = 0;
  };

  void take(std::uint64_t id, Value value) {
    const auto found = asked_.find(id);
    if (found == asked_.end()) return;  // it was too late
    found->second.values.push_back(std::move(value));
    if (--found->second.missing == 0) finish(id);
  }

  void finish(std::uint64_t id) {
    auto asked = asked_.extract(id);
    if (!asked.empty()) asked.mapped().done(std::move(asked.mapped().values));
  }

  const muster::asio::LoopGroup* group_;
  std::size_t here_;
  Question question_;
  std::map<std::uint64_t, Asked> asked_;
  std::uint64_t next_id_ = 1;
  std::shared_ptr<Gatherer*> alive_;  // what is posted holds it weakly
};

}  // namespace examples
