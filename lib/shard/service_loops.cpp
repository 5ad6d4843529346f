// SPDX-License-Identifier: MIT
// Questions and answers between the services of several loops, and those who move.
#include <muster/shard/service.hpp>

#include <muster/shard/close_code.hpp>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <string>
#include <utility>

#include "ask.hpp"

namespace muster::shard {

namespace {

// Within a request's deadline; a loop that is busy for longer is not there.
constexpr duration patience = std::chrono::seconds{2};

void respond_json(Decision& decision, std::string_view body) {
  decision.respond({.status = 200, .content_type = "application/json", .body = as_bytes(body)});
}

}  // namespace

void Service::join_loops(const Placement& placement, std::uint32_t here,
                         std::vector<Service*> services, LoopPost post) {
  assert(here < services.size() && services[here] == this && placement.count() == services.size());
  placement_ = placement;
  here_ = matchmaker_on_ = here;
  services_ = std::move(services);
  addresses_.clear();
  for (const Service* const service : services_) addresses_.emplace_back(service->alive_);
  post_ = std::move(post);
}

std::uint32_t Service::home_of(std::string_view shard) const {
  if (!placement_ || registry_->find(shard) != nullptr) return here_;
  return placement_->of(as_bytes(shard));
}

// Asking.

bool Service::send_question(std::uint64_t id, const Question& question, std::uint32_t loop) {
  ++stats_.questions;
  return post_(loop, [there = addresses_[loop], id, question, from = here_](time_point then) {
    if (const auto service = there.lock()) (*service)->receive_question(id, question, from, then);
  });
}

void Service::await_reply(std::uint64_t id, const std::shared_ptr<Ask>& ask, time_point until) {
  asked_.emplace(id, Asked{ask, until});
  asked_due_.emplace(until, id);
}

std::shared_ptr<Service::Ask> Service::take_asked(std::uint64_t id) {
  const auto asked = asked_.extract(id);
  if (asked.empty()) return nullptr;
  asked_due_.erase({asked.mapped().until, id});
  return asked.mapped().ask;
}

void Service::put(const std::shared_ptr<Ask>& ask, std::uint32_t loop, time_point now) {
  const Question& question = ask->question;
  if (loop == here_ && question.wait == duration{0}) {
    return take(ask, answer(question, now), now);
  }
  const std::uint64_t id = next_asked_++;
  await_reply(id, ask, now + question.wait + patience);
  if (loop == here_) {
    receive_question(id, question, here_, now);
  } else if (!send_question(id, question, loop)) {
    ++stats_.unanswered;
    give_up(*take_asked(id), {ErrorCode::busy, {}, close_code::try_again}, now);
  }
}

// Asks all loops. Whoever does not answer in time is left out.
void Service::gather(const std::shared_ptr<Ask>& ask, time_point now) {
  Reply own = answer(ask->question, now);
  if (own.refusal) return refuse(*ask, *own.refusal);
  const std::uint64_t id = next_asked_++;
  ask->missing = 1;
  for (std::uint32_t loop = 0; loop < services_.size(); ++loop) {
    if (loop == here_) continue;
    if (send_question(id, ask->question, loop)) {
      ++ask->missing;
    } else {
      ++stats_.unanswered;
    }
  }
  await_reply(id, ask, now + patience);
  receive_reply(id, std::move(own), now);
}

void Service::receive_reply(std::uint64_t id, Reply reply, time_point now) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) {  // it was too late
    if (reply.hold != 0) release(reply.loop, reply.hold, now);
    return;
  }
  if (Ask& ask = *found->second.ask; ask.what == Question::What::list) {
    std::move(reply.rows.begin(), reply.rows.end(), std::back_inserter(ask.rows));
    if (--ask.missing == 0) respond_rows(*take_asked(id));
    return;
  }
  take(take_asked(id), std::move(reply), now);
}

void Service::take(const std::shared_ptr<Ask>& ask, Reply reply, time_point now) {
  if (reply.refusal) return give_up(*ask, *reply.refusal, now);
  if (reply.hold != 0) ask->hold = reply.hold;
  const bool is_accepted = ask->what == Question::What::join ||
                           ask->what == Question::What::events ||
                           ask->what == Question::What::watch;
  if (!is_accepted) return respond_json(ask->decision, reply.body);
  if (!ask->ticket) return admit(*ask, now);
  // Who found no place keeps the ticket.
  ask->question.what = Question::What::claim;
  ask->question.ticket = *std::exchange(ask->ticket, {});
  put(ask, matchmaker_on_, now);
}

