// SPDX-License-Identifier: MIT
// What shards do whatever game they run: who is in, what is let through, what is sent.
#include <muster/shard/any_shard.hpp>

#include <muster/error.hpp>
#include <muster/outbox.hpp>
#include <muster/shard/close_code.hpp>
#include <muster/shard/v2_message.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace muster::shard {

namespace {

using namespace std::chrono_literals;

// The slots of a connection in which only the newest waits (`Delivery::latest`).
constexpr std::uint32_t snapshot_slot = 1;
constexpr std::uint32_t acknowledgement_slot = 2;

// What exceeds the rate is dropped; who does nothing else for so long is closed.
constexpr duration flood_tolerance = 10s;
constexpr duration flood_pause = 1s;

constexpr unsigned seq_window = 64;

bool starts_with_account(std::string_view id, std::string_view user) noexcept {
  return id.substr(0, user.size()) == user && (id.size() == user.size() || id[user.size()] == ':');
}

}  // namespace

std::string_view to_string(InputVerdict verdict) noexcept {
  switch (verdict) {
    case InputVerdict::malformed:
      return "malformed";
    case InputVerdict::unauthorized:
      return "unauthorized";
    case InputVerdict::queue_full:
      return "queue_full";
    case InputVerdict::too_fast:
      return "too_fast";
    case InputVerdict::flooding:
      return "flooding";
    case InputVerdict::stale:
      return "stale";
    case InputVerdict::too_early:
      return "too_early";
    case InputVerdict::stopped:
      return "stopped";
    case InputVerdict::accepted:
      break;
  }
  return "accepted";
}

std::error_code AnyShard::validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(config.hz <= 1000, "hz must be between 0 and 1000");
  check(config.catch_up.most >= 1 && config.catch_up.most <= 1000,
        "catch_up.most must be between 1 and 1000");
  check(config.max_inputs >= 1 && config.max_inputs <= 10'000'000,
        "max_inputs must be between 1 and 10000000");
  check(config.max_subscriber_inputs >= 1 && config.max_subscriber_inputs <= config.max_inputs,
        "max_subscriber_inputs must be between 1 and max_inputs");
  check(is_valid(config.input_rate), "input_rate is out of range");
  check(config.max_input_lead >= 1 && config.max_input_lead <= 1024,
        "max_input_lead must be between 1 and 1024 ticks");
  check(config.idle_timeout >= 0s, "idle_timeout must not be negative");
  check(config.write_timeout >= 100ms && config.write_timeout <= 1h,
        "write_timeout must be between 100 ms and 1 h");
  check(config.max_events >= 1024 && config.max_events <= 64U << 20U,
        "max_events must be between 1 KiB and 64 MiB");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

AnyShard::AnyShard(const Config& config, time_point now)
    : config_(config), last_active_(now), last_tick_(now) {
  if (config.hz != 0) clock_.emplace(config.hz, config.catch_up, now);
}

// By their ids: a transport that has gone already may have taken connections along.
AnyShard::~AnyShard() {
  if (outbox_ == nullptr) return;
  for (const auto& subscription : subscriptions_) {
    if (Connection* const connection = outbox_->find(subscription->connection_id)) {
      connection->set_context(nullptr);
    }
  }
}

// Joining.

JoinCheck AnyShard::check_identity(const Subscriber& who) const {
  if (who.is_admin) return {};
  if (who.user.empty()) {
    if (config_.guests != Guests::refused) return {};
    return {JoinRefusal::needs_account, "authenticated user required"};
  }
  if (starts_with_account(who.id, who.user)) return {};
  return {JoinRefusal::wrong_id,
          "subscriber id \"" + who.id + "\" does not match authenticated user"};
}

JoinRefusal AnyShard::check_room(const Subscriber& who) const noexcept {
  if (!is_running()) return JoinRefusal::stopped;
  const bool is_known = by_id_.contains(who.id);
  if (is_known && config_.duplicates == Duplicates::reject) return JoinRefusal::duplicate;
  // Who takes somebody's place needs none.
  const bool replaces = is_known && config_.duplicates == Duplicates::replace;
  if (config_.max_subscribers != 0 && !replaces && places_ >= config_.max_subscribers) {
    return JoinRefusal::full;
  }
  return JoinRefusal::none;
}

Subscription& AnyShard::reserve(Subscriber who, Wire wire, Format format) {
  auto made = std::make_unique<Subscription>();
  made->who = std::move(who);
  made->who.handle = next_handle_++;
  made->shard = this;
  made->wire = wire;
  made->format = format;
  made->index = subscriptions_.size();
  ++places_;
  by_handle_.emplace(made->who.handle, made.get());
  subscriptions_.push_back(std::move(made));
  return *subscriptions_.back();
}

