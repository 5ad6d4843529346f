// SPDX-License-Identifier: MIT
// The relay: it answers connections, and puts each into its room.
#pragma once

#include <muster/address_limits.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/luggage.hpp>
#include <muster/mac.hpp>
#include <muster/placement.hpp>
#include <muster/relay/authenticator.hpp>
#include <muster/relay/game_config.hpp>
#include <muster/relay/hosted_room.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/room_rules.hpp>
#include <muster/room/token.hpp>
#include <muster/service.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::relay {

/// What a list of rooms shows of one. Views are valid until the service is called again.
struct RoomListing {
  RoomFacts room{};
  std::size_t players = 0;        ///< present and absent, a host behind a connection included
  std::uint16_t max_players = 0;  ///< 0: no limit
  std::size_t spectators = 0;
  bool has_host = false;  ///< false: it is away
  bool has_password = false;
  bool is_open = true;
  bool is_listed = false;  ///< strangers may see it
  byte_view metadata{};
};

/// Relays between a host and its players, with the wire protocol of docs/protocol/relay.md.
///
/// Give it to a transport, and tell the loop about its deadlines:
///
///     relay::Service relay{config, outbox, entropy, mac};
///     server.serve(relay);
///
/// A member that lost its connection keeps its place and comes back with its token. A game that
/// runs in this process opens its rooms itself, with `open_room`.
/// @threads one loop per service
class MUSTER_API Service final : public muster::Service, private RoomContext::Owner {
 public:
  struct Config {
    GameConfig games;
    RoomRules rooms{};  ///< of all rooms, where their game says nothing else

    /// How long a connection may take to send its JoinRequest, 100 ms to 10 min.
    duration join_timeout = std::chrono::seconds{10};

    std::size_t max_join_request = 4096;         ///< bytes, 64 to 64 KiB
    std::size_t max_id_size = 128;               ///< bytes of a game or room id, 1 to 1024
    std::size_t max_host_message = 1024 * 1024;  ///< bytes, 1 KiB to 64 MiB
    std::size_t max_client_message = 64 * 1024;  ///< bytes, 64 to 64 MiB
    std::size_t max_rooms = 10'000;              ///< 1 to 10 million

    /// Bytes of the state that all rooms keep together, for `RoomRules::state_cache`; at most
    /// 64 GiB.
    std::size_t max_state_caches = 256 * 1024 * 1024;

