// SPDX-License-Identifier: MIT
// Echoes, also to clients that send faster than they read.
#include "server.hpp"

#include <cstdio>

namespace soe_echo {

namespace {

using muster::soe::Channel;
using muster::soe::DisconnectReason;
using muster::soe::EnqueueStatus;

// A client that makes its server hold so much does not read at all.
constexpr std::size_t max_waiting = 64 << 20;

}  // namespace

void Server::on_opened(muster::soe::SessionId, const muster::Address& remote, muster::time_point) {
  if (is_talkative_) std::printf("%s is here\n", remote.to_string().c_str());
}

void Server::on_data(muster::soe::SessionId session, muster::byte_view data, Channel channel,
                     muster::time_point) {
  ++messages_;
  bytes_ += data.size();
  const auto found = waiting_.find(session.index);
  if (found == waiting_.end() &&
      carrier_->enqueue(session, data, channel) != EnqueueStatus::over_budget) {
    return;
  }
  if (channel >= Channel::unreliable) return;  // it is like one that got lost
  Waiting& waiting = waiting_[session.index];
  waiting.bytes += data.size();
  if (waiting.bytes > max_waiting) {
    carrier_->terminate(session, DisconnectReason::reliable_overflow);
    return;
  }
  waiting.echoes.push_back({channel, {data.begin(), data.end()}});
}

void Server::on_writable(muster::soe::SessionId session, muster::time_point) {
  const auto found = waiting_.find(session.index);
  if (found == waiting_.end()) return;
  Waiting& waiting = found->second;
  while (!waiting.echoes.empty()) {
    const Echo& next = waiting.echoes.front();
    if (carrier_->enqueue(session, next.bytes, next.channel) == EnqueueStatus::over_budget) return;
    waiting.bytes -= next.bytes.size();
    waiting.echoes.pop_front();
  }
  waiting_.erase(found);
}

void Server::on_closed(muster::soe::SessionId session, const muster::Address& remote,
                       DisconnectReason reason, bool by_peer, muster::time_point) {
  waiting_.erase(session.index);
  if (is_talkative_) {
    std::printf("%s is gone: %.*s%s\n", remote.to_string().c_str(),
                static_cast<int>(to_string(reason).size()), to_string(reason).data(),
                by_peer ? ", by its own word" : "");
  }
}

}  // namespace soe_echo
