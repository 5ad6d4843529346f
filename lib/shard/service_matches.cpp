// SPDX-License-Identifier: MIT
// The routes below /api/match: into a queue, out of it, and what has become of it.
#include <muster/shard/service.hpp>

#include <muster/outbox.hpp>
#include <muster/shard/close_code.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ask.hpp"
#include "match_desk.hpp"

namespace muster::shard {

namespace {

using namespace std::chrono_literals;

// With the patience for other loops it is what a transport waits for an answer (10 s).
constexpr duration longest_wait = 8s;

// Of a stream (`Delivery::latest`): only the newest status matters.
constexpr std::uint32_t status_slot = 1;

// Whole seconds, and none of another form or beyond the longest.
std::optional<duration> read_wait(std::string_view text) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  const duration wait = std::chrono::seconds{value};
  return wait > longest_wait ? std::nullopt : std::optional{wait};
}

}  // namespace

void Service::serve_matches(Matchmaker& matchmaker, MatchRule rule) {
  desk_ = std::make_unique<MatchDesk>();
  desk_->matchmaker = &matchmaker;
  desk_->rule = std::move(rule);
  matchmaker.watch([desk = desk_.get()](std::string_view player) {
    if (desk->waiters.contains(player) || desk->streams.contains(player)) {
      desk->changed.emplace(player);
    }
  });
}

// Asking.

void Service::ask_match(const std::shared_ptr<Ask>& ask, const Request& request,
                        std::string_view action, time_point now) {
  const bool is_post = request.method == "POST";
  using What = Question::What;
  std::string_view allowed = "GET, HEAD, POST";
  if (action.empty()) {
    ask->what = is_post ? What::queue : What::status;
  } else if (action == "/leave") {
    ask->what = What::unqueue;
    allowed = "POST";
  } else if (action == "/events") {
    ask->what = What::watch;
    allowed = "GET, HEAD";
  } else {
    return refuse(*ask, {ErrorCode::upgrade_required});
  }
  if (is_post != (ask->what == What::queue || ask->what == What::unqueue)) {
    return refuse(*ask, {ErrorCode::method_not_allowed, {}, 0, allowed});
  }
  ask->question.what = ask->what;
  ask->question.body.assign(request.body.begin(), request.body.end());
  if (const auto text = query_parameter(request.query, "wait"); text && !is_post) {
    const std::optional<duration> wait = read_wait(*text);
    if (!wait) return refuse(*ask, {ErrorCode::bad_query});
    if (ask->what == What::status) ask->question.wait = *wait;
  }
  identify(ask, read_credentials(request), request, now);
}

// On the matchmaker's loop.

void Service::answer_match(const Question& question, Reply& reply, time_point now) {
  using What = Question::What;
  const std::string& user = question.identity.user;
  if (desk_ == nullptr) {
    reply.refusal = Refusal{ErrorCode::mode_not_found};
  } else if (user.empty()) {
    reply.refusal = Refusal{ErrorCode::auth_required, "matches require an authenticated session"};
  } else if (question.what == What::queue) {
    enqueue(question, reply, now);
  } else if (question.what == What::unqueue) {
    desk_->matchmaker->dequeue(user, now);
  }
  if (!reply.refusal) reply.body = to_json(desk_->matchmaker->status(user, now));
}

void Service::enqueue(const Question& question, Reply& reply, time_point now) {
  std::optional<MatchWish> wish = read_match_wish(question.body, question.identity.user);
  if (!wish) {
    reply.refusal = Refusal{ErrorCode::invalid_json};
    return;
  }
  const bool is_granted =
      desk_->rule ? desk_->rule(question.identity, *wish) : wish->players.size() == 1;
  if (!is_granted) {
    reply.refusal = Refusal{ErrorCode::forbidden};
    return;
  }
  const std::vector<std::string_view> players(wish->players.begin(), wish->players.end());
  const std::error_code error = desk_->matchmaker->enqueue(
      {.mode = wish->mode, .players = players, .rating = wish->rating}, now);
  if (!error) return;
  ErrorCode code = ErrorCode::bad_party;
  if (error == errc::not_found) code = ErrorCode::mode_not_found;
  if (error == errc::already_exists) code = ErrorCode::already_matched;
  if (error == errc::limit_reached) code = ErrorCode::queue_full;
  reply.refusal = Refusal{code};
}

