// SPDX-License-Identifier: MIT
// The opening handshake on WebSocket++'s hybi13 processor: the only file that includes WebSocket++.
//
// Of WebSocket++ this uses the part without I/O, with types of our own in place of its HTTP parser,
// message manager and random source. It may throw, so this file is compiled with exceptions even
// where the rest is not; none leaves it. Where the processor is laxer than RFC 6455 (it looks for
// "websocket" and "Upgrade" anywhere in a field and takes any key) the checks around it are ours.
#include <muster/websocket/handshake.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <tuple>

#include <websocketpp/base64/base64.hpp>
#include <websocketpp/extensions/permessage_deflate/disabled.hpp>
#include <websocketpp/message_buffer/alloc.hpp>
#include <websocketpp/message_buffer/message.hpp>
#include <websocketpp/processors/hybi13.hpp>

namespace muster::websocket {

namespace {

namespace wspp = websocketpp;

// What hybi13 wants to know of a request.
class RequestView {
 public:
  explicit RequestView(const RequestHead& head) : head_(&head) {}

  [[nodiscard]] bool ready() const { return true; }
  [[nodiscard]] std::string get_method() const { return std::string{head_->method}; }
  [[nodiscard]] std::string get_uri() const { return std::string{head_->target}; }
  [[nodiscard]] std::string get_version() const {
    return head_->minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1";
  }
  [[nodiscard]] std::string get_header(std::string_view name) const {
    return std::string{head_->headers.find(name).value_or("")};
  }
  // The parsing of extension offers, of which this library makes no use.
  static bool get_header_as_plist(std::string_view, wspp::http::parameter_list&) { return false; }

  // The client's side, which is written by hand below.
  static void set_method(std::string_view) {}
  static void set_uri(std::string_view) {}
  static void set_version(std::string_view) {}
  static void append_header(std::string_view, std::string_view) {}
  static void replace_header(std::string_view, std::string_view) {}

 private:
  const RequestHead* head_;
};

// What hybi13 writes into a response, or wants to know of one.
class ResponseView {
 public:
  ResponseView() = default;
  explicit ResponseView(const ResponseHead& head) : head_(&head) {}

  void replace_header(std::string_view name, const std::string& value) {
    if (name == "Sec-WebSocket-Accept") accept = value;
  }
  static void append_header(std::string_view, std::string_view) {}
  [[nodiscard]] wspp::http::status_code::value get_status_code() const {
    return static_cast<wspp::http::status_code::value>(head_->status);
  }
  [[nodiscard]] std::string get_header(std::string_view name) const {
    return std::string{head_->headers.find(name).value_or("")};
  }
  static bool get_header_as_plist(std::string_view, wspp::http::parameter_list&) { return false; }
  [[nodiscard]] static std::string raw() { return {}; }

  std::string accept;

