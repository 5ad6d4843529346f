// SPDX-License-Identifier: MIT
// Which parties fill all teams, whatever their sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shard {

/// Offered parties one by one, knows as soon as some of them, with the first, fill all teams.
///
/// It keeps every way in which the teams can be filled by now (as the sorted numbers of players in
/// them), and for each the first parties that led there. So nothing is missed, however sizes fit.
class TeamPacking {
 public:
  static constexpr std::size_t max_states = 2048;

  /// How many ways there are to fill teams, or more than `max_states`.
  /// @param teams, team_size   at least 1
  [[nodiscard]] static std::size_t count_states(std::size_t teams, std::size_t team_size) noexcept;

  /// At most `max_states` ways.
  TeamPacking(std::uint16_t teams, std::uint16_t team_size);

  /// Begins anew, with a party that must be chosen.
  /// @param size   1 to `team_size`, as in `offer`
  /// @return   whether it fills all teams
  bool begin(std::uint16_t size);

  /// One more party that may be chosen. Only after false was returned.
  /// @return   whether all teams can be filled now
  bool offer(std::uint16_t size);

  struct Choice {
    std::uint32_t offered;  ///< 0: the party of `begin`, 1: that of the first `offer`
    std::uint16_t team;
  };

  /// Who fills the teams, after true was returned; in the order of offers.
  void choose(std::vector<Choice>& out) const;

 private:
  // From a state with a party into a team that has `fill` players.
  struct Step {
    std::uint16_t fill;
    std::uint16_t next;
  };
  struct Origin {
    std::uint16_t state;
    std::uint16_t fill;
    std::uint32_t offered;
  };

  bool reach(std::uint16_t state, Origin origin);

  std::uint16_t teams_;
  std::uint16_t team_size_;
  std::vector<Step> steps_;
  std::vector<std::uint32_t> first_step_;  // by state and size; one more at the end
  std::uint16_t full_ = 0;                 // the last state; the first is empty

  std::vector<Origin> origins_;         // by state
  std::vector<bool> is_reached_;        // by state
  std::vector<std::uint16_t> reached_;  // in the order of being reached
  std::vector<std::uint16_t> sizes_;    // of what was offered
};

}  // namespace muster::shard
