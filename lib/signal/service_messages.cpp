// SPDX-License-Identifier: MIT
// What each message does that neither authenticates nor changes rooms.
#include "service_impl.hpp"

#include "msgpack.hpp"

#include <utility>

namespace muster::signal {

void Service::Impl::receive(Connection& connection, const Message& message, time_point now) {
  Session* const session = find(connection);
  if (session == nullptr || !session->takes() || !connection.is_open()) return;
  watch(*session, now);
  if (message.bytes.size() > config.max_message_size) {
    return refuse(*session, ErrorCode::message_too_large, "Message is too large", now);
  }
  if (session->abilities.is_packed && message.kind == MessageKind::binary) {
    unpacked_.clear();
    if (msgpack_to_message(message.bytes, unpacked_)) {
      return refuse(*session, ErrorCode::invalid_input, malformed, now);
    }
    // The texts of errors and answers are written elsewhere: nothing changes it meanwhile.
    return receive_text(*session, unpacked_, now);
  }
  if (message.kind == MessageKind::binary) {
    receive_binary(*session, message.bytes, now);
  } else {
    receive_text(*session, message.bytes, now);
  }
}

void Service::Impl::receive_text(Session& session, byte_view text, time_point now) {
  if (session.binding && !std::exchange(session.was_replayed, false)) {
    const ProofVerdict verdict = session.binding->check_text(text, proof_);
    if (verdict == ProofVerdict::malformed) {
      return refuse(session, ErrorCode::invalid_input, malformed, now);
    }
    if (verdict != ProofVerdict::valid) return reject_proof(session, verdict, now);
  }
  session.was_replayed = false;
  result<ClientMessage> message = read_client_message(text);
  if (session.stage == Session::Stage::authenticating &&
      (!message || !std::holds_alternative<Authenticate>(*message))) {
    return refuse_unauthenticated(session, now);
  }
  if (!message) return refuse(session, ErrorCode::invalid_input, malformed, now);
  dispatch(session, *message, now);
}

void Service::Impl::refuse_unauthenticated(Session& session, time_point now) {
  ++stats_.errors.validation;
  finish(session, CloseReason::refused, CloseCode::auth_timeout, now,
         Error{"Authenticate first", ErrorCode::missing_app_id}, "auth_failed");
}

void Service::Impl::reject_proof(Session& session, ProofVerdict verdict, time_point now) {
  ++stats_.errors.validation;
  finish(session, CloseReason::refused, CloseCode::unregistered, now,
         Error{to_string(verdict), ErrorCode::unauthorized});
}

void Service::Impl::dispatch(Session& session, ClientMessage& message, time_point now) {
  const bool is_retry = std::holds_alternative<Authenticate>(message);  // it may be, until it works
  std::visit([&](auto& given) { handle(session, given, now); }, message);
  if (!std::exchange(was_moved_, false) && !is_retry) session.has_spoken = true;
}

void Service::Impl::receive_binary(Session& session, byte_view payload, time_point now) {
  if (session.stage == Session::Stage::authenticating) {
    return refuse_unauthenticated(session, now);
  }
  session.has_spoken = true;
  if (session.binding) {
    const byte_view frame = payload;
    const ProofVerdict verdict = session.binding->check_binary(frame, payload, proof_);
    if (verdict != ProofVerdict::valid) return reject_proof(session, verdict, now);
  }
  if (session.abilities.format != GameDataFormat::message_pack) {
    return refuse(session, ErrorCode::invalid_input,
                  "Binary payloads are disabled for this connection", now);
  }
  if (!in_room(session, now) || !may_relay(session, payload.size(), now)) return;
  session.room->relay(session, MessageKind::binary, payload, std::nullopt, std::nullopt, now);
}

// Whether it is a player of a room; it is told if it is not.
bool Service::Impl::in_room(Session& session, time_point now) {
  if (session.is_playing()) return true;
  refuse(session, ErrorCode::not_in_room, not_in_a_room, now);
  return false;
}

bool Service::Impl::may_relay(Session& session, std::size_t bytes, time_point now) {
  if (session.relayed.take(bytes, config.max_relay_bytes, config.rate_window, now)) return true;
  ++stats_.rate_limit.relay_bandwidth_rejections;
  refuse(session, ErrorCode::rate_limit_exceeded, "Too much game data", now);
  return false;
}

void Service::Impl::handle(Session& session, GameData& message, time_point now) {
  if (!in_room(session, now)) return;
  const bool is_latest = message.delivery == DeliveryClass::latest;
  const bool has_class = message.delivery.has_value() || message.key.has_value();
  if (is_latest != message.key.has_value() || (has_class && !session.abilities.is_v3())) {
    return refuse(session, ErrorCode::invalid_delivery_class,
                  is_latest ? "Class latest needs a key" : "Only class latest has a key", now);
  }
  if (!may_relay(session, message.data.size(), now)) return;
  session.room->relay(session, MessageKind::text, message.data, message.delivery, message.key, now);
}

void Service::Impl::handle(Session& session, AuthorityRequest& message, time_point now) {
  if (!session.is_playing()) {
    ++stats_.errors.validation;
    delivery_.tell(session, AuthorityResponse{false, not_in_a_room, ErrorCode::not_in_room}, now);
    return;
  }
  session.room->request_authority(session, message.become_authority, now);
}

void Service::Impl::handle(Session& session, PlayerReady&, time_point now) {
  if (!in_room(session, now)) return;
  if (const auto refusal = session.room->toggle_ready(session, now)) {
    refuse(session, refusal->code, refusal->reason, now);
  }
}

void Service::Impl::handle(Session& session, StartGame&, time_point now) {
  if (!in_room(session, now)) return;
  if (const auto refusal = session.room->start(session, now)) {
    refuse(session, refusal->code, refusal->reason, now);
  }
}

void Service::Impl::handle(Session& session, ProvideConnectionInfo& message, time_point now) {
  if (!in_room(session, now)) return;
  if (message.size > config.max_connection_info_bytes) {
    return refuse(session, ErrorCode::message_too_large, "Connection info is too large", now);
  }
  session.room->provide_connection_info(session, std::move(message.info), now);
}

void Service::Impl::handle(Session& session, Ping&, time_point now) {
  delivery_.tell(session, Pong{}, now);
}

void Service::Impl::refuse_signal(Session& session, ErrorCode code, std::string_view message,
                                  time_point now) {
  if (!session.signal_errors.take(1, config.max_signal_errors, config.rate_window, now)) {
    ++stats_.rate_limit.signal_error_rejections;
    return refuse(session, ErrorCode::rate_limit_exceeded, "Too many signals were refused", now);
  }
  refuse(session, code, message, now);
}

// In this order: the first that fails decides what is answered.
void Service::Impl::handle(Session& session, Signal& message, time_point now) {
  if (message.signal.size() > config.max_signal_bytes) {
    return refuse_signal(session, ErrorCode::signal_too_large, "Signal is too large", now);
  }
  if (!session.is_playing()) {
    return refuse_signal(session, ErrorCode::not_in_room, not_in_a_room, now);
  }
  const auto found = players_.find(message.to);
  Session* const target = found == players_.end() ? nullptr : found->second;
  constexpr std::string_view nobody = "Signal target is not in this room";
  if (target == nullptr || target == &session || target->room == nullptr) {
    return refuse_signal(session, ErrorCode::signal_target_not_found, nobody, now);
  }
  if (target->room != session.room) {
    return refuse_signal(session, ErrorCode::cross_room_signal, "Signal target is in another room",
                         now);
  }
  const auto can_signal = [](const Session& one) {
    return one.abilities.is_v3() && one.abilities.has(Transport::webrtc);
  };
  if (!can_signal(session)) {
    return refuse_signal(session, ErrorCode::unsupported_transport,
                         "This connection did not negotiate webrtc", now);
  }
  if (!can_signal(*target) || target->seat->is_spectator) {
    return refuse_signal(session, ErrorCode::signal_target_not_found, nobody, now);
  }
  if (!session.signals.take(1, config.max_signals, config.rate_window, now)) {
    ++stats_.rate_limit.signal_rejections;
    return refuse_signal(session, ErrorCode::signal_rate_limited, "Too many signals", now);
  }
  session.room->touch(now);
  ++stats_.transport.signals_relayed;
  // Who does not say to which plan it belongs means the one that there is.
  const Uuid generation = message.generation.value_or(session.room->plan_generation());
  delivery_.tell(*target, PeerSignal{session.player_id, generation, message.signal}, now);
}

void Service::Impl::handle(Session& session, TransportStatus& message, time_point now) {
  if (!session.is_playing() || !session.abilities.is_v3() ||
      !session.abilities.has(message.transport)) {
    return;
  }
  if (!session.signals.take(1, config.max_signals, config.rate_window, now)) {
    ++stats_.rate_limit.signal_rejections;
    return;
  }
  session.room->report_transport(session, message, now);
}

void Service::Impl::handle(Session& session, RoomOperation& message, time_point now) {
  if (!session.abilities.is_v3()) {
    return refuse(session, ErrorCode::unsupported_protocol_version,
                  "Room operations need protocol version 3", now);
  }
  if (!session.abilities.has_operation_ids) {
    return refuse(session, ErrorCode::invalid_input, "Room operations were not negotiated", now);
  }
  const Uuid id = message.operation_id;
  std::visit([&](auto& operation) { perform(session, operation, id, now); }, message.operation);
}

}  // namespace muster::signal
