// SPDX-License-Identifier: MIT
// WebSocket sessions on pipes in memory: virtual time, and peers that write their bytes by hand.
#pragma once

#include <muster/entropy.hpp>
#include <muster/outbox.hpp>
#include <muster/service.hpp>
#include <muster/websocket/endpoint.hpp>
#include <muster/websocket/session.hpp>
#include <muster/websocket/transit.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// RFC 6455 section 1.3's request and the answer to it.
inline constexpr std::string_view upgrade_request =
    "GET /ws?room=7 HTTP/1.1\r\nHost: game.example\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";
inline constexpr std::string_view upgrade_response =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A request like that one, with more header fields.
inline std::string upgrade_with(std::string_view fields) {
  return std::string{upgrade_request.substr(0, upgrade_request.size() - 2)} + std::string{fields} +
         "\r\n";
}

/// The outgoing half of a session's transport. Outlives the session.
struct Pipe {
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  std::string written;           ///< what the session wrote and nobody has taken
  std::size_t room = unlimited;  ///< bytes that it still takes
  bool is_broken = false;        ///< the next write fails
  bool half_closed = false;
  bool destroyed = false;

  std::string take() { return std::exchange(written, {}); }
  [[nodiscard]] bool is_over() const { return half_closed || destroyed; }
};

/// What takes sessions from one world to another.
class PipeCarrier {
 public:
  virtual muster::MoveStatus reserve(std::size_t loop) = 0;
  virtual bool carry(std::shared_ptr<Pipe>& pipe,
                     std::unique_ptr<muster::websocket::Transit>& transit) = 0;
  virtual void give_up(std::size_t loop) = 0;

 protected:
  ~PipeCarrier() = default;
};

/// A session that writes into a pipe, and frees itself when it is over.
class PipeSession final : public muster::websocket::Session {
 public:
  PipeSession(muster::websocket::Endpoint& endpoint, muster::Framing framing,
              std::shared_ptr<Pipe> pipe, const muster::Address& remote)
      : Session(endpoint, framing, remote), pipe_(std::move(pipe)) {}

  /// One read: the bytes lie in a block of exactly their size, which is gone after the call.
  void feed(std::string_view piece, muster::time_point now) {
    std::vector<std::byte> bytes(piece.size());
    std::transform(piece.begin(), piece.end(), bytes.begin(),
                   [](char c) { return static_cast<std::byte>(c); });
    receive(bytes, now);
  }

  void give_room(std::size_t bytes) {
    pipe_->room = bytes;
    if (bytes != 0) writable();
  }

  [[nodiscard]] bool has_ended_now() const { return has_ended(); }

  PipeCarrier* carrier = nullptr;
  bool can_pause = true;
  bool is_read = true;  ///< whether the driver would

 private:
  muster::MoveStatus reserve(std::size_t loop) noexcept override {
    return carrier != nullptr ? carrier->reserve(loop) : Session::reserve(loop);
  }
  bool carry(std::unique_ptr<muster::websocket::Transit>& transit) noexcept override {
    return carrier->carry(pipe_, transit);
  }
  void give_up(std::size_t loop) noexcept override { carrier->give_up(loop); }

  std::ptrdiff_t write(std::span<const muster::byte_view> pieces) noexcept override {
    if (pipe_->is_broken) {
      broke();
      return -1;
    }
    std::ptrdiff_t taken = 0;
    for (const muster::byte_view piece : pieces) {
      const std::string_view part =
          muster::as_text(piece).substr(0, std::min(piece.size(), pipe_->room));
      if (pipe_->room != Pipe::unlimited) pipe_->room -= part.size();
      pipe_->written += part;
      taken += static_cast<std::ptrdiff_t>(part.size());
      if (part.size() < piece.size()) {
        stalled();
        break;
      }
    }
    return taken;
  }
  void half_close() noexcept override { pipe_->half_closed = true; }
  bool stop_reading() noexcept override {
    if (can_pause) is_read = false;
    return can_pause;
  }
  void start_reading() noexcept override { is_read = true; }
  void destroy() noexcept override {
    if (pipe_ != nullptr) pipe_->destroyed = true;  // or another session has it now
    delete this;
  }

  std::shared_ptr<Pipe> pipe_;
};

/// One end, seen from outside: valid after the session is gone.
struct End {
  std::shared_ptr<Pipe> pipe = std::make_shared<Pipe>();
  PipeSession* session = nullptr;
  muster::ConnectionId id{};

  [[nodiscard]] bool is_gone() const { return pipe->destroyed; }
  /// Whether the driver would still read and write.
  [[nodiscard]] bool is_alive() const { return !pipe->destroyed && !session->has_ended_now(); }
};

