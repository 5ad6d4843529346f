// SPDX-License-Identifier: MIT
// Signaling rooms: it answers connections, and brings players together.
#pragma once

#include <muster/address_limits.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/mac.hpp>
#include <muster/placement.hpp>
#include <muster/service.hpp>
#include <muster/signal/config.hpp>
#include <muster/signal/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace muster::signal {

/// What a list of rooms shows of one. Views are valid until the service is called again.
struct RoomListing {
  std::string_view game_name;
  std::string_view code;
  std::size_t players = 0;  ///< present
  std::size_t absent = 0;   ///< that may come back
  std::size_t spectators = 0;
  std::uint8_t max_players = 0;
  bool has_started = false;
};

/// Rooms in which players find each other, get ready, and exchange game data and what WebRTC needs,
/// with the wire protocol of docs/protocol/signal.md: JSON, and MessagePack for game data.
///
/// Give it to a transport under the paths of its two versions, and tell the loop about its
/// deadlines:
///
///     signal::Service signal{config, outbox, entropy, mac, unix_now, loop.now()};
///     router.route("/v2/ws", signal).route("/v3/ws", signal);
///
/// A slow recipient never delays another one: it is served from a lane of its own, and told what it
/// does not get.
/// @threads one loop per service
class MUSTER_API Service final : public muster::Service {
 public:
  /// @param config             valid
  /// @param outbox             must outlive the service; whose connections must not be served after
  ///                           it
  /// @param unix_milliseconds  since 1970, at `now`: for what clients are shown
  /// @param limits             those of the whole process, when several services share them; must
  ///                           outlive this one
  Service(const Config& config, Outbox& outbox, Entropy& entropy, Mac& mac,
          std::int64_t unix_milliseconds, time_point now, AddressLimits* limits = nullptr);
  ~Service() override;

  /// Makes it one of several, each on a loop of its own: who names a room of another loop is taken
  /// there. Before the first connection.
  /// @param placement   the same for all
  /// @param here        the number of this one's loop
  /// @param services    one for each loop, by number; only their addresses are used here
  void join_loops(const Placement& placement, std::uint32_t here, std::vector<Service*> services);

  /// Decides before the 101: 403 for a page of another origin, 503 while draining, 400 or 401 for
  /// an offer of token binding that is not possible.
  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_open(Connection& connection, time_point now) override;
  void on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage,
                  time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_writable(Connection& connection, time_point now) override;
  void on_backlog(Connection& connection, time_point now) override;
  void on_overrun(Connection& connection, std::uint32_t lost, time_point now) override;
  void on_fault(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  [[nodiscard]] const Liveness* liveness() const noexcept override;

  /// Nobody comes in, or opens a room; who is there may go on for `Config::drain_grace`.
  void on_drain(time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

  [[nodiscard]] bool is_draining() const noexcept;

  /// Counters since the start, and what there is now. O(rooms).
  [[nodiscard]] Stats stats() const;

  /// Calls `visit` for every room, in the order of their games and codes, until it says false.
  void list_rooms(const std::function<bool(const RoomListing&)>& visit) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::signal
