// SPDX-License-Identifier: MIT
#include <muster/soe/endpoint.hpp>
#include <muster/utf8.hpp>
#include <muster/wire/byte_writer.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "big_endian.hpp"

namespace muster::soe {
namespace {

constexpr std::uint16_t code_going_away = 1001;
constexpr std::uint16_t code_protocol_error = 1002;
constexpr std::uint16_t code_bad_data = 1007;
constexpr std::uint16_t code_too_large = 1009;

// A status or a close code, and what is said about it.
std::vector<std::byte> coded(std::uint16_t code, byte_view text) {
  std::vector<std::byte> bytes;
  wire::ByteWriter out{bytes};
  out.u16_be(code);
  out.bytes(text);
  return bytes;
}

CloseReason close_reason_of(DisconnectReason reason) noexcept {
  switch (reason) {
    case DisconnectReason::timeout:
    case DisconnectReason::unacknowledged_timeout:
      return CloseReason::timed_out;
    case DisconnectReason::corrupt_packet:
      return CloseReason::protocol_error;
    case DisconnectReason::connect_fail:
      return CloseReason::connect_failed;
    case DisconnectReason::connection_refused:
    case DisconnectReason::protocol_mismatch:
      return CloseReason::refused;
    case DisconnectReason::application:
    case DisconnectReason::manager_deleted:
      return CloseReason::finished;
    default:
      return CloseReason::connection_lost;
  }
}

}  // namespace

/// A connection: a server's from its session on, a client's from its wish on.
///
/// asking (client: session, then answer; server: hello, then decision) → established → the close
/// has been said → the session has ended.
class MUSTER_LOCAL Endpoint::End final : public Connection {
 public:
  End(Endpoint& endpoint, SessionId session, const Address& remote)
      : Connection(endpoint.outbox_, Framing::messages),
        endpoint_(endpoint),
        session_(session),
        remote_(remote),
        max_message_(endpoint.config_.max_message) {}

  [[nodiscard]] Address remote() const noexcept override { return remote_; }
  void limit_receive(std::size_t size) noexcept override {
    max_message_ = std::min(size, endpoint_.config_.max_message);
  }

  std::size_t place = 0;  ///< among the endpoint's

  /// A client's end.
  void ask(std::vector<std::byte> hello, std::vector<std::string> subprotocols, Service& service) {
    hello_ = std::move(hello);
    subprotocols_ = std::move(subprotocols);
    service_ = &service;
    is_client_ = true;
    answer_to(service);
  }

  [[nodiscard]] bool is_established() const noexcept { return is_established_; }

  /// Whether the transport may still be used.
  [[nodiscard]] bool has_session() const noexcept { return session_ != SessionId{}; }

  void session_opened() {
    if (is_client_) endpoint_.port_.enqueue(session_, hello_, Channel::reliable0);
  }

  void session_closed(DisconnectReason reason, bool by_peer) noexcept {
    detach();
    if (has_ended()) return;
    ended(close_reason_of(reason), by_peer);
  }

  void session_writable() noexcept { writable(); }

  void receive(const Event& event, time_point now) {
    if (has_ended() || is_closing()) return;
    if (is_established_) return receive_message(event, now);
    if (event.channel != Channel::reliable0) return;  // overtook the answer: volatile, so dropped
    if (is_client_) {
      receive_answer(event.data);
    } else if (!was_asked_) {
      receive_hello(event.data, now);
    } else {
      fail(CloseReason::protocol_error);  // it does not wait for the answer
    }
  }

  /// It was not established in time.
  void expire() noexcept { fail(CloseReason::timed_out); }

  /// Ends it at once.
  void fail(CloseReason reason) noexcept {
    drop_session();
    ended(reason, reason != CloseReason::draining);
  }

 private:
  // Asking.