/// Notes what it hears, and does what a test tells it to.
class NotingService final : public muster::Service {
 public:
  using Connection = muster::Connection;
  using time_point = muster::time_point;

  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  time_point now) override {
    ++upgrades;
    if (when_upgrade) {
      when_upgrade(request, decision);
      if (!decision.is_answered()) kept.push_back(std::move(decision));
    } else {
      decision.accept(*this);
    }
    last = now;
  }
  void on_request(const muster::Request& request, muster::Decision decision,
                  time_point now) override {
    ++requests;
    body = std::string{muster::as_text(request.body)};
    if (when_request) {
      when_request(request, decision);
      if (!decision.is_answered()) kept.push_back(std::move(decision));
    } else {
      decision.respond({.body = request.body});
    }
    last = now;
  }
  void on_open(Connection& connection, time_point now) override {
    note("open");
    ++told[key(connection)].opens;
    if (when_open) when_open(connection);
    last = now;
  }
  void on_arrival(Connection& connection, std::unique_ptr<muster::Luggage> luggage,
                  time_point now) override {
    note("arrival");
    ++told[key(connection)].opens;
    if (when_arrival) when_arrival(connection, std::move(luggage));
    last = now;
  }
  void on_message(Connection& connection, const muster::Message& message, time_point now) override {
    const bool is_text = message.kind == muster::MessageKind::text;
    note((is_text ? "text " : "binary ") + std::string{muster::as_text(message.bytes)});
    if (told[key(connection)].opens != 1 || told[key(connection)].closes != 0) ++out_of_turn;
    if (when_message) when_message(connection, message);
    last = now;
  }
  void on_fault(Connection& connection, const muster::CloseInfo& info, time_point now) override {
    note("fault " + describe(info));
    if (when_fault) when_fault(connection);
    last = now;
  }
  void on_close(Connection& connection, const muster::CloseInfo& info, time_point now) override {
    note("close " + describe(info));
    ++told[key(connection)].closes;
    if (when_close) when_close(connection);
    last = now;
  }

  /// What was heard since the last call.
  std::vector<std::string> take() { return std::exchange(notes, {}); }

  struct Told {
    int opens = 0;
    int closes = 0;
  };

  std::function<void(const muster::Request&, muster::Decision&)> when_upgrade;
  std::function<void(const muster::Request&, muster::Decision&)> when_request;
  std::function<void(Connection&)> when_open;
  std::function<void(Connection&, std::unique_ptr<muster::Luggage>)> when_arrival;
  std::function<void(Connection&, const muster::Message&)> when_message;
  std::function<void(Connection&)> when_fault;
  std::function<void(Connection&)> when_close;
  std::vector<muster::Decision> kept;  ///< those that the test did not answer at once
  std::vector<std::string> notes;
  std::map<std::uint64_t, Told> told;
  std::string body;  ///< of the last plain request
  time_point last{};
  int upgrades = 0;
  int requests = 0;
  int out_of_turn = 0;  ///< messages before on_open or after on_close
  bool is_silent = false;

 private:
  static std::uint64_t key(const Connection& connection) {
    return std::uint64_t{connection.id().index} << 32U | connection.id().generation;
  }
  void note(std::string what) {
    if (!is_silent) notes.push_back(std::move(what));
  }
  // "timed_out by peer 1008 no message in time"
  static std::string describe(const muster::CloseInfo& info) {
    std::string out{muster::to_string(info.reason)};
    if (info.by_peer) out += " by peer";
    out += ' ' + std::to_string(info.code);
    if (!info.text.empty()) out += ' ' + std::string{info.text};
    return out;
  }
};

/// An outbox, a server's and a client's endpoint, a service for each, and a clock that stands
/// still.
struct SessionWorld {
  explicit SessionWorld(const muster::websocket::Config& config = {},
                        const muster::Outbox::Config& outbox_config = {})
      : outbox(outbox_config),
        endpoint(config, outbox, entropy, &service, now),
        client_endpoint(config, outbox, entropy, nullptr, now) {}
  ~SessionWorld() {
    endpoint.abandon_all();
    client_endpoint.abandon_all();
    outbox.run(now);
    service.kept.clear();
  }

  /// A server's session; the peer's bytes come from the test.
  End accept(const muster::Address& remote = {}) {
    End end = make(endpoint, muster::Framing::server, remote);
    end.session->start(now);
    return end;
  }

  /// Whether one more from there is let in.
  bool admits(const muster::Address& remote) {
    return endpoint.admit(remote, now) == muster::websocket::Admission::admitted;
  }

