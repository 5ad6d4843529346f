// SPDX-License-Identifier: MIT
// Messages, control frames, deadlines and the end of a session.
#include <muster/websocket/session.hpp>

#include <muster/websocket/close_code.hpp>

#include "opening.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace muster::websocket {

Session::Session(Endpoint& endpoint, Framing framing, const Address& remote) noexcept
    : Connection(endpoint.outbox(), framing),
      endpoint_(&endpoint),
      decoder_(framing == Framing::client ? Role::client : Role::server,
               endpoint.limits_for(endpoint.config_.max_message)),
      remote_port_(remote.port),
      remote_ip_(remote.ip) {}

Session::~Session() = default;

void Session::limit_receive(std::size_t bytes) noexcept {
  decoder_.set_limits(endpoint_->limits_for(bytes));
}

// Pausing.

bool Session::pause_reading() noexcept {
  if (!is_open() || is_moving()) return false;
  if (!paused_) paused_ = stop_reading();
  if (paused_) awaits_pong_ = false;  // it comes too late
  return paused_;
}

void Session::resume_reading() noexcept {
  if (!paused_) return;
  paused_ = false;
  if (awaits_message()) enter(stage_);
  start_reading();
}

// Deadlines.

time_point Session::since() const noexcept { return endpoint_->wheel_.time_of(activity_); }

void Session::enter(Stage stage) noexcept {
  stage_ = stage;
  pinged_ = false;
  if (endpoint_->now_ != no_deadline) {
    stamp(endpoint_->now_);
    endpoint_->wheel_.set(id().index, deadline(endpoint_->now_));
  } else {
    activity_ = unknown_time;
    endpoint_->wheel_.set(id().index, time_point::min());  // `due` comes soon, and knows the time
  }
}

// Rounded up to the wheel's ticks, so that no deadline that is counted from it comes early.
void Session::stamp(time_point now) noexcept {
  activity_ =
      endpoint_->wheel_.tick_of(now + (DeadlineWheel<Endpoint::NodeAt>::granularity - duration{1}));
}

time_point Session::deadline(time_point now) const noexcept {
  const time_point when = stage_deadline(now);
  if (endpoint_->stalls_.empty() || !may_stall()) return when;
  const auto stall = endpoint_->stalls_.find(id().index);
  return stall == endpoint_->stalls_.end() ? when : std::min(when, stall->second.look);
}

// Its service's word, or the transport's.
Liveness Session::liveness() const noexcept {
  const Liveness* const own = service() == nullptr ? nullptr : service()->liveness();
  const Config& config = endpoint_->config_;
  return own != nullptr ? *own : Liveness{config.ping_interval, config.idle_timeout};
}

time_point Session::stage_deadline(time_point now) const noexcept {
  const Config& config = endpoint_->config_;
  constexpr duration unlimited = std::chrono::hours{24};  // the wheel knows every session
  if (paused_ && awaits_message()) return now + unlimited;
  switch (stage_) {
    case Stage::proxy_header:
    case Stage::refusal:
    case Stage::head:
    case Stage::request:
    case Stage::decision:
      return since() + config.upgrade_timeout;
    case Stage::first:
      return since() + config.first_message_timeout;
    case Stage::stream:
      return since() + stream_period();
    case Stage::closing:
      return since() + config.close_timeout;
    case Stage::messages:
      break;
  }
  const Liveness limits = liveness();
  if (!pinged_ && limits.ping_interval != duration{0}) return since() + limits.ping_interval;
  if (limits.idle_timeout != duration{0}) return since() + limits.idle_timeout;
  return now + unlimited;
}

void Session::due(time_point now) {
  if (has_ended()) return;
  if (is_moving()) {  // looked at again there, or if it stays
    endpoint_->wheel_.set(id().index, now);
    return;
  }
  if (activity_ == unknown_time) stamp(now);
  if (!look_after_writing(now)) return;
  const time_point when = deadline(now);
  if (when > now) {  // there was activity since it was set
    endpoint_->wheel_.set(id().index, when);
    const bool is_busy = stage_ == Stage::messages && !pinged_ && !paused_;
    if (is_busy && endpoint_->config_.measures_round_trips && !awaits_pong_) ping(now);
    return;
  }
  Stats& stats = endpoint_->stats_;
  switch (stage_) {
    case Stage::proxy_header:
    case Stage::refusal:
    case Stage::head:
      ++stats.upgrade_timeouts;
      if (has_begun_request()) {
        respond({.status = 408, .body = as_bytes("the request took too long\n")});
      } else {
        ended(CloseReason::timed_out, true, 0, "no answer to the opening handshake");
      }
      return;
    case Stage::request:
    case Stage::decision:
      ++stats.upgrade_timeouts;
      respond({.status = 503, .body = as_bytes("no answer in time\n")});
      return;
    case Stage::first:
      ++stats.first_message_timeouts;
      fault(CloseReason::timed_out, 1008, "no message in time", now);
      return;
    case Stage::stream:
      look_after_stream(now);
      return;
    case Stage::closing:
      ++stats.close_timeouts;
      ended(CloseReason::timed_out, true);  // an earlier reason stays
      return;
    case Stage::messages:
      break;
  }
  if (!pinged_ && liveness().ping_interval != duration{0}) {
    pinged_ = true;
    ping(now);
    endpoint_->wheel_.set(id().index, deadline(now));
    return;
  }
  ++stats.idle_timeouts;
  fault(CloseReason::timed_out, 1001, "no sign of life", now);
}

