// SPDX-License-Identifier: MIT
// The one idea of a connection that rooms, shards and lobbies share.
#pragma once

#include <muster/address.hpp>
#include <muster/close_reason.hpp>
#include <muster/export.hpp>
#include <muster/frame.hpp>
#include <muster/luggage.hpp>
#include <muster/message.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace muster {

class Group;
class Outbox;
class Service;
struct Backlog;
struct HeaderField;
struct Response;
struct QueueChange;
struct SendEntry;
struct SendQueue;

/// Names a connection for good: a new connection in the same place has another generation.
struct ConnectionId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  ///< 0: no connection
  friend bool operator==(const ConnectionId&, const ConnectionId&) = default;
};

/// What became of a send.
enum class SendStatus : std::uint8_t {
  queued,       ///< it leaves with the next flush
  over_budget,  ///< the connection's queue is full; nothing was queued
  closed,       ///< the connection is closing or closed; nothing was queued
};

/// What became of the wish to move to another loop.
enum class MoveStatus : std::uint8_t {
  moving,       ///< it leaves at the end of this pass
  full,         ///< too many are on their way to that loop; later there may be room
  stopped,      ///< that loop takes nobody in: it is going away, or gone
  not_movable,  ///< this transport does not move, or knows no such loop
  closed,       ///< the connection is not open, has not been announced, or is moving already
};

/// What a connection owes a message.
struct Delivery {
  enum class Class : std::uint8_t { reliable, latest, volatile_ };
  Class delivery = Class::reliable;
  std::uint32_t key = 0;  ///< for `latest`

  /// Delivered in order, or the connection ends.
  static const Delivery reliable;
  /// Dropped, and counted, if the peer is behind at the moment of the flush. Over SOE it may get
  /// lost.
  static const Delivery volatile_;
  /// While it waits, a newer message of the same key takes its place, at the end of the queue: it
  /// is never delivered before something that was sent before it.
  [[nodiscard]] static constexpr Delivery latest(std::uint32_t key) noexcept {
    return {Class::latest, key};
  }
};
inline constexpr Delivery Delivery::reliable{};
inline constexpr Delivery Delivery::volatile_{Class::volatile_, 0};

/// Whether a direct send waits for the flush window of the connection's group.
enum class Urgency : std::uint8_t { normal, urgent };

/// How much may wait for one connection. Bytes are counted as they go on the wire.
struct Budget {
  std::uint32_t bytes = 1024 * 1024;  ///< 4096 to 2^31; the reserve is part of it
  std::uint32_t frames = 16 * 1024;   ///< 8 to 65000; the reserve is part of it
  std::uint32_t reserve_bytes =
      1024;                          ///< kept back for last words and the close; at most bytes / 2
  std::uint32_t reserve_frames = 4;  ///< at most frames / 2
  friend bool operator==(const Budget&, const Budget&) = default;
};

/// Whether every field is in its range.
[[nodiscard]] MUSTER_API bool is_valid(const Budget& budget) noexcept;

/// What a transport turns messages into.
enum class Framing : std::uint8_t {
  server,    ///< RFC 6455 frames without a mask: a group's batch is sent as it lies
  client,    ///< RFC 6455 frames, each with a mask of its own
  messages,  ///< the transport takes one message at a time (memory, SOE)
  none,      ///< payloads one after the other, with nothing in between (an HTTP stream)
};

/// An ordered stream of messages to one peer.
///
/// A service gets a reference in its callbacks and may keep a pointer until `on_close` returned.
/// What outlives that keeps the `id()` and asks `Outbox::find`.
///
/// Nothing here calls upward: `send` and `close` queue, the outbox's flush writes, and what was
/// found out while writing reaches the service after the flush.
/// @threads one loop per connection; call only from that loop's thread
class MUSTER_API Connection {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Queues a copy of one message. Never blocks, never throws.
  SendStatus send(Message message, Delivery delivery = Delivery::reliable,
                  Urgency urgency = Urgency::normal) noexcept {
    return send(std::span{&message.bytes, 1}, message.kind, delivery, urgency);
  }

