// SPDX-License-Identifier: MIT
// A WebSocket session on a TCP socket.
#pragma once

#include "loop_impl.hpp"

#include <muster/websocket/session.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace muster::asio {

class Parcel;

/// What a driver keeps with an endpoint, for the endpoint's sockets.
struct EndpointOwner {
  Loop::Impl* loop = nullptr;
  Connector* connector = nullptr;  // a client's
  Carrier* carrier = nullptr;      // a server's
};

/// Reads and writes a non-blocking socket for a session. Made by `Loop::Impl::make_socket`.
class Socket : public websocket::Session {
 public:
  Socket(websocket::Endpoint& endpoint, Framing framing, int fd, const Address& remote) noexcept
      : Session(endpoint, framing, remote), fd_(fd) {}
  ~Socket() override { close_descriptor(); }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool has_descriptor() const noexcept { return fd_ >= 0 && !has_ended(); }
  [[nodiscard]] Token token() noexcept { return reinterpret_cast<Token>(this); }

  /// A client's next attempt: a descriptor whose connection is being established.
  void start_connecting(int fd, const Address& remote) noexcept;
  void connected() noexcept { connecting_ = false; }
  void close_descriptor() noexcept;

  /// A client's connection is established. False: `Connector::secured` follows when the session may
  /// start.
  virtual bool start_transport() { return true; }

  /// Has its readiness told, that to write once too if `writable`. It may be paused already.
  [[nodiscard]] bool watch(bool writable);

  void on_ready(Readiness what);

  /// Reads what is there, up to the pass's bound; `to_the_end`: also beyond a short read.
  void pump(bool to_the_end);

  /// Takes over what a socket on another loop was, its descriptor and TLS engine excepted.
  /// @param refusal   other than `none`: there is no room for it here
  void take_over(Parcel& parcel, CloseReason refusal);

  /// Whether it is on the loop's list of those with unread input.
  [[nodiscard]] bool is_listed() const noexcept { return listed_; }
  void set_listed(bool listed) noexcept { listed_ = listed; }

  /// Whether bytes wait of which the session knows nothing.
  [[nodiscard]] virtual bool wants_to_write() const noexcept { return false; }

  /// Whether it lies in the loop's own memory.
  [[nodiscard]] virtual bool is_pooled() const noexcept { return true; }

 protected:
  [[nodiscard]] EndpointOwner& owner() const noexcept {
    return *endpoint().context<EndpointOwner>();
  }

  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override;
  [[nodiscard]] std::uint64_t delivered() const noexcept override;
  void half_close() noexcept override;
  bool stop_reading() noexcept override;
  void start_reading() noexcept override;
  MoveStatus reserve(std::size_t loop) noexcept override;
  bool carry(std::unique_ptr<websocket::Transit>& transit) noexcept override;
  void give_up(std::size_t loop) noexcept override;
  void destroy() noexcept override;

 private:
  // What goes along with the descriptor when the connection moves to another loop.
  virtual void pack(Parcel&) noexcept {}
  virtual void unpack(Parcel&) noexcept {}

  // Input that was kept back while the connection was about to move.
  virtual void resume() {}

  // Bytes that the socket took so far.
  [[nodiscard]] virtual std::uint64_t taken() const noexcept { return written(); }

  // What the socket tells.
  virtual void arrived(mutable_byte_view bytes) { receive(bytes, owner().loop->now); }
  virtual void peer_ended() { receive_end(owner().loop->now); }
  virtual void has_room() noexcept { writable(); }

  int fd_;
};

}  // namespace muster::asio
