// SPDX-License-Identifier: MIT
// One event loop: sockets, deadlines and the outbox on an io_context that the application owns.
#pragma once

#include <muster/asio/mailbox.hpp>
#include <muster/export.hpp>
#include <muster/outbox.hpp>
#include <muster/service.hpp>
#include <muster/time.hpp>

#include <asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace muster::asio {

/// How a loop learns that sockets are ready.
enum class Backend : std::uint8_t {
  automatic,  ///< epoll where it exists
  epoll,      ///< one private edge-triggered descriptor, nested in the io_context (Linux)
  portable,   ///< an Asio wait per socket
};

/// Runs passes: read everything that is ready, let the services run, flush, look at the deadlines.
///
///     ::asio::io_context context{1};
///     muster::asio::Loop loop{context};
///     muster::asio::WebSocketServer server{loop, config, entropy, service};
///     context.run();
///
/// The io_context remains the application's: its timers, signals and other sockets run beside.
/// While the loop is busy they get their turn every few milliseconds. It must outlive the
/// loop. What a service throws leaves `run()` at the end of the pass; it may be called again.
/// @threads one thread runs the io_context; from another only `post` may be called, and a
/// `mailbox()`
///          that was fetched before. While it runs, builds with assertions stop a program that
///          calls from another thread what would wake it up (the first send or close of a pass,
///          `wake`, `add`), and say so
class MUSTER_API Loop {
 public:
  struct Config {
    Outbox::Config outbox{};
    Backend backend = Backend::automatic;

    /// Most bytes read from one connection in one pass, 64 KiB to 16 MiB; the rest waits for the
    /// next.
    std::size_t pass_bytes = 256 * 1024;

    /// Most tasks, and connections on their way here, that wait at once, 1 to 2^20.
    std::size_t mailbox_capacity = 16 * 1024;
  };

  explicit Loop(::asio::io_context& context);
  Loop(::asio::io_context& context, const Config& config);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Servers and clients on it must be gone.
  ~Loop();

  /// From any thread: runs a call on the loop's, at the start of a pass. See `Mailbox::post`.
  template <class Call>
  PostStatus post(Call&& call) const {
    return mailbox().post(std::forward<Call>(call));
  }

  /// A handle for other threads, which may outlive the loop.
  [[nodiscard]] Mailbox mailbox() const noexcept;

  [[nodiscard]] Outbox& outbox() noexcept;
  [[nodiscard]] ::asio::io_context& context() noexcept;
  [[nodiscard]] Backend backend() const noexcept;

  /// The time of this pass; between passes, the time of the last one.
  [[nodiscard]] time_point now() const noexcept;

  /// Lets a service's `advance` run when it is due. A server adds its own service. Each `remove`
  /// takes back one `add`.
  void add(Service& service);
  void remove(Service& service) noexcept;

  /// Runs a pass soon: for whoever changed a service's deadline from outside the loop's calls, such
  /// as from a timer of the application. What was sent needs no such call.
  void wake();

  struct Impl;
  [[nodiscard]] Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
