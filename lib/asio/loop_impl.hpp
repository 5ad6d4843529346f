// SPDX-License-Identifier: MIT
// What a loop's servers and clients share behind `Loop`.
#pragma once

#include "poller.hpp"
#include "tls_engine.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/mailbox.hpp>
#include <muster/websocket/endpoint.hpp>

#include <asio/steady_timer.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

namespace muster::asio {

class Parcel;
class Socket;

/// Something of the driver's own that has deadlines.
class Timed {
 public:
  [[nodiscard]] virtual time_point next_deadline() const noexcept = 0;
  virtual void advance(time_point now) = 0;

 protected:
  ~Timed() = default;
};

/// Something with a descriptor that is no connection: a listening socket, or one for datagrams.
class Watched {
 public:
  /// It is ready, or something was left by an earlier pass (`list_unread`).
  virtual void on_ready(Readiness what, time_point now) = 0;

  /// Its token: a connection's is even, this is odd.
  [[nodiscard]] Token token() noexcept { return reinterpret_cast<Token>(this) | 1U; }

 protected:
  ~Watched() = default;
};

/// Something that sends once per pass, after everything that may give it something to send.
class Finisher {
 public:
  [[nodiscard]] virtual bool has_to_finish() const noexcept = 0;
  virtual void finish() = 0;

 protected:
  ~Finisher() = default;
};

/// A server whose connections move to its siblings on other loops.
class Carrier {
 public:
  virtual MoveStatus reserve(std::size_t loop) noexcept = 0;
  virtual void give_up(std::size_t loop) noexcept = 0;

  /// Uses up a place that was kept on `parcel`'s loop. False: that loop is gone, the parcel is as
  /// it was.
  virtual bool carry(Parcel& parcel) = 0;

 protected:
  ~Carrier() = default;
};

/// A client that has sockets whose connection is being established.
class Connector {
 public:
  virtual void connect_ready(Socket& socket, time_point now) = 0;

  /// The connection is secure: its session may start.
  virtual void secured(Socket& socket, time_point now) = 0;

  /// The connection is over, whether it was established or not.
  virtual void forget(const Socket& socket) noexcept = 0;

 protected:
  ~Connector() = default;
};

struct MUSTER_LOCAL Loop::Impl final : PollerSink {
  Impl(::asio::io_context& context, const Config& config);
  ~Impl();

  void begin_pass() override;
  void ready(Token token, Readiness what) override;
  bool end_pass() override;

  /// Runs a pass soon.
  void post_pass();

  /// Something was left for the end of a pass: the one that runs looks at it, or another does soon.
  void finish_soon() {
    expect_own_thread();
    if (!in_pass_) post_pass();
  }

  /// Runs a pass if something was posted.
  void look_into_mailbox();

  /// Ends the program, in a build with assertions, if another thread runs this loop.
  void expect_own_thread() const noexcept;

  /// The pass's time, or the clock's between passes.
  [[nodiscard]] time_point current_time();

  /// A new socket, in the loop's own memory if it is a plain one. It frees itself after its
  /// release.
  /// @param tls   null: none
  Socket& make_socket(websocket::Endpoint& endpoint, Framing framing, int fd, const Address& remote,
                      std::unique_ptr<TlsEngine> tls = nullptr);

  /// Takes a released socket apart at the end of the pass: events of this pass may still name it.
  void bury(Socket& socket) { graveyard_.push_back(&socket); }
  void empty_graveyard() noexcept;

  /// Some input was left unread.
  void list_unread(Socket& socket);
  void list_unread(Watched& watched);
  void forget(Socket& socket) noexcept;
  void forget(Watched& watched) noexcept;

  ::asio::io_context& context;
  Config config;
  Backend backend;
  Outbox outbox;
  std::unique_ptr<Poller> poller;
  std::vector<std::byte> buffer;  // what all sockets read into
  std::vector<std::byte> plain;   // what TLS makes of it; empty until there is a TLS connection
  time_point now;
  std::vector<Timed*> timed;
  std::vector<Finisher*> finishers;
  std::vector<Service*> services;
  std::shared_ptr<Mailbox::State> mailbox;

 private:
  void run_tasks();
  void advance();
  void finish();
  void arm_timer();

  /// Makes a call that may reach a service. What a service throws leaves the pass at its end.
  template <class Call>
  void shielded(Call call) noexcept;

  ::asio::steady_timer timer_;
  time_point armed_ = no_deadline;
  std::vector<Socket*> unread_;
  std::vector<Socket*> unread_before_;  // of the pass before; kept for its memory
  std::vector<Watched*> unread_watched_;
  std::exception_ptr failure_;
  std::vector<Socket*> graveyard_;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::vector<void*> free_;
  std::vector<std::unique_ptr<Mailbox::Task>> tasks_;  // of this pass
  std::atomic<std::thread::id> thread_{};              // of the last pass
  std::shared_ptr<Impl*> alive_;                       // what posted handlers hold weakly
  bool in_pass_ = false;
  bool posted_ = false;
};

}  // namespace muster::asio
