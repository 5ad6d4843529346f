// SPDX-License-Identifier: MIT
// One room: who is in it, whether the game has started, and what its members are told of that.
#pragma once

#include <muster/frame.hpp>
#include <muster/message.hpp>
#include <muster/room/room.hpp>
#include <muster/room/token.hpp>
#include <muster/signal/config.hpp>
#include <muster/signal/stats.hpp>
#include <muster/time.hpp>

#include "client_message.hpp"
#include "delivery.hpp"
#include "replay_ring.hpp"
#include "server_message.hpp"
#include "session.hpp"
#include "session_plan.hpp"
#include "unix_clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::signal {

/// What all rooms of a service share. It must outlive them.
struct RoomContext {
  const Config* config;
  Outbox* outbox;
  Entropy* entropy;
  TokenMint* mint;
  Stats* stats;
  Delivery* delivery;
  const UnixClock* clock;
  IceServers* ice;
  void* owner = nullptr;
  /// The room's deadline is another one.
  void (*rescheduled)(void* owner, GameRoom& room) = nullptr;
};

/// How a request is answered that failed.
struct Refusal {
  ErrorCode code = ErrorCode::internal_error;
  std::string_view reason;
};

/// A room and its members, over `Room`, with everything that only this protocol knows: lobby
/// states, authority, epochs, plans, and the events that are replayed to who comes back.
/// @threads one loop per room
class GameRoom {
 public:
  struct Facts {
    Uuid id;
    Uuid app_id;
    std::string game_name;
    std::string code;
    std::uint8_t max_players = 8;
    bool supports_authority = true;
    std::string relay_type;
  };

