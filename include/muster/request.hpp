// SPDX-License-Identifier: MIT
// What a peer asked for when it connected, and the answer.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/connection.hpp>
#include <muster/export.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace muster {

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

/// A request to upgrade, or a plain HTTP request. All views are valid during the call only.
struct MUSTER_API Request {
  std::string_view method = "GET";
  std::string_view path = "/";  ///< as sent, without the query; percent-encoded
  std::string_view query{};     ///< after the first '?', percent-encoded
  std::span<const HeaderField> headers{};
  std::span<const std::string_view> subprotocols{};  ///< offered, in the client's order
  byte_view body{};                                  ///< of a POST
  Address remote{};

  /// The value of the first header of that name, case-insensitively.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept;

  /// A query parameter's value, percent-decoded ('+' is a space); the first one wins.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
};

/// An HTTP answer.
struct Response {
  unsigned status = 200;  ///< 200 to 599
  std::string_view content_type = "text/plain; charset=utf-8";
  byte_view body{};
  std::span<const HeaderField> headers{};  ///< besides Content-Type, -Length and Connection
};

/// The right to answer one request, once. It may be kept and used later on the same loop, within
/// the transport's upgrade deadline; if the peer is gone by then, the answer is dropped. A decision
/// that is destroyed unanswered refuses with 503.
class MUSTER_API Decision {
 public:
  Decision(Outbox& outbox, ConnectionId id) noexcept : outbox_(&outbox), id_(id) {}
  Decision(Decision&& other) noexcept
      : outbox_(std::exchange(other.outbox_, nullptr)), id_(other.id_) {}
  Decision& operator=(Decision&& other) noexcept;
  ~Decision();

  /// Accepts an upgrade; `service.on_open` follows within the call or soon after, or `on_close` if
  /// the peer goes away first.
  /// @param subprotocol  one of those offered, or empty for none
  /// @param context      becomes the connection's `context()`
  /// @return             false: the peer is gone, or the request was answered before; the service
  ///                     hears nothing more of it
  bool accept(Service& service, std::string_view subprotocol = {}, void* context = nullptr);

  /// Answers a plain request with a stream of server-sent events, which `service` writes.
  ///
  /// The peer gets `200`, `Content-Type: text/event-stream` and `Cache-Control: no-cache`, and the
  /// response goes on until one side ends it. The service has a connection, as after `accept`:
  /// `on_open` follows within the call or soon after, or `on_close` if the peer goes away first.
  /// Each message is written as it is, whatever its kind, so it has to be one or more whole events
  /// ("id: 7\ndata: x\n\n"): the transport's own comment lines go in between. The peer says nothing
  /// more: there is no `on_message`. `close` ends the response; its code and text stay here. It
  /// may move to another loop.
  /// @param headers   besides Content-Type, Cache-Control, Content-Length and Connection
  /// @param context   becomes the connection's `context()`
  /// @return          false: the peer is gone, the request was answered before, or it was a HEAD,
  ///                  which gets the head alone; the service hears nothing of it
  /// @source          WHATWG HTML, section 9.2
  bool accept_stream(Service& service, std::span<const HeaderField> headers = {},
                     void* context = nullptr);

  /// Answers with a status and a body. An upgrade is thereby refused.
  void respond(const Response& response);

  [[nodiscard]] bool is_answered() const noexcept { return outbox_ == nullptr; }

 private:
  Outbox* outbox_;
  ConnectionId id_;
};

}  // namespace muster
