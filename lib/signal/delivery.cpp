// SPDX-License-Identifier: MIT
// Sending at once, and from a lane.
#include "delivery.hpp"

#include "game_room.hpp"
#include "msgpack.hpp"

#include <algorithm>
#include <utility>

namespace muster::signal {

namespace {

// What is given to a connection at a time: so much may lie between a message of the room's own and
// the wire.
constexpr std::size_t feed_bytes = 64 * 1024;

// Ranges in one report.
constexpr std::size_t max_gaps = 256;

}  // namespace

Stats::Deliveries& deliveries_of(Stats& stats, DeliveryClass delivery) noexcept {
  switch (delivery) {
    case DeliveryClass::latest:
      return stats.latest;
    case DeliveryClass::volatile_:
      return stats.volatile_;
    case DeliveryClass::reliable:
      break;
  }
  return stats.reliable;
}

Message Delivery::form(const Session& session, byte_view text) {
  if (!session.abilities.is_packed) return {text, MessageKind::text};
  packed_.clear();
  (void)message_to_msgpack(text, packed_);  // what we write is JSON
  return {packed_, MessageKind::binary};
}

void Delivery::send_control(Session& session, byte_view text, time_point now) {
  if (!session.takes() || !fits(session, text)) return;
  if (session.lane != nullptr) return send_behind(session, text, now);
  if (session.connection->send(form(session, text)) == SendStatus::over_budget) {
    give_up(session);
  }
}

void Delivery::send_behind(Session& session, byte_view text, time_point now) {
  if (!session.takes()) return;
  const Message message = form(session, text);
  const bool is_fifo = !session.abilities.is_v3();
  if (is_fifo || session.lane->has_barrier()) {
    push(session, session.lane->add_control(Frame{message}, is_fifo, now));
    return;
  }
  if (++session.control_waiting > config_->control_queue_capacity ||
      session.connection->send(message) == SendStatus::over_budget) {
    give_up(session);
  }
}

void Delivery::send_barrier(Session& session, byte_view text, time_point now) {
  if (!session.takes() || !fits(session, text)) return;
  if (session.lane == nullptr) return send_control(session, text, now);
  push(session, session.lane->add_barrier(Frame{form(session, text)}, now));
}

void Delivery::give_up(Session& session, CloseCode code) {
  if (session.doom) return;
  session.doom = code;
  owner_->doomed(session);
}

// A client that was promised a bound is not sent more than that.
bool Delivery::fits(Session& session, byte_view text) {
  if (text.size() <= config_->max_outbound_message_size) return true;
  give_up(session, CloseCode::outbound_message_too_large);
  return false;
}

void Delivery::push(Session& session, DeliveryLane::Outcome outcome) {
  if (outcome == DeliveryLane::Outcome::overflow) {
    give_up(session);
  } else if (session.lane->full_since() != no_deadline) {
    owner_->rescheduled(session);
  }
}

void Delivery::send_data(Session& session, const Frame& frame, const GameDataStamp& stamp,
                         time_point now) {
  const bool is_v3 = session.abilities.is_v3();
  const DeliveryClass delivery = stamp.delivery.value_or(DeliveryClass::reliable);
  Stats::Deliveries& stats = deliveries_of(*stats_, is_v3 ? delivery : DeliveryClass::reliable);
  if (!session.takes()) {
    ++stats.abandoned;
    return;
  }
  const Gap one{stamp.from_player, stamp.epoch, stamp.seq, stamp.seq, {}};
  const bool had_room = session.lane->full_since() == no_deadline;
  const DeliveryLane::Outcome outcome =
      session.lane->add_data(frame, one, delivery, stamp.key.value_or(0), is_v3, now);
  if (outcome == DeliveryLane::Outcome::overflow) ++stats.abandoned;
  push(session, outcome);
  if (had_room && session.lane->full_since() != no_deadline) {
    ++stats_->websocket.backpressure_events;
    ++session.backpressure_events;
  }
}

// Reports.

DeliveryCounters Delivery::counters_of(const Session& session) const noexcept {
  DeliveryCounters all = session.counters;
  const ClassCounts owed = session.room == nullptr ? session.owed : session.room->owed_to(session);
  const auto fill = [&](DeliveryCounters::PerClass& counts, DeliveryClass delivery) {
    std::uint64_t missing =
        counts.superseded + counts.dropped + counts.abandoned + counts.unsupported;
    if (session.lane != nullptr) {
      missing += session.lane->waiting(delivery) + session.lane->unreported(delivery);
    }
    missing += pending_[static_cast<std::size_t>(delivery)];
    counts.delivered = owed[static_cast<std::size_t>(delivery)] - missing;
  };
  fill(all.reliable, DeliveryClass::reliable);
  fill(all.latest, DeliveryClass::latest);
  fill(all.volatile_, DeliveryClass::volatile_);
  return all;
}

void Delivery::send_report(Session& session, std::span<const Gap> gaps) {
  for (const Gap& gap : gaps) {
    const std::uint64_t lost = length(gap);
    Stats::Deliveries& stats = deliveries_of(*stats_, class_of(gap.reason));
    stats_->websocket.messages_dropped += lost;
    switch (gap.reason) {
      case GapReason::latest_superseded:
        session.counters.latest.superseded += lost;
        stats.superseded += lost;
        break;
      case GapReason::latest_dropped_full:
        session.counters.latest.dropped += lost;
        stats.dropped_full += lost;
        break;
      case GapReason::volatile_dropped:
        session.counters.volatile_.dropped += lost;
        stats.dropped += lost;
        break;
      case GapReason::unsupported_format:
        session.counters.reliable.unsupported += lost;
        stats.unsupported_format += lost;
        break;
    }
  }
  report_.clear();
  wire::ByteWriter writer{report_};
  write(writer, DeliveryReport{counters_of(session), gaps});
  if (session.connection->send(form(session, report_)) == SendStatus::over_budget) {
    give_up(session);
  }
}

// Before anything that follows a gap, it is told. What the first of several reports does not tell
// is not delivered either.
void Delivery::report(Session& session, std::vector<Gap>& gaps) {
  const auto pending = [this](const Gap& gap) -> std::uint64_t& {
    return pending_[static_cast<std::size_t>(class_of(gap.reason))];
  };
  for (const Gap& gap : gaps) pending(gap) += length(gap);
  for (std::size_t at = 0; at < gaps.size(); at += max_gaps) {
    const auto told = std::span{gaps}.subspan(at, std::min(max_gaps, gaps.size() - at));
    for (const Gap& gap : told) pending(gap) -= length(gap);
    send_report(session, told);
  }
  gaps.clear();
}

void Delivery::report_unreadable(Session& session, const GameDataStamp& stamp) {
  if (!session.takes()) return;
  const Gap gap{stamp.from_player, stamp.epoch, stamp.seq, stamp.seq,
                GapReason::unsupported_format};
  if (session.lane == nullptr) {
    --stats_->reliable.delivered;  // it was counted with all others
    send_report(session, {&gap, 1});
  } else {
    push(session, session.lane->add_gap(gap));
  }
}

// Lanes.

void Delivery::fall_behind(Session& session, time_point now) {
  if (!session.takes() || session.lane != nullptr) return;
  session.lane = std::make_unique<DeliveryLane>(
      DeliveryLane::Limits{config_->send_queue_capacity, config_->send_queue_bytes});
  session.unwritten_since = now;
  session.control_waiting = 0;
  ++session.backpressure_events;
  ++stats_->websocket.backpressure_events;
  if (session.room != nullptr) session.room->fell_behind(session);
  owner_->rescheduled(session);
}

bool Delivery::feed(Session& session) {
  if (session.lane == nullptr) return false;
  std::vector<Gap> gaps;
  session.control_waiting = 0;
  session.unwritten_since = no_deadline;
  std::size_t given = 0;
  while (session.takes() && !session.lane->empty() && given < feed_bytes) {
    const DeliveryLane::Item item = session.lane->take_front();
    if (item.kind == DeliveryLane::Item::Kind::gaps) {
      for (const Gap& gap : item.gaps) append_gap(gaps, gap);
      continue;
    }
    if (item.kind != DeliveryLane::Item::Kind::control) report(session, gaps);
    if (item.kind == DeliveryLane::Item::Kind::data)
      ++deliveries_of(*stats_, item.delivery).delivered;
    session.unwritten_since = std::min(session.unwritten_since, item.queued_at);
    given += item.frame.payload().size();
    if (session.connection->send(item.frame) == SendStatus::over_budget) give_up(session);
  }
  report(session, gaps);
  if (!session.takes()) return false;
  const bool is_behind = !session.lane->empty();
  if (is_behind) {
    session.connection->report_drained();
  } else {
    session.lane.reset();
    session.connection->watch_backlog();
    if (session.room != nullptr) session.room->caught_up(session);
  }
  owner_->rescheduled(session);
  return is_behind;
}

void Delivery::empty(Session& session) {
  while (feed(session)) {
  }
}

time_point Delivery::deadline(const Session& session) const noexcept {
  if (session.lane == nullptr) return no_deadline;
  time_point when = no_deadline;
  const auto until = [&when](time_point since, duration limit) {
    if (since != no_deadline) when = std::min(when, since + limit);
  };
  until(session.unwritten_since, config_->max_sojourn);
  until(session.lane->oldest(), config_->max_sojourn);
  until(session.lane->full_since(), config_->slow_consumer_timeout);
  return when;
}

}  // namespace muster::signal
