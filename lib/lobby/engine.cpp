// SPDX-License-Identifier: MIT
// The lobby's connection, the table of matches, and stopping.
#include <muster/lobby/engine.hpp>

#include "client_frame.hpp"
#include "match.hpp"
#include "server_frame.hpp"

#include <muster/lobby/origin.hpp>

#include <algorithm>
#include <cassert>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace muster::lobby {

class MUSTER_LOCAL Engine::Impl final : public Match::Host {
 public:
  Impl(Engine& self, const Config& c, Dialer& d, Outbox& o, Entropy& e, Owner& w)
      : Host(config_, d, o, e, w, stats_), self_(&self), config_(c) {
    const UrlError error = origin_.read(config_.url, config_.allow_insecure_lobby);
    assert(error == UrlError::none && "the configuration must be valid");
    static_cast<void>(error);
  }

  std::error_code start(time_point now) {
    if (state_ != State::idle) return errc::wrong_state;
    dial(now);
    return {};
  }

  void stop(time_point now) { drain(StopReason::stopped, now); }

  [[nodiscard]] Match* find(MatchNumber number) const noexcept {
    const auto found = matches_.find(number);
    return found == matches_.end() ? nullptr : found->second.get();
  }

  // What matches say.

  void emit(EventKind kind, std::string_view match_id, std::string_view detail, std::uint32_t code,
            time_point now) override {
    // What the server wrote may hold what it was sent.
    const std::string shown = config_.token.redact(detail);
    const std::string id = config_.token.redact(match_id);
    owner.on_event({kind, id, shown, code}, now);
  }

  void reschedule(Match& match) override {
    const time_point next = match.next_deadline();
    if (next == match.scheduled) return;
    due_.erase({match.scheduled, &match});
    if (next != no_deadline) due_.insert({next, &match});
    match.scheduled = next;
  }

  void ended(Match& match, time_point now) override {
    if (match.is_gone()) gone_.push_back(match.number());
    const auto found = active_.find(key_of(match.info()));
    if (found == active_.end() || found->second != &match) return;
    active_.erase(found);
    const MatchResult& result = match.result();
    switch (result.outcome) {
      case Outcome::completed:
        ++stats_.completed;
        remember(match.info());
        break;
      case Outcome::abandoned:
        ++stats_.abandoned;
        break;
      case Outcome::ended_elsewhere:
        remember(match.info());
        [[fallthrough]];
      default:
        ++stats_.other_ends;
    }
    owner.on_result(match.number(), redacted(result), now);
    if (config_.max_matches && played() >= *config_.max_matches) {
      drain(StopReason::max_matches, now);
    }
    if (state_ == State::draining && active_.empty()) stopped(now);
  }

  void handler_failed(time_point now) override { drain(StopReason::handler_failed, now); }

  void handler_failed_late(std::string_view what, time_point now) {
    emit(EventKind::handler_error, {}, what, 0, now);
    if (!config_.safe_mode) drain(StopReason::handler_failed, now);
  }

  // The lobby's connection.

  void on_open(Connection& connection, time_point now) {
    if (connection.id() != connection_ || state_ != State::connecting) return;
    connection.limit_receive(config_.max_frame);
    connection.set_budget(config_.budget);
    was_accepted_ = true;
    state_ = State::authenticating;
    deadline_ = now + config_.hello_timeout;
    malformed_in_a_row_ = 0;
    std::string words = lobby_authenticate(config_.token);
    send(words);
    wipe(words);
  }

  void on_message(Connection& connection, const Message& message, time_point now) {
    if (connection.id() != connection_) return;
    if (state_ != State::authenticating && state_ != State::ready) return;
    ++stats_.frames;
    heard(now);
    if (!frame_.read(message)) return malformed(now);
    malformed_in_a_row_ = 0;
    const std::string type = frame_.type().value_or("");
    const bool is_hello = type == "hello";
    const bool is_known = is_hello || type == "ping" || type == "matched" || type == "evict";
    if (state_ == State::authenticating && is_known) {
      state_ = State::ready;
      was_ready_ = true;
      is_good_ = false;
      ready_at_ = now;
      heard(now);
      emit(EventKind::connected, {}, {}, 0, now);
    }
    if (type == "ping") {
      send(lobby_pong);
    } else if (type == "matched") {
      take_matched(now);
    } else if (type == "evict") {
      evicted(now);
    } else if (!is_hello) {
      ++stats_.unknown_frames;
      emit(EventKind::unknown_frame, {}, type, 0, now);
    }
  }

