// SPDX-License-Identifier: MIT
// What a signaling service tells about itself, as Prometheus text and as JSON.
#pragma once

#include <muster/export.hpp>
#include <muster/signal/stats.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace muster::signal {

/// How many rooms have how many players, by game. Memory grows with the games, not with the rooms.
class MUSTER_API RoomCensus {
 public:
  using Rooms = std::map<std::size_t, std::uint64_t>;  ///< rooms by their number of players

  void add_room(std::string_view game_name, std::size_t players);

  /// Adds those of another loop.
  void add(const RoomCensus& more);

  [[nodiscard]] std::uint64_t room_count() const noexcept { return room_count_; }
  [[nodiscard]] const std::map<std::string, Rooms, std::less<>>& games() const noexcept {
    return games_;
  }

 private:
  std::map<std::string, Rooms, std::less<>> games_;
  std::uint64_t room_count_ = 0;
};

/// Everything that is shown, at one moment.
struct MUSTER_API Metrics {
  Stats stats{};
  RoomCensus rooms{};

  /// Adds those of another loop.
  void add(const Metrics& more);
};

/// The text exposition format, version 0.0.4: families that begin with "signal_fish_".
/// @source docs/protocol/signal.md, "Metrics"
[[nodiscard]] MUSTER_API std::string prometheus_text(const Metrics& metrics);

/// What a request for the JSON document may ask for.
struct MetricsRequest {
  std::string_view time_range = "1h";  ///< echoed; cut to 64 bytes
  bool has_snapshot = false;           ///< adds `metricsSnapshot`, every counter by its family
  std::int64_t unix_milliseconds = 0;  ///< now, since 1970
};

/// Of games those with the most rooms, up to `max_listed_games`.
[[nodiscard]] MUSTER_API std::string metrics_json(const Metrics& metrics,
                                                  const MetricsRequest& request);
inline constexpr std::size_t max_listed_games = 1000;

}  // namespace muster::signal
