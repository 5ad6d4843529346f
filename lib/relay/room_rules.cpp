// SPDX-License-Identifier: MIT
// The ranges of a room's rules.
#include <muster/relay/room_rules.hpp>

#include <chrono>
#include <string_view>

namespace muster::relay {

bool validate(const RoomRules& rules, std::string& problem) {
  using namespace std::chrono_literals;
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(rules.host_grace >= 0s && rules.host_grace <= 1h, "host_grace must be between 0 and 1 h");
  check(rules.player_grace >= 0s && rules.player_grace <= 24h,
        "player_grace must be between 0 and 24 h");
  check(rules.id_quarantine >= 0s && rules.id_quarantine <= 24h,
        "id_quarantine must be between 0 and 24 h");
  check(rules.idle >= 0s && rules.idle <= 24h * 30, "idle must be between 0 and 30 days");
  check(rules.stall_timeout >= 1s && rules.stall_timeout <= 1h,
        "stall_timeout must be between 1 s and 1 h");
  check(rules.max_away_rpcs <= 65'536, "max_away_rpcs must be at most 65536");
  check(rules.max_away_bytes <= 16U << 20U, "max_away_bytes must be at most 16 MiB");
  check(is_valid(rules.client_rate),
        "client_rate must be at most 1000000 messages per second, and its burst between 1 ms and "
        "1 h");
  check(rules.state_cache <= 64U << 20U, "state_cache must be at most 64 MiB");
  check(rules.window.length >= 0s && rules.window.length <= 10s &&
            (rules.window.kind != FlushWindow::Kind::tick || rules.window.length >= 1ms),
        "window must be between 0 and 10 s, and a tick at least 1 ms");
  return problem.empty();
}

}  // namespace muster::relay