  void on_close(Connection& connection, const CloseInfo& info, time_point now) {
    if (connection.id() != connection_) return;
    connection_ = {};
    if (state_ == State::connecting) {
      const bool was_refused = info.reason == CloseReason::refused;
      emit(was_refused ? EventKind::handshake_failed : EventKind::connect_failed, {}, info.text,
           info.code, now);
      return lost(false, now);
    }
    if (info.reason == CloseReason::too_large) emit(EventKind::frame_too_large, {}, {}, 0, now);
    if (state_ == State::authenticating) {
      emit(EventKind::closed_before_hello, {}, info.text, info.code, now);
    }
    const std::uint16_t code = info.by_peer ? info.code : std::uint16_t{0};
    emit(EventKind::lobby_closed, {}, info.text, code, now);
    if (code == 4000 && info.text.find("Replaced") != std::string_view::npos) return evicted(now);
    if (code == 4001) return drain(StopReason::auth_failed, now);
    if (code == 4002) return drain(StopReason::token_revoked, now);
    lost(code == 1008, now);
  }

  void advance(time_point now) {
    if (deadline_ <= now) lobby_due(now);
    while (!due_.empty() && due_.begin()->first <= now) due_.begin()->second->advance(now);
    reap();
  }

  [[nodiscard]] time_point next_deadline() const noexcept {
    return due_.empty() ? deadline_ : std::min(deadline_, due_.begin()->first);
  }

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] StopReason stop_reason() const noexcept { return stop_reason_; }
  [[nodiscard]] std::size_t active_matches() const noexcept { return active_.size(); }
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

  // Counts an answer that nobody waits for any more.
  void answered_late() noexcept { ++stats_.late_answers; }

 private:
  using Key = std::pair<std::string, std::string>;  // match and participant

  // Seats that were played to the end and are remembered, so that they are not played twice.
  static constexpr std::size_t max_remembered = 4096;

  static Key key_of(const MatchInfo& info) { return {info.match_id, info.participant_id}; }

  // What the server wrote may hold what it was sent.
  [[nodiscard]] MatchResult redacted(MatchResult result) const {
    for (std::string* const text :
         {&result.match_id, &result.participant_id, &result.reason, &result.end}) {
      *text = config_.token.redact(*text);
    }
    return result;
  }

  void remember(const MatchInfo& info) {
    if (!over_.insert(key_of(info)).second) return;
    over_in_order_.push_back(key_of(info));
    if (over_in_order_.size() <= max_remembered) return;
    over_.erase(over_in_order_.front());
    over_in_order_.pop_front();
  }

  [[nodiscard]] std::uint64_t played() const noexcept {
    return stats_.completed + (config_.count_abandoned ? stats_.abandoned : 0);
  }

  void dial(time_point now) {
    state_ = State::connecting;
    deadline_ = now + config_.connect_timeout;
    ++stats_.lobby_dials;
    connection_ =
        dialer.dial({.url = config_.url, .headers = {{"User-Agent", config_.user_agent}}}, *self_);
  }

  void send(std::string_view frame) {
    Connection* const open = outbox.find(connection_);
    if (open == nullptr) return;
    ++stats_.frames_sent;
    const SendStatus status = open->send(Message{as_bytes(frame), MessageKind::text},
                                         Delivery::reliable, Urgency::urgent);
    if (status == SendStatus::over_budget) open->close(CloseReason::too_slow, 1001);
  }

  void heard(time_point now) {
    if (state_ != State::ready) return;
    const bool is_watched = config_.lobby_idle_timeout != duration::zero();
    deadline_ = is_watched ? now + config_.lobby_idle_timeout : no_deadline;
  }

  void malformed(time_point now) {
    ++stats_.malformed_frames;
    emit(EventKind::malformed_frame, {}, "not a JSON object", 0, now);
    if (++malformed_in_a_row_ < config_.max_malformed_frames) return;
    leave(CloseReason::protocol_error, 1002);
    state_ = State::authenticating;  // whatever it was before, it counts as a failed session
    lost(false, now);
  }

  void lobby_due(time_point now) {
    switch (state_) {
      case State::connecting:
        emit(EventKind::connect_failed, {}, "timeout", 0, now);
        leave(CloseReason::timed_out, 1001);
        return lost(false, now);
      case State::authenticating:
        emit(EventKind::closed_before_hello, {}, "timeout", 0, now);
        leave(CloseReason::timed_out, 1001);
        return lost(false, now);
      case State::ready:
        emit(EventKind::lobby_heartbeat_timeout, {}, {}, 0, now);
        leave(CloseReason::timed_out, 1001);
        return lost(false, now);
      case State::backoff:
        return dial(now);
      case State::draining:
        return cancel_all(now);
      default:
        deadline_ = no_deadline;
    }
  }

  // Gives up the present connection.
  void leave(CloseReason reason, std::uint16_t code) {
    Connection* const open = outbox.find(connection_);
    connection_ = {};
    if (open != nullptr) open->close(reason, code);
  }

  void lost(bool late, time_point now) {
    if (state_ == State::draining || state_ == State::stopped) return;
    const bool was_good =
        state_ == State::ready && (is_good_ || now - ready_at_ >= config_.stable_after);
    if (was_good) failures_ = 0;
    if (failures_ >= config_.retry.max_reconnect_attempts) {
      if (was_ready_) return drain(StopReason::lobby_lost, now);
      return drain(was_accepted_ ? StopReason::lobby_unstable : StopReason::connect_failed, now);
    }
    ++failures_;
    const auto delay = late ? config_.retry.max_backoff : config_.retry.draw(failures_, entropy);
    state_ = State::backoff;
    deadline_ = now + delay;
    emit(EventKind::backing_off, {}, {}, static_cast<std::uint32_t>(delay.count()), now);
  }

  void take_matched(time_point now) {
    const auto match_id = frame_.text("match_id");
    const auto gateway = frame_.text("gateway_ws_url");
    if (!match_id || match_id->empty() || !gateway) {
      return emit(EventKind::malformed_matched, match_id.value_or(""), {}, 0, now);
    }
    MatchInfo info;
    info.match_id = *match_id;
    info.participant_id = frame_.text("participant_id").value_or("");
    info.rated = frame_.is_true("rated");
    info.resumed = frame_.is_true("resume");
    info.decision_timeout = frame_.time("decision_timeout_ms");
    std::string url;
    if (const UrlError error = origin_.resolve(*gateway, url); error != UrlError::none) {
      return emit(EventKind::untrusted_gateway, info.match_id, to_string(error), 0, now);
    }
    is_good_ = true;
    if (active_.contains(key_of(info)) || over_.contains(key_of(info))) {
      return emit(EventKind::duplicate_match_ignored, info.match_id, {}, 0, now);
    }
    const std::size_t active = active_.size();
    if (config_.max_matches && played() + active >= *config_.max_matches) {
      return emit(EventKind::match_declined, info.match_id, "max_matches", 0, now);
    }
    if (config_.max_concurrent_matches != 0 && active >= config_.max_concurrent_matches) {
      return emit(EventKind::match_declined, info.match_id, "max_concurrent_matches", 0, now);
    }
    play(std::move(info), std::move(url), now);
  }

  void play(MatchInfo info, std::string url, time_point now) {
    const MatchNumber number = ++last_match_;
    if (!owner.on_attach(number, info)) {
      emit(EventKind::match_declined, info.match_id, "no_handler", 0, now);
      if (!config_.safe_mode) drain(StopReason::handler_failed, now);
      return;
    }
    reap();
    auto match = std::make_unique<Match>(*this, number, std::move(info), std::move(url), now);
    Match& started = *match;
    active_.emplace(key_of(started.info()), &started);
    matches_.emplace(number, std::move(match));
    ++stats_.matches;
    started.start(now);
  }

  void evicted(time_point now) {
    emit(EventKind::evicted, {}, {}, 0, now);
    drain(StopReason::evicted, now);
  }

  void drain(StopReason reason, time_point now) {
    if (state_ == State::draining || state_ == State::stopped) return;
    state_ = State::draining;
    stop_reason_ = reason;
    leave(CloseReason::finished, 1000);
    const bool is_lobbys = reason == StopReason::evicted || reason == StopReason::lobby_lost ||
                           reason == StopReason::token_revoked;
    const bool waits = !config_.drain_grace || (is_lobbys && config_.finish_matches_on_evict);
    deadline_ = waits ? no_deadline : now + *config_.drain_grace;
    if (active_.empty()) stopped(now);
  }

  void cancel_all(time_point now) {
    deadline_ = no_deadline;
    std::vector<Match*> left;
    for (const auto& [key, match] : active_) left.push_back(match);
    for (Match* const match : left) match->cancel(now);
  }

  void stopped(time_point now) {
    if (std::exchange(state_, State::stopped) == State::stopped) return;
    deadline_ = no_deadline;
    owner.on_stopped(stop_reason_, now);
  }

  // Matches that have ended are destroyed here, and never from within their own calls.
  void reap() {
    for (const MatchNumber number : std::exchange(gone_, {})) {
      const auto found = matches_.find(number);
      if (found == matches_.end()) continue;
      due_.erase({found->second->scheduled, found->second.get()});
      matches_.erase(found);
    }
  }

  Engine* self_;
  Config config_;
  Stats stats_;
  Origin origin_;
  State state_ = State::idle;
  StopReason stop_reason_ = StopReason::none;

  ConnectionId connection_;
  time_point deadline_ = no_deadline;
  std::uint32_t failures_ = 0;  // in a row
  bool was_accepted_ = false;   // ever
  bool was_ready_ = false;      // ever
  bool is_good_ = false;        // the session has brought a match
  time_point ready_at_{};
  std::uint32_t malformed_in_a_row_ = 0;
  ServerFrame frame_;

  MatchNumber last_match_ = 0;
  std::map<MatchNumber, std::unique_ptr<Match>> matches_;  // those that wait to be gone too
  std::map<Key, Match*> active_;
  std::set<std::pair<time_point, Match*>> due_;
  std::vector<MatchNumber> gone_;
  std::set<Key> over_;
  std::deque<Key> over_in_order_;
};