  /// A server's session for a connection that is refused.
  End refuse(const muster::Address& remote = {}) {
    End end = make(endpoint, muster::Framing::server, remote);
    end.session->start_refused(now);
    return end;
  }

  /// A server's session with its handshake done.
  End open() {
    End end = accept();
    feed(end, upgrade_request);
    end.pipe->take();
    service.take();
    return end;
  }

  /// A session that comes from another world.
  End arrive(std::shared_ptr<Pipe> pipe, muster::websocket::Transit& transit, PipeCarrier* carrier,
             bool is_welcome = true) {
    is_welcome = endpoint.admit_arrival(transit.remote) && is_welcome;
    End end;
    end.pipe = std::move(pipe);
    end.session = new PipeSession{endpoint, muster::Framing::server, end.pipe, transit.remote};
    end.id = end.session->id();
    end.session->carrier = carrier;
    end.session->arrive(transit,
                        is_welcome ? muster::CloseReason::none : muster::CloseReason::refused, now);
    run();
    return end;
  }

  /// A client's session; its request is written.
  End dial(const muster::websocket::ClientHandshake& handshake = {.host = "game.example"}) {
    End end = make(client_endpoint, muster::Framing::client, {});
    end.session->prepare_client(client_service, now);
    end.session->start_client(handshake, now);
    run();
    return end;
  }

  /// A read, and the end of its pass.
  void feed(End& end, std::string_view bytes) {
    if (end.is_alive()) end.session->feed(bytes, now);
    run();
  }

  /// The same in pieces, each in a pass of its own.
  void feed(End& end, std::string_view bytes, const std::vector<std::size_t>& cuts) {
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
      feed(end, bytes.substr(from, cut - from));
      from = cut;
    }
    feed(end, bytes.substr(from));
  }

  /// The peer's FIN.
  void finish(End& end) {
    if (end.is_alive()) end.session->receive_end(now);
    run();
  }

  void run() { outbox.run(now); }

  /// Lets time pass, with a pass at each deadline.
  void wait(muster::duration length) {
    const muster::time_point until = now + length;
    for (;;) {
      const muster::time_point next =
          std::min(endpoint.next_deadline(), client_endpoint.next_deadline());
      if (next > until) break;
      now = std::max(now, next);
      endpoint.advance(now);
      client_endpoint.advance(now);
      run();
    }
    now = until;
  }

  /// Lets time pass in which nobody asks the endpoints what is due.
  void sleep(muster::duration length) { now += length; }

  muster::time_point now{std::chrono::hours{1} + std::chrono::microseconds{7777}};
  muster::Outbox outbox;
  muster::SeededEntropy entropy{1};
  NotingService service;
  NotingService client_service;
  muster::websocket::Endpoint endpoint;
  muster::websocket::Endpoint client_endpoint;

 private:
  static End make(muster::websocket::Endpoint& endpoint, muster::Framing framing,
                  const muster::Address& remote) {
    End end;
    end.session = new PipeSession{endpoint, framing, end.pipe, remote};
    end.id = end.session->id();
    return end;
  }
};

/// A server's and a client's session, joined by pipes that cut where a seed says.
class SessionPair {
 public:
  SessionPair(SessionWorld& world, std::uint64_t seed, std::size_t longest = 64)
      : world_(world), random_(seed), longest_(longest) {
    server = world.accept();
    client = world.dial();
  }

  /// Moves one piece in one direction, or the end of it. False: nothing is left to move.
  bool step() {
    const bool up = random_() % 2 == 0;
    return move(up ? client : server, up ? server : client,
                up ? server_saw_end_ : client_saw_end_) ||
           move(up ? server : client, up ? client : server, up ? client_saw_end_ : server_saw_end_);
  }

  void run_until_quiet() {
    do {
      while (step()) {
      }
      world_.run();
    } while (step());
  }

  End server;
  End client;

 private:
  bool move(End& from, End& to, bool& saw_end) {
    std::string& bytes = from.pipe->written;
    if (!to.is_alive()) {
      bytes.clear();
      return false;
    }
    if (bytes.empty()) {
      if (!from.pipe->is_over() || saw_end) return false;
      saw_end = true;
      world_.finish(to);
      return true;
    }
    const std::size_t size = std::min<std::size_t>(1 + random_() % longest_, bytes.size());
    const std::string piece = bytes.substr(0, size);
    bytes.erase(0, size);
    if (random_() % 3 == 0) {
      to.session->feed(piece, world_.now);  // more may come in the same pass
    } else {
      world_.feed(to, piece);
    }
    return true;
  }

  SessionWorld& world_;
  std::mt19937_64 random_;
  std::size_t longest_;
  bool server_saw_end_ = false;
  bool client_saw_end_ = false;
};

}  // namespace test
