// SPDX-License-Identifier: MIT
// One WebSocket connection's life, from the HTTP head to the last Close, without I/O.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>
#include <muster/websocket/endpoint.hpp>
#include <muster/websocket/frame_codec.hpp>
#include <muster/websocket/handshake.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace muster::websocket {

/// A connection that speaks RFC 6455 over bytes that somebody else moves, or, if its service
/// answers a plain request so, writes a stream of server-sent events.
///
/// A driver derives from it, implements `write` and `half_close`, calls `start` once, then
/// `receive` for what arrives, `receive_end` when the peer has ended its side, and `stalled` when
/// the transport is full. One that can leave its input unread implements `stop_reading` and
/// `start_reading`, and feeds a session nothing while `is_paused()`. It destroys the object in, or
/// after, `release`. If its sessions move between loops, it implements `reserve`, `carry` and
/// `give_up`, and feeds a session nothing while `is_moving()`.
/// @threads one loop per session
class MUSTER_API Session : public Connection {
 public:
  /// Begins to wait for a request. Bytes may follow at once.
  void start(time_point now);

  /// Begins to wait for a request that is answered with 429, whatever it asks for: the endpoint
  /// refused the connection.
  void start_refused(time_point now);

  /// Begins a client's session, whose transport is still being established. `service` hears
  /// `on_open`, or `on_close` if that fails.
  void prepare_client(Service& service, time_point now);

  /// The transport is there: sends the client's request.
  void start_client(const ClientHandshake& handshake, time_point now);

  /// The transport could not be established.
  void fail_to_connect(std::string_view text);

  /// Whether a client's transport is still wanted.
  [[nodiscard]] bool is_preparing() const noexcept { return !has_ended() && !is_closing(); }

  /// Bytes from the peer, in order; they are unmasked in place and not kept after the call. Calls
  /// the service.
  void receive(mutable_byte_view bytes, time_point now);

  /// Whether a PROXY header is to come before anything else.
  [[nodiscard]] bool awaits_proxy_header() const noexcept { return stage_ == Stage::proxy_header; }

  /// Takes it away from what the transport brings. `receive` does so by itself; for a driver with
  /// something in between (TLS).
  /// @return   what follows it; empty: nothing yet, or the session has ended
  mutable_byte_view take_proxy_header(mutable_byte_view bytes, time_point now);

  /// The peer sends nothing more.
  void receive_end(time_point now);

  /// Takes over what `carry` brought from a session on another loop, in place of `start`. Calls the
  /// service: `on_arrival`, and `on_message` for what is there already.
  /// @param refusal   other than `none`: there is no room, it is closed at once with 1013
  void arrive(Transit& transit, CloseReason refusal, time_point now);

  /// The transport broke.
  void broke() noexcept;

  /// What the bytes come wrapped in is not right (TLS): the connection could not be established, or
  /// ends with a protocol error.
  /// @param text   why, for a person
  void broke(std::string_view text) noexcept;

  /// The driver goes away.
  void abandon() noexcept;

  void limit_receive(std::size_t bytes) noexcept override;
  bool pause_reading() noexcept override;
  void resume_reading() noexcept override;
  [[nodiscard]] bool is_paused() const noexcept { return paused_; }
  [[nodiscard]] Address remote() const noexcept override { return {remote_ip_, remote_port_}; }
  [[nodiscard]] std::string_view subprotocol() const noexcept override;

 protected:
  Session(Endpoint& endpoint, Framing framing, const Address& remote = {}) noexcept;
  ~Session() override;

  [[nodiscard]] Endpoint& endpoint() const noexcept { return *endpoint_; }

  /// A client's transport is another one now.
  void set_remote(const Address& remote) noexcept {
    remote_ip_ = remote.ip;
    remote_port_ = remote.port;
  }

  /// For a driver's `write`, when the transport did not take all: from now on the peer has to take
  /// something, or is closed as too slow.
  void stalled() noexcept;

  /// How many bytes the peer has taken, as far as the driver knows. Only whether it has changed
  /// matters.
  [[nodiscard]] virtual std::uint64_t delivered() const noexcept { return written(); }

  /// Leaves what arrives unread from now on. False: it cannot.
  virtual bool stop_reading() noexcept { return false; }

  /// Reads what was left, and what arrives from now on; not from within this call.
  virtual void start_reading() noexcept {}

  /// Ends the sending side of the transport.
  virtual void half_close() noexcept = 0;

  /// Keeps a place on the other loop, for `carry` to take or `give_up` to give back.
  /// @return `moving`, or why not
  virtual MoveStatus reserve(std::size_t loop) noexcept;

  /// Takes the transport to `transit->loop`, for a session there to `arrive`. It is not touched
  /// here any more.
  /// @return false: that loop is gone. The session stays, with `transit` as it was, and is read
  /// again
  virtual bool carry(std::unique_ptr<Transit>& transit) noexcept;