    /// What may wait for a host: every client can send to it at once. Half of it is for RPCs, and
    /// must hold one of `max_client_message`.
    Budget host_budget{.bytes = 4 * 1024 * 1024, .frames = 60'000};
    /// What may wait for a client; what is above it is the business of `RoomRules::slow_member`.
    /// Without the reserve it must hold one message of `max_host_message`, and 64 bytes.
    Budget client_budget{.bytes = 2 * 1024 * 1024, .frames = 512};

    /// What is granted of the extension to those who offer it; 0: it is not answered at all.
    Capabilities capabilities = all_capabilities;

    /// Peers of the protocol's first generation, who send no token and expect none.
    bool accept_gen1 = false;

    /// Limits by address, unless the service is given those that it shares with others.
    AddressLimits::Config addresses{};
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config    valid
  /// @param outbox    must outlive the service; whose connections must not be served after it
  /// @param limits    those of the whole process, when several services share them; must outlive
  ///                  this one
  Service(const Config& config, Outbox& outbox, Entropy& entropy, Mac& mac,
          AddressLimits* limits = nullptr);
  ~Service() override;

  /// Replaces the games. A room of a game that is gone goes on, but nobody else gets in.
  void set_games(GameConfig games) { config_.games = std::move(games); }

  /// Who somebody is; null: everybody is anonymous. Must outlive the service.
  void set_authenticator(Authenticator* authenticator) noexcept { authenticator_ = authenticator; }

  /// Hears what happens; null: nobody. Must outlive the service, which tells it of rooms that are
  /// opened from now on.
  void set_observer(Observer* observer) noexcept { context_.observer = observer; }

  /// Makes it one of several, each on a loop of its own: a JoinRequest for a room of another loop
  /// takes its connection there. Before the first connection.
  /// @param placement   the same for all
  /// @param here        the number of this one's loop
  /// @param services    one for each loop, by number; only their addresses are used here
  void join_loops(const Placement& placement, std::uint32_t here, std::vector<Service*> services);

  /// The number of the loop where rooms of that name live.
  [[nodiscard]] std::uint32_t home_of(std::string_view game_id, std::string_view room_id) const;

  /// Opens a room whose game runs in this process.
  /// @param authority   must live until its `on_detached`
  /// @return   the room, until the authority is detached from it
  /// @error errc::not_found        the game is not served
  /// @error errc::already_exists   the name is taken
  /// @error errc::limit_reached    `max_rooms`
  /// @error errc::wrong_state      rooms of that name live on another loop
  /// @error errc::too_large        a name above `max_id_size`
  result<HostedRoom*> open_room(RoomName name, std::uint16_t rule_variation, Authority& authority,
                                time_point now);

  /// The room of that name, or null.
  [[nodiscard]] HostedRoom* find_room(std::string_view game_id, std::string_view room_id) noexcept;

  /// Whether that is the token of the room's host: for what only the host may do by other ways,
  /// such as to report a result. Attempts are limited by address.
  /// @error errc::not_found       no such room
  /// @error errc::bad_value       another token
  /// @error errc::limit_reached   too many attempts from that address
  [[nodiscard]] std::error_code check_host_token(std::string_view game_id, std::string_view room_id,
                                                 std::uint64_t token, const Address& remote,
                                                 time_point now);

  /// Calls `visit` for every room, in the order of their names, until it says false.
  void list_rooms(const std::function<bool(const RoomListing&)>& visit) const;

  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_open(Connection& connection, time_point now) override;
  void on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage,
                  time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_writable(Connection& connection, time_point now) override;
  void on_overrun(Connection& connection, std::uint32_t lost, time_point now) override;
  void on_fault(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_drain(time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

  struct Stats : RoomStats {
    std::uint64_t rooms_created = 0;
    std::uint64_t clients_joined = 0;
    std::uint64_t texts_ignored = 0;      ///< text messages, which the protocol skips
    std::uint64_t connections_given = 0;  ///< to the loops where their rooms live
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] std::size_t room_count() const noexcept { return rooms_.size(); }

  /// Hosts and clients in all rooms, absent ones too. O(rooms).
  [[nodiscard]] std::size_t member_count() const noexcept;

  /// Those of them that have a connection. O(rooms).
  [[nodiscard]] std::size_t present_count() const noexcept;

 private:
  friend class Admission;

  // A view of a room's own name, or of a request's.
  struct Key {
    std::string_view game_id;
    std::string_view room_id;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    std::unique_ptr<HostedRoom> room;
    Address creator;       // who holds one of its rooms for it
    bool is_held = false;  // whether somebody does
  };
  using Rooms = std::map<Key, Entry>;

  // A connection that has not sent a valid JoinRequest yet.
  struct Joiner {
    ConnectionId id;
    time_point deadline;
    std::string user;
    std::optional<Nonce> nonce;  // of the CHALLENGE that it was sent
    std::list<Joiner>::iterator self;
  };

  // What goes along when a joiner moves to its room's loop.
  struct Passenger final : Luggage {
    Passenger(time_point by, std::string who) noexcept : deadline(by), user(std::move(who)) {}
    time_point deadline;
    std::string user;
  };

  void admit(Decision decision, std::string_view user);
  void send_home(Connection& connection, Joiner& joiner, std::uint32_t home, time_point now);
  void await_request(Connection& connection, std::list<Joiner>::iterator joiner, time_point now);
  [[nodiscard]] static Joiner* joiner_of(const Connection& connection) noexcept;
  [[nodiscard]] static Room::Member* member_of(const Connection& connection) noexcept;
  void forget_joiner(Connection& connection);
  [[nodiscard]] std::size_t receive_limit(const Room::Member* member) const noexcept;
  void join(Connection& connection, Joiner& joiner, byte_view message, time_point now);
  void refuse(Connection& connection, Ending ending, time_point now, std::string_view text = {});
  [[nodiscard]] bool has_opened_door(const HostedRoom& room, Joiner& joiner, const Arrival& arrival,
                                     time_point now);
  void create(const JoinRequest& request, const Arrival& arrival, Joiner& joiner, time_point now);
  void enter(HostedRoom& room, const Arrival& arrival, Joiner& joiner, std::uint16_t max_players,
             time_point now);
  void reenter(HostedRoom& room, const Arrival& arrival, Joiner& joiner, std::uint64_t token,
               time_point now);
  HostedRoom& make_room(RoomName name, std::uint16_t rule_variation, time_point now);
  [[nodiscard]] RoomRules rules_of(const GameRules& game) const;
  void changed(HostedRoom& room) override;
  void reap(HostedRoom& room, time_point now);

  Config config_;
  Outbox* outbox_;
  Entropy* entropy_;
  Mac* mac_;
  Authenticator* authenticator_ = nullptr;
  std::optional<AddressLimits> own_limits_;
  AddressLimits* limits_;
  TokenMint mint_;
  Stats stats_;
  CacheBudget caches_;
  RoomContext context_;
  // Strangers choose the names, so no hash table: they could choose names that collide.
  Rooms rooms_;
  std::set<std::pair<time_point, HostedRoom*>> due_;  // all that have a deadline
  std::list<Joiner> joiners_;   // those who are open and have not joined, oldest first
  std::list<Joiner> arriving_;  // those who are accepted, and not open yet
  std::uint64_t next_instance_ = 1;
  std::optional<Placement> placement_;
  std::uint32_t here_ = 0;
  std::vector<Service*> services_;   // of all loops
  std::shared_ptr<Service*> alive_;  // what admissions hold weakly
  bool draining_ = false;
};

}  // namespace muster::relay
