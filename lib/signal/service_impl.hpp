// SPDX-License-Identifier: MIT
// The sessions and rooms of a service, and what each message does.
#pragma once

#include <muster/luggage.hpp>
#include <muster/room/token.hpp>
#include <muster/signal/service.hpp>

#include "client_message.hpp"
#include "delivery.hpp"
#include "error_code.hpp"
#include "game_room.hpp"
#include "session.hpp"
#include "session_plan.hpp"
#include "unix_clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace muster::signal {

// Only the server draws them, so nobody can make them collide.
struct UuidHash {
  std::size_t operator()(const Uuid& uuid) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, uuid.bytes.data(), sizeof hash);
    return hash;
  }
};

// What several of the service's files answer.
inline constexpr std::string_view malformed = "Invalid client message";
inline constexpr std::string_view not_in_a_room = "Not in a room";
inline constexpr std::string_view operation_failed = "OperationFailed";

class MUSTER_LOCAL Service::Impl final : Delivery::Owner {
 public:
  Impl(Service& self, const Config& config, Outbox& outbox, Entropy& entropy, Mac& mac,
       std::int64_t unix_milliseconds, time_point now, AddressLimits* limits);
  ~Impl();

  // service.cpp: connections.
  void upgrade(const Request& request, Decision decision, time_point now);
  void open(Connection& connection, time_point now);
  void receive(Connection& connection, const Message& message, time_point now);
  void fault(Connection& connection, const CloseInfo& info, time_point now);
  void closed(Connection& connection, time_point now);
  void drain(time_point now);
  void advance(time_point now);
  [[nodiscard]] time_point next_deadline() const noexcept;
  [[nodiscard]] Session* find(const Connection& connection) noexcept;

  void give_up(Session& session);

  /// Closes those who turned out to be too slow. At the end of every call from outside.
  void settle(time_point now);

  // service_loops.cpp
  void arrive(Connection& connection, std::unique_ptr<Luggage> luggage, time_point now);

  Delivery& delivery() noexcept { return delivery_; }
  [[nodiscard]] Stats stats() const;

  const Config config;
  Liveness liveness;
  bool is_draining = false;

 private:
  friend class Service;

  struct AddressUse {
    std::uint32_t connections = 0;
    RateBucket creations;
    RateBucket joins;
  };
  using AddressKey = std::array<std::uint8_t, 16>;

  using RoomKey = std::pair<std::string, std::string>;  // game and code
  using Rooms = std::map<RoomKey, std::unique_ptr<GameRoom>>;

  struct Passenger;
  using Operation = std::optional<Uuid>;

  void doomed(Session& session) override { doomed_.push_back(&session); }
  void rescheduled(Session& session) override;
  static void room_rescheduled(void* self, GameRoom& room);

  // Sessions.
  Session& welcome(std::unique_ptr<Session> given, Connection& connection);
  void finish(Session& session, CloseReason reason, CloseCode code, time_point now,
              std::optional<Error> last_words = std::nullopt, std::string_view text = {});
  void finish_slow(Session& session, time_point now);
  void tear_down(Session& session, bool may_return, time_point now);
  [[nodiscard]] bool take_address(Session& session);
  void give_address(Session& session, time_point now);
  [[nodiscard]] AddressUse* address_use(const Session& session);
  void watch(Session& session, time_point now);
  void unwatch(Session& session) noexcept;
  void schedule(Session& session, time_point deadline);
  [[nodiscard]] bool take_error_reply(Session& session, ErrorCode code, time_point now);
  void refuse(Session& session, ErrorCode code, std::string_view message, time_point now);
  void send_relay_stats(time_point now);
  void end_drain(time_point now);

  // service_messages.cpp
  void receive_text(Session& session, byte_view text, time_point now);
  void refuse_unauthenticated(Session& session, time_point now);
  void reject_proof(Session& session, ProofVerdict verdict, time_point now);
  void receive_binary(Session& session, byte_view payload, time_point now);
  void dispatch(Session& session, ClientMessage& message, time_point now);
  [[nodiscard]] bool may_relay(Session& session, std::size_t bytes, time_point now);
  void handle(Session& session, GameData& message, time_point now);
  void handle(Session& session, AuthorityRequest& message, time_point now);
  void handle(Session& session, PlayerReady& message, time_point now);
  void handle(Session& session, StartGame& message, time_point now);
  void handle(Session& session, ProvideConnectionInfo& message, time_point now);
  void handle(Session& session, Ping& message, time_point now);
  void handle(Session& session, Signal& message, time_point now);
  void handle(Session& session, TransportStatus& message, time_point now);
  void handle(Session& session, RoomOperation& message, time_point now);
  void refuse_signal(Session& session, ErrorCode code, std::string_view message, time_point now);
  [[nodiscard]] bool in_room(Session& session, time_point now);

  // service_authentication.cpp
  void handle(Session& session, Authenticate& message, time_point now);
  void refuse_authentication(Session& session, ErrorCode code, std::string_view reason, bool closes,
                             time_point now);
  [[nodiscard]] bool is_compatible(const Authenticate& message) const;
  void send_protocol_info(Session& session, const Authenticate& message, time_point now);

