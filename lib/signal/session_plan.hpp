// SPDX-License-Identifier: MIT
// How the members of a started game reach each other.
#pragma once

#include <muster/entropy.hpp>
#include <muster/signal/config.hpp>
#include <muster/signal/stats.hpp>
#include <muster/time.hpp>

#include "server_message.hpp"
#include "session.hpp"
#include "unix_clock.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace muster::signal {

/// What was chosen when the game started. Only the host may become another one.
struct PlanChoice {
  Topology topology = Topology::relay;
  Transport transport = Transport::relay;
  const Seat* host = nullptr;
};

/// Whether a member can take part in a plan of that kind.
[[nodiscard]] bool is_capable(const Seat& seat, Topology topology, Transport transport) noexcept;

/// Whether a member can be the host of such a plan: a direct one must be one to connect to.
[[nodiscard]] bool can_host(const Seat& seat, Topology topology, Transport transport) noexcept;

/// The host of a plan: the authority if it is capable, else who came first, and of those who came
/// at the same time the one with the smaller id. Null: nobody is.
/// @param players   those who are present, in the order in which they came
[[nodiscard]] const Seat* elect_host(std::span<const Seat* const> players, const Seat* authority,
                                     Topology topology, Transport transport) noexcept;

/// The first plan that the configuration wishes for and every member is capable of.
[[nodiscard]] PlanChoice choose_plan(const Config& config, std::string_view game_name,
                                     std::span<const Seat* const> players, const Seat* authority);

[[nodiscard]] DesiredTopology desired_topology(const Config& config, std::string_view game_name);

/// Whether the peer offers: the smaller id of two, where each is connected with each.
[[nodiscard]] inline bool initiates(const Uuid& local, const Uuid& remote) noexcept {
  return local < remote;
}

/// The servers that help a peer to be reached, with credentials of its own.
class IceServers {
 public:
  IceServers(const Config& config, Stats& stats, const UnixClock& clock) noexcept
      : config_(&config), stats_(&stats), clock_(&clock) {}

  /// Valid until the next call.
  [[nodiscard]] std::span<const IceServer> of(const Uuid& player_id, time_point now);

 private:
  const Config* config_;
  Stats* stats_;
  const UnixClock* clock_;
  std::vector<IceServer> servers_;
};

}  // namespace muster::signal