Engine::Engine(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy, Owner& owner)
    : impl_(std::make_unique<Impl>(*this, config, dialer, outbox, entropy, owner)) {}
Engine::~Engine() = default;

std::error_code Engine::start(time_point now) { return impl_->start(now); }
void Engine::stop(time_point now) { impl_->stop(now); }

void Engine::answer(MatchNumber match, std::uint64_t turn, Action action, time_point now) {
  Match* const found = impl_->find(match);
  if (found == nullptr) return impl_->answered_late();
  found->answer(turn, std::move(action), now);
}

void Engine::handler_failed(MatchNumber match, std::uint64_t turn, std::string_view what,
                            time_point now) {
  Match* const found = impl_->find(match);
  if (found == nullptr) return impl_->handler_failed_late(what, now);
  found->handler_failed(turn, what, now);
}

std::error_code Engine::send(MatchNumber match, std::string_view request_id, const Action& action,
                             time_point now) {
  Match* const found = impl_->find(match);
  if (found == nullptr) return errc::not_found;
  return found->send(request_id, action, now);
}

Engine::State Engine::state() const noexcept { return impl_->state(); }
StopReason Engine::stop_reason() const noexcept { return impl_->stop_reason(); }
std::size_t Engine::active_matches() const noexcept { return impl_->active_matches(); }
const Engine::Stats& Engine::stats() const noexcept { return impl_->stats(); }

void Engine::on_open(Connection& connection, time_point now) { impl_->on_open(connection, now); }
void Engine::on_message(Connection& connection, const Message& message, time_point now) {
  impl_->on_message(connection, message, now);
}
void Engine::on_close(Connection& connection, const CloseInfo& info, time_point now) {
  impl_->on_close(connection, info, now);
}
void Engine::advance(time_point now) { impl_->advance(now); }
time_point Engine::next_deadline() const noexcept { return impl_->next_deadline(); }

}  // namespace muster::lobby
