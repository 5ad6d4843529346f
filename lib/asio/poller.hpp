// SPDX-License-Identifier: MIT
// How a loop learns that sockets are ready: one interface, two backends.
#pragma once

#include <asio/io_context.hpp>

#include <cstdint>
#include <memory>

namespace muster::asio {

/// What a poller was given with a socket, and gives back when it is ready.
using Token = std::uintptr_t;

struct Readiness {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  // the peer ended its side, or the socket is broken: read to the end
};

/// What a poller tells.
class PollerSink {
 public:
  virtual void begin_pass() = 0;
  virtual void ready(Token token, Readiness what) = 0;

  /// @return whether another pass is about to run, whatever the sockets do
  virtual bool end_pass() = 0;

 protected:
  ~PollerSink() = default;
};

/// Edge-triggered: `ready` is called once per change, so whoever is told reads until nothing is
/// left, or remembers that something is.
class Poller {
 public:
  virtual ~Poller() = default;
  Poller() = default;
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Watches for readability, and also for writability once if `writable`.
  [[nodiscard]] virtual bool add(int fd, Token token, bool writable) = 0;

  /// Tells once when a socket that was full takes bytes again.
  virtual void want_write(int fd, Token token) = 0;

  /// Nothing more is to be read for now: readability is not told until `resume_read`.
  virtual void stop_read(int fd) noexcept = 0;

  /// Tells of readability again. What came in between may not be told: look for it.
  virtual void resume_read(int fd) = 0;

  /// To be called before the socket is closed.
  virtual void remove(int fd) noexcept = 0;
};

/// Null where there is no epoll.
[[nodiscard]] std::unique_ptr<Poller> make_epoll_poller(::asio::io_context& context,
                                                        PollerSink& sink);
[[nodiscard]] std::unique_ptr<Poller> make_portable_poller(::asio::io_context& context,
                                                           PollerSink& sink);

}  // namespace muster::asio
