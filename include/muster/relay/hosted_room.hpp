// SPDX-License-Identifier: MIT
// One room of the relay: an authority that runs the game, its clients, and who gets what.
#pragma once

#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/rate_limit.hpp>
#include <muster/relay/authority.hpp>
#include <muster/relay/ending.hpp>
#include <muster/relay/extension.hpp>
#include <muster/relay/message.hpp>
#include <muster/relay/observer.hpp>
#include <muster/relay/room_rules.hpp>
#include <muster/relay/state_cache.hpp>
#include <muster/room/room.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::relay {

class RemoteHost;

/// What all rooms of one relay count together.
struct RoomStats {
  EndingCounts endings{};
  std::uint64_t rpcs = 0;          ///< client messages forwarded to a host
  std::uint64_t rpcs_kept = 0;     ///< of those, the ones that waited for it
  std::uint64_t rpcs_dropped = 0;  ///< client messages that a host over its budget did not get
  std::uint64_t rpcs_of_spectators = 0;  ///< dropped
  std::uint64_t rate_dropped = 0;        ///< client messages above the rate
  std::uint64_t updates = 0;             ///< host messages that somebody was to get
  std::uint64_t updates_dropped = 0;     ///< audiences that missed one, above the batch's bound
  std::uint64_t updates_missed = 0;      ///< messages that a slow client did not get
  std::uint64_t resyncs = 0;        ///< slow clients whose queue was dropped for the whole state
  std::uint64_t states_served = 0;  ///< clients that got the state from the cache
  std::uint64_t resumes = 0;        ///< clients that got only what they had missed
  std::uint64_t kicks_ignored = 0;  ///< kicks of nobody, of the host, or too short to name anybody
  std::uint64_t targets_missed =
      0;  ///< receivers of TARGETED who were not there, or cannot read it
  std::uint64_t clients_returned = 0;  ///< with their token
  std::uint64_t hosts_lost = 0;
  std::uint64_t hosts_returned = 0;  ///< with their token
  std::uint64_t hosts_changed = 0;   ///< another member, or the application, went on
  std::uint64_t takeovers = 0;       ///< connections replaced by a newer one of the same member
};

/// What a room is called: a pair, not one joined text, since either part may hold any character.
struct RoomName {
  std::string game_id;
  std::string room_id;
};

/// What a room shares with all others of its relay.
struct RoomContext {
  /// Hears that a room's deadline has changed, or that it is over.
  class MUSTER_API Owner {
   public:
    virtual void changed(HostedRoom& room) = 0;

   protected:
    ~Owner() = default;
  };

  Owner* owner = nullptr;
  Outbox* outbox = nullptr;
  TokenMint* mint = nullptr;
  Observer* observer = nullptr;  ///< may be null
  RoomStats* stats = nullptr;
  CacheBudget* caches = nullptr;
  Budget host_budget{};
  Budget client_budget{};
  std::size_t max_host_message = 0;
  Capabilities capabilities = all_capabilities;  ///< what is granted to those who offer it
};

/// Somebody who wants into a room.
struct Arrival {
  Connection* connection = nullptr;
  std::string_view user{};             ///< the account, empty: anonymous
  std::optional<Trailer> extension{};  ///< as offered
  bool is_gen1 = false;                ///< of the protocol's first generation: gets no token
};

/// Why somebody was not admitted.
struct Refusal {
  Ending ending = Ending::refused;
  std::string text{};  ///< instead of the ending's own
};

/// Sends last words and closes, as an ending says.
/// @param text   instead of the rule's text, when that names a room or a game
MUSTER_API void end_connection(Connection& connection, Ending ending, EndingCounts& counts,
                               std::string_view text = {});

/// An authority, its clients and the sync filter, which is three audiences: those that wait for the
/// state, those that have it from the cache, and those that have it from the authority.
///
/// The verbs are for an authority in this process; a host behind a connection uses them by its
/// messages. They may be used at any time on the room's loop until `Authority::on_detached`.
/// @threads one loop per room
/// @source docs/protocol/relay.md, "Routing" and "Sync filter"
class MUSTER_API HostedRoom {
 public:
  HostedRoom(RoomName name, std::uint64_t instance, std::uint16_t rule_variation,
             const RoomRules& rules, const RoomContext& context, time_point now);
  HostedRoom(const HostedRoom&) = delete;
  HostedRoom& operator=(const HostedRoom&) = delete;
  ~HostedRoom();

