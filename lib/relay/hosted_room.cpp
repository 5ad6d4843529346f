// SPDX-License-Identifier: MIT
// A room's members: how they come in, speak, get lost, come back and go.
#include <muster/relay/hosted_room.hpp>

#include <muster/relay/error_text.hpp>

#include "remote_host.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::relay {

namespace {

// In a larger room nobody is told who all is there: that would grow with the square of its size.
constexpr std::size_t max_introduced = 1000;

// The most that a room bans by user, and by address; then the oldest ban ends.
constexpr std::size_t max_bans = 1024;

Departure departure_of(Ending ending) noexcept {
  switch (ending) {
    case Ending::kicked:
      return Departure::kicked;
    case Ending::client_left:
      return Departure::left;
    default:
      return Departure::away;
  }
}

}  // namespace

std::string_view to_string(Departure departure) noexcept {
  constexpr std::array<std::string_view, 4> names{"away", "left", "kicked", "expired"};
  return names[static_cast<std::size_t>(departure)];
}

void end_connection(Connection& connection, Ending ending, EndingCounts& counts,
                    std::string_view text) {
  ++counts[static_cast<std::size_t>(ending)];
  const EndingRule& rule = rule_of(ending);
  if (text.empty()) text = rule.text;
  const std::vector<std::byte> last_words = encode_server_error(text);
  connection.close(rule.reason, rule.code, {}, {last_words});
}

HostedRoom::HostedRoom(RoomName name, std::uint64_t instance, std::uint16_t rule_variation,
                       const RoomRules& rules, const RoomContext& context, time_point now)
    : name_(std::move(name)),
      roster_(instance,
              {.max_spectators = rules.max_spectators,
               .first_id = first_client_id,
               .last_id = max_client_id,
               .audiences = 3,
               .window = rules.window,
               .quarantine = rules.id_quarantine},
              *context.outbox, this),
      rules_(rules),
      context_(context),
      cache_(rules.state_cache, context.client_budget.frames / 2, *context.caches),
      rule_variation_(rule_variation),
      last_message_(now),
      idle_check_(rules.idle == duration{0} ? no_deadline : now + rules.idle),
      now_(now) {}

HostedRoom::~HostedRoom() {
  if (authority_ != nullptr && remote_ == nullptr) authority_->on_detached(now_);
}

// Coming in.

void HostedRoom::create(const Arrival& arrival, time_point now) {
  now_ = now;
  const std::uint64_t token = context_.mint->draw();
  host_ = &roster_.reserve(host_player_id, context_.mint->tag(token), no_deadline);
  if (arrival.extension) {
    const Trailer& wish = *arrival.extension;
    password_key_ = wish.password_key;
    is_listed_ = wish.is_listed;
    max_players_ = wish.max_players.value_or(0);
    if (wish.metadata) metadata_.assign(wish.metadata->begin(), wish.metadata->end());
  }
  note(*host_, arrival);
  ++present_;
  remote_ = std::make_unique<RemoteHost>(*this);
  authority_ = remote_.get();
  seat_host(*arrival.connection, token, false);
  if (context_.observer != nullptr) {
    const PlayerInfo host = info_of(*host_, player_of(*host_));
    context_.observer->on_room_opened(facts(), &host, now_);
  }
  schedule();
}

bool HostedRoom::is_banned(const Arrival& arrival) const {
  const auto holds = [](const auto& list, const auto& what) {
    return std::find(list.begin(), list.end(), what) != list.end();
  };
  return (!arrival.user.empty() && holds(banned_users_, arrival.user)) ||
         (!banned_addresses_.empty() &&
          holds(banned_addresses_, arrival.connection->remote().network()));
}