 private:
  const ResponseHead* head_ = nullptr;
};

struct NoRandom {
  std::uint32_t operator()() { return 0; }
};

// hybi13 needs messages even where it is asked for none.
struct ProcessorConfig {
  using request_type = RequestView;
  using response_type = ResponseView;
  using message_type = wspp::message_buffer::message<wspp::message_buffer::alloc::con_msg_manager>;
  using con_msg_manager_type = wspp::message_buffer::alloc::con_msg_manager<message_type>;
  using rng_type = NoRandom;
  // NOLINTNEXTLINE(readability-identifier-naming): the name that WebSocket++ looks for
  struct permessage_deflate_config {
    using request_type = RequestView;
  };
  using permessage_deflate_type =
      wspp::extensions::permessage_deflate::disabled<permessage_deflate_config>;
  static const bool enable_extensions = false;
  static const std::size_t max_message_size = 0;
};

// Lives on the stack of each call; making one allocates nothing.
struct Processor {
  explicit Processor(bool is_server) : hybi13(false, is_server, nullptr, random) {}
  NoRandom random;
  wspp::processor::hybi13<ProcessorConfig> hybi13;
};

constexpr UpgradeCheck refuse(errc error, unsigned status) noexcept { return {error, status}; }

// 16 bytes in base64. Which bits the last character leaves unused does not matter: RFC 6455 itself
// prints a key (section 4.1) in which they are not zero.
bool is_key(std::string_view key) noexcept {
  constexpr auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  return key.size() == std::tuple_size_v<HandshakeKey> && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_base64);
}

// RFC 6455 section 4.1, point 10 wants a token. Clients that carry a credential in the name,
// because a browser lets them set nothing else, send it as it is, with a slash or an equals sign in
// it; what could end the field or the list is all that a server has to keep out.
bool is_subprotocol(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

// The subprotocols of one request, each named once.
bool read_subprotocols(const HeaderFields& headers, UpgradeOffer& out) noexcept {
  bool is_valid = true;
  headers.for_each_element("Sec-WebSocket-Protocol", [&](std::string_view name) {
    const auto before = out.subprotocols();
    is_valid = is_subprotocol(name) && before.size() < max_subprotocols &&
               std::find(before.begin(), before.end(), name) == before.end();
    if (is_valid) out.subprotocols_[out.subprotocol_count_++] = name;
    return is_valid;
  });
  return is_valid;
}

UpgradeCheck check_with_processor(const RequestHead& head, UpgradeOffer& out) {
  const RequestView request{head};
  const Processor processor{true};
  if (!wspp::processor::is_websocket_handshake(request) ||
      processor.hybi13.validate_handshake(request)) {
    return refuse(errc::bad_handshake, 400);
  }
  ResponseView response;
  if (processor.hybi13.process_handshake(request, {}, response) ||
      response.accept.size() != out.accept.size()) {
    return refuse(errc::bad_handshake, 400);
  }
  std::copy(response.accept.begin(), response.accept.end(), out.accept.begin());
  return {};
}

bool is_handshake_field(std::string_view name) noexcept {
  constexpr std::string_view reserved[] = {"Host",
                                           "Upgrade",
                                           "Connection",
                                           "Origin",
                                           "Content-Length",
                                           "Transfer-Encoding",
                                           "Sec-WebSocket-Key",
                                           "Sec-WebSocket-Version",
                                           "Sec-WebSocket-Protocol",
                                           "Sec-WebSocket-Extensions",
                                           "Sec-WebSocket-Accept"};
  return std::any_of(std::begin(reserved), std::end(reserved),
                     [name](std::string_view word) { return equals_ignoring_case(word, name); });
}

// Whether it can stand in a request line: visible ASCII, and no fragment.
bool is_target(std::string_view target) noexcept {
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
           return c > 0x20 && c < 0x7f && c != '#';
         });
}

bool is_valid(const ClientHandshake& handshake) noexcept {
  if (handshake.host.empty() ||
      handshake.host.find_first_of(" \t,/?#@") != std::string_view::npos ||
      !is_field_value(handshake.host) || !is_target(handshake.target) ||
      !is_field_value(handshake.origin) || handshake.subprotocols.size() > max_subprotocols) {
    return false;
  }
  for (auto name = handshake.subprotocols.begin(); name != handshake.subprotocols.end(); ++name) {
    if (!is_token(*name) || std::find(handshake.subprotocols.begin(), name, *name) != name) {
      return false;
    }
  }
  return std::all_of(handshake.headers.begin(), handshake.headers.end(),
                     [](const HeaderField& field) {
                       return is_token(field.name) && !is_handshake_field(field.name) &&
                              is_field_value(field.value);
                     });
}

// Whether the response answers a request with this key.
bool check_with_processor(const ResponseHead& head, const HandshakeKey& key) {
  RequestHead request;
  request.headers.add({"Sec-WebSocket-Key", {key.data(), key.size()}});
  ResponseView response{head};
  return !Processor{false}.hybi13.validate_server_handshake_response(RequestView{request},
                                                                     response);
}

}  // namespace

bool asks_for_websocket(const RequestHead& head) noexcept {
  return head.headers.has_token("Upgrade", "websocket");
}