bool Service::keep_waiting(std::uint64_t id, const Question& question, std::uint32_t from,
                           time_point now) {
  const std::string& user = question.identity.user;
  if (question.wait == duration{0} || desk_ == nullptr || is_draining_ || user.empty()) {
    return false;
  }
  if (desk_->matchmaker->status(user, now).state != MatchStatus::State::queued) return false;
  end_wait(user, now);  // an earlier one of the same player
  const time_point until = now + question.wait;
  desk_->waiters.emplace(user, MatchDesk::Waiter{id, from, until});
  desk_->due.emplace(until, user);
  return true;
}

void Service::end_wait(const std::string& player, time_point now) {
  const auto waiter = desk_->waiters.extract(player);
  if (waiter.empty()) return;
  const auto [id, from, until] = waiter.mapped();
  desk_->due.erase({until, player});
  Reply reply{.loop = here_};
  if (is_draining_) {
    reply.refusal = Refusal{ErrorCode::draining};
  } else {
    reply.body = to_json(desk_->matchmaker->status(player, now));
  }
  send_reply(id, reply, from, now);
}

void Service::advance_matches(time_point now) {
  if (desk_ == nullptr || is_draining_) return;
  desk_->matchmaker->advance(now);
  while (!desk_->due.empty() && desk_->due.begin()->first <= now) {
    end_wait(std::string{desk_->due.begin()->second}, now);
  }
  for (const std::string& player : std::exchange(desk_->changed, {})) {
    end_wait(player, now);
    const auto stream = desk_->streams.find(player);
    if (stream == desk_->streams.end()) continue;
    if (Connection* const connection = outbox_->find(stream->second)) {
      send_status(*connection, player, now);
    }
  }
}

time_point Service::next_match() const noexcept {
  if (desk_ == nullptr || is_draining_) return no_deadline;
  if (!desk_->changed.empty()) return time_point::min();
  const time_point next = desk_->matchmaker->next_deadline();
  return desk_->due.empty() ? next : std::min(next, desk_->due.begin()->first);
}

void Service::drain_matches(time_point now) {
  if (desk_ == nullptr) return;
  while (!desk_->waiters.empty()) end_wait(std::string{desk_->waiters.begin()->first}, now);
  for (const auto& [player, id] : desk_->streams) {
    Connection* const connection = outbox_->find(id);
    if (connection == nullptr) continue;
    connection->close(CloseReason::draining, close_code::draining, "draining");
  }
}

// Streams.

void Service::watch(Connection& connection, const std::string& player, std::uint64_t session,
                    time_point now) {
  if (desk_ == nullptr || is_draining_) {
    connection.close(CloseReason::draining, close_code::draining, "draining");
    return;
  }
  const auto [stream, is_new] = desk_->streams.try_emplace(player);
  if (Connection* const earlier = is_new ? nullptr : outbox_->find(stream->second)) {
    earlier->set_context(nullptr);
    earlier->close(CloseReason::superseded, close_code::replaced, "replaced");
  }
  stream->second = connection.id();
  connection.set_context(
      reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&*stream) | watcher_bit));
  if (session != 0) watched_.push_back({connection.id(), session, now + watch_every()});
  send_status(connection, player, now);
}

void Service::forget_watcher(Connection& connection) {
  const auto word = reinterpret_cast<std::uintptr_t>(connection.context<void>());
  if ((word & watcher_bit) == 0) return;
  const auto* const stream =
      reinterpret_cast<const MatchDesk::Streams::value_type*>(word & ~watcher_bit);
  desk_->streams.erase(desk_->streams.find(stream->first));
}

void Service::send_status(Connection& connection, const std::string& player, time_point now) {
  const std::string event = "data: " + to_json(desk_->matchmaker->status(player, now)) + "\n\n";
  connection.send({as_bytes(event), MessageKind::text}, Delivery::latest(status_slot));
}

}  // namespace muster::shard