// Writing.

// Before that, and behind a close, other deadlines are shorter.
bool Session::may_stall() const noexcept { return awaits_message() || stage_ == Stage::stream; }

void Session::stalled() noexcept {
  if (!may_stall() || endpoint_->config_.write_timeout == duration{0}) return;
  if (!endpoint_->stalls_.try_emplace(id().index).second) return;
  endpoint_->wheel_.set(id().index, time_point::min());  // `due` comes soon, and knows the time
}

// Looks twice within each write deadline whether the peer took something. False: it did not for so
// long that it is closed.
bool Session::look_after_writing(time_point now) {
  if (endpoint_->stalls_.empty()) return true;
  const auto found = endpoint_->stalls_.find(id().index);
  if (found == endpoint_->stalls_.end() || found->second.look > now) return true;
  Endpoint::Stall& stall = found->second;
  const bool is_first_look = stall.look == time_point::min();
  if (!may_stall() || (!is_first_look && !is_blocked())) {
    endpoint_->stalls_.erase(found);
    return true;
  }
  const duration timeout = endpoint_->config_.write_timeout;
  const std::uint64_t taken = delivered();
  const bool is_clear = backlog() == 0;
  if (std::exchange(stall.was_clear, is_clear) || taken != stall.delivered) {
    stall.delivered = taken;
    stall.progress = now;
  } else if (!is_clear && now - stall.progress >= timeout) {
    endpoint_->stalls_.erase(found);
    ++endpoint_->stats_.write_timeouts;
    fault(CloseReason::too_slow, close_code::try_again_later, "too slow", now);
    return false;
  }
  stall.look = now + timeout / 2;
  return true;
}

// The endpoint closes all that it has.
void Session::drain() noexcept {
  if (is_open()) {
    close(CloseReason::draining, close_code::going_away, "going away");
  } else if (has_ended() || is_closing()) {
    return;
  } else if (has_begun_request() || !awaits_request()) {
    respond({.status = 503, .body = as_bytes("going away\n")});
  } else {
    ended(CloseReason::draining, false);
  }
}

// Input.

void Session::start(time_point now) {
  ++endpoint_->stats_.connections;
  ++endpoint_->session_count_;
  const Endpoint::Call call{*endpoint_, now};
  const bool has_proxy = !is_client() && endpoint_->config_.proxy_protocol != ProxyProtocol::none;
  enter(has_proxy ? Stage::proxy_header : Stage::head);
}

void Session::start_refused(time_point now) {
  ++endpoint_->session_count_;
  endpoint_->refused_.insert(id().index);
  const Endpoint::Call call{*endpoint_, now};
  enter(Stage::refusal);
}

void Session::receive(mutable_byte_view bytes, time_point now) {
  if (has_ended()) return;
  endpoint_->stats_.bytes += bytes.size();
  if (answered_ || failed_) return;
  const Endpoint::Call call{*endpoint_, now};
  if (awaits_proxy_header()) {
    bytes = take_proxy_header(bytes, now);
    if (bytes.empty()) return;
  }
  if (stage_ < Stage::first) {
    receive_head(bytes, now);
    return;
  }
  if (is_stream()) {
    ignore(bytes.size(), now);
    return;
  }
  if (is_open() && !is_announced()) {  // accepted late, in this very pass
    announce(now);
    decode_kept(now);
  }
  if (stage_ == Stage::messages) {
    if (pinged_) {
      enter(Stage::messages);  // the next ping comes before what the deadline is set to
    } else {
      stamp(now);
    }
  }
  decode(bytes, now);
}

void Session::decode(mutable_byte_view bytes, time_point now) {
  while (!has_ended()) {
    if (is_moving()) {
      keep_for_transit(bytes);
      return;
    }
    const DecodeEvent event = decoder_.next(bytes);
    switch (event.type) {
      case DecodeEvent::Type::none:
        return;
      case DecodeEvent::Type::message:
        if (!is_open()) break;
        if (stage_ == Stage::first) enter(Stage::messages);
        ++endpoint_->stats_.messages;
        service()->on_message(*this, {event.payload, event.kind}, now);
        if (is_moving()) keep_message({event.payload, event.kind});
        break;
      case DecodeEvent::Type::ping:
        send_control_frame(Opcode::pong, event.payload);
        break;
      case DecodeEvent::Type::pong:
        take_pong(event.payload, now);
        break;
      case DecodeEvent::Type::close:
        peer_is_done_ = true;
        if (is_open()) {
          closed_by_peer(event.close_code, as_text(event.payload));
        } else if (finished_) {
          ended(CloseReason::finished, true);
        }
        break;
      case DecodeEvent::Type::error:
        if (!is_open()) {  // it is being closed for another reason
          fail();
        } else if (event.error == errc::too_large) {
          ++endpoint_->stats_.oversized;
          fault(CloseReason::too_large, event.close_code, to_string(event.error), now);
        } else {
          ++endpoint_->stats_.protocol_errors;
          fault(CloseReason::protocol_error, event.close_code, to_string(event.error), now);
        }
        break;
    }
  }
}