UpgradeCheck check_upgrade(const RequestHead& head, UpgradeOffer& out) noexcept {
  out = {};
  const HeaderFields& headers = head.headers;
  if (head.method != "GET") return refuse(errc::not_websocket, 405);
  if (!asks_for_websocket(head)) return refuse(errc::not_websocket, 400);
  if (head.minor_version == 0) return refuse(errc::not_websocket, 426);  // it knows no upgrades
  if (!headers.find("Host") || !headers.has_token("Connection", "Upgrade")) {
    return refuse(errc::bad_handshake, 400);
  }
  const auto version = headers.find("Sec-WebSocket-Version");
  if (!version) return refuse(errc::bad_handshake, 400);
  if (*version != "13") return refuse(errc::unsupported_version, 426);
  // A body would be taken for frames.
  if (!is_key(headers.find("Sec-WebSocket-Key").value_or("")) ||
      head.content_length.value_or(0) != 0 || !read_subprotocols(headers, out)) {
    return refuse(errc::bad_handshake, 400);
  }
  try {
    return check_with_processor(head, out);
  } catch (...) {
    return refuse(errc::bad_handshake, 400);
  }
}

std::size_t write_upgrade_response(mutable_byte_view out, const AcceptValue& accept,
                                   std::string_view subprotocol) noexcept {
  const std::size_t size = upgrade_response_size(subprotocol);
  if (out.size() < size || (!subprotocol.empty() && !is_subprotocol(subprotocol))) return 0;
  std::byte* at = out.data();
  const auto put = [&at](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  put("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: ");
  put({accept.data(), accept.size()});
  if (!subprotocol.empty()) {
    put("\r\nSec-WebSocket-Protocol: ");
    put(subprotocol);
  }
  put("\r\n\r\n");
  return size;
}

HandshakeKey make_handshake_key(std::span<const std::byte, 16> random) noexcept {
  HandshakeKey key{};
  const std::string text =
      wspp::base64_encode(reinterpret_cast<const unsigned char*>(random.data()), random.size());
  std::copy_n(text.begin(), std::min(text.size(), key.size()), key.begin());
  return key;
}

result<std::string> make_upgrade_request(const ClientHandshake& handshake,
                                         const HandshakeKey& key) {
  if (!is_valid(handshake) || !is_key({key.data(), key.size()})) return errc::bad_value;
  std::string out;
  out.reserve(256);
  const auto field = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  out.append("GET ").append(handshake.target).append(" HTTP/1.1\r\n");
  field("Host", handshake.host);
  field("Upgrade", "websocket");
  field("Connection", "Upgrade");
  field("Sec-WebSocket-Key", {key.data(), key.size()});
  field("Sec-WebSocket-Version", "13");
  if (!handshake.origin.empty()) field("Origin", handshake.origin);
  if (!handshake.subprotocols.empty()) {
    std::string list;
    for (const std::string_view name : handshake.subprotocols) {
      if (!list.empty()) list += ", ";
      list += name;
    }
    field("Sec-WebSocket-Protocol", list);
  }
  for (const HeaderField& extra : handshake.headers) field(extra.name, extra.value);
  out += "\r\n";
  return out;
}

result<std::string_view> check_upgrade_response(
    const ResponseHead& head, const HandshakeKey& key,
    std::span<const std::string_view> offered) noexcept {
  if (head.status != 101) return errc::upgrade_refused;
  const HeaderFields& headers = head.headers;
  // No extension is offered, so none can be accepted.
  if (head.minor_version == 0 || !headers.has_token("Upgrade", "websocket") ||
      !headers.has_token("Connection", "Upgrade") ||
      !headers.find("Sec-WebSocket-Extensions").value_or("").empty()) {
    return errc::bad_handshake;
  }
  const auto chosen = headers.find("Sec-WebSocket-Protocol");
  if (chosen && std::find(offered.begin(), offered.end(), *chosen) == offered.end()) {
    return errc::bad_handshake;
  }
  try {
    if (!check_with_processor(head, key)) return errc::bad_handshake;
  } catch (...) {
    return errc::bad_handshake;
  }
  return chosen.value_or("");
}

}  // namespace muster::websocket
