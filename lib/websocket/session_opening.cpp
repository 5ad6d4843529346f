// SPDX-License-Identifier: MIT
// The opening handshake of a session, both roles, and plain HTTP requests.
#include <muster/websocket/session.hpp>

#include <muster/websocket/handshake.hpp>
#include <muster/websocket/http_head.hpp>

#include "opening.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

namespace muster::websocket {

namespace {

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

bool is_method(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "POST";
}

// Fields that every response writes itself, or that would change where it ends.
bool is_framing_field(std::string_view name) noexcept {
  return equals_ignoring_case(name, "Content-Type") ||
         equals_ignoring_case(name, "Content-Length") ||
         equals_ignoring_case(name, "Transfer-Encoding") ||
         equals_ignoring_case(name, "Connection");
}

// A service's own fields, but for those that no response may hold.
void append_field(std::string& text, const HeaderField& field) {
  if (!is_token(field.name) || !is_field_value(field.value) || is_framing_field(field.name)) return;
  text += "\r\n";
  text += field.name;
  text += ": ";
  text += field.value;
}

}  // namespace

Opening& Session::opening() {
  auto& slot = endpoint_->openings_[id().index];
  if (slot == nullptr) slot = std::make_unique<Opening>();
  return *slot;
}

// Gathers an unfinished head; what follows it is decoded once the connection is open.
void Session::receive_head(mutable_byte_view bytes, time_point now) {
  if (is_closing()) return;              // answered: what still comes is not looked at
  if (stage_ == Stage::request) return;  // no second request is read
  const auto kept = endpoint_->openings_.find(id().index);
  const bool gathered = kept != endpoint_->openings_.end() &&
                        (stage_ == Stage::decision || !kept->second->input.empty());
  if (gathered) {
    // A head is refused, and a body handled, as soon as it is as large as it may be; only what
    // follows an upgrade request needs a bound of its own.
    Opening& opening = *kept->second;
    if (stage_ == Stage::decision && is_too_early(opening.input.size() + bytes.size())) return;
    opening.input.insert(opening.input.end(), bytes.begin(), bytes.end());
    if (stage_ == Stage::decision || opening.input.size() < opening.needed) return;
    // The input is moved out, since the service may end the session in between.
    std::vector<std::byte> input = std::move(opening.input);
    opening.input.clear();
    mutable_byte_view rest{input};
    if (take_head(rest, now)) {
      endpoint_->openings_.erase(id().index);
      decode(rest, now);
    } else if (!has_ended() && !is_closing()) {
      keep_input(std::move(input), rest);
    }
    return;
  }
  mutable_byte_view rest = bytes;
  if (take_head(rest, now)) {
    endpoint_->openings_.erase(id().index);
    decode(rest, now);
  } else if (!has_ended() && !is_closing()) {
    keep_input({rest.begin(), rest.end()}, rest);
  }
}

// `rest` is what is left of `input` to keep: all of an unfinished head, or what followed a request
// that is still to be decided.
void Session::keep_input(std::vector<std::byte> input, mutable_byte_view rest) {
  if (stage_ == Stage::request || stage_ == Stage::stream) return;
  if (stage_ == Stage::decision && is_too_early(rest.size())) return;
  Opening& kept = opening();
  if (rest.size() == input.size()) {
    kept.input = std::move(input);
  } else {
    kept.input.assign(rest.begin(), rest.end());
  }
}

// A client has to wait for the answer: what it sends before that is kept, but not without a bound.
bool Session::is_too_early(std::size_t bytes) {
  if (bytes <= endpoint_->config_.max_head + endpoint_->config_.max_body) return false;
  ++endpoint_->stats_.bad_requests;
  respond({.status = 413, .body = as_bytes("too much before the answer\n")});
  return true;
}

bool Session::has_begun_request() const noexcept {
  return !is_client() && !awaits_proxy_header() && endpoint_->openings_.contains(id().index);
}

// The service accepted later than it was asked; what the peer sent meanwhile follows.
void Session::announced(time_point now) {
  const Endpoint::Call call{*endpoint_, now};
  if (activity_ == unknown_time) enter(stage_);
  decode_kept(now);
}

void Session::decode_kept(time_point now) {
  const auto kept = endpoint_->openings_.find(id().index);
  if (kept == endpoint_->openings_.end()) return;
  std::vector<std::byte> input = std::move(kept->second->input);
  endpoint_->openings_.erase(kept);
  decode(input, now);
}

// Handles a whole head at the front of `bytes`, and takes it away. True: the connection is open,
// and what is left are frames.
bool Session::take_head(mutable_byte_view& bytes, time_point now) {
  return is_client() ? take_response(bytes) : take_request(bytes, now);
}

// Server.

bool Session::is_origin_welcome(const RequestHead& head) const noexcept {
  const auto& origins = endpoint_->config_.origins;
  if (origins.empty()) return true;
  const auto origin = head.headers.find("Origin");
  return !origin || std::find(origins.begin(), origins.end(), *origin) != origins.end();
}

void Session::refuse() noexcept {
  static constexpr std::array<HeaderField, 1> retry_after{{{"Retry-After", "5"}}};
  respond({.status = 429,
           .content_type = endpoint_->config_.refusal_type,
           .body = as_bytes(endpoint_->config_.refusal_body),
           .headers = retry_after});
}

bool Session::take_request(mutable_byte_view& bytes, time_point now) {
  const auto kept = endpoint_->openings_.find(id().index);
  std::size_t from_start = 0;
  std::size_t& scanned = kept == endpoint_->openings_.end() ? from_start : kept->second->scanned;
  RequestHead head;
  const Config& config = endpoint_->config_;
  const HeadResult parsed =
      parse_request_head(bytes, scanned, head, config.max_head, config.max_header_fields);
  Stats& stats = endpoint_->stats_;
  if (parsed.state == HeadResult::State::incomplete) {
    if (&scanned == &from_start) opening().scanned = from_start;
    return false;
  }
  if (parsed.state == HeadResult::State::malformed) {
    ++stats.bad_requests;
    respond({.status = parsed.status, .body = as_bytes(to_string(parsed.error))});
    return false;
  }
  head_only_ = head.method == "HEAD";
  if (stage_ == Stage::refusal) {
    refuse();
    return false;
  }
  const auto body_size = static_cast<std::size_t>(head.content_length.value_or(0));
  if (head.content_length.value_or(0) > config.max_body) {
    ++stats.bad_requests;
    respond({.status = 413, .body = as_bytes("the body is too large\n")});
    return false;
  }
  if (bytes.size() - parsed.size < body_size) {
    Opening& waiting = opening();
    waiting.needed = parsed.size + body_size;
    waiting.scanned = 0;
    return false;
  }
  if (!take_forwarded(head, now)) {
    refuse();
    return false;
  }
  const byte_view body = bytes.subspan(parsed.size, body_size);
  bytes = bytes.subspan(parsed.size + body_size);

  Request request{.method = head.method,
                  .path = head.path,
                  .query = head.query,
                  .headers = head.headers.all(),
                  .body = body,
                  .remote = remote()};
  Decision decision{outbox(), id()};
  if (!asks_for_websocket(head)) {
    ++stats.requests;
    stage_ = Stage::request;
    if (!is_method(head.method)) {
      static constexpr std::array<HeaderField, 1> allow{{{"Allow", "GET, HEAD, POST"}}};
      decision.respond(
          {.status = 405, .body = as_bytes("only GET, HEAD and POST\n"), .headers = allow});
    } else {
      endpoint_->service_->on_request(request, std::move(decision), now);
      if (is_open()) announce(now);  // it is a stream
    }
    return false;
  }
  UpgradeOffer offer;
  const UpgradeCheck check = check_upgrade(head, offer);
  if (!check) {
    ++stats.bad_requests;
    static constexpr std::array<HeaderField, 1> version{{{"Sec-WebSocket-Version", "13"}}};
    static constexpr std::array<HeaderField, 1> allow{{{"Allow", "GET"}}};
    Response response{.status = check.status, .body = as_bytes(to_string(check.error))};
    if (check.status == 426) response.headers = version;
    if (check.status == 405) response.headers = allow;
    decision.respond(response);
    return false;
  }
  if (!is_origin_welcome(head)) {
    ++stats.origins_refused;
    decision.respond({.status = 403, .body = as_bytes(to_string(errc::origin_refused))});
    return false;
  }
  request.subprotocols = offer.subprotocols();
  // An answer within the call finds the accept value here; a later one, in the opening.
  stage_ = Stage::decision;
  endpoint_->deciding_ = id();
  endpoint_->deciding_accept_ = offer.accept;
  endpoint_->service_->on_upgrade(request, std::move(decision), now);
  endpoint_->deciding_ = {};
  if (is_open()) {
    announce(now);
    return !has_ended();
  }
  if (!has_ended() && !is_closing()) opening().accept = offer.accept;
  return false;
}

void Session::accept_upgrade(Service& service, std::string_view subprotocol) noexcept {
  const bool within = endpoint_->deciding_ == id();
  const AcceptValue& accept = within ? endpoint_->deciding_accept_ : opening().accept;
  std::array<std::byte, 256> buffer;
  std::vector<std::byte> larger;
  mutable_byte_view out{buffer};
  if (upgrade_response_size(subprotocol) > out.size()) {
    larger.resize(upgrade_response_size(subprotocol));
    out = larger;
  }
  const std::size_t size = write_upgrade_response(out, accept, subprotocol);
  if (size == 0) {
    respond({.status = 500, .body = as_bytes("no valid subprotocol\n")});
    return;
  }
  send_raw(out.first(size));
  ++endpoint_->stats_.upgrades;
  opened(service);
  enter(endpoint_->config_.first_message_timeout == duration{0} ? Stage::messages : Stage::first);
}

void Session::respond(const Response& response) noexcept {
  if (has_ended() || is_closing() || is_open()) return;
  answered_ = true;
  const bool is_status = response.status >= 200 && response.status <= 599;
  const unsigned status = is_status ? response.status : 500;
  if (stage_ != Stage::request) ++endpoint_->handshakes_refused_[status];
  const bool has_content = status != 204 && status != 304;  // RFC 9110 sections 15.3.5 and 15.4.5
  std::string text = "HTTP/1.1 " + std::to_string(status) + ' ';
  text += reason_phrase(status);
  if (has_content) {
    if (!response.content_type.empty() && is_field_value(response.content_type)) {
      text += "\r\nContent-Type: ";
      text += response.content_type;
    }
    text += "\r\nContent-Length: " + std::to_string(response.body.size());
  }
  for (const HeaderField& field : response.headers) append_field(text, field);
  text += "\r\nConnection: close\r\n\r\n";
  if (has_content && !head_only_) text += as_text(response.body);
  send_raw(as_bytes(text));
  enter(Stage::closing);
  close(CloseReason::refused, 0);
}

// The response has no length: it ends with the connection (RFC 9112 section 6.3).
bool Session::accept_stream(Service& service, std::span<const HeaderField> headers) noexcept {
  assert(stage_ == Stage::request && "a stream answers a plain request");
  if (stage_ != Stage::request) {
    respond({.status = 500, .body = as_bytes("no stream here\n")});
    return false;
  }
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache";
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, "Cache-Control")) append_field(text, field);
  }
  text += "\r\nConnection: close\r\n\r\n";
  if (head_only_) {
    answered_ = true;
    send_raw(as_bytes(text));
    enter(Stage::closing);
    close(CloseReason::refused, 0);
    return false;
  }
  ++endpoint_->stats_.streams;
  answer_to(service);
  if (peer_is_done_) {  // nobody is there to read it
    ended(CloseReason::connection_lost, true);
    return true;
  }
  endpoint_->openings_.erase(id().index);
  endpoint_->streams_.try_emplace(id().index);
  use(Framing::none);
  send_raw(as_bytes(text));
  opened(service);
  enter(Stage::stream);
  return true;
}

