// SPDX-License-Identifier: MIT
// Joining, rebuilding snapshots, losing the connection, and coming back.
#include <muster/shard/client.hpp>

#include <muster/request.hpp>
#include <muster/shard/snapshot_frame.hpp>
#include <muster/url.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <variant>

namespace muster::shard {

namespace {

// Of a connection (`Delivery::latest`): of these only the newest matters.
constexpr std::uint32_t acknowledgement_slot = 1;
constexpr std::uint32_t clock_slot = 2;

// Whether the server will speak version 2.
bool asks_for_v2(const DialRequest& dial, const Url& url) {
  const auto& offered = dial.subprotocols;
  return std::find(offered.begin(), offered.end(), "shard.v2") != offered.end() ||
         Request{.query = url.query()}.query_value("v") == "2";
}

}  // namespace

std::error_code Client::validate(const Config& config, std::string& problem) {
  using namespace std::chrono_literals;
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  constexpr std::size_t mib = 1024 * 1024;
  problem.clear();
  const result<Url> url = parse_url(config.dial.url);
  check(url.has_value(), "dial.url must be a ws:// or wss:// URL");
  check(config.wire != Wire::events, "wire must be legacy or v2");
  check(!url || asks_for_v2(config.dial, *url) == (config.wire == Wire::v2),
        "dial must ask for version 2 if wire is v2, and only then");
  check(config.join_timeout >= 100ms && config.join_timeout <= 10min,
        "join_timeout must be between 100 ms and 10 min");
  check(Backoff::is_valid(config.backoff), "backoff is out of range");
  check(config.max_message >= 1024 && config.max_message <= 64 * mib,
        "max_message must be between 1 KiB and 64 MiB");
  check(config.max_bases <= 1024 * mib, "max_bases must be at most 1 GiB");
  check(config.clock_interval >= 100ms && config.clock_interval <= 1h,
        "clock_interval must be between 100 ms and 1 h");
  check(is_valid(config.budget), "budget is out of range");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Client::Client(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy,
               Handler& handler)
    : config_(config),
      dialer_(&dialer),
      outbox_(&outbox),
      handler_(&handler),
      backoff_(config.backoff, entropy),
      bases_(config.max_bases) {}

// The connection.

std::error_code Client::start(time_point now) {
  if (state_ != State::idle) return errc::wrong_state;
  dial(now);
  return {};
}

void Client::dial(time_point now) {
  state_ = State::connecting;
  deadline_ = now + config_.join_timeout;
  ++attempts_;
  ++stats_.dials;
  connection_ = dialer_->dial(config_.dial, *this);
}

void Client::on_open(Connection& connection, time_point now) {
  if (connection.id() != connection_ || state_ != State::connecting) return;
  connection.limit_receive(config_.max_message);
  connection.set_budget(config_.budget);
  hello_.reset();
  sid_.clear();
  tick_ = 0;
  next_event_ = 1;
  is_resyncing_ = false;
  ack_.reset();
  bases_.clear();
  clock_.clear();
  if (config_.wire == Wire::legacy) join(now);
}

void Client::join(time_point now) {
  state_ = State::joined;
  deadline_ = no_deadline;
  has_joined_ = true;
  attempts_ = 0;
  ++stats_.joins;
  backoff_.went_up(now);
  handler_->on_joined(now);
}

void Client::on_close(Connection& connection, const CloseInfo& info, time_point now) {
  if (connection.id() != connection_) return;
  connection_ = {};
  const bool joined = std::exchange(has_joined_, false);
  const std::string words = std::exchange(last_words_, {});
  const std::optional<Parting> verdict = std::exchange(verdict_, {});
  const std::optional<Parting> bye = std::exchange(bye_, {});
  const Parting parting = verdict.value_or(bye.value_or(parting_of(info, joined)));
  backoff_.went_down(now);
  ++stats_.losses;
  lost(parting, words.empty() ? info.text : std::string_view{words}, now);
}

void Client::lost(Parting parting, std::string_view text, time_point now) {
  if (!is_passing(parting) || !config_.reconnects) return end(parting, text, now);
  const bool is_last = config_.max_attempts != 0 && attempts_ >= config_.max_attempts;
  if (is_last) return end(Parting::gave_up, text, now);
  state_ = State::away;
  deadline_ = now + backoff_.next();
  handler_->on_away(parting, text, deadline_, now);
}

void Client::end(Parting parting, std::string_view text, time_point now) {
  state_ = State::ended;
  deadline_ = no_deadline;
  handler_->on_end(parting, text, now);
}

void Client::leave(time_point now) {
  if (state_ == State::ended) return;
  Connection* const connection = outbox_->find(connection_);
  if (connection == nullptr) return end(Parting::left, {}, now);
  break_off(*connection, Parting::left, CloseReason::finished, 1000, {});
}

// Closes from this side; `on_close` follows, and then the verdict counts. The first one that is
// final stays.
void Client::break_off(Connection& connection, Parting verdict, CloseReason reason,
                       std::uint16_t code, std::string_view text) {
  if (!verdict_ || is_passing(*verdict_)) {
    verdict_ = verdict;
    last_words_ = text;
  }
  state_ = State::closing;
  deadline_ = no_deadline;
  connection.close(reason, code, text);
}

void Client::reject(Connection& connection, std::string_view text) {
  ++stats_.malformed;
  break_off(connection, Parting::protocol_error, CloseReason::protocol_error, 1002, text);
}

void Client::advance(time_point now) {
  if (deadline_ > now) return;
  deadline_ = no_deadline;
  if (state_ == State::away) return dial(now);
  Connection* const connection = outbox_->find(connection_);
  if (connection == nullptr) return;
  if (state_ == State::connecting) {
    break_off(*connection, Parting::timed_out, CloseReason::timed_out, 1000, "no answer in time");
  } else if (state_ == State::joined) {
    ask_clock(*connection, now);
  }
}

// What the server says.

void Client::on_message(Connection& connection, const Message& message, time_point now) {
  if (connection.id() != connection_) return;
  if (state_ != State::joined && state_ != State::connecting) return;
  if (message.bytes.size() > config_.max_message) {  // not every transport knows the exact limit
    ++stats_.malformed;
    return break_off(connection, Parting::protocol_error, CloseReason::too_large, 1009,
                     "message above the limit");
  }
  if (config_.wire == Wire::legacy) return receive_legacy(message, now);
  receive(connection, message, now);
}

// Whatever is no snapshot is passed over, as the clients of the original do.
void Client::receive_legacy(const Message& message, time_point now) {
  if (message.kind != MessageKind::binary) {
    ++stats_.ignored;
    return;
  }
  const result<SnapshotFrame> frame = decode_snapshot_frame(message.bytes);
  if (!frame) {
    ++stats_.malformed;
    return;
  }
  if (is_late(frame->tick)) return;
  tick_ = frame->tick;
  ++stats_.snapshots;
  handler_->on_snapshot(frame->tick, frame->payload, now);
}

void Client::receive(Connection& connection, const Message& message, time_point now) {
  const auto decoded = v2::decode_server_message(message.bytes);
  if (message.kind != MessageKind::binary || !decoded) {
    return reject(connection, "not a message of version 2");
  }
  if (const auto* const hello = std::get_if<v2::Hello>(&*decoded)) {
    if (hello_) return reject(connection, "a second hello");
    sid_ = hello->sid;
    hello_ = *hello;
    hello_->sid = sid_;
    join(now);
    if (state_ == State::joined) ask_clock(connection, now);
  } else if (const auto* const bye = std::get_if<v2::Bye>(&*decoded)) {
    bye_ = parting_of({.by_peer = true, .code = bye->code, .text = {}}, has_joined_);
    last_words_ = bye->text;
  } else if (!hello_) {
    reject(connection, "no hello");
  } else if (const auto* const full = std::get_if<v2::Full>(&*decoded)) {
    take_full(connection, *full, now);
  } else if (const auto* const delta = std::get_if<v2::Delta>(&*decoded)) {
    take_change(connection, delta->tick, delta->base_tick, &delta->payload, now);
  } else if (const auto* const same = std::get_if<v2::Unchanged>(&*decoded)) {
    take_change(connection, same->tick, same->base_tick, nullptr, now);
  } else if (const auto* const event = std::get_if<v2::Event>(&*decoded)) {
    if (event->sequence != next_event_) return reject(connection, "an event is missing");
    ++next_event_;
    handler_->on_event(event->sequence, event->payload, now);
  } else if (const auto* const ack = std::get_if<v2::InputAck>(&*decoded)) {
    take_ack(*ack, now);
  } else if (const auto* const nack = std::get_if<v2::Nack>(&*decoded)) {
    handler_->on_nack(*nack, now);
  } else if (const auto* const reply = std::get_if<v2::ClockReply>(&*decoded)) {
    if (!clock_.take(*reply, now)) ++stats_.ignored;
  }
}

// It comes in front of its snapshot, and waits for it: a prediction must not forget what the state
// that it starts from does not show yet. What has been shown is told at once.
void Client::take_ack(const v2::InputAck& ack, time_point now) {
  if (ack.tick > tick_) {
    ack_ = ack;
  } else {
    handler_->on_input_ack(ack, now);
  }
}

bool Client::is_late(std::uint64_t tick) {
  if (tick >= tick_) return false;
  ++stats_.ignored;
  return true;
}

void Client::take_full(Connection& connection, const v2::Full& full, time_point now) {
  if (is_late(full.tick)) return;
  const bool is_kept = bases_.keep(full.tick, full.payload);
  show(connection, full.tick, full.payload, is_kept, now);
}

// `delta` null: nothing has changed.
void Client::take_change(Connection& connection, std::uint64_t tick, std::uint64_t base,
                         const byte_view* delta, time_point now) {
  if (is_late(tick)) return;
  const std::vector<std::byte>* const known = base < tick ? bases_.find(base) : nullptr;
  if (known == nullptr) return resync(connection);
  rebuilt_.clear();
  if (delta == nullptr) {
    rebuilt_ = *known;
  } else if (!handler_->apply_delta(*known, *delta, rebuilt_)) {
    return resync(connection);
  }
  bases_.drop_before(base);  // the server has moved on to this one
  ++stats_.deltas;
  show(connection, tick, rebuilt_, bases_.keep(tick, rebuilt_), now);
}

void Client::show(Connection& connection, std::uint64_t tick, byte_view snapshot, bool is_kept,
                  time_point now) {
  tick_ = tick;
  is_resyncing_ = false;
  ++stats_.snapshots;
  if (is_kept) say(connection, v2::SnapshotAck{tick}, Delivery::latest(acknowledgement_slot));
  if (ack_ && ack_->tick <= tick) {
    handler_->on_input_ack(*std::exchange(ack_, {}), now);
    if (state_ != State::joined) return;  // it has left
  }
  handler_->on_snapshot(tick, snapshot, now);
}

// Once, until something comes that can be used.
void Client::resync(Connection& connection) {
  ++stats_.ignored;
  if (std::exchange(is_resyncing_, true)) return;
  ++stats_.resyncs;
  bases_.clear();
  say(connection, v2::SnapshotAck{0}, Delivery::latest(acknowledgement_slot));
}

void Client::ask_clock(Connection& connection, time_point now) {
  deadline_ = now + config_.clock_interval;
  say(connection, clock_.ask(now), Delivery::latest(clock_slot));
}

// What the client says.

template <class T>
SendStatus Client::say(Connection& connection, const T& message, Delivery delivery) {
  words_.clear();
  v2::encode(message, words_);
  return connection.send({words_}, delivery);
}

result<std::uint64_t> Client::input(byte_view value, std::uint64_t target) {
  Connection* const connection = outbox_->find(connection_);
  if (state_ != State::joined || connection == nullptr) return errc::wrong_state;
  std::array<byte_view, 3> parts{};
  std::array<char, 40> tail{};
  words_.clear();
  MessageKind kind = MessageKind::binary;
  if (config_.wire == Wire::legacy) {
    constexpr std::string_view name = ",\"client_seq\":";
    char* end = std::copy(name.begin(), name.end(), tail.data());
    end = std::to_chars(end, tail.data() + tail.size() - 1, next_seq_).ptr;
    *end++ = '}';
    parts = {as_bytes(std::string_view{"{\"input\":"}), value,
             as_bytes(std::string_view{tail.data(), static_cast<std::size_t>(end - tail.data())})};
    kind = MessageKind::text;
  } else {
    v2::encode(v2::Input{next_seq_, bases_.newest(), target, {}}, words_);
    parts = {words_, value, {}};
  }
  const std::size_t size = parts[0].size() + parts[1].size() + parts[2].size();
  if (hello_ && size > hello_->max_message_bytes) return errc::too_large;
  switch (connection->send(parts, kind)) {
    case SendStatus::over_budget:
      return errc::over_budget;
    case SendStatus::closed:
      return errc::closed;
    case SendStatus::queued:
      break;
  }
  ++stats_.inputs;
  return next_seq_++;
}

std::error_code Client::interest(byte_view parameters) {
  Connection* const connection = outbox_->find(connection_);
  if (state_ != State::joined || connection == nullptr || !hello_) return errc::wrong_state;
  if (parameters.size() >= hello_->max_message_bytes) return errc::too_large;
  switch (say(*connection, v2::Interest{parameters}, Delivery::reliable)) {
    case SendStatus::over_budget:
      return errc::over_budget;
    case SendStatus::closed:
      return errc::closed;
    case SendStatus::queued:
      break;
  }
  return {};
}

}  // namespace muster::shard
