// SPDX-License-Identifier: MIT
// What all jobs have in common.
#include "records.hpp"

#include <array>

namespace relay_program {

namespace {

std::size_t texts_of(const RoomOpened& job) noexcept {
  return job.game_id.size() + job.room_code.size() +
         (job.host_user_id ? job.host_user_id->size() : 0);
}
std::size_t texts_of(const PlayerJoined& job) noexcept {
  return (job.user_id ? job.user_id->size() : 0) +
         (job.display_name ? job.display_name->size() : 0);
}
std::size_t texts_of(const PlayerLeft& job) noexcept { return job.reason.size(); }
std::size_t texts_of(const RoomClosed& job) noexcept { return job.reason.size(); }
std::size_t texts_of(const GameResult& job) noexcept {
  std::size_t sum = job.result.size();
  for (const auto& outcome : job.outcomes) sum += sizeof outcome + outcome.second.size();
  return sum;
}

}  // namespace

std::string_view job_kind_name(std::size_t kind) noexcept {
  constexpr std::array<std::string_view, job_kinds> names{"opened", "joined", "left", "closed",
                                                          "result"};
  return kind < names.size() ? names[kind] : std::string_view{};
}

std::int64_t room_of(const Job& job) noexcept {
  return std::visit([](const auto& j) { return j.room; }, job);
}

std::size_t memory_of(const Job& job) noexcept {
  return sizeof(Job) + std::visit([](const auto& j) { return texts_of(j); }, job);
}

}  // namespace relay_program