std::optional<Refusal> HostedRoom::admit(const Arrival& arrival, std::uint16_t max_players,
                                         time_point now) {
  now_ = now;
  const Trailer* const wish = arrival.extension ? &*arrival.extension : nullptr;
  const bool is_spectator = wish != nullptr && wish->is_spectator;
  if (is_banned(arrival)) return Refusal{Ending::banned};
  if (!is_open_) return Refusal{Ending::room_closed};
  max_players = this->max_players(max_players);
  if (is_spectator && remote_ != nullptr &&
      !has(player_of(*host_).capabilities, Capability::member_events)) {
    return Refusal{Ending::no_spectators};
  }
  const result<std::uint32_t> id = roster_.next_id(now, max_players, is_spectator);
  if (!id) {
    if (id.error() == errc::not_found) {
      return Refusal{Ending::out_of_ids, error_text::out_of_client_ids(name_.room_id)};
    }
    return Refusal{Ending::room_full,
                   error_text::room_is_full(name_.room_id,
                                            is_spectator ? rules_.max_spectators : max_players)};
  }
  const std::uint64_t token = context_.mint->draw();
  const Room::Admission admission{.token = context_.mint->tag(token),
                                  .is_spectator = is_spectator,
                                  .seat = wish != nullptr && wish->seat
                                              ? std::optional<std::uint32_t>{*wish->seat}
                                              : std::nullopt,
                                  .max_seat = max_players};
  const PlayerInfo newcomer{.id = static_cast<std::uint16_t>(*id),
                            .seat = seat_number(roster_.next_seat(admission)),
                            .is_spectator = is_spectator,
                            .is_extended = wish != nullptr,
                            .name = wish != nullptr ? wish->name : std::string_view{},
                            .user = arrival.user,
                            .remote = arrival.connection->remote()};
  std::string text;
  bool is_welcome = true;
  tell([&](Authority& authority) { is_welcome = authority.on_admit(newcomer, text, now_); });
  if (is_over_) return Refusal{Ending::host_not_reachable};
  if (!is_welcome) {
    return text.empty() ? Refusal{Ending::host_not_reachable} : Refusal{Ending::refused, text};
  }

  Room::Member& member = roster_.admit(*arrival.connection, now, admission);
  Player& player = note(member, arrival);
  ++present_;
  had_client_ = true;
  welcome(member, player, token, {});
  waiting().join(*member.connection);
  introduce(member);
  give_state(member, {});
  const PlayerInfo info = info_of(member, player);
  if (context_.observer != nullptr) context_.observer->on_joined(facts(), info, now_);
  tell_members(member, player, MemberChange::joined);
  tell([&](Authority& authority) { authority.on_join(info, now_); });
  offer_host_if_away();
  schedule();
  return std::nullopt;
}

HostedRoom::Player& HostedRoom::note(Room::Member& member, const Arrival& arrival) {
  Player& player = players_[member.id];
  member.data = &player;
  if (player.is_extended) --extended_;
  player.remote = arrival.connection->remote();
  player.user = arrival.user;
  player.is_gen1 = arrival.is_gen1;
  player.is_extended = arrival.extension.has_value();
  player.capabilities =
      arrival.extension ? arrival.extension->capabilities & context_.capabilities : 0;
  if (arrival.extension && !arrival.extension->name.empty()) player.name = arrival.extension->name;
  if (player.is_extended) ++extended_;
  return player;
}

void HostedRoom::welcome(const Room::Member& member, Player& player, std::uint64_t token,
                         std::optional<std::uint64_t> resumed) {
  const auto response =
      encode_handshake_response({static_cast<std::uint16_t>(member.id), rule_variation_, token});
  std::vector<std::byte> message{response.begin(), response.end()};
  if (player.is_gen1) message.resize(handshake_response_size_gen1);
  if (player.is_extended) {
    append_trailer(message, {.capabilities = player.capabilities,
                             .is_spectator = member.is_spectator,
                             .seat = seat_number(member.seat),
                             .sequence = resumed});
  }
  // Its first message, into an empty queue: it always fits. It does not wait for a flush window.
  Connection& connection = *member.connection;
  connection.send({message}, Delivery::reliable, Urgency::urgent);
  // Who comes back has a token already, whether this arrives or not.
  player.welcome_end = member.generation == 1 ? connection.written() + connection.backlog() : 0;
}

// Whether the transport has taken the message that tells the member its token.
bool HostedRoom::has_token(const Room::Member& member, const Player& player) const noexcept {
  return !player.is_gen1 && member.connection->written() >= player.welcome_end;
}