  /// The session stays, and is read again.
  virtual void give_up(std::size_t loop) noexcept;

  std::size_t encode_close(std::byte* out, std::uint16_t code,
                           std::string_view text) noexcept override;
  std::uint32_t masking_key() noexcept override;
  void finish(const CloseInfo& info) noexcept override;
  void accept_upgrade(Service& service, std::string_view subprotocol) noexcept override;
  void respond(const Response& response) noexcept override;
  bool accept_stream(Service& service, std::span<const HeaderField> headers) noexcept override;
  void announced(time_point now) override;
  MoveStatus prepare_move(std::size_t loop, Service& service_there,
                          std::unique_ptr<Luggage> luggage) noexcept override;
  void depart(time_point now) override;
  void release() noexcept override;

  /// The session is over for good: take it apart.
  virtual void destroy() noexcept = 0;

 private:
  friend class Endpoint;

  // What a session waits for, where `Connection` does not say it.
  enum class Stage : std::uint8_t {
    proxy_header,
    refusal,   // the head of a request that is refused
    head,      // a request's or a response's head, and a request's body
    request,   // the service's answer to a plain request
    decision,  // the service's answer to an upgrade request
    first,     // the first message
    messages,
    stream,   // nothing: the peer has had its say
    closing,  // the peer's Close, or its end
  };

  void due(time_point now);
  void look_after_stream(time_point now);
  [[nodiscard]] bool look_after_writing(time_point now);
  [[nodiscard]] bool may_stall() const noexcept;
  [[nodiscard]] bool awaits_message() const noexcept {
    return stage_ == Stage::first || stage_ == Stage::messages;
  }
  void drain() noexcept;
  void ignore(std::size_t bytes, time_point now);
  void receive_head(mutable_byte_view bytes, time_point now);
  void keep_input(std::vector<std::byte> input, mutable_byte_view rest);
  bool is_too_early(std::size_t bytes);
  bool take_head(mutable_byte_view& bytes, time_point now);
  bool take_request(mutable_byte_view& bytes, time_point now);
  void take_source(const Address& source, time_point now);
  bool take_forwarded(const RequestHead& head, time_point now);
  void refuse() noexcept;
  bool take_response(mutable_byte_view& bytes);
  void decode(mutable_byte_view bytes, time_point now);
  void decode_kept(time_point now);
  void keep_message(const Message& message);
  void keep_for_transit(byte_view bytes);
  void cancel_transit() noexcept;
  void leave_endpoint() noexcept;
  void fault(CloseReason reason, std::uint16_t code, std::string_view text, time_point now);
  void fail() noexcept;
  void enter(Stage stage) noexcept;
  static constexpr std::uint32_t unknown_time = 0xffffffff;
  void stamp(time_point now) noexcept;
  [[nodiscard]] time_point since() const noexcept;
  [[nodiscard]] Liveness liveness() const noexcept;
  [[nodiscard]] time_point deadline(time_point now) const noexcept;
  [[nodiscard]] time_point stage_deadline(time_point now) const noexcept;
  [[nodiscard]] bool is_client() const noexcept { return framing() == Framing::client; }
  [[nodiscard]] bool is_stream() const noexcept { return framing() == Framing::none; }
  [[nodiscard]] duration stream_period() const noexcept;
  [[nodiscard]] bool has_begun_request() const noexcept;
  [[nodiscard]] bool awaits_request() const noexcept { return stage_ <= Stage::head; }
  [[nodiscard]] bool is_origin_welcome(const RequestHead& head) const noexcept;
  void send_control_frame(Opcode opcode, byte_view payload) noexcept;
  void ping(time_point now) noexcept;
  void take_pong(byte_view payload, time_point now) noexcept;
  Opening& opening();

  // In the order that leaves no gaps: an idle connection is made of this and of its base.
  Stage stage_ : 4 = Stage::head;
  bool pinged_ : 1 = false;        // since the last activity
  bool awaits_pong_ : 1 = false;   // of the last ping
  bool answered_ : 1 = false;      // the request was answered with a response
  bool head_only_ : 1 = false;     // the request was a HEAD
  bool peer_is_done_ : 1 = false;  // its Close or its end has come
  bool finished_ : 1 = false;      // everything was written, the close included
  bool failed_ : 1 = false;        // what the peer sends is of no interest any more
  bool paused_ : 1 = false;        // nothing is read

 protected:
  bool connecting_ : 1 = false;  // for the driver: a client's transport is being established
  bool listed_ : 1 = false;      // for the driver: on its list of those with unread input

 private:
  Endpoint* endpoint_;
  [[no_unique_address]] FrameDecoder decoder_;
  std::uint16_t remote_port_;
  std::uint32_t activity_ =
      0;  // the wheel's tick of the last bytes or of the stage's start, if known
  DeadlineNode deadline_;
  std::array<std::uint8_t, 16> remote_ip_;
};

}  // namespace muster::websocket