void Service::respond_rows(Ask& ask) {
  std::sort(ask.rows.begin(), ask.rows.end());
  std::string body = "[";
  for (const auto& [id, row] : ask.rows) {
    if (body.size() > 1) body += ',';
    body += row;
  }
  respond_json(ask.decision, body + ']');
}

void Service::give_up(Ask& ask, const Refusal& refusal, time_point now) {
  if (ask.hold != 0) release(ask.home, std::exchange(ask.hold, 0), now);
  refuse(ask, refusal);
}

void Service::give_up_late(time_point now) {
  while (!asked_due_.empty() && asked_due_.begin()->first <= now) {
    const std::shared_ptr<Ask> ask = take_asked(asked_due_.begin()->second);
    ++stats_.unanswered;
    if (ask->what == Question::What::list) {
      respond_rows(*ask);
    } else {
      give_up(*ask, {ErrorCode::busy, {}, close_code::try_again}, now);
    }
  }
}

// A place that cannot be given back now is given back by its deadline.
void Service::release(std::uint32_t loop, std::uint64_t hold, time_point now) {
  if (loop == here_) return give_back(hold, now);
  post_(loop, [there = addresses_[loop], hold](time_point then) {
    if (const auto service = there.lock()) (*service)->give_back(hold, then);
  });
}

// Being asked.

void Service::receive_question(std::uint64_t id, const Question& question, std::uint32_t from,
                               time_point now) {
  if (!keep_waiting(id, question, from, now)) send_reply(id, answer(question, now), from, now);
}

void Service::send_reply(std::uint64_t id, const Reply& reply, std::uint32_t to, time_point now) {
  if (to == here_) return receive_reply(id, reply, now);
  const bool is_on_its_way = post_(to, [back = addresses_[to], id, reply](time_point then) {
    if (const auto service = back.lock()) (*service)->receive_reply(id, reply, then);
  });
  if (!is_on_its_way && reply.hold != 0) give_back(reply.hold, now);
}

Service::Reply Service::answer(const Question& question, time_point now) {
  Reply reply{.loop = here_};
  if (is_draining_) {
    reply.refusal = Refusal{ErrorCode::draining};
    return reply;
  }
  switch (question.what) {
    case Question::What::join:
    case Question::What::events:
      keep_place(question, reply, now);
      break;
    case Question::What::list:
      show_all(question, reply);
      break;
    case Question::What::info:
      show(question, reply);
      break;
    case Question::What::input:
      take_posted(question, reply, now);
      break;
    case Question::What::claim:
      if (matchmaker_ != nullptr && matchmaker_->claim(question.ticket, now)) {
        reply.refusal =
            Refusal{ErrorCode::unauthorized, "unauthorized: the ticket has been used, or given up",
                    close_code::policy};
      }
      break;
    case Question::What::queue:
    case Question::What::unqueue:
    case Question::What::status:
    case Question::What::watch:
      answer_match(question, reply, now);
      break;
  }
  return reply;
}

// Moving.

void Service::send_home(Connection& connection, const Arrival& arrival, time_point now) {
  auto passenger = std::make_unique<Passenger>(arrival);
  if (connection.move_to(arrival.home, *services_[arrival.home], std::move(passenger)) ==
      MoveStatus::moving) {
    ++stats_.connections_given;
    return;
  }
  if (arrival.hold != 0) release(arrival.home, arrival.hold, now);
  connection.close(CloseReason::refused, close_code::try_again, "try again later");
}

void Service::on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage, time_point now) {
  const auto& passenger = static_cast<const Passenger&>(*luggage);
  if (passenger.hold != 0) {
    enter(connection, passenger.hold, now);
  } else {
    watch(connection, passenger.player, passenger.session, now);
  }
}

std::size_t Service::revoke(std::uint64_t session, time_point now) {
  for (std::uint32_t loop = 0; loop < services_.size(); ++loop) {
    if (loop == here_) continue;
    post_(loop, [there = addresses_[loop], session](time_point then) {
      if (const auto service = there.lock()) (*service)->revoke_here(session, then);
    });
  }
  return revoke_here(session, now);
}

}  // namespace muster::shard