// Tells a member with the extension what there is to know of its room.
void HostedRoom::introduce(const Room::Member& member) {
  const Player& player = player_of(member);
  if (has(player.capabilities, Capability::room_info) && (is_listed_ || !metadata_.empty())) {
    member.connection->send({encode_room_info({is_open_, is_listed_, metadata_})});
  }
  // A host is told of everybody by the news that it gets.
  if (&member == host_ || !has(player.capabilities, Capability::member_events) ||
      roster_.size() > max_introduced) {
    return;
  }
  std::vector<std::byte> message;
  for (const auto& [id, other] : roster_.members()) {
    append_member_event(message,
                        event_of(info_of(other, player_of(other)),
                                 other.is_present() ? MemberChange::joined : MemberChange::away));
  }
  member.connection->send({message});
}

void HostedRoom::rejoin(Room::Member& member, const Arrival& arrival, std::uint64_t token,
                        time_point now) {
  now_ = now;
  Connection& connection = *arrival.connection;
  if (Connection* const former = member.connection) {
    ++context_.stats->takeovers;
    end_connection(*former, Ending::superseded, context_.stats->endings);
  } else {
    ++present_;
  }
  if (rules_.rotate_tokens) {
    token = context_.mint->draw();
    roster_.set_token(member, context_.mint->tag(token));
  }
  count_present(player_of(member));
  Player& player = note(member, arrival);
  if (&member == host_) {
    ++context_.stats->hosts_returned;
    seat_host(connection, token, false);
    schedule();
    return;
  }
  ++context_.stats->clients_returned;
  roster_.rejoin(member, connection);
  std::optional<std::uint64_t> last_seen;
  if (arrival.extension && has(player.capabilities, Capability::sequence) &&
      arrival.extension->sequence && cache_.can_resume(*arrival.extension->sequence)) {
    last_seen = arrival.extension->sequence;
  }
  welcome(member, player, token, last_seen);
  waiting().join(connection);
  introduce(member);
  give_state(member, last_seen);
  const PlayerInfo info = info_of(member, player);
  if (context_.observer != nullptr) context_.observer->on_back(facts(), info, now_);
  tell_members(member, player, MemberChange::back);
  tell([&](Authority& authority) { authority.on_back(info, now_); });
  offer_host_if_away();
  schedule();
}

// Speaking.

bool HostedRoom::is_within_rate(Room::Member& member, std::size_t bytes) {
  Player& player = player_of(member);
  if (player.rate.take(bytes, now_, rules_.client_rate)) return true;
  ++context_.stats->rate_dropped;
  // Somebody who sends twice what is allowed, and goes on, does it on purpose.
  if (!player.excess.take(bytes, now_, rules_.client_rate)) {
    end_member(member, Ending::sent_too_much);
  }
  return false;
}

void HostedRoom::receive(Room::Member& member, byte_view message, time_point now) {
  now_ = last_message_ = now;
  if (&member != host_ && !is_within_rate(member, message.size())) {
    schedule();
    return;
  }
  if (message.empty()) {
    end_member(member, Ending::empty_message);
  } else if (&member == host_) {
    receive_from_host(message);
  } else {
    receive_from_client(member, message);
  }
  schedule();
}

void HostedRoom::receive_from_client(Room::Member& member, byte_view message) {
  const Player& player = player_of(member);
  if (const auto extended = read_extended(message); extended && player.is_extended) {
    receive_extended(member, *extended);
    return;
  }
  const result<FromClient> id = read_from_client(message);
  if (!id) {
    end_member(member, Ending::illegal_client_message);
    return;
  }
  switch (*id) {
    case FromClient::server_rpc: {
      if (member.is_spectator) {
        ++context_.stats->rpcs_of_spectators;
        return;
      }
      const PlayerInfo info = info_of(member, player);
      const byte_view payload = message.subspan(message_id_size);
      tell([&](Authority& authority) { authority.on_rpc(info, payload, now_); });
      return;
    }
    case FromClient::client_disconnects_self:
      end_member(member, Ending::client_left);
      return;
  }
}

void HostedRoom::receive_extended(Room::Member& member, Extended id) {
  if (id == Extended::host_accept) {
    accept_offer(member);
  } else {
    end_member(member, Ending::illegal_client_message);
  }
}

// Going.

void HostedRoom::end_member(Room::Member& member, Ending ending) {
  Connection& connection = *member.connection;
  if (rule_of(ending).reason == CloseReason::too_slow) connection.discard_queue();
  end_connection(connection, ending, context_.stats->endings);
  if (&member != host_) {
    depart(member, departure_of(ending));
  } else if (ending == Ending::host_left && rules_.end_with_host) {
    end_without_host();
  } else {
    lose_host();
  }
}

