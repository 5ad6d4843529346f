// SPDX-License-Identifier: MIT
// Admission, absence and removal of members.
#include <muster/room/room.hpp>

#include <cassert>
#include <cstring>

namespace muster {

Room::Room(std::uint64_t instance, const Config& config, Outbox& outbox, void* owner)
    : instance_(instance), config_(config), owner_(owner), next_id_(config.first_id) {
  for (std::size_t i = 0; i < config.audiences; ++i) {
    audiences_.push_back(std::make_unique<Group>(outbox, config.window));
  }
}

Room::~Room() {
  for (auto& [id, member] : members_) detach(member);
}

result<std::uint32_t> Room::next_id(time_point now, std::uint32_t max_members,
                                    bool is_spectator) const noexcept {
  if (is_spectator ? spectators_ >= config_.max_spectators
                   : max_members != 0 && members_.size() - spectators_ >= max_members) {
    return errc::limit_reached;
  }
  if (next_id_ <= config_.last_id) return static_cast<std::uint32_t>(next_id_);
  if (!released_.empty() && released_.front().first <= now) return released_.front().second;
  return errc::not_found;
}

std::uint64_t Room::index_of(const TokenTag& token) noexcept {
  std::uint64_t index = 0;
  std::memcpy(&index, token.data(), sizeof index);
  return index;
}

Room::Member& Room::add(std::uint32_t id, const std::optional<TokenTag>& token,
                        Connection* connection, bool is_spectator) {
  Member& member =
      members_.emplace(id, Member{this, id, 1, 0, is_spectator, connection, token, no_deadline})
          .first->second;
  if (connection != nullptr) connection->set_context(&member);
  if (token) by_token_.insert_or_assign(index_of(*token), &member);
  return member;
}

std::uint32_t Room::next_seat(const Admission& admission) const noexcept {
  if (admission.is_spectator) return 0;
  if (const auto wished = admission.seat) {
    if (free_seats_.contains(*wished)) return *wished;
    if (*wished >= next_seat_ && *wished <= admission.max_seat) return *wished;
  }
  return free_seats_.empty() ? next_seat_ : *free_seats_.begin();
}

void Room::take_seat(Member& member, std::uint32_t seat) {
  member.seat = seat;
  if (free_seats_.erase(seat) != 0) return;
  while (next_seat_ < seat) free_seats_.insert(next_seat_++);
  ++next_seat_;
}

Room::Member& Room::admit(Connection& connection, [[maybe_unused]] time_point now,
                          const Admission& admission) {
  std::uint32_t id = 0;
  if (next_id_ <= config_.last_id) {
    id = static_cast<std::uint32_t>(next_id_++);
  } else {
    assert(!released_.empty() && released_.front().first <= now && "the caller asks next_id first");
    id = released_.front().second;
    released_.pop_front();
  }
  Member& member = add(id, admission.token, &connection, admission.is_spectator);
  if (admission.is_spectator) {
    ++spectators_;
  } else {
    take_seat(member, next_seat(admission));
  }
  return member;
}

Room::Member& Room::reserve(std::uint32_t id, const TokenTag& token, time_point until) {
  assert(id < config_.first_id && "the others are handed out by admit");
  Member& member = add(id, token, nullptr, false);
  member.generation = 0;
  take_seat(member, next_seat({}));
  member.absent_until = until;
  absent_.emplace(until, id);
  return member;
}

// What it was sent so far still leaves, and its audience forgets it.
void Room::detach(Member& member) noexcept {
  Connection* const connection = std::exchange(member.connection, nullptr);
  if (connection == nullptr) return;
  if (connection->group() != nullptr) connection->group()->leave(*connection);
  connection->set_context(nullptr);
}

Connection* Room::rejoin(Member& member, Connection& connection) {
  Connection* const former = member.connection;
  detach(member);
  absent_.erase({member.absent_until, member.id});
  member.connection = &connection;
  member.absent_until = no_deadline;
  ++member.generation;
  connection.set_context(&member);
  return former;
}

void Room::lose(Member& member, time_point until) {
  detach(member);
  absent_.erase({member.absent_until, member.id});
  member.absent_until = until;
  absent_.emplace(until, member.id);
}

void Room::set_token(Member& member, const TokenTag& token) {
  if (member.token) by_token_.erase(index_of(*member.token));
  member.token = token;
  by_token_.insert_or_assign(index_of(token), &member);
}

void Room::remove(Member& member, time_point now) noexcept {
  detach(member);
  absent_.erase({member.absent_until, member.id});
  if (member.token) by_token_.erase(index_of(*member.token));
  if (member.is_spectator) --spectators_;
  if (member.seat != 0) free_seats_.insert(member.seat);
  if (member.id >= config_.first_id) {
    released_.emplace_back(now + config_.quarantine, member.id);
  }
  members_.erase(member.id);
}

Room::Member* Room::find(std::uint32_t id) noexcept {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

Room::Member* Room::find(const TokenTag& token) noexcept {
  const auto found = by_token_.find(index_of(token));
  if (found == by_token_.end()) return nullptr;
  return equal_in_constant_time(*found->second->token, token) ? found->second : nullptr;
}

time_point Room::next_expiry() const noexcept {
  return absent_.empty() ? no_deadline : absent_.begin()->first;
}

Room::Member* Room::expired(time_point now) noexcept {
  if (absent_.empty() || absent_.begin()->first > now) return nullptr;
  return find(absent_.begin()->second);
}

}  // namespace muster