// Client.

void Session::prepare_client(Service& service, time_point now) {
  answer_to(service);
  start(now);
}

void Session::start_client(const ClientHandshake& handshake, time_point now) {
  if (!is_preparing()) return;
  const Endpoint::Call call{*endpoint_, now};
  Opening& kept = opening();
  std::array<std::byte, 16> random{};
  endpoint_->entropy_->fill(random);
  kept.key = make_handshake_key(random);
  kept.subprotocols.assign(handshake.subprotocols.begin(), handshake.subprotocols.end());
  const result<std::string> request = make_upgrade_request(handshake, kept.key);
  if (!request) {
    fail_to_connect("the request holds what a request must not");
    return;
  }
  send_raw(as_bytes(*request));
}

void Session::fail_to_connect(std::string_view text) {
  ended(CloseReason::connect_failed, true, 0, text);
}

bool Session::take_response(mutable_byte_view& bytes) {
  Opening& kept = opening();
  ResponseHead head;
  const Config& config = endpoint_->config_;
  const HeadResult parsed =
      parse_response_head(bytes, kept.scanned, head, config.max_head, config.max_header_fields);
  if (parsed.state == HeadResult::State::incomplete) return false;
  if (parsed.state == HeadResult::State::malformed) {
    ended(CloseReason::protocol_error, true, 0, to_string(parsed.error));
    return false;
  }
  const std::vector<std::string_view> offered(kept.subprotocols.begin(), kept.subprotocols.end());
  const result<std::string_view> chosen = check_upgrade_response(head, kept.key, offered);
  if (!chosen) {
    const bool refused = chosen.error() == errc::upgrade_refused;
    ended(refused ? CloseReason::refused : CloseReason::protocol_error, true,
          refused ? static_cast<std::uint16_t>(head.status) : std::uint16_t{0},
          refused ? head.reason : to_string(chosen.error()));
    return false;
  }
  endpoint_->chosen_ = *chosen;  // the head goes with the opening
  bytes = bytes.subspan(parsed.size);
  ++endpoint_->stats_.upgrades;
  opened(*service());
  enter(Stage::messages);
  endpoint_->announcing_ = this;
  announce(endpoint_->now_);
  endpoint_->announcing_ = nullptr;
  return !has_ended();
}

std::string_view Session::subprotocol() const noexcept {
  return endpoint_->announcing_ == this ? endpoint_->chosen_ : std::string_view{};
}

}  // namespace muster::websocket