void HostedRoom::lost(Room::Member& member, time_point now) {
  now_ = now;
  if (&member == host_) {
    lose_host();
  } else {
    depart(member, Departure::away);
  }
  schedule();
}

// A present client's connection has ended, or ends.
void HostedRoom::depart(Room::Member& member, Departure why) {
  Player& player = player_of(member);
  const bool may_return =
      why == Departure::away || (why == Departure::left && rules_.keep_token_of_leaver);
  const bool stays = may_return && rules_.player_grace != duration{0} &&
                     has_token(member, player) && may_be_absent(player);
  if (why == Departure::away && !stays) why = Departure::left;
  if (player.is_stalling) {
    stalling_.erase({player.look_at, member.id});
    player.is_stalling = false;
  }
  --present_;
  if (offer_ && offer_->member_id == member.id) offer_->deadline = now_;
  tell_members(member, player, change_of(why));
  const PlayerInfo info = info_of(member, player);
  Players::node_type node;
  if (stays) {
    count_absent(player);
    roster_.lose(member, now_ + rules_.player_grace);
  } else {
    node = forget(member);
  }
  // A host that knows of nobody tells nothing: what comes next may not follow from the cache.
  if (present_ == (host_ != nullptr && host_->is_present() ? 1U : 0U)) cache_.drop();
  tell_gone(std::move(node), info, why);
}

bool HostedRoom::may_be_absent(const Player& player) const {
  if (rules_.max_absent_per_address == 0 || player.remote == Address{}) return true;
  const auto count = absent_by_address_.find(player.remote.network());
  return count == absent_by_address_.end() || count->second < rules_.max_absent_per_address;
}

void HostedRoom::count_absent(Player& player) {
  if (player.remote == Address{}) return;
  player.is_counted_absent = true;
  ++absent_by_address_[player.remote.network()];
}

void HostedRoom::count_present(Player& player) {
  if (!std::exchange(player.is_counted_absent, false)) return;
  const auto count = absent_by_address_.find(player.remote.network());
  if (--count->second == 0) absent_by_address_.erase(count);
}

void HostedRoom::expire(Room::Member& member) {
  Player& player = player_of(member);
  count_present(player);
  tell_members(member, player, MemberChange::expired);
  const PlayerInfo info = info_of(member, player);
  tell_gone(forget(member), info, Departure::expired);
}

// Takes a client out of the room for good. Views of what was known of it are valid as long as the
// node.
HostedRoom::Players::node_type HostedRoom::forget(Room::Member& member) {
  if (player_of(member).is_extended) --extended_;
  const std::uint32_t id = member.id;
  roster_.remove(member, now_);
  return players_.extract(id);
}

void HostedRoom::tell_gone(Players::node_type node, const PlayerInfo& info, Departure why) {
  if (context_.observer != nullptr) context_.observer->on_departed(facts(), info, why, now_);
  if (is_telling_) {
    gone_.push_back({std::move(node), info, why});
  } else {
    tell([&](Authority& authority) { authority.on_depart(info, why, now_); });
  }
}

void HostedRoom::end_all(Ending ending) {
  if (is_over_) return;
  is_over_ = true;
  host_ = nullptr;
  offer_.reset();
  for (auto& [id, member] : roster_.members()) {
    Connection* const connection = member.connection;
    // Also one that has ended and is still to say so: here is where it is counted.
    if (connection != nullptr) end_connection(*connection, ending, context_.stats->endings);
  }
  while (roster_.size() != 0) roster_.remove(roster_.members().begin()->second, now_);
  // A call that is under way may still look at what it was told of a player.
  for (auto at = players_.begin(); at != players_.end(); at = players_.begin()) {
    gone_.push_back({players_.extract(at), {}, Departure::left});
  }
  present_ = extended_ = 0;
  cache_.drop();
  Authority* const authority = std::exchange(authority_, nullptr);
  if (context_.observer != nullptr) context_.observer->on_room_closed(facts(), ending, now_);
  if (remote_ != nullptr) {
    remote_->disconnect();
  } else if (authority != nullptr) {
    if (is_telling_) {
      leaving_ = authority;
    } else {
      authority->on_detached(now_);
    }
  }
  if (!is_telling_) gone_.clear();
  schedule();
}