  /// Queues the parts, one after the other, as one message; saves the caller a copy when a header
  /// of its own goes in front of somebody else's payload.
  SendStatus send(std::span<const byte_view> parts, MessageKind kind,
                  Delivery delivery = Delivery::reliable,
                  Urgency urgency = Urgency::normal) noexcept;

  /// Queues a shared message, by reference if it is large.
  SendStatus send(const Frame& frame, Delivery delivery = Delivery::reliable,
                  Urgency urgency = Urgency::normal) noexcept;

  /// Ends the connection after everything queued so far. Later calls do nothing: the first reason
  /// stays.
  ///
  /// The service hears `on_close` when the transport is done with it, which takes up to the
  /// transport's close deadline.
  /// @param code        the protocol's own code, for a WebSocket 1000, 1001, 1002, 1003, 1007 to
  /// 1011,
  ///                    1013 or 3000 to 4999; 0: a close without a code
  /// @param text        at most 123 bytes of UTF-8; longer text is cut at a character
  /// @param last_words  one message in front of the close; may use the budget's reserve, and is
  ///                    dropped (but counted) if even that is full
  void close(CloseReason reason, std::uint16_t code = 1000, std::string_view text = {},
             Message last_words = {}) noexcept;

  /// Gives the connection to a service on another loop.
  ///
  /// It leaves with the next dispatch, after the flush: what is sent until then goes along in
  /// order, and so does what the peer does not take. It leaves its group at once. This service
  /// hears nothing more of it and its id is gone, unless it ends before it has left: a `close`, or
  /// a transport that breaks. Then it ends here, with `on_close`. Broadcasts that were lost are
  /// still reported here.
  ///
  /// There it is a new connection, with a new id and no context. `service_there` hears `on_arrival`
  /// in place of `on_open`, then, if this was called from within `on_message`, that message again,
  /// then what the peer sent behind it; or nothing but `on_close`, if there is no room for it.
  /// @param loop           as the transport numbers them
  /// @param service_there  used on that loop only
  /// @param luggage        for `on_arrival`; destroyed if the connection does not get there
  MoveStatus move_to(std::size_t loop, Service& service_there,
                     std::unique_ptr<Luggage> luggage = nullptr) noexcept;

  /// Whether it is about to leave for another loop.
  [[nodiscard]] bool is_moving() const noexcept { return moving_ && state_ == State::open; }

  /// Drops everything that waits, except the rest of a message that has begun to leave and, on a
  /// closing connection, its last words and its close.
  /// @return how many messages were dropped
  std::uint32_t discard_queue() noexcept;

  [[nodiscard]] ConnectionId id() const noexcept { return {index_, generation_}; }

  /// True until `close`, or until the transport ended.
  [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }

  /// Has the service told, once, when a flush leaves something waiting: `on_backlog`, and then
  /// `on_writable` when nothing waits any more. For a service that keeps what a slow peer misses in
  /// an order of its own.
  void watch_backlog() noexcept { watched_ = true; }

  /// Has the service told, once, when nothing waits: `on_writable`, after the next flush that
  /// leaves it so.
  void report_drained() noexcept;

  /// Bytes that wait: queued, and not yet taken by the transport. What waits in a group's batch is
  /// not part of it before its flush.
  [[nodiscard]] std::size_t backlog() const noexcept { return queued_bytes_; }

  /// Bytes taken by the transport since the start. With `backlog()`: progress of a slow peer.
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

  [[nodiscard]] virtual Address remote() const noexcept { return {}; }

  /// Of an outgoing connection, during `on_open`: which of the subprotocols that were offered the
  /// server chose. Empty: none.
  [[nodiscard]] virtual std::string_view subprotocol() const noexcept { return {}; }

  /// The largest message that the peer may send from now on, in bytes. A transport rounds up to a
  /// power of two, and never above its own configured limit. Starts as that limit.
  virtual void limit_receive(std::size_t) noexcept {}

  /// Reads nothing more from the peer until `resume_reading`, so that what it sends fills the
  /// buffers of the network, and then its own. The peer is not heard at all: no ping of it is
  /// answered, and whether it has gone is noticed by writes alone. So no deadline for its silence
  /// runs meanwhile; those for what is sent to it do. A message that the transport has read already
  /// may follow. A close ends the pause, and so does a move to another loop.
  /// @return false: it is not open, or this transport cannot
  virtual bool pause_reading() noexcept { return false; }