  void receive_hello(byte_view message, time_point now) {
    was_asked_ = true;
    std::optional<Hello> hello = Hello::decode(message);
    if (!hello || endpoint_.service_ == nullptr) return fail(CloseReason::refused);
    subprotocols_ = std::move(hello->subprotocols);
    const std::string authorization = "Bearer " + hello->token;
    std::array<HeaderField, 1> headers{HeaderField{"Authorization", authorization}};
    const std::vector<std::string_view> offered{subprotocols_.begin(), subprotocols_.end()};
    const std::string_view target = hello->target;
    const std::size_t mark = target.find('?');
    Request request;
    request.path = target.substr(0, mark);
    if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
    if (!hello->token.empty()) request.headers = headers;
    request.subprotocols = offered;
    request.remote = remote_;
    endpoint_.service_->on_upgrade(request, Decision{outbox(), id()}, now);
  }

  void accept_upgrade(Service& service, std::string_view subprotocol) noexcept override {
    if (has_ended()) return;
    say(MessageTag::accepted, as_bytes(subprotocol));
    establish(service);
  }

  void respond(const Response& response) noexcept override {
    if (has_ended()) return;
    say(MessageTag::refused, coded(static_cast<std::uint16_t>(response.status), response.body));
    close_session();
    ended(CloseReason::refused, false);
  }

  void receive_answer(byte_view message) {
    const auto tag = static_cast<MessageTag>(message[0]);
    const byte_view rest = message.subspan(1);
    if (tag == MessageTag::accepted && is_offered(as_text(rest))) return establish(*service_);
    if (tag == MessageTag::refused && rest.size() >= 2) {
      drop_session();
      return ended(CloseReason::refused, true, read_u16(rest), as_text(rest.subspan(2)));
    }
    fail(CloseReason::protocol_error);
  }

  [[nodiscard]] bool is_offered(std::string_view name) const noexcept {
    return name.empty() ||
           std::find(subprotocols_.begin(), subprotocols_.end(), name) != subprotocols_.end();
  }

  void establish(Service& service) {
    is_established_ = true;
    hello_ = {};
    subprotocols_ = {};
    opened(service);
  }

  // Messages.

  void receive_message(const Event& event, time_point now) {
    if (!is_announced()) announce(now);
    if (has_ended() || is_closing()) return;
    const auto tag = static_cast<MessageTag>(event.data[0]);
    const byte_view bytes = event.data.subspan(1);
    if (tag == MessageTag::close && event.channel == Channel::reliable0) {
      const bool has_code = bytes.size() >= 2;
      return closed_by_peer(has_code ? read_u16(bytes) : std::uint16_t{0},
                            has_code ? as_text(bytes.subspan(2)) : std::string_view{});
    }
    if (tag != MessageTag::text && tag != MessageTag::binary) {
      return fault(CloseReason::protocol_error, code_protocol_error, now);
    }
    if (bytes.size() > max_message_) return fault(CloseReason::too_large, code_too_large, now);
    if (tag == MessageTag::text && !is_valid_utf8(bytes)) {
      return fault(CloseReason::protocol_error, code_bad_data, now);
    }
    service()->on_message(*this, {bytes, static_cast<MessageKind>(tag)}, now);
  }

  void fault(CloseReason reason, std::uint16_t code, time_point now) {
    service()->on_fault(*this, {.reason = reason, .by_peer = true, .code = code}, now);
    close(reason, code);
  }

  bool write_message(Message message, Delivery::Class delivery) noexcept override {
    if (!has_session()) return false;
    const EnqueueStatus status =
        say(static_cast<MessageTag>(message.kind), message.bytes,
            delivery == Delivery::Class::volatile_ ? Channel::unreliable : Channel::reliable0);
    switch (status) {
      case EnqueueStatus::queued:
        return true;
      case EnqueueStatus::over_budget:
        return false;
      case EnqueueStatus::too_large:
        fail(CloseReason::too_large);
        return false;
      case EnqueueStatus::not_open:
        break;
    }
    fail(CloseReason::connection_lost);
    return false;
  }

  EnqueueStatus say(MessageTag tag, byte_view bytes, Channel channel = Channel::reliable0) {
    std::vector<std::byte>& out = endpoint_.scratch_;
    out.clear();
    out.push_back(static_cast<std::byte>(tag));
    out.insert(out.end(), bytes.begin(), bytes.end());
    return endpoint_.port_.enqueue(session_, out, channel);
  }

