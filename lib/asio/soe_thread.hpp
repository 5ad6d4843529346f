// SPDX-License-Identifier: MIT
// A loop with a thread of its own and one socket on it, whose events go into a queue.
#pragma once

#include "loop_impl.hpp"
#include "soe_event_queue.hpp"
#include "soe_handle_state.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/soe_handler.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/asio/soe_socket.hpp>
#include <muster/asio/system_entropy.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <mutex>
#include <thread>

namespace muster::asio {

class SoeThread final : SoeHandler, Finisher {
 public:
  SoeThread(const SoeOptions& options, const SoeEventLimits& limits);
  SoeThread(const SoeThread&) = delete;
  SoeThread& operator=(const SoeThread&) = delete;
  ~SoeThread() override;

  /// Before `start`, and after `stop`.
  [[nodiscard]] SoeSocket& socket() noexcept { return socket_; }

  [[nodiscard]] const SoeHandle& handle() const noexcept { return handle_; }
  [[nodiscard]] SoeEventQueue& queue() noexcept { return queue_; }

  void start();
  [[nodiscard]] bool is_new() const noexcept { return state_ == State::fresh; }

  /// Ends the sessions and the thread. From any thread but its own; all calls return when it is
  /// done.
  void stop();

 private:
  enum class State { fresh, running, stopped };

  [[nodiscard]] bool has_to_finish() const noexcept override { return queue_.has_batch(); }
  void finish() override;

  void on_opened(soe::SessionId session, const Address& remote, time_point now) override;
  void on_data(soe::SessionId session, byte_view data, soe::Channel channel,
               time_point now) override;
  void on_writable(soe::SessionId session, time_point now) override;
  void on_closed(soe::SessionId session, const Address& remote, soe::DisconnectReason reason,
                 bool by_peer, time_point now) override;
  void on_not_connected(const Address& remote, errc why, time_point now) override;

  ::asio::io_context context_{1};
  Loop loop_{context_};
  SystemEntropy entropy_;
  SoeSocket socket_;
  SoeHandle handle_;
  SoeEventQueue queue_;
  ::asio::executor_work_guard<::asio::io_context::executor_type> work_{context_.get_executor()};
  std::mutex stopping_;  // whoever comes second waits for the first
  State state_ = State::fresh;
  std::thread thread_;
};

}  // namespace muster::asio