  /// Reads on. The deadlines for silence begin anew.
  virtual void resume_reading() noexcept {}

  /// A word for the service that owns the connection; the library never looks at it.
  template <class T>
  [[nodiscard]] T* context() const noexcept {
    return static_cast<T*>(context_);
  }
  void set_context(void* context) noexcept { context_ = context; }

  /// Replaces the budget, which starts as the outbox's default.
  /// @error errc::invalid_config as a false return: out of range, or more than 255 different
  /// budgets
  bool set_budget(const Budget& budget) noexcept;
  [[nodiscard]] const Budget& budget() const noexcept;

  [[nodiscard]] Group* group() const noexcept { return group_; }
  [[nodiscard]] Service* service() const noexcept { return service_; }
  [[nodiscard]] Outbox& outbox() const noexcept { return *outbox_; }

 protected:
  Connection(Outbox& outbox, Framing framing) noexcept;
  virtual ~Connection();

  // What a transport is asked to do, from within a flush. None of these may call a service.

  /// All but message framing: takes bytes, in order, and says how many. Fewer than all means that
  /// the transport is full and will call `writable()`. -1: broken; the transport calls `ended()`
  /// itself before it returns.
  virtual std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept;

  /// Whether the byte behind those that `write` took is on its way too (encrypted, say): its
  /// message then follows whole.
  [[nodiscard]] virtual bool holds_next() const noexcept { return false; }

  /// Message framing: takes one message, or says false: full, and will call `writable()`.
  virtual bool write_message(Message message, Delivery::Class delivery) noexcept;

  /// Server and client framing: writes the close message, at most 139 bytes.
  virtual std::size_t encode_close(std::byte* out, std::uint16_t code,
                                   std::string_view text) noexcept;

  /// Client framing: a mask for one frame, unpredictable to the application (RFC 6455 section 5.3).
  virtual std::uint32_t masking_key() noexcept { return 0; }

  /// Everything is written, the close included: the transport may end, within its close deadline.
  virtual void finish(const CloseInfo& info) noexcept = 0;

  /// The service has heard `on_close`: the object may be destroyed, now or later.
  virtual void release() noexcept = 0;

  /// `on_open` was called after a flush: what the transport held back may be handed out.
  virtual void announced(time_point) {}

  /// Answers to an upgrade request or a plain request, at most one in all (see `Decision`).
  virtual void accept_upgrade(Service& service, std::string_view subprotocol) noexcept;
  virtual void respond(const Response& response) noexcept;

  /// Answers a plain request with a stream, for `service` to write.
  /// @return   false: with something else; the service is not told
  virtual bool accept_stream(Service& service, std::span<const HeaderField> headers) noexcept;

  // Moving. A transport that can be moved keeps a place on the other loop in `prepare_move`, and in
  // `depart` either takes everything there and calls `departed()`, or stays.

  /// @return `moving`, or why not
  virtual MoveStatus prepare_move(std::size_t loop, Service& service_there,
                                  std::unique_ptr<Luggage> luggage) noexcept;

  /// The flush is over. A connection that is not open any more stays.
  virtual void depart(time_point now);

  /// Takes away what is queued.
  [[nodiscard]] Backlog take_backlog() noexcept;

  /// Queues it again, here or on the new connection.
  void give_backlog(const Backlog& backlog) noexcept;

  /// It has left: its service hears nothing more, ids do not find it. The transport may destroy it,
  /// now or later.
  void departed() noexcept;

  /// A new connection that was open on another loop: it may send, and `on_open` is not called.
  void arrived(Service& service) noexcept;

  // What a transport reports.

  /// Names the service that hears `on_close` if the connection never opens (an outgoing one).
  void answer_to(Service& service) noexcept { service_ = &service; }

  /// The handshake decided on another framing. Nothing but raw bytes has been queued.
  void use(Framing framing) noexcept { framing_ = framing; }

  /// The handshake is over: the connection may send. `on_open` follows with `announce`, or after
  /// the next flush.
  void opened(Service& service) noexcept;

  /// Calls `on_open` if that has not happened. Not from within a call that a service made.
  void announce(time_point now);

  /// The transport takes bytes again.
  void writable() noexcept;