  // service_rooms.cpp
  void handle(Session& session, JoinRoom& message, time_point now) {
    join(session, message, std::nullopt, now);
  }
  void handle(Session& session, LeaveRoom&, time_point now) { leave(session, std::nullopt, now); }
  void handle(Session& session, Reconnect& message, time_point now) {
    reconnect(session, message, std::nullopt, now);
  }
  void handle(Session& session, JoinAsSpectator& message, time_point now) {
    spectate(session, message, std::nullopt, now);
  }
  void handle(Session& session, LeaveSpectator&, time_point now) {
    stop_spectating(session, std::nullopt, now);
  }
  void perform(Session& session, JoinRoom& message, const Uuid& operation, time_point now) {
    join(session, message, operation, now);
  }
  void perform(Session& session, LeaveRoom&, const Uuid& operation, time_point now) {
    leave(session, operation, now);
  }
  void perform(Session& session, Reconnect& message, const Uuid& operation, time_point now) {
    reconnect(session, message, operation, now);
  }
  void perform(Session& session, JoinAsSpectator& message, const Uuid& operation, time_point now) {
    spectate(session, message, operation, now);
  }
  void perform(Session& session, LeaveSpectator&, const Uuid& operation, time_point now) {
    stop_spectating(session, operation, now);
  }
  void join(Session& session, JoinRoom& message, const Operation& operation, time_point now);
  void leave(Session& session, const Operation& operation, time_point now);
  void reconnect(Session& session, Reconnect& message, const Operation& operation, time_point now);
  void spectate(Session& session, JoinAsSpectator& message, const Operation& operation,
                time_point now);
  void stop_spectating(Session& session, const Operation& operation, time_point now);
  [[nodiscard]] GameRoom::Reply reply_to(Session& session, const Operation& operation,
                                         time_point now);
  void fail(Session& session, std::string_view type, const Operation& operation, ErrorCode code,
            std::string_view reason, time_point now);
  [[nodiscard]] bool take_attempt(RateBucket& own, RateBucket* of_address, std::uint32_t most,
                                  std::uint64_t& rejections, time_point now);
  [[nodiscard]] bool take_join(Session& session, time_point now);
  [[nodiscard]] bool take_creation(Session& session, time_point now);
  [[nodiscard]] GameRoom* find_room(std::string_view game, std::string_view code) noexcept;
  [[nodiscard]] std::optional<Refusal> check_caps(const Session& session, std::string_view game);
  [[nodiscard]] std::optional<std::string> draw_code(std::string_view game);
  [[nodiscard]] Uuid draw_room_id();
  GameRoom& create(const Session& session, const JoinRoom& message, std::string code,
                   time_point now);
  [[nodiscard]] std::optional<Refusal> check_entry(const GameRoom* room, const Session& session,
                                                   const std::optional<std::string>& password);
  void reap(GameRoom& room, time_point now);
  void remember_expired(const GameRoom& room, const Seat& seat);
  [[nodiscard]] bool is_expired(const Reconnect& message, const TokenTag& tag) const;

  // service_moderation.cpp
  void perform(Session& session, KickPlayer& message, const Uuid& operation, time_point now);
  void perform(Session& session, BanPlayer& message, const Uuid& operation, time_point now);
  void perform(Session& session, UnbanPlayer& message, const Uuid& operation, time_point now);
  void perform(Session& session, SetRoomAccess& message, const Uuid& operation, time_point now);
  void perform(Session& session, RegenerateRoomCode& message, const Uuid& operation,
               time_point now);
  void perform(Session& session, TransferAuthority& message, const Uuid& operation, time_point now);
  [[nodiscard]] bool may_moderate(Session& session, const Uuid& operation, time_point now);
  [[nodiscard]] bool expel(Session& session, const Uuid& player_id, const Uuid& operation,
                           time_point now);
  void confirm(Session& session, std::string_view type, const Uuid& player_id,
               const Uuid& operation, time_point now);

  // service_loops.cpp
  [[nodiscard]] std::uint32_t home_of(std::string_view game, std::string_view code) const;
  [[nodiscard]] std::uint32_t home_of(const Uuid& room_id) const;
  [[nodiscard]] bool send_home(Session& session, std::uint32_t home, time_point now);

  Service* self_;
  Entropy* entropy_;
  Mac* mac_;
  std::optional<AddressLimits> own_limits_;
  AddressLimits* limits_;
  TokenMint mint_;
  std::array<std::byte, 32> password_key_{};
  UnixClock clock_;
  Stats stats_;
  Delivery delivery_;
  IceServers ice_;
  RoomContext context_;
  std::map<std::string, const App*, std::less<>> apps_;
  std::map<const App*, RateBucket> authentications_;
  PlayerNameRules name_rules_;

  std::vector<std::unique_ptr<Session>> sessions_;  // by the index of their connection
  std::list<std::unique_ptr<Session>> opening_;     // accepted, and not open yet
  std::size_t session_count_ = 0;
  std::unordered_map<Uuid, Session*, UuidHash> players_;
  std::vector<Session*> doomed_;
  std::set<std::pair<time_point, Session*>> session_deadlines_;
  std::list<Session*> watched_;  // by their latest activity, oldest first
  std::map<AddressKey, AddressUse> addresses_;

  // Strangers choose the names, so no hash table.
  Rooms rooms_;
  std::unordered_map<Uuid, GameRoom*, UuidHash> rooms_by_id_;
  std::map<std::string, std::uint32_t, std::less<>> rooms_of_game_;
  std::map<Uuid, std::uint32_t> rooms_of_app_;
  std::set<std::pair<time_point, GameRoom*>> room_deadlines_;
  std::uint64_t next_instance_ = 1;

  // Members that did not come back in time, by player and room: so that they can be told so.
  std::map<std::pair<Uuid, Uuid>, TokenTag> expired_;
  std::deque<std::pair<time_point, std::pair<Uuid, Uuid>>> expired_until_;

  time_point drain_deadline_ = no_deadline;
  time_point next_relay_stats_ = no_deadline;
  std::optional<Placement> placement_;
  std::uint32_t here_ = 0;
  std::vector<Service*> services_;
  std::vector<std::byte> wrapped_;
  std::vector<std::byte> unpacked_;
  ProofBuffer proof_;
  bool was_moved_ = false;  // the message at hand goes on on another loop
};

}  // namespace muster::signal
