// SPDX-License-Identifier: MIT
// Admission and removal of members.
#include <muster/room/room.hpp>

#include <cassert>

namespace muster {

Room::Room(std::uint64_t instance, const Config& config, Outbox& outbox, void* owner)
    : instance_(instance), config_(config), owner_(owner), next_id_(config.first_id) {
  for (std::size_t i = 0; i < config.audiences; ++i) {
    audiences_.push_back(std::make_unique<Group>(outbox, config.window));
  }
}

Room::~Room() {
  while (!members_.empty()) remove(members_.begin()->second);
}

result<std::uint32_t> Room::next_id() const noexcept { return next_id(config_.max_members); }

result<std::uint32_t> Room::next_id(std::uint32_t max_members) const noexcept {
  if (max_members != 0 && members_.size() >= max_members) return errc::limit_reached;
  if (next_id_ > config_.last_id) return errc::not_found;
  return static_cast<std::uint32_t>(next_id_);
}

Room::Member& Room::admit(Connection& connection, std::uint64_t token) {
  assert(next_id_ <= config_.last_id && "the caller asks next_id first");
  const auto id = static_cast<std::uint32_t>(next_id_++);
  Member& member = members_.emplace(id, Member{this, id, 1, &connection, token}).first->second;
  connection.set_context(&member);
  return member;
}

void Room::remove(Member& member) noexcept {
  Connection& connection = *member.connection;
  if (connection.group() != nullptr) connection.group()->leave(connection);
  connection.set_context(nullptr);
  members_.erase(member.id);
}

Room::Member* Room::find(std::uint32_t id) noexcept {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

}  // namespace muster