  // What an authority does.

  /// Changes the state of everybody who has it.
  /// @param changes   the payload of a DELTA_UPDATE
  /// @error errc::too_large   above `max_host_message`
  /// @error errc::closed      the room is over
  std::error_code delta(byte_view changes);

  /// Gives the state to those who wait for it and to nobody else, all deltas so far included.
  /// @error errc::too_large, errc::closed
  std::error_code full_update(byte_view state);

  /// Gives everybody a new state.
  /// @error errc::too_large, errc::closed
  std::error_code reset(byte_view state);

  /// Sends a message to some players, whether they have the state or not. It reaches those who
  /// understand TARGETED.
  /// @param all_but   to everybody but those named
  /// @error errc::too_large, errc::closed
  std::error_code send_to(std::span<const std::uint16_t> players, byte_view payload,
                          bool all_but = false);

  /// Removes a player and revokes its token.
  /// @param ban_scopes   bits of `BanScope`: what is kept out of this room from now on
  /// @error errc::not_found   nobody of that id is in the room
  /// @error errc::closed      the room is over
  std::error_code kick(std::uint16_t player_id, std::uint8_t ban_scopes = 0);

  /// Calls `Authority::on_timer` later, in place of the timer of that id.
  /// @param delay   0 to a year
  /// @error errc::bad_value     a delay out of range
  /// @error errc::wrong_state   the authority is behind a connection: its timers are its own
  std::error_code set_timer(std::uint16_t id, duration delay, time_point now);

  /// @return false if it was not set
  bool cancel_timer(std::uint16_t id) noexcept;

  /// Whether newcomers are admitted. Who comes back always is.
  void set_open(bool is_open);
  void set_listed(bool is_listed);

  /// @error errc::too_large   above `max_metadata_size`
  std::error_code set_metadata(byte_view metadata);

  /// When updates leave from now on.
  void set_window(FlushWindow window) noexcept;

  /// Asks for a password from now on; nothing: none. Made with `password_key`.
  void set_password_key(const std::optional<Mac::Tag>& key) { password_key_ = key; }

  /// Ends the room for everybody.
  void terminate() { end_all(Ending::host_gone); }

  // Changing the authority.

  /// The application runs the game from now on. A host behind a connection is told that it is
  /// superseded. Every client is without the state, and gets it.
  void attach(Authority& authority, time_point now);

  /// Lets a host behind a connection run the game: whoever presents the token that is returned,
  /// within the rules' `host_grace`.
  /// @error errc::wrong_state   it is so already
  result<std::uint64_t> detach(time_point now);

  // What can be seen.

  [[nodiscard]] const RoomName& name() const noexcept { return name_; }
  [[nodiscard]] std::uint16_t rule_variation() const noexcept { return rule_variation_; }
  [[nodiscard]] std::uint64_t instance() const noexcept { return roster_.instance(); }
  [[nodiscard]] RoomFacts facts() const noexcept {
    return {instance(), name_.game_id, name_.room_id, rule_variation_};
  }

