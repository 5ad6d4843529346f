// SPDX-License-Identifier: MIT
// Who joins, what becomes of what they send, and who has to go.
#include <muster/shard/service.hpp>

#include <muster/outbox.hpp>
#include <muster/shard/close_code.hpp>
#include <muster/shard/credentials.hpp>
#include <muster/shard/v2_message.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ask.hpp"
#include "match_desk.hpp"

namespace muster::shard {

namespace {

using namespace std::chrono_literals;

// Beside the shard's own slots of a connection (`Delivery::latest`).
constexpr std::uint32_t clock_slot = 3;

constexpr std::string_view v2_subprotocol = "shard.v2";

// Places that are kept for those who are on their way. One that has not come for so long does not
// come: it is longer than an upgrade may take.
constexpr duration hold_time = 10s;
constexpr std::size_t max_held = 65'536;

v2::NackCode nack_of(InputVerdict verdict) noexcept {
  switch (verdict) {
    case InputVerdict::unauthorized:
      return v2::NackCode::unauthorized;
    case InputVerdict::queue_full:
      return v2::NackCode::queue_full;
    case InputVerdict::too_fast:
    case InputVerdict::flooding:
      return v2::NackCode::rate;
    case InputVerdict::stale:
      return v2::NackCode::stale;
    case InputVerdict::too_early:
      return v2::NackCode::too_early;
    case InputVerdict::stopped:
      return v2::NackCode::stopped;
    case InputVerdict::malformed:
    case InputVerdict::accepted:
      break;
  }
  return v2::NackCode::bad_input;
}

// What of version 2 a request asks for: by its query, or by a subprotocol beside the token's.
void read_version(const Request& request, Wire& wire, Format& format, std::string& subprotocol) {
  const bool is_offered = std::find(request.subprotocols.begin(), request.subprotocols.end(),
                                    v2_subprotocol) != request.subprotocols.end();
  if (is_offered) subprotocol = v2_subprotocol;
  if (!is_offered && query_parameter(request.query, "v") != "2") return;
  wire = Wire::v2;
  const std::string_view wished = query_parameter(request.query, "format").value_or("");
  if (wished == to_string(Format::binary)) format = Format::binary;
  if (wished == to_string(Format::msgpack)) format = Format::msgpack;
}

}  // namespace

std::error_code Service::validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(config.max_message >= 64 && config.max_message <= 16U << 20U,
        "max_message must be between 64 bytes and 16 MiB");
  check(config.max_json_depth >= 1 && config.max_json_depth <= 127,
        "max_json_depth must be between 1 and 127");
  check(is_valid(config.budget), "budget is out of range");
  check(config.revalidate_every == 0s ||
            (config.revalidate_every >= 1s && config.revalidate_every <= 1h),
        "revalidate_every must be 0, or between 1 s and 1 h");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Service::Service(const Config& config, Registry& registry, Outbox& outbox, Entropy& entropy)
    : config_(config),
      registry_(&registry),
      outbox_(&outbox),
      entropy_(&entropy),
      envelopes_({config.lenient_envelope ? EnvelopeRules::original().max_depth
                                          : std::size_t{config.max_json_depth},
                  config.lenient_envelope}),
      alive_(std::make_shared<Service*>(this)) {}

Service::~Service() {
  if (desk_ != nullptr) desk_->matchmaker->watch({});
}

Service::Arrival* Service::arrival_of(const Connection& connection) noexcept {
  const auto word = reinterpret_cast<std::uintptr_t>(connection.context<void>());
  return (word & arrival_bit) == 0 ? nullptr : reinterpret_cast<Arrival*>(word & ~arrival_bit);
}

Subscription* Service::subscription_of(const Connection& connection) noexcept {
  const auto word = reinterpret_cast<std::uintptr_t>(connection.context<void>());
  return (word & (arrival_bit | watcher_bit)) != 0 ? nullptr : connection.context<Subscription>();
}

// Asking.

void Service::on_upgrade(const Request& request, Decision decision, time_point now) {
  auto ask = std::make_shared<Ask>(Question::What::join, std::move(decision), request.remote);
  const Credentials credentials = read_credentials(request);
  ask->subprotocol = credentials.subprotocol;
  read_version(request, ask->question.wire, ask->question.format, ask->subprotocol);
  JoinTarget target;
  switch (read_join_target(request.query, target)) {
    case JoinTargetError::missing_shard:
      return refuse(*ask, {ErrorCode::missing_shard});
    case JoinTargetError::bad_query:
      return refuse(*ask, {ErrorCode::bad_query});
    case JoinTargetError::bad_sid:
      return refuse(*ask, {ErrorCode::bad_sid});
    case JoinTargetError::none:
      break;
  }
  ask->question.shard = std::move(target.shard);
  ask->question.subscriber = std::move(target.sid);
  identify(std::move(ask), credentials, request, now);
}

void Service::identify(std::shared_ptr<Ask> ask, const Credentials& credentials,
                       const Request& request, time_point now) {
  if (is_draining_) return refuse(*ask, {ErrorCode::draining});
  if (credentials.token && has_presented_ticket(ask, *credentials.token, now)) return;
  if (authenticator_ == nullptr) return carry_out(ask, Identity{}, now);
  // The answer may come when the service is gone.
  Authentication authentication{[ask = std::move(ask), service = std::weak_ptr<Service*>{alive_}](
                                    const Identity* identity, time_point then) {
    const auto alive = service.lock();
    if (alive != nullptr && identity != nullptr) (*alive)->carry_out(ask, *identity, then);
  }};
  authenticator_->authenticate(credentials.token ? std::string_view{*credentials.token} : "",
                               request, std::move(authentication), now);
}

void Service::accept_tickets(const TicketSigner& signer, Matchmaker* matchmaker, time_point now,
                             std::chrono::sys_seconds unix_now) noexcept {
  signer_ = &signer;
  matchmaker_ = matchmaker;
  clock_read_ = now;
  clock_ = unix_now;
}

// Whether the token was a ticket; then the request has been answered, or will be.
bool Service::has_presented_ticket(const std::shared_ptr<Ask>& ask, std::string_view token,
                                   time_point now) {
  if (signer_ == nullptr ||
      (ask->what != Question::What::join && ask->what != Question::What::events)) {
    return false;
  }
  const auto unix_now = clock_ + std::chrono::floor<std::chrono::seconds>(now - clock_read_);
  CheckedTicket checked = signer_->check(token, ask->question.shard, unix_now);
  if (checked.verdict == TicketVerdict::bad) return false;
  if (!checked) {
    refuse(*ask, {ErrorCode::unauthorized,
                  "unauthorized: the ticket is " + std::string{to_string(checked.verdict)},
                  close_code::policy});
    return true;
  }
  const Identity holder{.user = checked.ticket.sid};
  ask->ticket = std::move(checked.ticket);
  carry_out(ask, holder, now);
  return true;
}

void Service::carry_out(const std::shared_ptr<Ask>& ask, const Identity& identity, time_point now) {
  if (is_draining_) return refuse(*ask, {ErrorCode::draining});
  ask->question.identity = identity;
  if (ask->what == Question::What::list) return gather(ask, now);
  const bool is_about_shard = ask->what <= Question::What::input;
  ask->home = is_about_shard ? home_of(ask->question.shard) : matchmaker_on_;
  put(ask, ask->home, now);
}

void Service::refuse(Ask& ask, const Refusal& refusal) {
  ++(http_status(refusal.code) < 500 ? stats_.refused_4xx : stats_.refused_5xx);
  if (config_.accepts_before_refusing && ask.what == Question::What::join) {
    const auto arrival = arrivals_.emplace(arrivals_.end());
    arrival->is_refused = true;
    arrival->code = refusal.close_code;
    arrival->text = refusal.message;
    accept(ask, arrival);
    return;
  }
  std::array<HeaderField, 2> headers{};
  std::size_t used = 0;
  const unsigned status = http_status(refusal.code);
  if (status == 429 || status == 503) headers[used++] = {"Retry-After", "5"};
  if (status == 401) headers[used++] = {"WWW-Authenticate", "Bearer"};
  if (status == 405) headers[used++] = {"Allow", refusal.allowed};
  if (status == 426) {
    headers[used++] = {"Upgrade", "websocket"};
    headers[used++] = {"Sec-WebSocket-Version", "13"};
  }
  const std::string body = error_body(refusal.code, refusal.message);
  ask.decision.respond({.status = status,
                        .content_type = "application/json",
                        .body = as_bytes(body),
                        .headers = std::span{headers}.first(used)});
}

// Joining.

// Texts and codes of the original, for those who ask for its way to refuse.
Service::Refusal Service::refusal_of(const Question& question, const JoinCheck& check) {
  const bool is_stream = question.what == Question::What::events;
  switch (check.refusal) {
    case JoinRefusal::needs_account:
      return {ErrorCode::auth_required, is_stream ? "" : "unauthorized: " + check.reason,
              close_code::policy};
    case JoinRefusal::wrong_id:
    case JoinRefusal::unauthorized:
      return {ErrorCode::unauthorized, "unauthorized: " + check.reason, close_code::policy};
    case JoinRefusal::stopped:
      return {is_stream ? ErrorCode::subscribe_failed : ErrorCode::shard_stopped,
              "shard is stopped", close_code::try_again};
    case JoinRefusal::full:
      return {is_stream ? ErrorCode::subscribe_failed : ErrorCode::shard_full,
              "shard is at max subscribers", close_code::try_again};
    case JoinRefusal::duplicate:
    case JoinRefusal::none:
      break;
  }
  return {ErrorCode::sid_in_use, {}, close_code::try_again};
}

std::string Service::guest_id() {
  std::string id = "guest-";
  std::uint64_t drawn = entropy_->next_u64();
  for (int i = 0; i < 16; ++i, drawn >>= 4U) id += "0123456789abcdef"[drawn & 15U];
  return id;
}

// Who may join has a place until it comes, or does not.
void Service::keep_place(const Question& question, Reply& reply, time_point now) {
  AnyShard* const shard = registry_->find(question.shard);
  if (shard == nullptr) {
    reply.refusal = not_found(question);
    return;
  }
  Subscriber who{.id = {}, .user = question.identity.user, .is_admin = question.identity.is_admin};
  who.remote = question.remote;
  const Guests guests = shard->config().guests;
  if (!who.user.empty() || who.is_admin) {
    who.id = question.subscriber.value_or(who.user);
  } else if (guests == Guests::named && question.subscriber) {
    who.id = *question.subscriber;
  } else if (guests != Guests::refused) {
    who.id = guest_id();
  }
  const JoinCheck check = shard->check_join(who);
  if (check.refusal != JoinRefusal::none) {
    reply.refusal = refusal_of(question, check);
    return;
  }
  if (held_.size() >= max_held) {
    reply.refusal = Refusal{ErrorCode::busy, {}, close_code::try_again};
    return;
  }
  Subscription& subscription =
      shard->reserve(std::move(who), question.wire, shard->nearest(question.format));
  subscription.session = question.identity.session;
  subscription.max_message = static_cast<std::uint32_t>(config_.max_message);
  // Who comes back for more events, and has the newest, is not sent it again.
  if (question.last_event) {
    subscription.acked_tick = std::min(*question.last_event, shard->tick());
  }
  reply.hold = subscription.hold = next_hold_++;
  held_.emplace(reply.hold, Held{question.shard, subscription.who.handle, subscription.session,
                                 now + hold_time});
}

// Null: it was given back, or its shard is gone. Another of that name may be there by now, which
// has other places.
Subscription* Service::take_place(std::uint64_t hold) {
  const auto held = held_.extract(hold);
  if (held.empty()) return nullptr;
  AnyShard* const shard = registry_->find(held.mapped().shard);
  Subscription* const kept = shard == nullptr ? nullptr : shard->find(held.mapped().handle);
  if (kept == nullptr || kept->hold != hold) return nullptr;
  kept->hold = 0;
  return kept;
}

void Service::give_back(std::uint64_t hold, time_point now) {
  if (Subscription* const kept = take_place(hold)) kept->shard->leave(*kept, now);
}

void Service::give_back_late(time_point now) {
  while (!held_.empty() && held_.begin()->second.until <= now) {
    give_back(held_.begin()->first, now);
  }
}

void Service::admit(Ask& ask, time_point now) {
  const auto arrival = arrivals_.emplace(arrivals_.end());
  arrival->home = ask.home;
  arrival->hold = ask.hold;
  arrival->session = ask.question.identity.session;
  if (ask.what == Question::What::watch) arrival->player = ask.question.identity.user;
  if (!accept(ask, arrival) && ask.hold != 0) release(ask.home, ask.hold, now);
}

bool Service::accept(Ask& ask, std::list<Arrival>::iterator arrival) {
  arrival->self = arrival;
  void* const context =
      reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&*arrival) | arrival_bit);
  const bool is_stream = ask.what == Question::What::events || ask.what == Question::What::watch;
  const bool is_accepted = is_stream ? ask.decision.accept_stream(*this, {}, context)
                                     : ask.decision.accept(*this, ask.subprotocol, context);
  if (is_accepted) {
    ++stats_.accepted;
  } else {
    arrivals_.erase(arrival);
  }
  return is_accepted;
}