  GameRoom(Facts facts, std::uint64_t instance, const RoomContext& context, time_point now);
  GameRoom(const GameRoom&) = delete;
  GameRoom& operator=(const GameRoom&) = delete;
  ~GameRoom();

  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }
  [[nodiscard]] LobbyState state() const noexcept { return state_; }

  /// That of the last plan; all zeros before the first.
  [[nodiscard]] const Uuid& plan_generation() const noexcept { return plan_generation_; }

  /// Writes an answer to a requester: as it is, or within the answer to its operation.
  using Reply = std::function<void(byte_view text, bool divides)>;

  // Players.

  /// Whether a player of that name may come in now.
  [[nodiscard]] std::optional<Refusal> check_player(std::string_view folded_name,
                                                    time_point now) const;

  /// Adds a player, tells it and the others.
  void admit(Session& session, std::string_view name, std::string folded_name, const Reply& reply,
             time_point now);

  /// A member leaves of its own will, or is removed.
  void leave(Session& session, const Reply& reply, time_point now);

  /// A member's connection is gone. Whether it may come back is decided here.
  void lose(Session& session, bool may_return, time_point now);

  /// The member of that token, present or absent, or null.
  [[nodiscard]] Seat* find_seat(const TokenTag& token) noexcept;

  /// An absent member comes back on another connection.
  void rejoin(Seat& seat, Session& session, const Reply& reply, time_point now);

  // The lobby.
  [[nodiscard]] std::optional<Refusal> toggle_ready(Session& session, time_point now);
  [[nodiscard]] std::optional<Refusal> start(Session& session, time_point now);
  void request_authority(Session& session, bool become, time_point now);
  void provide_connection_info(Session& session, ConnectionInfo info, time_point now);
  void report_transport(Session& session, const TransportStatus& status, time_point now);

  // Spectators.
  [[nodiscard]] std::optional<Refusal> check_spectator(time_point now) const;
  void admit_spectator(Session& session, std::string_view name, const Reply& reply, time_point now);
  void leave_spectator(Session& session, SpectatorChange reason, const Reply& reply,
                       time_point now);

  // Moderation.
  [[nodiscard]] bool is_authority(const Session& session) const noexcept {
    return session.seat != nullptr && authority_ == session.seat;
  }
  [[nodiscard]] Seat* find_player(const Uuid& player_id) noexcept;
  [[nodiscard]] bool transfer_authority(Seat& to, time_point now);
  void remove_absent(Seat& seat, time_point now);
  void ban(const Uuid& player_id);
  void unban(const Uuid& player_id) noexcept;
  [[nodiscard]] bool is_banned(const Uuid& player_id) const noexcept;
  std::optional<Mac::Tag> password{};  ///< a tag of it, under the service's key
  void set_code(std::string code) { facts_.code = std::move(code); }

  // Game data.

  /// Stamps a message and gives it to all others.
  /// @param data   JSON, or the payload of a binary message
  void relay(Session& from, MessageKind kind, byte_view data, std::optional<DeliveryClass> delivery,
             std::optional<std::uint32_t> key, time_point now);

  /// How many messages of each class were meant for a member, in this room and before.
  [[nodiscard]] ClassCounts owed_to(const Session& session) const noexcept;

  /// A member is behind: it leaves its audience, until it has caught up.
  void fell_behind(Session& session);
  void caught_up(Session& session);

  // Its end.

  /// Every member goes, for the reason of a room that is closed.
  void close(time_point now, const std::function<void(Session&)>& close_member);

  /// Nobody is in it, and nobody may come back.
  [[nodiscard]] bool is_empty() const noexcept { return room_.size() == 0; }
  [[nodiscard]] time_point next_deadline() const noexcept;

  /// Ends absences that are over. Their seats are told to `expired` before they go.
  void advance(time_point now, const std::function<void(const Seat&)>& expired);

  /// Whether it is to be deleted, and why.
  [[nodiscard]] bool is_stale_empty(time_point now) const noexcept;
  [[nodiscard]] bool is_inactive(time_point now) const noexcept;
  void touch(time_point now) noexcept { active_at_ = now; }

  [[nodiscard]] std::size_t player_count() const noexcept;
  [[nodiscard]] std::size_t absent_count() const noexcept { return absent_; }
  [[nodiscard]] std::size_t spectator_count() const noexcept { return spectators_.size(); }
  time_point scheduled = no_deadline;  ///< under which the service keeps it

 private:
  using Seats = std::vector<std::unique_ptr<Seat>>;

  Seat& take_seat(Seats& seats, Session& session, Room::Member& member, std::string_view name,
                  time_point now);
  [[nodiscard]] bool hears(const Session& session) const noexcept;
  void let_hear(Session& session);
  void attach(Session& session, Seat& seat) noexcept;
  void detach(Session& session) noexcept;
  void remove(Seat& seat, time_point now);
  void left(const Seat& seat, bool was_authority, time_point now);
  void announce_authority(const Session* except, time_point now);
  void announce_lobby(time_point now);
  [[nodiscard]] bool are_all_ready() const noexcept;
  [[nodiscard]] RoomView room_view();
  [[nodiscard]] PlayerInfo info_of(const Seat& seat) const;
  [[nodiscard]] std::span<const SpectatorInfo> spectator_infos();
  [[nodiscard]] std::span<const Uuid> ready_ids();
  [[nodiscard]] std::string draw_token(Room::Member* member, std::optional<TokenTag>& tag);
  [[nodiscard]] std::span<const IceServer> pregathered(const Session& session, time_point now);

  /// To everybody, players and spectators. An event is replayed to those who are away.
  /// @param about   whose event it is
  template <class Message>
  void tell_all(const Message& message, const Session* except, const std::optional<Uuid>& about,
                bool is_event, time_point now);
  void broadcast(Version version, byte_view text, const Session* except, time_point now);
  void record(ReplayRing::Texts texts, const std::optional<Uuid>& about);
  [[nodiscard]] bool has_audience(Version version) const noexcept;

  void relay_as(Session& from, const GameDataStamp& stamp, MessageKind kind, byte_view data,
                time_point now);
  void relay_converted(Session& from, const GameDataStamp& stamp, byte_view json, time_point now);
  void relay_unreadable(Session& from, const GameDataStamp& stamp, time_point now);
  void pack_game_data(const GameDataParts& message, bool is_text);
  void count(Session& from, DeliveryClass delivery);

  void publish_plan(bool is_first, time_point now);

  Facts facts_;
  const RoomContext* context_;
  Room room_;
  LobbyState state_ = LobbyState::waiting;
  Seats players_;     // in the order in which they came
  Seats spectators_;  // likewise
  Seat* authority_ = nullptr;
  std::vector<Seat*> ready_;  // in the order in which they became so
  std::optional<PlanChoice> plan_{};
  Uuid plan_generation_{};  // of the last one that was published
  ReplayRing ring_;
  std::size_t absent_ = 0;
  std::vector<Session*> behind_;  // present, but in no audience
  ClassCounts sent_{};
  std::vector<Uuid> banned_;
  time_point active_at_;
  time_point empty_since_;

  // Lists that are made for one message, kept for their memory.
  std::vector<PlayerInfo> player_infos_;
  std::vector<SpectatorInfo> spectator_infos_;
  std::vector<Uuid> ready_ids_;
  std::vector<std::byte> json_;
  std::vector<std::byte> packed_;
};

template <class Message>
void GameRoom::tell_all(const Message& message, const Session* except,
                        const std::optional<Uuid>& about, bool is_event, time_point now) {
  if (is_event && absent_ != 0) {
    ReplayRing::Texts texts;
    texts.v2 = as_text(context_->delivery->encode(message, Version::v2));
    texts.v3 = as_text(context_->delivery->encode(message, Version::v3));
    record(std::move(texts), about);
  }
  for (const Version version : {Version::v2, Version::v3}) {
    if (!has_audience(version)) continue;
    broadcast(version, context_->delivery->encode(message, version), except, now);
  }
}

}  // namespace muster::signal