  /// The room has ended; its owner destroys it.
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }

  /// There is an authority, here or behind a connection.
  [[nodiscard]] bool has_host() const noexcept;

  /// Members, present or absent; a host behind a connection counts, spectators do not.
  [[nodiscard]] std::size_t player_count() const noexcept {
    return roster_.size() - roster_.spectator_count();
  }
  [[nodiscard]] std::size_t spectator_count() const noexcept { return roster_.spectator_count(); }
  [[nodiscard]] std::size_t size() const noexcept { return roster_.size(); }

  /// Members with a connection.
  [[nodiscard]] std::size_t present_count() const noexcept { return present_; }

  /// A client was in it, at some time.
  [[nodiscard]] bool had_client() const noexcept { return had_client_; }
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }
  [[nodiscard]] bool is_listed() const noexcept { return is_listed_; }
  [[nodiscard]] const std::optional<Mac::Tag>& password_key() const noexcept {
    return password_key_;
  }
  [[nodiscard]] byte_view metadata() const noexcept { return metadata_; }

  /// The creator's own limit below that of the game; 0: none.
  [[nodiscard]] std::uint16_t max_players(std::uint16_t of_game) const noexcept {
    return max_players_ == 0 || (of_game != 0 && of_game < max_players_) ? of_game : max_players_;
  }

  /// What is known of a member; nothing if there is none of that id.
  [[nodiscard]] std::optional<PlayerInfo> player(std::uint16_t id) const noexcept;

  // What the service does.

  /// Makes a connection the host of a new room, and welcomes it.
  void create(const Arrival& arrival, time_point now);

  /// Admits a client: the authority hears of it first, and if it does not want it, nothing has
  /// happened.
  /// @param max_players   the host counts as one; 0: no limit
  /// @return              nothing when it was admitted
  std::optional<Refusal> admit(const Arrival& arrival, std::uint16_t max_players, time_point now);

  /// The member of that token, or null.
  [[nodiscard]] Room::Member* find(const TokenTag& token) noexcept { return roster_.find(token); }

  /// Makes a connection that showed a member's token its current one.
  /// @param token   the token, to be said again or replaced
  void rejoin(Room::Member& member, const Arrival& arrival, std::uint64_t token, time_point now);

  /// A binary message of a member. May end the room.
  void receive(Room::Member& member, byte_view message, time_point now);

  /// A member missed messages, since it was too slow.
  void overrun(Room::Member& member, std::uint32_t lost, time_point now);

  /// A member takes messages again after a refusal.
  void writable(Room::Member& member);

  /// A member's connection is gone, or about to be closed by somebody else.
  void lost(Room::Member& member, time_point now);

  /// Closes everybody that is left, and is over.
  void end_all(Ending ending);

  void advance(time_point now);
  [[nodiscard]] time_point next_deadline() const noexcept;

  /// For the owner: when it has noted that this room is due.
  time_point scheduled = no_deadline;

 private:
  friend class RemoteHost;

  /// What the relay knows of a member beyond the roster.
  struct Player {
    std::string name;
    std::string user;
    Address remote;
    Capabilities capabilities = 0;
    bool is_extended = false;
    bool is_gen1 = false;
    bool is_counted_absent = false;  // by its address
    bool is_stalling = false;        // on the list of those whose progress is looked at
    RateMeter rate;
    RateMeter excess;                  // what was dropped, above the rate
    std::uint64_t welcome_end = 0;     // what the transport has taken when it has the welcome
    std::uint64_t written_before = 0;  // when its progress was last looked at
    time_point look_at{};
  };
  using Players = std::map<std::uint32_t, Player>;
  struct Offer {
    std::uint32_t member_id;
    time_point deadline;
  };

  // Members: hosted_room.cpp.
  [[nodiscard]] static Player& player_of(const Room::Member& member) noexcept {
    return *static_cast<Player*>(member.data);
  }
  [[nodiscard]] PlayerInfo info_of(const Room::Member& member, const Player& player) const noexcept;
  [[nodiscard]] static std::uint16_t seat_number(std::uint32_t seat) noexcept;
  [[nodiscard]] bool is_banned(const Arrival& arrival) const;
  Player& note(Room::Member& member, const Arrival& arrival);
  void welcome(const Room::Member& member, Player& player, std::uint64_t token,
               std::optional<std::uint64_t> resumed);
  void introduce(const Room::Member& member);
  void receive_from_client(Room::Member& member, byte_view message);
  void receive_extended(Room::Member& member, Extended id);
  bool is_within_rate(Room::Member& member, std::size_t bytes);
  void end_member(Room::Member& member, Ending ending);
  void depart(Room::Member& member, Departure why);
  void expire(Room::Member& member);
  [[nodiscard]] Players::node_type forget(Room::Member& member);
  [[nodiscard]] bool may_be_absent(const Player& player) const;
  void count_absent(Player& player);
  void count_present(Player& player);
  void tell_gone(Players::node_type node, const PlayerInfo& info, Departure why);
  void tell_members(const Room::Member& member, const Player& player, MemberChange change);
  void look_for_progress();
  [[nodiscard]] bool has_token(const Room::Member& member, const Player& player) const noexcept;
  template <class Call>
  void tell(Call call);
  void schedule();

  // Updates and audiences: hosted_room_updates.cpp.
  [[nodiscard]] std::error_code tell(FromHost id, byte_view payload);
  void update(FromHost id, byte_view payload);
  bool broadcast(Group& audience, FromHost id, byte_view payload);
  void send_sequence(const Group& audience);
  void give_state(Room::Member& member, std::optional<std::uint64_t> last_seen);
  void fall_behind(Room::Member& member);
  void unsync_all();
  void send_extended(Capability capability, byte_view message, const Connection* except = nullptr);
  void send_room_info();
  void send_targeted(const Targeted& targeted);

  // The authority and a host behind a connection: hosted_room_host.cpp.
  void receive_from_host(byte_view message);
  void receive_extended_from_host(Extended id, byte_view message);
  void kick_for_host(byte_view message);
  void seat_host(Connection& connection, std::uint64_t token, bool is_another);
  void lose_host();
  void end_without_host();
  void host_fell_behind();
  void offer_host();
  void offer_host_if_away();
  void accept_offer(Room::Member& member);
  void tell_host_state(const HostState& state);
  void fire_timers();

  [[nodiscard]] Group& waiting() noexcept { return roster_.audience(0); }
  [[nodiscard]] Group& provisional() noexcept { return roster_.audience(1); }
  [[nodiscard]] Group& synced() noexcept { return roster_.audience(2); }

  RoomName name_;
  Room roster_;
  RoomRules rules_;
  RoomContext context_;
  Players players_;
  StateCache cache_;
  std::uint64_t sequence_ = 0;  // of the last change of the state
  std::unique_ptr<RemoteHost> remote_;
  Authority* authority_ = nullptr;  // the remote host, or the application's
  Room::Member* host_ = nullptr;    // of the remote host, present or absent
  std::optional<Offer> offer_;
  std::uint32_t offered_up_to_ = 0;  // the last member that was asked to host
  std::size_t present_ = 0;
  std::size_t extended_ = 0;  // members with the extension
  bool is_over_ = false;
  bool is_open_ = true;
  bool is_listed_ = false;
  bool had_client_ = false;
  bool needs_state_ = false;  // an authority in this process has somebody waiting
  std::uint16_t rule_variation_;
  std::uint16_t max_players_ = 0;
  std::vector<std::byte> metadata_;
  std::optional<Mac::Tag> password_key_;
  std::deque<std::string> banned_users_;
  std::deque<Address> banned_addresses_;
  std::map<Address, std::uint16_t> absent_by_address_;  // only those with an absent client
  std::map<std::uint16_t, time_point> timers_;
  std::set<std::pair<time_point, std::uint16_t>> due_timers_;
  std::set<std::pair<time_point, std::uint32_t>> stalling_;
  time_point last_message_;
  time_point idle_check_;

  time_point now_;  // of the latest call

  // An authority is told one thing at a time; what its verbs cause waits here. The nodes keep what
  // it was told of a player valid until its call returns.
  struct Gone {
    Players::node_type node;
    PlayerInfo info;
    Departure why;
  };
  std::deque<Gone> gone_;
  Authority* leaving_ = nullptr;  // is to be told that it is detached
  bool is_telling_ = false;
};

// Makes one call of the authority, and then those that the call has caused.
template <class Call>
void HostedRoom::tell(Call call) {
  if (authority_ == nullptr) return;
  is_telling_ = true;
  call(*authority_);
  is_telling_ = false;
  while (authority_ != nullptr && !gone_.empty()) {
    const Gone gone = std::move(gone_.front());
    gone_.pop_front();
    is_telling_ = true;
    authority_->on_depart(gone.info, gone.why, now_);
    is_telling_ = false;
  }
  gone_.clear();
  if (leaving_ != nullptr) std::exchange(leaving_, nullptr)->on_detached(now_);
}

}  // namespace muster::relay