void Service::on_open(Connection& connection, time_point now) {
  Arrival* const arrival = arrival_of(connection);
  if (arrival == nullptr) {  // nobody decided about it
    connection.close(CloseReason::refused, close_code::policy, "no shard");
    return;
  }
  const Arrival known = std::move(*arrival);
  arrivals_.erase(known.self);
  connection.set_context(nullptr);
  if (known.is_refused) {
    connection.close(CloseReason::refused, known.code, known.text);
  } else if (known.home != here_) {
    send_home(connection, known, now);
  } else if (known.hold != 0) {
    enter(connection, known.hold, now);
  } else {
    watch(connection, known.player, known.session, now);
  }
}

void Service::enter(Connection& connection, std::uint64_t hold, time_point now) {
  Subscription* const subscription = take_place(hold);
  if (subscription == nullptr) {
    connection.close(CloseReason::refused, close_code::try_again, "shard is stopped");
    return;
  }
  connection.limit_receive(config_.max_message);
  connection.set_budget(config_.budget);
  connection.set_context(subscription);
  const std::uint64_t session = subscription->session;
  subscription->shard->attach(*subscription, connection, now);
  if (session != 0) watched_.push_back({connection.id(), session, now + watch_every()});
}

void Service::on_close(Connection& connection, const CloseInfo&, time_point now) {
  if (const Arrival* const arrival = arrival_of(connection)) {
    if (arrival->hold != 0) release(arrival->home, arrival->hold, now);
    arrivals_.erase(arrival->self);
  } else if (Subscription* const subscription = subscription_of(connection)) {
    subscription->shard->leave(*subscription, now);
  } else {
    forget_watcher(connection);
  }
  connection.set_context(nullptr);
}