bool AnyShard::begin(Subscription& subscription, Connection& connection, time_point now) {
  if (!is_running()) {
    connection.close(CloseReason::refused, close_code::try_again, "shard is stopped");
    return false;
  }
  const auto same = by_id_.equal_range(subscription.who.id);
  if (same.first != same.second && config_.duplicates == Duplicates::reject) {
    connection.close(CloseReason::refused, close_code::try_again, "subscriber id is taken");
    return false;
  }
  if (config_.duplicates == Duplicates::replace) {
    for (auto at = same.first; at != same.second; ++at) {
      close(*at->second, CloseReason::superseded, close_code::replaced, "replaced");
    }
  }
  outbox_ = &connection.outbox();
  subscription.connection = &connection;
  subscription.connection_id = connection.id();
  subscription.written = connection.written();
  by_id_.emplace(subscription.who.id, &subscription);
  ++attached_;
  ++stats_.joined;
  last_active_ = now;
  return true;
}

void AnyShard::detach(Subscription& subscription, time_point now) noexcept {
  assert(!subscription.has_left);
  subscription.has_left = true;
  --places_;
  if (subscription.connection == nullptr) return;
  subscription.connection = nullptr;
  subscription.connection_id = {};
  const auto same = by_id_.equal_range(subscription.who.id);
  for (auto at = same.first; at != same.second; ++at) {
    if (at->second != &subscription) continue;
    by_id_.erase(at);
    break;
  }
  --attached_;
  last_active_ = now;
}

void AnyShard::forget(Subscription& subscription) noexcept {
  assert(subscription.connection == nullptr && subscription.queued == 0);
  by_handle_.erase(subscription.who.handle);
  const std::size_t at = subscription.index;
  std::swap(subscriptions_[at], subscriptions_.back());
  subscriptions_[at]->index = at;
  subscriptions_.pop_back();
}

Subscription* AnyShard::find(std::string_view subscriber_id) noexcept {
  const auto same = by_id_.equal_range(subscriber_id);
  for (auto at = same.first; at != same.second; ++at) {
    if (at->second->connection->is_open()) return at->second;  // and not one that was replaced
  }
  return nullptr;
}

Subscription* AnyShard::find(std::uint64_t handle) noexcept {
  const auto found = by_handle_.find(handle);
  return found == by_handle_.end() || found->second->has_left ? nullptr : found->second;
}

void AnyShard::close(Subscription& subscription, CloseReason reason, std::uint16_t code,
                     std::string_view text) {
  if (subscription.connection == nullptr) return;
  std::vector<std::byte> bye;
  if (subscription.wire == Wire::v2) v2::encode(v2::Bye{code, text}, bye);
  subscription.connection->close(reason, code, text, {bye});
}

// Input.

bool AnyShard::is_seen(const Subscription& from, std::uint64_t number) const noexcept {
  if (!from.highest_seq || number > *from.highest_seq) return false;
  // What comes in order cannot be overtaken: on a legacy connection, older is stale.
  const std::uint64_t behind = *from.highest_seq - number;
  if (from.wire != Wire::v2 || behind == 0 || behind > seq_window) return true;
  return (from.seen_before >> (behind - 1) & 1U) != 0;
}

bool AnyShard::is_flooding(Subscription& from, time_point now) noexcept {
  if (from.flooding_since == no_deadline || now - from.flooded_last > flood_pause) {
    from.flooding_since = now;
  }
  from.flooded_last = now;
  return now - from.flooding_since >= flood_tolerance;
}

InputVerdict AnyShard::screen(Subscription& from, std::size_t size,
                              std::optional<std::uint64_t> number, std::uint64_t target,
                              time_point now) noexcept {
  if (!is_running()) return InputVerdict::stopped;
  if (!from.meter.take(size, now, config_.input_rate)) {
    return is_flooding(from, now) ? InputVerdict::flooding : InputVerdict::too_fast;
  }
  if (number && is_seen(from, *number)) return InputVerdict::stale;
  if (target > tick_ + config_.max_input_lead) return InputVerdict::too_early;
  if (inputs_ >= config_.max_inputs || from.queued >= config_.max_subscriber_inputs) {
    return InputVerdict::queue_full;
  }
  return InputVerdict::accepted;
}

InputResult AnyShard::refuse(InputVerdict verdict) noexcept {
  ++stats_.inputs[static_cast<std::size_t>(verdict)];
  return {verdict, 0};
}

InputResult AnyShard::accept(Subscription& from, std::optional<std::uint64_t> number,
                             time_point now) noexcept {
  if (number && !from.highest_seq) {
    from.highest_seq = number;
  } else if (number && *number > *from.highest_seq) {
    const std::uint64_t by = *number - *from.highest_seq;
    from.seen_before = by < seq_window ? from.seen_before << by : 0;
    if (by <= seq_window) from.seen_before |= std::uint64_t{1} << (by - 1);
    from.highest_seq = number;
  } else if (number) {
    from.seen_before |= std::uint64_t{1} << (*from.highest_seq - *number - 1);
  }
  ++from.queued;
  ++inputs_;
  last_active_ = now;
  ++stats_.inputs[static_cast<std::size_t>(InputVerdict::accepted)];
  return {InputVerdict::accepted, next_input_++};
}