  // The end.

  void finish(const CloseInfo& info) noexcept override {
    if (is_established_) say(MessageTag::close, coded(info.code, as_bytes(info.text)));
    close_session();
    ended(info.reason, info.by_peer, info.code, info.text);
  }

  void release() noexcept override { endpoint_.release(*this); }

  // What is queued is still delivered.
  void close_session() noexcept {
    if (!has_session()) return;
    endpoint_.port_.close(session_);
    detach();
  }

  void drop_session() noexcept {
    if (!has_session()) return;
    endpoint_.port_.terminate(session_);
    detach();
  }

  // The session has nothing more to tell.
  void detach() noexcept {
    endpoint_.by_session_.erase(session_.index);
    session_ = {};
  }

  Endpoint& endpoint_;
  SessionId session_;
  Address remote_;
  std::size_t max_message_;
  Service* service_ = nullptr;  // of a client
  std::vector<std::byte> hello_;
  std::vector<std::string> subprotocols_;  // offered
  bool is_client_ = false;
  bool was_asked_ = false;
  bool is_established_ = false;
};

Endpoint::Endpoint(const Config& config, SessionPort& port, Outbox& outbox, Service* service)
    : config_(config), port_(port), outbox_(outbox), service_(service) {}

Endpoint::~Endpoint() = default;

Endpoint::End* Endpoint::find(SessionId session) const noexcept {
  const auto found = by_session_.find(session.index);
  return found != by_session_.end() && found->second.generation == session.generation
             ? found->second.end
             : nullptr;
}

Endpoint::End& Endpoint::add(SessionId session, const Address& remote, time_point now) {
  End& end = *ends_.emplace_back(std::make_unique<End>(*this, session, remote));
  end.place = ends_.size() - 1;
  by_session_[session.index] = {session.generation, &end};
  deadlines_.push_back({now + config_.hello_timeout, session});
  return end;
}

void Endpoint::release(End& end) noexcept {
  const std::size_t place = end.place;
  released_.push_back(std::move(ends_[place]));
  if (place + 1 != ends_.size()) {
    ends_[place] = std::move(ends_.back());
    ends_[place]->place = place;
  }
  ends_.pop_back();
}

void Endpoint::handle(const Event& event, const Address& remote, time_point now) {
  released_.clear();
  End* end = find(event.session);
  if (event.kind == Event::Kind::opened) {
    if (end == nullptr) end = &add(event.session, remote, now);
    return end->session_opened();
  }
  if (end == nullptr) return;  // it has ended, and what was queued is still being delivered
  switch (event.kind) {
    case Event::Kind::opened:
      return;
    case Event::Kind::data:
      return end->receive(event, now);
    case Event::Kind::writable:
      return end->session_writable();
    case Event::Kind::closed:
      return end->session_closed(event.reason, event.by_peer);
  }
}

result<ConnectionId> Endpoint::connect(const Address& server, std::string_view protocol,
                                       const Hello& hello, Service& service, time_point now) {
  std::vector<std::byte> bytes = hello.encode();
  if (bytes.empty()) return errc::bad_value;
  const auto session = port_.connect(server, protocol);
  if (!session) return session.error();
  End& end = add(*session, server, now);
  end.ask(std::move(bytes), hello.subprotocols, service);
  return end.id();
}

void Endpoint::advance(time_point now) {
  released_.clear();
  while (!deadlines_.empty() && deadlines_.front().at <= now) {
    End* const end = find(deadlines_.front().session);
    deadlines_.pop_front();
    if (end != nullptr && !end->is_established()) end->expire();
  }
}

time_point Endpoint::next_deadline() const noexcept {
  return deadlines_.empty() ? no_deadline : deadlines_.front().at;
}

void Endpoint::close_all() {
  for (const auto& end : ends_) {
    if (end->is_established()) {
      end->close(CloseReason::draining, code_going_away);
    } else {
      end->fail(CloseReason::draining);
    }
  }
}

}  // namespace muster::soe
