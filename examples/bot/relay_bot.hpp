// SPDX-License-Identifier: MIT
// Hosts and players that send each other numbered payloads through a relay.
#pragma once

#include "bot.hpp"
#include "options.hpp"
#include "report.hpp"

#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace bot_program {

inline constexpr std::uint32_t min_payload_size = 32;         ///< bytes: what a payload says
inline constexpr std::uint32_t max_payload_size = 32 * 1024;  ///< bytes

/// A run against a relay: connect everybody, play, wait for what is under way, leave.
///
/// Both ends of every path are in this process, so that one clock measures it and every payload can
/// be compared with what was sent.
class RelayBot final : public Bot {
 public:
  RelayBot(const Options& options, Surroundings around);

  /// The dialer must be gone, so that no connection knows a member any more.
  ~RelayBot() override;

  void start() override;
  void stop() noexcept override { stop_wanted_ = true; }

  /// 0: every payload arrived once, whole and in order.
  [[nodiscard]] int finish() override;

  void advance(muster::time_point now) override;
  [[nodiscard]] muster::time_point next_deadline() const noexcept override;

 private:
  class Table;  // a room: its host and its seats
  class Seat;   // a player

  enum class Phase : std::uint8_t { connecting, playing, settling, leaving };

  // When a host or a player sends next.
  struct Turn {
    muster::time_point at;
    muster::duration period;
    Table* table;
    Seat* seat;  // null: the host
    friend bool operator>(const Turn& a, const Turn& b) noexcept { return a.at > b.at; }
  };

  void fill_places(muster::time_point now);
  void place_taken(muster::time_point now);
  void begin_play(muster::time_point now);
  void take_turns(muster::time_point now);
  void show_line(muster::time_point now, double line_seconds) override;
  void begin_settling(muster::time_point now);
  void settle(muster::time_point now);
  void begin_leaving(muster::time_point now);
  void gone(muster::time_point now);
  void broke_off(const std::string& who, std::string_view parting, std::string_view text);
  void ended_early(const std::string& who, std::string_view parting, std::string_view text);
  [[nodiscard]] std::uint64_t under_way() const noexcept;

  Options options_;
  Tally tally_;
  Phase phase_ = Phase::connecting;
  bool stop_wanted_ = false;
  std::vector<std::unique_ptr<Table>> tables_;
  std::deque<Seat*> waiting_;  // their room is there, and they have not dialled
  std::size_t dialling_ = 0;
  std::size_t ready_ = 0;    // players who have the state
  std::size_t present_ = 0;  // hosts and players who have not ended
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  std::uint64_t settled_ = 0;  // how much was under way at the last arrival
  muster::time_point last_arrival_{};
  int news_told_ = 0;
  std::string last_news_;
  muster::time_point phase_deadline_ = muster::no_deadline;
  muster::time_point play_start_{};
  muster::time_point play_end_{};
};

}  // namespace bot_program
