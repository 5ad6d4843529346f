// SPDX-License-Identifier: MIT
// What answers connections.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>
#include <muster/message.hpp>
#include <muster/request.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <memory>

namespace muster {

/// When a transport asks a silent peer for a sign of life, and takes it for dead.
struct Liveness {
  duration ping_interval{};  ///< of silence; 0: it is never asked
  duration idle_timeout{};   ///< of silence; 0: never. Longer than `ping_interval`
};

/// The application's side of the transport interface: a room server, a shard, a client.
///
/// Every call comes from the loop's thread, with the pass's time, never from within `send`, `close`
/// or `flush`. A call may send, close, join groups, and destroy groups and rooms. It must not
/// destroy the outbox.
class MUSTER_API Service {
 public:
  virtual ~Service() = default;

  /// Somebody asks to open a connection. The default accepts.
  virtual void on_upgrade(const Request& request, Decision decision, time_point now);

  /// A plain HTTP request (GET or POST) on the same port. The default answers 404.
  virtual void on_request(const Request& request, Decision decision, time_point now);

  /// The connection may send.
  virtual void on_open(Connection& connection, time_point now);

  /// A connection that another loop's service gave to this one, with `Connection::move_to`. Called
  /// in place of `on_open`. The default closes it.
  /// @param luggage   what that service sent along, or null
  virtual void on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage, time_point now);

  /// One whole message; its bytes are valid during the call.
  virtual void on_message(Connection& connection, const Message& message, time_point now) = 0;

  /// A send was refused, or an overrun reported, and the queue has drained to half of the budget;
  /// or to nothing, after `on_backlog` or `Connection::report_drained`.
  virtual void on_writable(Connection& connection, time_point now);

  /// After `Connection::watch_backlog`: the peer does not take all that was sent, and something
  /// waits. `on_writable` follows when it has.
  virtual void on_backlog(Connection& connection, time_point now);

  /// `lost` broadcast messages did not fit into the connection's budget and were dropped; what was
  /// queued before is still in order, and no later broadcast was queued either. Called once for all
  /// that one flush found. The default closes the connection as too slow.
  virtual void on_overrun(Connection& connection, std::uint32_t lost, time_point now);

  /// The peer did what ends the connection (a protocol error, a message above the limit, silence),
  /// and it is about to be closed with `info`. A service that has last words closes it itself,
  /// here.
  virtual void on_fault(Connection& connection, const CloseInfo& info, time_point now);

  /// The connection is gone: exactly once for each that was accepted. Afterwards it must not be
  /// used.
  virtual void on_close(Connection& connection, const CloseInfo& info, time_point now);

  /// This process is going away: say so to your connections and accept no more. Whoever is still
  /// open after the driver's drain deadline is closed by it.
  virtual void on_drain(time_point now);

  /// Carries out what is due. The loop calls it at or soon after `next_deadline()`.
  virtual void advance(time_point now);

  /// How long its connections may be silent, if not as long as their transport allows.
  [[nodiscard]] virtual const Liveness* liveness() const noexcept;

  /// When `advance` has something to do, or `no_deadline`. Read after every pass, so it must be
  /// cheap.
  [[nodiscard]] virtual time_point next_deadline() const noexcept;
};

}  // namespace muster