std::error_code HostedRoom::kick(std::uint16_t player_id, std::uint8_t ban_scopes) {
  if (is_over_) return make_error_code(errc::closed);
  Room::Member* const member = roster_.find(player_id);
  if (member == nullptr || member == host_) return make_error_code(errc::not_found);
  const Player& player = player_of(*member);
  const auto ban = [](auto& list, auto what) {
    if (list.size() == max_bans) list.pop_front();
    list.push_back(std::move(what));
  };
  if ((ban_scopes & static_cast<unsigned>(BanScope::user)) != 0 && !player.user.empty()) {
    ban(banned_users_, player.user);
  }
  if ((ban_scopes & static_cast<unsigned>(BanScope::address)) != 0 && player.remote != Address{}) {
    ban(banned_addresses_, player.remote.network());
  }
  if (member->is_present()) {
    end_member(*member, Ending::kicked);
  } else {
    expire(*member);
  }
  schedule();
  return {};
}

// What others are told.

PlayerInfo HostedRoom::info_of(const Room::Member& member, const Player& player) const noexcept {
  return {.id = static_cast<std::uint16_t>(member.id),
          .seat = seat_number(member.seat),
          .is_spectator = member.is_spectator,
          .is_extended = player.is_extended,
          .name = player.name,
          .user = player.user,
          .remote = player.remote};
}

std::optional<PlayerInfo> HostedRoom::player(std::uint16_t id) const noexcept {
  const auto member = roster_.members().find(id);
  if (member == roster_.members().end()) return std::nullopt;
  return info_of(member->second, player_of(member->second));
}

std::uint16_t HostedRoom::seat_number(std::uint32_t seat) noexcept {
  return seat == 0 || seat > no_seat ? no_seat : static_cast<std::uint16_t>(seat);
}

// Tells the other members, but not the host: that one is told by the authority.
void HostedRoom::tell_members(const Room::Member& member, const Player& player,
                              MemberChange change) {
  if (extended_ == 0) return;
  std::vector<std::byte> message;
  append_member_event(message, event_of(info_of(member, player), change));
  send_extended(Capability::member_events, message, member.connection);
}

// Time.

// Looks whether slow members take anything at all.
void HostedRoom::look_for_progress() {
  while (!stalling_.empty() && stalling_.begin()->first <= now_) {
    const std::uint32_t id = stalling_.begin()->second;
    stalling_.erase(stalling_.begin());
    Room::Member& member = *roster_.find(id);
    Player& player = player_of(member);
    player.is_stalling = false;
    if (member.connection->written() == player.written_before &&
        member.connection->backlog() != 0) {
      end_member(member, Ending::client_too_slow);
      if (is_over_) return;
    }
  }
}

void HostedRoom::advance(time_point now) {
  now_ = now;
  while (Room::Member* const member = roster_.expired(now)) {
    if (member == host_) {
      end_all(Ending::host_gone);
      return;
    }
    expire(*member);
    if (is_over_) return;
  }
  if (offer_ && offer_->deadline <= now) offer_host();
  fire_timers();
  if (!is_over_) look_for_progress();
  if (needs_state_ && !is_over_) {
    needs_state_ = false;
    if (remote_ == nullptr && !waiting().empty() && !authority_->on_state_wanted(now)) {
      const std::vector<std::byte> state = authority_->full_state();
      update(FromHost::full_update, state);
    }
  }
  if (!is_over_ && idle_check_ <= now) {
    idle_check_ = last_message_ + rules_.idle;
    if (idle_check_ <= now) end_all(Ending::room_idle);
  }
  schedule();
}

time_point HostedRoom::next_deadline() const noexcept {
  if (is_over_ || needs_state_) return time_point::min();
  time_point next = std::min(roster_.next_expiry(), idle_check_);
  if (offer_) next = std::min(next, offer_->deadline);
  if (!due_timers_.empty()) next = std::min(next, due_timers_.begin()->first);
  if (!stalling_.empty()) next = std::min(next, stalling_.begin()->first);
  return next;
}

void HostedRoom::schedule() {
  if (next_deadline() != scheduled) context_.owner->changed(*this);
}

}  // namespace muster::relay
