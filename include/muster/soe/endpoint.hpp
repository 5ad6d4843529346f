// SPDX-License-Identifier: MIT
// SOE sessions as connections: so that a room's member or a shard's subscriber can come by UDP.
#pragma once

#include <muster/export.hpp>
#include <muster/outbox.hpp>
#include <muster/service.hpp>
#include <muster/soe/hello.hpp>
#include <muster/soe/session_port.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace muster::soe {

/// Turns the sessions of a multiplexer into connections of services, for both roles.
///
/// What a client says first (`Hello`) becomes the service's `Request`. Reliable and latest messages
/// go by `reliable0`, volatile ones by `unreliable`; a byte in front says what they are
/// (`MessageTag`). Original games know none of this: they use the multiplexer directly.
///
///     for (soe::Event event; mux.poll_event(event);) {
///       endpoint.handle(event, *mux.remote(event.session), now);
///     }
///     endpoint.advance(now);
///     outbox.run(now);
///     mux.advance(now);
///
/// @threads one loop per endpoint
class MUSTER_API Endpoint {
 public:
  struct Config {
    std::size_t max_message = 1024 * 1024;             ///< bytes received as one message, from 125
    duration hello_timeout = std::chrono::seconds{5};  ///< for the hello, and for its answer
  };

  /// @param service   answers those who connect; null: nobody may
  Endpoint(const Config& config, SessionPort& port, Outbox& outbox, Service* service);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Ends every connection without telling the services.
  ~Endpoint();

  /// Takes an event of the multiplexer; all of them, in order.
  void handle(const Event& event, const Address& remote, time_point now);

  /// Connects to a server that has an endpoint too. The service hears `on_open`, or `on_close` with
  /// the reason; never from within this call. If the server refuses, `on_close` has the status as
  /// its code and the body as its text.
  /// @param protocol   as of `SessionPort::connect`, whose errors these are, and those of
  /// `SoeMultiplexer`
  /// @error errc::bad_value   also if the hello is not valid
  result<ConnectionId> connect(const Address& server, std::string_view protocol, const Hello& hello,
                               Service& service, time_point now);

  void advance(time_point now);
  [[nodiscard]] time_point next_deadline() const noexcept;

  /// Closes every connection that is open, with 1001; those that are not open yet are gone.
  void close_all();

  [[nodiscard]] std::size_t connection_count() const noexcept { return ends_.size(); }

 private:
  class End;
  struct Place {
    std::uint32_t generation = 0;
    End* end = nullptr;
  };
  struct Deadline {
    time_point at;
    SessionId session;
  };

  [[nodiscard]] End* find(SessionId session) const noexcept;
  End& add(SessionId session, const Address& remote, time_point now);
  void release(End& end) noexcept;

  Config config_;
  SessionPort& port_;
  Outbox& outbox_;
  Service* service_;
  std::vector<std::unique_ptr<End>> ends_;
  std::vector<std::unique_ptr<End>> released_;           // destroyed with the next call
  std::unordered_map<std::uint32_t, Place> by_session_;  // by index; only while it has something
                                                         // to tell
  std::deque<Deadline> deadlines_;  // of those who wait for a hello, or for its answer
  std::vector<std::byte> scratch_;  // a tag and its message
};

}  // namespace muster::soe
