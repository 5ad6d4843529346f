// SPDX-License-Identifier: MIT
// The relay: it answers connections, and puts each into its room.
#pragma once

#include <muster/entropy.hpp>
#include <muster/relay/game_config.hpp>
#include <muster/relay/hosted_room.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/service.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace muster::relay {

/// Relays between a host and its players, with the wire protocol of docs/protocol/relay.md.
///
/// Give it to a transport, and tell the loop about its deadlines:
///
///     relay::Service relay{config, outbox, entropy};
///     server.serve(relay);
///
/// A member's token is handed out, and revoked when its connection ends: coming back with it is
/// refused as the original refuses an unknown token.
/// @threads one loop per service
class Service final : public muster::Service {
 public:
  struct Config {
    GameConfig games;

    /// How long a connection may take to send its JoinRequest, 100 ms to 10 min.
    duration join_timeout = std::chrono::seconds{10};

    std::size_t max_join_request = 4096;         ///< bytes, 64 to 64 KiB
    std::size_t max_id_size = 128;               ///< bytes of a game or room id, 1 to 1024
    std::size_t max_host_message = 1024 * 1024;  ///< bytes, 1 KiB to 64 MiB
    std::size_t max_client_message = 64 * 1024;  ///< bytes, 64 to 64 MiB
    std::size_t max_rooms = 10'000;              ///< 1 to 10 million

    /// What may wait for a host: every client can send to it at once. Half of it is for RPCs, and
    /// must hold one of `max_client_message`.
    Budget host_budget{.bytes = 4 * 1024 * 1024, .frames = 60'000};
    /// What may wait for a client; over it, the client is too slow and is closed. Without the
    /// reserve it must hold one message of `max_host_message`, and 64 bytes.
    Budget client_budget{.bytes = 2 * 1024 * 1024, .frames = 512};

    /// When a room's updates leave; see `FlushWindow`. At most 10 s, and a tick of at least 1 ms.
    FlushWindow window{};
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config   valid
  /// @param outbox   must outlive the service; whose connections must not be served after it
  Service(const Config& config, Outbox& outbox, Entropy& entropy);
  ~Service() override;

  /// Replaces the games. A room of a game that is gone goes on, but nobody else gets in.
  void set_games(GameConfig games) { config_.games = std::move(games); }

  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_open(Connection& connection, time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_overrun(Connection& connection, std::uint32_t lost, time_point now) override;
  void on_fault(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_drain(time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

  struct Stats : RoomStats {
    std::uint64_t rooms_created = 0;
    std::uint64_t clients_joined = 0;
    std::uint64_t texts_ignored = 0;  ///< text messages, which the protocol skips
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::size_t room_count() const noexcept { return rooms_.size(); }

  /// Hosts and clients in all rooms. O(rooms).
  [[nodiscard]] std::size_t member_count() const noexcept;

 private:
  // A view of a room's own name, or of a request's.
  struct Key {
    std::string_view game_id;
    std::string_view room_id;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Pending {
    ConnectionId id;
    time_point deadline;
  };

  [[nodiscard]] bool is_joining(const Connection& connection) const noexcept;
  [[nodiscard]] Room::Member* member_of(const Connection& connection) const noexcept;
  [[nodiscard]] bool is_waiting(const Pending& pending) const noexcept;
  [[nodiscard]] std::size_t receive_limit(const Room::Member* member) const noexcept;
  void join(Connection& connection, byte_view message);
  void refuse(Connection& connection, Ending ending, std::string_view text = {});
  void create(Connection& connection, const JoinRequest& request);
  void enter(HostedRoom& room, Connection& connection, std::uint16_t max_players);
  void drop(Connection& connection);
  void reap(const HostedRoom& room);

  Config config_;
  Outbox* outbox_;
  Entropy* entropy_;
  Stats stats_;
  // Strangers choose the names, so no hash table: they could choose names that collide.
  std::map<Key, std::unique_ptr<HostedRoom>> rooms_;
  std::deque<Pending> pending_;  // who has not sent a JoinRequest, oldest first, and some who have
  std::size_t prune_at_ = 0;     // when to drop the latter
  std::uint64_t next_instance_ = 1;
  bool draining_ = false;
};

}  // namespace muster::relay
