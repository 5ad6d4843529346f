// SPDX-License-Identifier: MIT
// How a session leaves one loop and arrives at another.
#include <muster/websocket/session.hpp>

#include <muster/websocket/close_code.hpp>
#include <muster/websocket/transit.hpp>

#include "opening.hpp"

#include <utility>

namespace muster::websocket {

MoveStatus Session::prepare_move(std::size_t loop, Service& service_there,
                                 std::unique_ptr<Luggage> luggage) noexcept {
  if (is_client()) return MoveStatus::not_movable;
  const MoveStatus status = reserve(loop);
  if (status != MoveStatus::moving) return status;
  auto transit = std::make_unique<Transit>();
  transit->loop = loop;
  transit->service = &service_there;
  transit->luggage = std::move(luggage);
  endpoint_->transits_.insert_or_assign(id().index, std::move(transit));
  return MoveStatus::moving;
}

MoveStatus Session::reserve(std::size_t) noexcept { return MoveStatus::not_movable; }
bool Session::carry(std::unique_ptr<Transit>&) noexcept { return false; }
void Session::give_up(std::size_t) noexcept {}

// The service gave the connection away in `on_message`: the message is the other loop's.
void Session::keep_message(const Message& message) {
  Transit& transit = *endpoint_->transits_.at(id().index);
  transit.has_message = true;
  transit.kind = message.kind;
  transit.message.assign(message.bytes.begin(), message.bytes.end());
}

// What is not decoded here any more is decoded there.
void Session::keep_for_transit(byte_view bytes) {
  std::vector<std::byte>& input = endpoint_->transits_.at(id().index)->input;
  input.insert(input.end(), bytes.begin(), bytes.end());
}

void Session::depart(time_point now) {
  const auto found = endpoint_->transits_.find(id().index);
  if (found == endpoint_->transits_.end()) return;
  std::unique_ptr<Transit> transit = std::move(found->second);
  endpoint_->transits_.erase(found);
  const Endpoint::Call call{*endpoint_, now};
  if (!is_open()) {
    give_up(transit->loop);
    decode(transit->input, now);  // the answer to a Close may be in it
    return;
  }
  transit->remote = remote();
  transit->backlog = take_backlog();
  transit->max_message = decoder_.limits().max_message_bytes;
  transit->activity = activity_ == unknown_time || paused_ ? now : since();
  transit->is_pinged = pinged_ && !paused_;
  transit->awaits_first = stage_ == Stage::first;
  transit->is_stream = is_stream();
  if (is_stream()) transit->ignored = endpoint_->streams_.at(id().index).ignored;
  transit->decoder.emplace(std::move(decoder_));
  if (carry(transit)) {
    ++endpoint_->stats_.departures;
    departed();
    leave_endpoint();
    destroy();
    return;
  }
  // That loop went away meanwhile. What the peer sent was for it, and is lost with the connection.
  decoder_ = std::move(*transit->decoder);
  give_backlog(transit->backlog);
  close(CloseReason::draining, close_code::try_again_later, "try again later");
  decode(transit->input, now);
}

// It ends before it has left.
void Session::cancel_transit() noexcept {
  const auto found = endpoint_->transits_.find(id().index);
  if (found == endpoint_->transits_.end()) return;
  give_up(found->second->loop);
  endpoint_->transits_.erase(found);
}

void Session::arrive(Transit& transit, CloseReason refusal, time_point now) {
  ++endpoint_->stats_.arrivals;
  ++endpoint_->session_count_;
  const Endpoint::Call call{*endpoint_, now};
  decoder_ = std::move(*transit.decoder);
  decoder_.set_limits(endpoint_->limits_for(transit.max_message));
  arrived(*transit.service);
  stage_ = transit.awaits_first ? Stage::first : Stage::messages;
  if (transit.is_stream) {  // whose looks begin anew
    use(Framing::none);
    endpoint_->streams_.try_emplace(id().index).first->second.ignored = transit.ignored;
    stage_ = Stage::stream;
  }
  pinged_ = transit.is_pinged;
  stamp(transit.activity);
  endpoint_->wheel_.set(id().index, deadline(now));
  give_backlog(transit.backlog);
  if (refusal != CloseReason::none) {
    transit.luggage.reset();
    close(refusal, close_code::try_again_later, "try again later");
    decode(transit.input, now);
    return;
  }
  service()->on_arrival(*this, std::move(transit.luggage), now);
  if (transit.has_message && is_open()) {
    const Message message{transit.message, transit.kind};
    if (!is_moving()) service()->on_message(*this, message, now);
    if (is_moving()) keep_message(message);
  }
  decode(transit.input, now);
}

}  // namespace muster::websocket