// Input.

void Service::on_message(Connection& connection, const Message& message, time_point now) {
  Subscription* const from = subscription_of(connection);
  if (from == nullptr || !connection.is_open()) return;
  if (message.bytes.size() > config_.max_message) {  // not every transport knows the exact limit
    connection.close(CloseReason::too_large, close_code::too_large, "message too large");
    return;
  }
  if (from->wire == Wire::v2) {
    receive_v2(*from, message, now);
  } else {
    receive_legacy(*from, message, now);
  }
}

void Service::receive_v2(Subscription& from, const Message& message, time_point now) {
  const auto decoded = v2::decode_client_message(message.bytes);
  if (message.kind != MessageKind::binary || !decoded) {
    ++stats_.bad_messages;
    AnyShard::close(from, CloseReason::protocol_error, close_code::malformed,
                    "not a message of version 2");
    return;
  }
  AnyShard& shard = *from.shard;
  if (const auto* const input = std::get_if<v2::Input>(&*decoded)) {
    if (input->last_received_tick != 0) shard.acknowledge(from, input->last_received_tick);
    take_input(from, *input, now);
  } else if (const auto* const ack = std::get_if<v2::SnapshotAck>(&*decoded)) {
    shard.acknowledge(from, ack->tick);
  } else if (const auto* const query = std::get_if<v2::ClockQuery>(&*decoded)) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
    words_.clear();
    v2::encode(v2::ClockReply{query->t0, static_cast<std::uint64_t>(us.count()), shard.tick()},
               words_);
    from.connection->send({words_}, Delivery::latest(clock_slot));
  } else if (const auto* const interest = std::get_if<v2::Interest>(&*decoded)) {
    shard.note_interest(from, interest->parameters);
  }
}