void AnyShard::applied(Subscription& from, std::optional<std::uint64_t> number,
                       duration waited) noexcept {
  --from.queued;
  if (number) from.applied_seq = std::max(from.applied_seq.value_or(0), *number);
  from.margin_ms = std::chrono::duration_cast<std::chrono::milliseconds>(waited).count();
}

void AnyShard::acknowledge(Subscription& from, std::uint64_t tick) noexcept {
  if (tick > tick_) return;  // it cannot have that
  from.acked_tick = tick == 0 ? 0 : std::max(from.acked_tick, tick);
}

// Output.

void AnyShard::send_hello(Subscription& to) {
  if (to.wire != Wire::v2) return;
  std::vector<std::byte> hello;
  v2::encode(v2::Hello{.tick = tick_,
                       .rate_mhz = std::uint64_t{config_.hz} * 1000,
                       .format = to.format,
                       .sid = to.who.id,
                       .max_message_bytes = to.max_message,
                       .max_inputs_per_second = config_.input_rate.messages_per_second},
             hello);
  to.connection->send({hello});
}

// What it says is true until the next, which takes its place if it has not left. One for which
// there is no room is said with the next tick.
void AnyShard::send_acknowledgement(Subscription& to) {
  if (to.wire != Wire::v2 || to.applied_seq == to.told_seq) return;
  words_.clear();
  v2::encode(v2::InputAck{tick_, to.applied_seq, to.margin_ms}, words_);
  if (to.connection->send({words_}, Delivery::latest(acknowledgement_slot)) == SendStatus::queued) {
    to.told_seq = to.applied_seq;
  }
}

// Others have no place for it: their only message is a snapshot.
void AnyShard::send_event(Subscription& to, byte_view event, time_point) {
  if (to.wire != Wire::v2 || !to.connection->is_open()) return;
  const std::size_t snapshots = to.newest_size + to.earlier_size;
  words_.clear();
  v2::encode(v2::Event{to.next_event, event}, words_);
  if (to.connection->backlog() + words_.size() > config_.max_events + snapshots ||
      to.connection->send({words_}) != SendStatus::queued) {
    ++stats_.closed_slow;
    close(to, CloseReason::too_slow, close_code::try_again, "too slow");
    return;
  }
  ++to.next_event;
  ++stats_.events_sent;
}

void AnyShard::send_snapshot(Subscription& to, const Frame& frame, time_point now) {
  Connection& connection = *to.connection;
  if (!connection.is_open()) return;
  const bool is_behind = connection.backlog() != 0;
  const std::uint64_t& replaced = connection.outbox().stats().replaced_latest;
  const std::uint64_t before = replaced;
  const SendStatus status = connection.send(frame, Delivery::latest(snapshot_slot));
  if (status == SendStatus::queued) {
    ++stats_.frames_sent;
    const std::uint64_t conflated = replaced - before;
    to.conflated += conflated;
    stats_.frames_conflated += conflated;
    to.earlier_size = std::exchange(to.newest_size, frame.encoded().size());
  } else {
    ++stats_.frames_refused;
  }
  const std::uint64_t written = connection.written();
  if ((!is_behind && status == SendStatus::queued) || written != to.written) {
    to.written = written;
    to.stuck_since = no_deadline;
  } else if (to.stuck_since == no_deadline) {
    to.stuck_since = now;
  } else if (now - to.stuck_since >= config_.write_timeout) {
    ++stats_.closed_slow;
    close(to, CloseReason::too_slow, close_code::try_again, "too slow");
  }
}

// Time and the end.

bool AnyShard::is_idle_at(time_point now) const noexcept {
  return config_.idle_timeout > 0s && attached_ == 0 && inputs_ == 0 &&
         now - last_active_ >= config_.idle_timeout;
}

time_point AnyShard::next_deadline() const noexcept {
  if (!is_running()) return no_deadline;
  time_point next = no_deadline;
  if (clock_) {
    next = clock_->deadline();
  } else if (is_tick_wanted_) {
    next = time_point::min();
  }
  if (config_.idle_timeout > 0s && attached_ == 0 && inputs_ == 0) {
    next = std::min(next, last_active_ + config_.idle_timeout);
  }
  return next;
}

void AnyShard::end(Ending how, time_point) {
  if (!is_running()) return;
  ending_ = how;
  struct Words {
    CloseReason reason;
    std::uint16_t code;
    std::string_view text;
  };
  const auto words = [how]() -> Words {
    if (how == Ending::finished) return {CloseReason::finished, close_code::finished, "finished"};
    if (how == Ending::draining) return {CloseReason::draining, close_code::draining, "draining"};
    return {CloseReason::room_closed, close_code::try_again, "shard is stopped"};
  }();
  for (const auto& subscription : subscriptions_) {
    close(*subscription, words.reason, words.code, words.text);
  }
  note_change();
}

}  // namespace muster::shard