void Session::receive_end(time_point) {
  if (has_ended()) return;
  peer_is_done_ = true;
  // What is queued on a closing session still leaves, and a plain request is still answered: the
  // peer may have ended only its own side.
  if (is_closing() ? finished_ : stage_ != Stage::request) {
    ended(CloseReason::connection_lost, true);
  }
}

void Session::broke() noexcept { ended(CloseReason::connection_lost, true); }

void Session::broke(std::string_view text) noexcept {
  if (has_ended()) return;
  ++endpoint_->stats_.transport_errors;
  const bool was_never_open = stage_ == Stage::head && is_client();
  ended(was_never_open ? CloseReason::connect_failed : CloseReason::protocol_error, true, 0, text);
}

void Session::abandon() noexcept { ended(CloseReason::draining, false); }

void Session::fault(CloseReason reason, std::uint16_t code, std::string_view text, time_point now) {
  service()->on_fault(*this, {reason, true, code, text}, now);
  if (is_open()) close(reason, code, text);
  fail();
}

// Nothing more is expected of the peer but its end.
void Session::fail() noexcept {
  failed_ = true;
  if (finished_ && !has_ended()) half_close();
}

// Output.

void Session::send_control_frame(Opcode opcode, byte_view payload) noexcept {
  std::array<std::byte, max_frame_header + max_control_payload> frame;
  const auto key = is_client() ? std::optional<MaskKey>{masking_key()} : std::nullopt;
  const std::size_t size = write_control_frame(frame.data(), opcode, payload, key);
  send_control({frame.data(), size});
}

// A pong brings back what its ping says (RFC 6455 section 5.5.3): so nothing has to be kept of one
// but that there is one. Who makes something up is wrong about one round trip, and not by more than
// our uptime.
void Session::ping(time_point now) noexcept {
  ++endpoint_->stats_.pings;
  if (!endpoint_->config_.measures_round_trips) return send_control_frame(Opcode::ping, {});
  awaits_pong_ = true;
  const duration sent = now - endpoint_->started_;
  send_control_frame(Opcode::ping, std::as_bytes(std::span{&sent, 1}));
}

void Session::take_pong(byte_view payload, time_point now) noexcept {
  duration sent{};
  if (!awaits_pong_ || payload.size() != sizeof(sent)) return;
  std::memcpy(&sent, payload.data(), sizeof(sent));
  const duration received = now - endpoint_->started_;
  if (sent < duration{0} || sent > received) return;
  awaits_pong_ = false;
  endpoint_->stats_.round_trips.add(received - sent);
}

std::uint32_t Session::masking_key() noexcept {
  std::uint32_t key = 0;
  endpoint_->entropy_->fill(std::as_writable_bytes(std::span{&key, 1}));
  return key;
}

std::size_t Session::encode_close(std::byte* out, std::uint16_t code,
                                  std::string_view text) noexcept {
  enter(Stage::closing);
  resume_reading();
  if (is_stream()) return 0;  // it just ends
  if (!close_code::may_be_sent(code, !is_client())) code = close_code::none;
  const auto key = is_client() ? std::optional<MaskKey>{masking_key()} : std::nullopt;
  return write_close_frame(out, code, text, key);
}

// All is written. Who failed or got an HTTP answer, be it a stream, is told by a FIN that nothing
// more comes; the descriptor stays open for a while, since closing it with unread input would reset
// the connection and take the last words away from the peer.
void Session::finish(const CloseInfo&) noexcept {
  finished_ = true;
  if (peer_is_done_ || stage_ < Stage::first) {  // or nothing was open yet
    ended(CloseReason::finished, true);
    return;
  }
  if (answered_ || failed_ || is_stream()) half_close();
}

void Session::release() noexcept {
  cancel_transit();
  leave_endpoint();
  destroy();
}

void Session::leave_endpoint() noexcept {
  endpoint_->wheel_.clear(id().index);
  endpoint_->openings_.erase(id().index);
  endpoint_->streams_.erase(id().index);
  endpoint_->stalls_.erase(id().index);
  if (!is_client() && endpoint_->refused_.erase(id().index) == 0) endpoint_->leave(remote());
  --endpoint_->session_count_;
}

}  // namespace muster::websocket