  /// The transport ended. `on_close` follows after the next flush; what waited is dropped. The
  /// reason of an earlier `close` stays.
  void ended(CloseReason reason, bool by_peer, std::uint16_t code = 0,
             std::string_view text = {}) noexcept;

  /// Queues bytes that are encoded already and belong to the transport (a Pong), within the
  /// reserve. The newest takes the place of one that waits.
  bool send_control(byte_view encoded) noexcept;

  /// Queues bytes of the transport's own handshake, in any state and without regard to the budget.
  void send_raw(byte_view bytes) noexcept;

  /// The peer closed first: like `close`, but `on_close` gets the peer's code and text.
  void closed_by_peer(std::uint16_t code, std::string_view text) noexcept;

  [[nodiscard]] Framing framing() const noexcept { return framing_; }
  [[nodiscard]] bool is_announced() const noexcept { return announced_; }
  [[nodiscard]] bool is_closing() const noexcept { return state_ == State::closing; }
  [[nodiscard]] bool has_ended() const noexcept { return state_ == State::ended; }
  [[nodiscard]] bool is_blocked() const noexcept { return blocked_; }
  [[nodiscard]] CloseReason close_reason() const noexcept { return reason_; }

 private:
  friend class Outbox;
  friend class Group;
  friend class Decision;

  enum class State : std::uint8_t { opening, open, closing, ended };

  SendQueue& queue();
  void release_queue() noexcept;
  [[nodiscard]] bool has_room(std::size_t bytes, std::size_t frames, bool reserve) const noexcept;
  [[nodiscard]] bool has_room_for(std::size_t bytes, Delivery delivery) const noexcept;
  [[nodiscard]] std::size_t encoded_size(std::size_t payload_size) const noexcept;
  void remember_close(std::uint16_t code, std::string_view text);
  [[nodiscard]] CloseInfo close_info() const noexcept;
  void start_close(std::uint16_t code, std::string_view text, Message last_words);
  void append(std::span<const byte_view> parts, std::size_t size, MessageKind kind,
              Delivery delivery, std::uint8_t flags);
  [[nodiscard]] SendEntry arena_entry(const std::byte* begin, std::size_t size) const;
  void push(SendEntry&& entry);
  void push_control(byte_view encoded, std::uint8_t flags);
  std::uint32_t gone(const QueueChange& change) noexcept;
  void report_backlog() noexcept;
  SendStatus refuse() noexcept;
  void overrun(std::uint32_t lost) noexcept;
  void drop_replaced(std::uint32_t key) noexcept;
  void drop_volatile() noexcept;
  void took(std::size_t bytes) noexcept;
  bool flush() noexcept;

  Outbox* outbox_;
  Service* service_ = nullptr;
  void* context_ = nullptr;
  Group* group_ = nullptr;
  SendQueue* queue_ = nullptr;  // only while something waits
  std::uint64_t written_ = 0;
  std::uint32_t index_ = 0;
  std::uint32_t generation_ = 0;
  std::uint32_t member_index_ = 0;
  std::uint32_t queued_bytes_ = 0;
  std::uint16_t queued_frames_ = 0;
  CloseReason reason_ = CloseReason::none;
  std::uint8_t budget_ = 0;  // index into the outbox's budgets
  State state_ : 2 = State::opening;
  Framing framing_ : 2;
  bool closed_by_peer_ : 1 = false;
  bool dirty_ : 1 = false;           // in the outbox's list
  bool urgent_ : 1 = false;          // flushed without regard to its group's window
  bool blocked_ : 1 = false;         // the transport is full; wait for writable()
  bool overrun_ : 1 = false;         // in the outbox's list of overruns
  bool wants_writable_ : 1 = false;  // something was refused: say when there is room
  bool finished_ : 1 = false;        // finish() was called
  bool writable_ : 1 = false;        // in the outbox's list of those with room again
  bool told_ : 1 = false;            // the service has heard on_close: ids do not find it any more
  bool moving_ : 1 = false;          // in the outbox's list of those that leave for another loop
  bool announced_ : 1 = false;       // on_open was called
  bool watched_ : 1 = false;         // wants_writable_ says which end of a backlog is awaited
};

}  // namespace muster
