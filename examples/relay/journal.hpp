// SPDX-License-Identifier: MIT
// What happens in the rooms of one loop, told to the records and to the log.
#pragma once

#include "log.hpp"
#include "record_writer.hpp"

#include <muster/relay/observer.hpp>

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relay_program {

/// An observer that waits for nothing: a record that does not fit into the writer's queue is
/// dropped, and counted there.
/// @threads the service's loop
class Journal final : public muster::relay::Observer {
 public:
  /// @param loop      which of the program's loops this is: makes rooms different from those of the
  ///                  others; below 32,768
  /// @param records   null: none are kept
  Journal(std::uint32_t loop, Log& log, RecordWriter* records)
      : loop_(loop), log_(&log), records_(records) {}

  /// What no other room of this run of the program has, for a room of this loop's service.
  [[nodiscard]] std::int64_t room_of(std::uint64_t instance) const noexcept;

  void on_room_opened(const muster::relay::RoomFacts& room, const muster::relay::PlayerInfo* host,
                      muster::time_point now) override;
  void on_room_closed(const muster::relay::RoomFacts& room, muster::relay::Ending why,
                      muster::time_point now) override;
  void on_joined(const muster::relay::RoomFacts& room, const muster::relay::PlayerInfo& player,
                 muster::time_point now) override;
  void on_back(const muster::relay::RoomFacts& room, const muster::relay::PlayerInfo& player,
               muster::time_point now) override;
  void on_departed(const muster::relay::RoomFacts& room, const muster::relay::PlayerInfo& player,
                   muster::relay::Departure why, muster::time_point now) override;
  void on_host_away(const muster::relay::RoomFacts& room, muster::time_point now) override;
  void on_host_back(const muster::relay::RoomFacts& room, bool is_another,
                    muster::time_point now) override;
  void on_refused(const muster::Address& remote, muster::relay::Ending why,
                  muster::time_point now) override;

 private:
  // How often each id was given out, by id. Ids are used again only after a quarantine, and records
  // tell their players apart by this.
  using Joins = std::vector<std::uint32_t>;

  [[nodiscard]] LogFields fields_of(const muster::relay::RoomFacts& room) const;
  [[nodiscard]] LogFields fields_of(const muster::relay::RoomFacts& room,
                                    const muster::relay::PlayerInfo& player) const;
  [[nodiscard]] PlayerKey key_of(const muster::relay::RoomFacts& room, std::uint16_t id) const;
  void count_join(const muster::relay::RoomFacts& room, std::uint16_t id);
  void record_join(const muster::relay::RoomFacts& room, std::uint16_t id, std::string_view user,
                   std::string_view name);
  void record_leave(const muster::relay::RoomFacts& room, std::uint16_t id,
                    std::string_view reason);

  std::uint32_t loop_;
  Log* log_;
  RecordWriter* records_;
  std::unordered_map<std::uint64_t, Joins> joins_;  // by instance; empty without records
};

}  // namespace relay_program
