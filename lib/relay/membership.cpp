// SPDX-License-Identifier: MIT
// Dialling, joining, losing, and what each of them leads to.
#include <muster/relay/membership.hpp>

#include <muster/outbox.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/extension.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/url.hpp>
#include <muster/utf8.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

namespace muster::relay {

namespace {

// A MEMBER_EVENT about all members of a room in which all are announced, each with the longest
// name.
constexpr std::size_t max_member_news = 1 + 1000 * (7 + max_name_size);

std::string_view problem_of(const ExtensionConfig& extension) noexcept {
  if ((extension.capabilities & ~all_capabilities) != 0) {
    return "extension.capabilities has a bit without a meaning";
  }
  if (!extension.name.empty() && !is_display_name(extension.name)) {
    return "extension.name must be UTF-8 of at most 64 bytes without control characters";
  }
  if (extension.seat && (*extension.seat == 0 || *extension.seat == no_seat)) {
    return "extension.seat must be between 1 and 65534";
  }
  if (!extension.password.empty() && extension.mac == nullptr) {
    return "extension.mac must be set with a password";
  }
  if (extension.metadata.size() > max_metadata_size) {
    return "extension.metadata must have at most 1024 bytes";
  }
  return {};
}

}  // namespace

std::error_code validate(const MemberConfig& config, std::string& problem) {
  using namespace std::chrono_literals;
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  const auto is_id = [](const std::string& id) {
    return id.size() <= 1024 && is_valid_utf8(as_bytes(id));
  };
  constexpr std::size_t largest = 64U << 20U;
  const Reconnect& reconnect = config.reconnect;
  problem.clear();
  check(parse_url(config.url).has_value(), "url must be a ws:// or wss:// URL");
  check(is_id(config.game_id), "game_id must be UTF-8 of at most 1024 bytes");
  check(is_id(config.room_id), "room_id must be UTF-8 of at most 1024 bytes");
  check(config.join_timeout >= 100ms && config.join_timeout <= 10min,
        "join_timeout must be between 100 ms and 10 min");
  check(config.close_timeout >= 0s && config.close_timeout <= 1min,
        "close_timeout must be between 0 and 1 min");
  check(reconnect.give_up_after >= 1s && reconnect.give_up_after <= 24h,
        "reconnect.give_up_after must be between 1 s and 24 h");
  check(Backoff::is_valid(reconnect.backoff), "reconnect.backoff is out of range");
  check(config.max_host_message >= 1024 && config.max_host_message <= largest,
        "max_host_message must be between 1 KiB and 64 MiB");
  check(config.max_client_message >= 64 && config.max_client_message <= largest,
        "max_client_message must be between 64 bytes and 64 MiB");
  check(config.max_away_actions <= 65536, "max_away_actions must be at most 65536");
  check(config.max_away_bytes <= largest, "max_away_bytes must be at most 64 MiB");
  check(is_valid(config.budget), "budget is out of range");
  // A message that never fits would wait for room for ever. 14 bytes: the largest frame header.
  const std::size_t room = std::size_t{config.budget.bytes} - config.budget.reserve_bytes;
  check(std::max(config.max_host_message, config.max_client_message) + 14 <= room,
        "budget.bytes must hold the largest message and the reserve");
  if (config.extension) {
    const std::string_view sentence = problem_of(*config.extension);
    check(sentence.empty(), sentence);
  }
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Membership::Membership(const MemberConfig& config, Role role, Dialer& dialer, Outbox& outbox,
                       Entropy& entropy, Handler& handler)
    : config_(config),
      role_(role),
      dialer_(&dialer),
      outbox_(&outbox),
      handler_(&handler),
      backoff_(config.reconnect.backoff, entropy),
      token_(config.token) {}

std::size_t Membership::receive_limit() const noexcept {
  // The relay puts the sender's id into what a client sent.
  const std::size_t limit = role_ == Role::player ? config_.max_host_message
                                                  : config_.max_client_message + client_id_size;
  return config_.extension ? std::max(limit, max_member_news) : limit;
}

std::error_code Membership::start(time_point now) {
  if (state_ != State::idle) return errc::wrong_state;
  if (!is_valid_utf8(as_bytes(config_.game_id)) || !is_valid_utf8(as_bytes(config_.room_id))) {
    return errc::bad_utf8;
  }
  give_up_at_ = now + config_.reconnect.give_up_after;
  dial(now);
  return {};
}

std::vector<std::byte> Membership::make_request(const std::optional<Mac::Tag>& proof) {
  JoinRequest request{.game_id = config_.game_id,
                      .room_id = config_.room_id,
                      .rule_variation = config_.rule_variation,
                      .create_room = role_ == Role::host && !token_,
                      .reconnect_token = token_,
                      .trailer = {}};
  std::vector<std::byte> trailer;
  if (config_.extension) {
    const ExtensionConfig& own = *config_.extension;
    Trailer offer{.capabilities = own.capabilities,
                  .name = own.name,
                  .is_spectator = own.is_spectator && role_ == Role::player,
                  .proof = proof,
                  .seat = own.seat,
                  .sequence = asked_sequence_};
    if (request.create_room) {
      if (!own.password.empty() && own.mac != nullptr) {
        offer.password_key = password_key(*own.mac, own.password, config_.game_id, config_.room_id);
      }
      if (!own.metadata.empty()) offer.metadata = own.metadata;
      offer.is_listed = own.is_listed;
      offer.max_players = own.max_players;
    }
    append_trailer(trailer, offer);
    request.trailer = trailer;
  }
  result<std::vector<std::byte>> encoded = encode_join_request(request);
  return encoded ? *std::move(encoded) : std::vector<std::byte>{};  // `start` looked at the ids
}

void Membership::dial(time_point now) {
  asked_sequence_ = token_ ? known_sequence() : std::nullopt;
  was_challenged_ = false;
  request_ = make_request(std::nullopt);
  state_ = State::connecting;
  deadline_ = now + config_.join_timeout;
  ++attempts_;
  ++stats_.dials;
  connection_ = dialer_->dial({.url = config_.url}, *this);
}

void Membership::on_open(Connection& connection, time_point) {
  if (connection.id() != connection_ || state_ != State::connecting) return;
  connection.limit_receive(receive_limit());
  connection.set_budget(config_.budget);
  state_ = State::joining;
  // The first message of a connection: it fits. If the transport broke meanwhile, `on_close`
  // follows.
  connection.send({request_});
}

void Membership::on_message(Connection& connection, const Message& message, time_point now) {
  if (connection.id() != connection_) return;
  if (state_ != State::joining && state_ != State::joined) return;
  if (message.kind == MessageKind::text) {
    ++stats_.texts_ignored;
    return;
  }
  const byte_view bytes = message.bytes;
  if (bytes.size() > receive_limit()) {
    ++stats_.malformed;
    break_off(connection, Parting::protocol_error, CloseReason::too_large, 1009,
              "message above the limit");
  } else if (state_ == State::joining) {
    take_reply(connection, bytes, now);
  } else if (result<std::string> text = decode_server_error(bytes); text) {
    hear_last_words(*std::move(text), now);
  } else if (bytes.empty()) {
    reject(connection, "empty message");
  } else if (!received(bytes, now)) {
    reject(connection, "malformed message");
  }
}

void Membership::take_reply(Connection& connection, byte_view message, time_point now) {
  if (config_.extension && read_extended(message) == Extended::challenge) {
    return answer_challenge(connection, message);
  }
  result<HandshakeReply> reply = decode_handshake_reply(message);
  if (!reply) return reject(connection, "malformed handshake response");
  if (auto* const refusal = std::get_if<HandshakeRefusal>(&reply->outcome); refusal != nullptr) {
    return hear_last_words(std::move(refusal->text), now);
  }
  const auto& response = std::get<HandshakeResponse>(reply->outcome);
  const bool again = token_.has_value();
  if (response.is_host() != (role_ == Role::host)) {
    return reject(connection, "welcomed in another role");
  }
  if (again && player_id_ && *player_id_ != response.player_id) {
    return reject(connection, "welcomed as another player");
  }
  // What follows the response means something only to whom offered the extension.
  result<std::optional<Trailer>> trailer =
      config_.extension ? decode_trailer(reply->trailer) : std::optional<Trailer>{};
  if (!trailer) return reject(connection, "malformed handshake response");
  const bool continues = *trailer && (*trailer)->sequence;
  if (continues && (*trailer)->sequence != asked_sequence_) {
    return reject(connection, "welcomed after another change");
  }
  if (!again && is_disregarded(*trailer)) {
    const std::array<std::byte, 1> words = goodbye();
    return break_off(connection, Parting::refused, CloseReason::finished, 1000,
                     "the relay disregards what was asked for", {words});
  }
  trailer_ = *trailer;
  if (trailer_) {
    trailer_->capabilities &= config_.extension->capabilities;
    trailer_->name = {};
    trailer_->metadata.reset();
  }
  state_ = State::joined;
  deadline_ = give_up_at_ = no_deadline;
  knew_room_ = true;
  attempts_ = 0;
  token_ = response.token;
  player_id_ = response.player_id;
  ++stats_.welcomes;
  backoff_.went_up(now);
  welcomed(response, again, continues, now);
}

// A relay that knows nothing of spectators and passwords would make the one a player, and let
// everybody in without the other.
bool Membership::is_disregarded(const std::optional<Trailer>& trailer) const noexcept {
  if (!config_.extension) return false;
  if (role_ == Role::host) return !trailer && !config_.extension->password.empty();
  return config_.extension->is_spectator && !(trailer && trailer->is_spectator);
}

// Once: a second challenge would be an answer to a wrong proof, and the same proof again.
void Membership::answer_challenge(Connection& connection, byte_view message) {
  const result<Nonce> nonce = decode_challenge(message);
  if (!nonce) return reject(connection, "malformed challenge");
  if (std::exchange(was_challenged_, true)) return reject(connection, "challenged twice");
  const ExtensionConfig& own = *config_.extension;
  if (own.password.empty() || own.mac == nullptr) {
    return break_off(connection, Parting::refused, CloseReason::finished, 1000,
                     error_text::password_needed);
  }
  const Mac::Tag key = password_key(*own.mac, own.password, config_.game_id, config_.room_id);
  request_ = make_request(own.mac->tag(key, *nonce));
  connection.send({request_});
}

void Membership::promote(std::uint64_t token, time_point now) {
  token_ = token;
  player_id_ = host_player_id;
  verdict_ = Parting::promoted;
  last_words_ = "goes on as the host";
  state_ = State::closing;
  deadline_ = now + config_.join_timeout;
}

// The relay closes after its last words. How it closes may say more, so it gets a moment to do so.
void Membership::hear_last_words(std::string text, time_point now) {
  last_words_ = std::move(text);
  state_ = State::closing;
  deadline_ = now + config_.close_timeout;
}

void Membership::reject(Connection& connection, std::string_view text) {
  ++stats_.malformed;
  break_off(connection, Parting::protocol_error, CloseReason::protocol_error, 1002, text);
}

// Closes from this side; `on_close` follows, and then the verdict counts.
void Membership::break_off(Connection& connection, Parting verdict, CloseReason reason,
                           std::uint16_t code, std::string_view text, Message last_words) {
  verdict_ = verdict;
  last_words_ = text;
  state_ = State::closing;
  deadline_ = no_deadline;
  connection.close(reason, code, text, last_words);
}

void Membership::on_writable(Connection& connection, time_point now) {
  if (connection.id() == connection_ && state_ == State::joined) writable(now);
}

void Membership::on_close(Connection& connection, const CloseInfo& info, time_point now) {
  if (connection.id() != connection_) return;
  connection_ = {};
  const std::string last_words = std::exchange(last_words_, {});
  const Parting parting =
      verdict_ ? *verdict_ : parting_of(last_words, info, std::exchange(knew_room_, false));
  verdict_.reset();
  knew_room_ = false;
  backoff_.went_down(now);
  ++stats_.losses;
  lost(parting, last_words.empty() ? info.text : std::string_view{last_words}, now);
}

void Membership::lost(Parting parting, std::string_view text, time_point now) {
  const Reconnect& policy = config_.reconnect;
  if (!is_passing(parting) || !policy.enabled) return end(parting, text, now);
  if (give_up_at_ == no_deadline) give_up_at_ = now + policy.give_up_after;
  const bool is_last = policy.max_attempts != 0 && attempts_ >= policy.max_attempts;
  if (is_last || now >= give_up_at_) return end(Parting::gave_up, text, now);
  state_ = State::away;
  deadline_ = std::min(now + backoff_.next(), give_up_at_);  // the last attempt is not left out
  parted(false);
  handler_->on_away(parting, text, deadline_, now);
}

void Membership::end(Parting parting, std::string_view text, time_point now) {
  state_ = State::ended;
  deadline_ = no_deadline;
  parted(true);
  handler_->on_end(parting, text, now);
}

void Membership::depart(time_point now) {
  Connection* const connection = outbox_->find(connection_);
  if (state_ == State::ended) return;
  if (connection == nullptr) return end(Parting::left, {}, now);
  if (!verdict_ || is_passing(*verdict_)) verdict_ = Parting::left;
  const std::array<std::byte, 1> words = goodbye();
  const Message last_words = state_ == State::joined ? Message{words} : Message{};
  state_ = State::closing;
  deadline_ = no_deadline;
  last_words_.clear();
  connection->close(CloseReason::finished, 1000, {}, last_words);
}

std::array<std::byte, 1> Membership::goodbye() const noexcept {
  return {role_ == Role::host ? static_cast<std::byte>(FromHost::server_disconnects)
                              : static_cast<std::byte>(FromClient::client_disconnects_self)};
}

void Membership::on_drain(time_point now) { depart(now); }

void Membership::advance(time_point now) {
  if (deadline_ > now) return;
  deadline_ = no_deadline;
  Connection* const connection = outbox_->find(connection_);
  switch (state_) {
    case State::connecting:
    case State::joining:
      if (connection != nullptr) {
        break_off(*connection, Parting::timed_out, CloseReason::timed_out, 1008,
                  "no welcome in time");
      }
      return;
    case State::closing:
      if (connection != nullptr) connection->close(CloseReason::finished, 1000);
      return;
    case State::away:
      dial(now);
      return;
    case State::idle:
    case State::joined:
    case State::ended:
      return;
  }
}

time_point Membership::next_deadline() const noexcept { return deadline_; }

Connection* Membership::link() const noexcept {
  return state_ == State::joined ? outbox_->find(connection_) : nullptr;
}

SendStatus Membership::send(std::uint8_t id, byte_view payload) noexcept {
  Connection* const connection = link();
  if (connection == nullptr) return SendStatus::closed;
  const std::array head{static_cast<std::byte>(id)};
  const std::array<byte_view, 2> parts{head, payload};
  const SendStatus status = connection->send(parts, MessageKind::binary);
  if (status == SendStatus::queued) ++stats_.messages_sent;
  if (status == SendStatus::over_budget) ++stats_.sends_refused;
  return status;
}

}  // namespace muster::relay