void Service::take_input(Subscription& from, const v2::Input& input, time_point now) {
  const InputResult result =
      from.shard->input(from, input.payload, from.format, input.client_seq, input.target_tick, now);
  if (result.verdict == InputVerdict::accepted) return;
  if (result.verdict == InputVerdict::flooding) return close_flooding(from);
  words_.clear();
  v2::encode(v2::Nack{input.client_seq, nack_of(result.verdict)}, words_);
  if (from.connection->send({words_}) != SendStatus::queued) {
    AnyShard::close(from, CloseReason::too_slow, close_code::try_again, "too slow");
  }
}

void Service::receive_legacy(Subscription& from, const Message& message, time_point now) {
  Envelope envelope;
  if (envelopes_.decode(message.bytes, envelope) != EnvelopeError::none) {
    ++stats_.bad_messages;
    return;
  }
  const InputResult result =
      from.shard->input(from, envelope.input, Format::json, envelope.client_seq, 0, now);
  if (result.verdict == InputVerdict::flooding) close_flooding(from);
}

void Service::close_flooding(Subscription& from) {
  ++stats_.closed_flooding;
  AnyShard::close(from, CloseReason::kicked, close_code::policy, "too many inputs");
}

// Sessions that hold no more.

std::size_t Service::revoke_here(std::uint64_t session, time_point now) {
  if (session == 0) return 0;  // that is none
  std::size_t closed = 0;
  for (const Watched& watched : watched_) {
    if (watched.session == session && close_revoked(watched)) ++closed;
  }
  // Those who are on their way do not get there.
  std::vector<std::uint64_t> gone;
  for (const auto& [hold, held] : held_) {
    if (held.session == session) gone.push_back(hold);
  }
  for (const std::uint64_t hold : gone) give_back(hold, now);
  std::vector<std::uint64_t> refused;
  for (const auto& [id, asked] : asked_) {
    if (asked.ask->question.identity.session == session) refused.push_back(id);
  }
  for (const std::uint64_t id : refused) {
    give_up(*take_asked(id), {ErrorCode::auth_required, {}, close_code::policy}, now);
  }
  return closed;
}

