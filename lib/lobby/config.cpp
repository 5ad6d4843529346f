// SPDX-License-Identifier: MIT
// Checking a client's configuration.
#include <muster/lobby/config.hpp>

#include <muster/error.hpp>
#include <muster/lobby/origin.hpp>
#include <muster/url.hpp>

#include <algorithm>
#include <string_view>

namespace muster::lobby {

namespace {

bool is_visible(std::string_view text, std::size_t most) noexcept {
  return !text.empty() && text.size() <= most &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7F'; });
}

bool is_between(duration value, duration least, duration most) noexcept {
  return value >= least && value <= most;
}

}  // namespace

std::error_code validate(const Config& config, std::string& problem) {
  using namespace std::chrono_literals;
  problem.clear();
  const auto check = [&problem](bool is_good, std::string_view sentence) {
    if (!is_good && problem.empty()) problem = sentence;
  };
  Origin origin;
  const UrlError url = origin.read(config.url, config.allow_insecure_lobby);
  if (url != UrlError::none) {
    problem = "url cannot be used: ";
    problem += to_string(url);
    if (url == UrlError::lobby_insecure) {
      problem += "; use wss://, or allow_insecure_lobby if the token may go in clear text";
    }
  }
  check(parse_url(config.url).has_value(), "url must be a ws:// or wss:// URL");
  check(!config.token.is_empty(), "token is missing");
  check(config.token.is_valid(), "token has characters that cannot stand in a header, or too many");
  check(config.retry.is_valid(), "retry is out of range");
  check(!config.drain_grace || is_between(*config.drain_grace, 0s, 24h),
        "drain_grace must be at most 24 h");
  check(is_between(config.connect_timeout, 100ms, 10min),
        "connect_timeout must be between 100 ms and 10 min");
  check(is_between(config.hello_timeout, 100ms, 10min),
        "hello_timeout must be between 100 ms and 10 min");
  check(is_between(config.handshake_timeout, 100ms, 10min),
        "handshake_timeout must be between 100 ms and 10 min");
  check(config.lobby_idle_timeout == 0s || is_between(config.lobby_idle_timeout, 1s, 1h),
        "lobby_idle_timeout must be 0, or between 1 s and 1 h");
  check(is_between(config.stable_after, 0s, 1h), "stable_after must be at most 1 h");
  check(is_between(config.reconnect_grace, 0s, 1h), "reconnect_grace must be at most 1 h");
  check(is_between(config.turn_margin, 0s, 1min), "turn_margin must be at most 1 min");
  check(config.max_malformed_frames >= 1, "max_malformed_frames must be at least 1");
  check(config.max_frame >= 4096 && config.max_frame <= 64 * 1024 * 1024,
        "max_frame must be between 4 KiB and 64 MiB");
  check(config.frames_per_second >= 1 && config.frames_per_second <= 1000,
        "frames_per_second must be between 1 and 1000");
  check(config.max_queued_frames >= 1 && config.max_queued_frames <= 4096,
        "max_queued_frames must be between 1 and 4096");
  check(is_visible(config.client_name, 64), "client_name must be 1 to 64 bytes of ASCII");
  check(is_visible(config.client_version, 32), "client_version must be 1 to 32 bytes of ASCII");
  check(is_visible(config.user_agent, 256), "user_agent must be 1 to 256 bytes of ASCII");
  check(is_valid(config.budget), "budget is out of range");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

}  // namespace muster::lobby
