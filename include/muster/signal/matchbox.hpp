// SPDX-License-Identifier: MIT
// Signaling for peers that speak matchbox's protocol: who is there, and what they say to each
// other.
#pragma once

#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/luggage.hpp>
#include <muster/placement.hpp>
#include <muster/rate_limit.hpp>
#include <muster/room/room.hpp>
#include <muster/service.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::signal {

/// Brings peers of one room together, by the path that they ask for: each hears of newcomers and
/// offers to them, and the server hands their signals on without reading them.
///
///     signal::Matchbox matchbox{config, outbox, entropy};
///     router.route_below("/matchbox", matchbox);   // ws://HOST/matchbox/ROOM?next=2
///
/// `?next=N` fills rooms of that name with N peers each, in the order in which they come.
/// @threads one loop per service
/// @source docs/protocol/signal.md, "matchbox"
class MUSTER_API Matchbox final : public muster::Service {
 public:
  /// Who hears of whom.
  enum class Topology : std::uint8_t {
    full_mesh,      ///< everybody of everybody
    client_server,  ///< the first in a room of all others, and they of the first
  };

  struct Config {
    std::string prefix = "/matchbox";  ///< what stands before the room's name in the path
    Topology topology = Topology::full_mesh;
    std::size_t max_rooms = 10'000;         ///< 1 to 10 million
    std::uint32_t max_peers = 128;          ///< of a room, 1 to 65535
    std::size_t max_name = 128;             ///< bytes of a room's name, 1 to 1024
    std::size_t max_message = 64 * 1024;    ///< bytes, 1 KiB to 1 MiB
    std::size_t max_connections = 100'000;  ///< 1 to 10 million
    /// What one peer may send; above it messages are dropped.
    RateLimit rate{.messages_per_second = 200, .bytes_per_second = 1024 * 1024};
    Budget budget{.bytes = 1024 * 1024, .frames = 1024};  ///< what may wait for one peer
  };

  /// @error errc::invalid_config   with a sentence about the first field that is wrong in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config    valid
  /// @param outbox    must outlive the service; whose connections must not be served after it
  Matchbox(Config config, Outbox& outbox, Entropy& entropy);
  ~Matchbox() override;

  /// Makes it one of several, each on a loop of its own. Before the first connection.
  /// @param placement   the same for all
  /// @param here        the number of this one's loop
  /// @param services    one for each loop, by number; only their addresses are used here
  void join_loops(const Placement& placement, std::uint32_t here, std::vector<Matchbox*> services);

  /// Refuses with 503 while draining or full, and with 400 what names no room.
  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_open(Connection& connection, time_point now) override;
  void on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage,
                  time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_drain(time_point now) override;

  struct Stats {
    std::uint64_t peers = 0;          ///< that came
    std::uint64_t signals = 0;        ///< handed on
    std::uint64_t malformed = 0;      ///< messages that were ignored
    std::uint64_t limited = 0;        ///< messages above the rate
    std::uint64_t undeliverable = 0;  ///< signals to nobody of the room
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::size_t room_count() const noexcept { return rooms_.size(); }
  [[nodiscard]] std::size_t peer_count() const noexcept { return peer_count_; }

 private:
  // A name, and how many peers each room of that name takes; 0: all.
  struct RoomName {
    std::string name;
    std::uint32_t next = 0;
    friend auto operator<=>(const RoomName&, const RoomName&) = default;
  };
  struct MatchRoom;
  struct Peer;
  struct Passenger;

  [[nodiscard]] std::optional<RoomName> name_of(const Request& request) const;
  [[nodiscard]] MatchRoom* room_for(const RoomName& name, time_point now);
  std::optional<RoomName> forget(const void* context);
  void enter(Connection& connection, const RoomName& name, time_point now);
  static void tell(const Peer& peer, std::string_view text);
  static void tell(const Peer& peer, std::span<const byte_view> parts);

  Config config_;
  Outbox* outbox_;
  Entropy* entropy_;
  Stats stats_;
  // Rooms of one name are filled one after the other; only the last is open.
  std::map<RoomName, MatchRoom*> open_;
  std::list<std::unique_ptr<MatchRoom>> rooms_;
  std::list<RoomName> arriving_;  // accepted, and not open yet
  std::size_t peer_count_ = 0;
  std::uint64_t next_instance_ = 1;
  std::optional<Placement> placement_;
  std::uint32_t here_ = 0;
  std::vector<Matchbox*> services_;
  bool draining_ = false;
};

}  // namespace muster::signal