// Also where nobody is asked: those who have gone are to be forgotten.
duration Service::watch_every() const noexcept {
  return config_.revalidate_every > 0s ? config_.revalidate_every : 60s;
}

bool Service::close_revoked(const Watched& watched) {
  Connection* const connection = outbox_->find(watched.connection);
  if (connection == nullptr || !connection->is_open()) return false;
  ++stats_.closed_revoked;
  if (Subscription* const subscription = subscription_of(*connection)) {
    AnyShard::close(*subscription, CloseReason::kicked, close_code::revoked, "session revoked");
  } else {  // a stream of matches
    connection->close(CloseReason::kicked, close_code::revoked, "session revoked");
  }
  return true;
}

void Service::revalidate(time_point now) {
  while (!watched_.empty() && watched_.front().next <= now) {
    Watched watched = watched_.front();
    watched_.pop_front();
    if (outbox_->find(watched.connection) == nullptr) continue;
    const bool is_asked = authenticator_ != nullptr && config_.revalidate_every > 0s;
    if (is_asked && !authenticator_->is_valid(watched.session, now)) {
      close_revoked(watched);
    } else {
      watched.next = now + watch_every();
      watched_.push_back(watched);
    }
  }
}

// Time.

void Service::on_drain(time_point now) {
  is_draining_ = true;
  drain_matches(now);
  while (!asked_.empty()) give_up(*take_asked(asked_.begin()->first), {ErrorCode::draining}, now);
  registry_->drain(now);
}

void Service::advance(time_point now) {
  registry_->advance(now);
  advance_matches(now);
  revalidate(now);
  give_back_late(now);
  give_up_late(now);
}

time_point Service::next_deadline() const noexcept {
  time_point next = registry_->next_deadline();
  if (!watched_.empty()) next = std::min(next, watched_.front().next);
  if (!held_.empty()) next = std::min(next, held_.begin()->second.until);
  if (!asked_due_.empty()) next = std::min(next, asked_due_.begin()->first);
  return std::min(next, next_match());
}

}  // namespace muster::shard
