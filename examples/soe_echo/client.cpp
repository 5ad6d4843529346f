// SPDX-License-Identifier: MIT
// When a message is due, and what counts as having come back.
#include "client.hpp"

#include "message.hpp"

#include <algorithm>
#include <chrono>

namespace soe_echo {

namespace {

using namespace std::chrono_literals;
using muster::time_point;
using muster::soe::Channel;
using muster::soe::EnqueueStatus;

// In bulk: enough for a fast network, and little enough for a server that has to hold it.
constexpr std::size_t max_under_way = 1 << 20;

// Nothing comes back any more.
constexpr muster::duration patience = 10s;
constexpr muster::duration patience_for_unreliable = 2s;

bool is_reliable(Channel channel) noexcept { return channel < Channel::unreliable; }

}  // namespace

void Client::start(Carrier& carrier, time_point now) {
  carrier_ = &carrier;
  const auto session = carrier.connect(options_.protocol);
  if (!session)
    return fail("there is none to be had: " + make_error_code(session.error()).message());
  session_ = *session;
  state_ = State::connecting;
  last_progress_ = now;
}

void Client::stop(time_point now) {
  if (state_ == State::sending) {
    state_ = State::waiting;
    last_progress_ = now;
    finish_if_all_are_back();
  } else if (state_ == State::connecting) {
    fail("stopped before it was open");
  }
}

time_point Client::due_at() const noexcept {
  if (options_.rate == 0) return opened_at_;
  const double seconds = static_cast<double>(next_number_) / options_.rate;
  return opened_at_ +
         std::chrono::duration_cast<muster::duration>(std::chrono::duration<double>{seconds});
}

bool Client::may_send(time_point now) const noexcept {
  if (is_blocked_ || due_at() > now) return false;
  // What is too large for the bound goes alone.
  return options_.rate != 0 || bytes_under_way_ == 0 ||
         bytes_under_way_ + options_.size <= max_under_way;
}

void Client::send(time_point now) {
  while (state_ == State::sending && may_send(now)) {
    const Channel channel = options_.channels[next_number_ % options_.channels.size()];
    make_message(next_number_, options_.size, scratch_);
    switch (carrier_->enqueue(session_, scratch_, channel)) {
      case EnqueueStatus::queued:
        break;
      case EnqueueStatus::over_budget:
        is_blocked_ = true;
        return;
      case EnqueueStatus::too_large:
        return fail("its messages are too large");
      case EnqueueStatus::not_open:
        return fail("it is not open");
    }
    expected_[static_cast<std::size_t>(channel)].push_back({next_number_, now});
    bytes_under_way_ += options_.size;
    ++messages_under_way_;
    ++tally_.sent;
    tally_.first_sent = std::min(tally_.first_sent, now);
    if (++next_number_ == options_.count) stop(now);
  }
}

void Client::advance(time_point now) {
  if (state_ == State::sending && options_.seconds != 0 &&
      now - opened_at_ >= std::chrono::duration<double>{options_.seconds}) {
    stop(now);
  }
  send(now);
  for (const Channel channel : {Channel::unreliable, Channel::ordered}) give_up_late(channel, now);
  if (state_ == State::waiting && now >= next_deadline()) finish();
}

// What may get lost, and has not come for so long, is lost.
void Client::give_up_late(Channel channel, time_point now) {
  std::deque<Sent>& expected = expected_[static_cast<std::size_t>(channel)];
  while (!expected.empty() && now - expected.front().at >= patience_for_unreliable) {
    expected.pop_front();
    ++tally_.lost;
    bytes_under_way_ -= options_.size;
    --messages_under_way_;
  }
}

time_point Client::next_deadline() const noexcept {
  if (state_ == State::sending) {
    time_point next = muster::no_deadline;
    if (options_.seconds != 0) {
      next = opened_at_ + std::chrono::duration_cast<muster::duration>(
                              std::chrono::duration<double>{options_.seconds});
    }
    return options_.rate != 0 && !is_blocked_ ? std::min(next, due_at()) : next;
  }
  if (state_ != State::waiting) return muster::no_deadline;
  const bool waits_for_reliable =
      std::any_of(expected_.begin(), expected_.begin() + muster::soe::reliable_channel_count,
                  [](const auto& sent) { return !sent.empty(); });
  return last_progress_ + (waits_for_reliable ? patience : patience_for_unreliable);
}

muster::soe::SessionStats Client::stats() const {
  if (state_ != State::sending && state_ != State::waiting) return last_stats_;
  return carrier_->multiplexer().stats(session_);
}

void Client::on_opened(muster::soe::SessionId, const muster::Address&, time_point now) {
  state_ = State::sending;
  opened_at_ = now;
  send(now);
}

// Finds what came back among what is expected.
bool Client::take(std::deque<Sent>& expected, muster::byte_view data, Channel channel,
                  Sent& found) {
  if (is_reliable(channel)) {
    if (expected.empty()) return false;
    found = expected.front();
    expected.pop_front();
    return true;
  }
  const auto number = number_of(data);
  const auto at = std::find_if(expected.begin(), expected.end(),
                               [&](const Sent& sent) { return sent.number == number; });
  if (at == expected.end()) return false;
  found = *at;
  if (channel == Channel::ordered) {
    // What it has overtaken does not come any more.
    const auto lost = static_cast<std::size_t>(at - expected.begin());
    tally_.lost += lost;
    bytes_under_way_ -= lost * options_.size;
    messages_under_way_ -= lost;
    expected.erase(expected.begin(), at + 1);
  } else {
    expected.erase(at);
  }
  return true;
}

void Client::on_data(muster::soe::SessionId, muster::byte_view data, Channel channel,
                     time_point now) {
  if (state_ != State::sending && state_ != State::waiting) return;
  Sent found{};
  if (!take(expected_[static_cast<std::size_t>(channel)], data, channel, found)) {
    // A network may repeat what is not reliable.
    const auto number = number_of(data);
    if (is_reliable(channel) || !number || *number >= next_number_) ++tally_.wrong;
    return;
  }
  make_message(found.number, options_.size, scratch_);
  if (!std::equal(data.begin(), data.end(), scratch_.begin(), scratch_.end())) ++tally_.wrong;
  ++tally_.back;
  tally_.last_back = now;
  tally_.bytes += data.size();
  tally_.round_trips.push_back(static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now - found.at).count()));
  bytes_under_way_ -= options_.size;
  --messages_under_way_;
  last_progress_ = now;
  send(now);
  finish_if_all_are_back();
}

void Client::on_writable(muster::soe::SessionId, time_point now) {
  is_blocked_ = false;
  send(now);
}

void Client::finish_if_all_are_back() {
  if (state_ == State::waiting && messages_under_way_ == 0) finish();
}

void Client::finish() {
  last_stats_ = stats();
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    const std::size_t missing = expected_[i].size();
    (is_reliable(static_cast<Channel>(i)) ? tally_.missing : tally_.lost) += missing;
  }
  state_ = State::closing;
  carrier_->close(session_);
}

void Client::on_closed(muster::soe::SessionId, const muster::Address&,
                       muster::soe::DisconnectReason reason, bool by_peer, time_point) {
  if (state_ == State::closing) {
    state_ = State::done;
    return;
  }
  fail(std::string{to_string(reason)} + (by_peer ? ", said the server" : ""));
}

void Client::fail(const std::string& why) {
  ++tally_.failures[why];
  state_ = State::done;
}

}  // namespace soe_echo
