// SPDX-License-Identifier: MIT
// A driver's thread: its start, its end, and what it tells.
#include "soe_thread.hpp"

#include "soe_socket_impl.hpp"

#include <asio/post.hpp>

#include <algorithm>

namespace muster::asio {

SoeThread::SoeThread(const SoeOptions& options, const SoeEventLimits& limits)
    : socket_(loop_, options, entropy_, *this), handle_(socket_.handle()), queue_(limits, [this] {
        // Not by the mailbox, which may be full.
        ::asio::post(context_, [this] { socket_.resume(); });
      }) {
  loop_.impl().finishers.push_back(this);  // after the socket: what that tells last goes along
}

SoeThread::~SoeThread() {
  stop();
  std::erase(loop_.impl().finishers, static_cast<Finisher*>(this));
}

void SoeThread::start() {
  state_ = State::running;
  thread_ = std::thread{[this] { context_.run(); }};
}

void SoeThread::stop() {
  const std::lock_guard lock{stopping_};
  handle_.state().is_stopped = true;
  if (state_ == State::running) {
    ::asio::post(context_, [this] {
      // The pass that says goodbye is posted in here, before the end.
      socket_.terminate_all();
      ::asio::post(context_, [this] { context_.stop(); });
    });
    thread_.join();
  }
  state_ = State::stopped;
  queue_.stop();
}

void SoeThread::finish() {
  if (queue_.publish()) socket_.pause();
}

void SoeThread::on_opened(soe::SessionId session, const Address& remote, time_point) {
  queue_.add({{.kind = soe::Event::Kind::opened, .session = session}, remote});
}

void SoeThread::on_data(soe::SessionId session, byte_view data, soe::Channel channel, time_point) {
  queue_.add(
      {{.kind = soe::Event::Kind::data, .channel = channel, .session = session, .data = data}, {}});
}

void SoeThread::on_writable(soe::SessionId session, time_point) {
  queue_.add({{.kind = soe::Event::Kind::writable, .session = session}, {}});
}

void SoeThread::on_closed(soe::SessionId session, const Address& remote,
                          soe::DisconnectReason reason, bool by_peer, time_point) {
  queue_.add(
      {{.kind = soe::Event::Kind::closed, .reason = reason, .by_peer = by_peer, .session = session},
       remote});
}

void SoeThread::on_not_connected(const Address& remote, errc, time_point) {
  queue_.add(
      {{.kind = soe::Event::Kind::closed, .reason = soe::DisconnectReason::connect_fail}, remote});
}

}  // namespace muster::asio
