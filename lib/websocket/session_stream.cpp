// SPDX-License-Identifier: MIT
// A session that became a stream of server-sent events.
#include <muster/websocket/session.hpp>

#include <muster/websocket/close_code.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace muster::websocket {

namespace {

// A line that begins with a colon is a comment (WHATWG HTML, section 9.2.6).
constexpr std::string_view heartbeat = ": heartbeat\n\n";

}  // namespace

// How often a stream is looked at: twice within each of its deadlines. Nothing is noted when
// something is written, so a look only learns that it happened since the one before.
duration Session::stream_period() const noexcept {
  const Config& config = endpoint_->config_;
  duration period = std::chrono::hours{24};
  for (const duration length : {config.heartbeat_interval, config.idle_timeout}) {
    if (length != duration{0}) period = std::min(period, length / 2);
  }
  return period;
}

void Session::look_after_stream(time_point now) {
  const Config& config = endpoint_->config_;
  Endpoint::Stream& stream = endpoint_->streams_.at(id().index);
  if (written() != stream.written) {
    stream.written = written();
    stream.progress = stream.clear = now;
  } else if (backlog() == 0) {
    stream.clear = now;
    // Now, or it is late at the next look.
    if (config.heartbeat_interval != duration{0} &&
        now - stream.progress + stream_period() >= config.heartbeat_interval) {
      ++endpoint_->stats_.heartbeats;
      send_control(as_bytes(heartbeat));
    }
  } else if (config.idle_timeout != duration{0} && now - stream.clear >= config.idle_timeout) {
    ++endpoint_->stats_.write_timeouts;
    fault(CloseReason::too_slow, close_code::try_again_later, "too slow", now);
    return;
  }
  enter(Stage::stream);
}

// A request is all that the peer of a stream has to say.
void Session::ignore(std::size_t bytes, time_point now) {
  if (is_open() && !is_announced()) announce(now);  // accepted late, in this very pass
  if (!is_open()) return;
  const Config& config = endpoint_->config_;
  std::uint64_t& ignored = endpoint_->streams_.at(id().index).ignored;
  ignored += bytes;
  if (ignored <= config.max_head + config.max_body) return;
  ++endpoint_->stats_.protocol_errors;
  fault(CloseReason::protocol_error, close_code::policy_violation, "too much behind the request",
        now);
}

}  // namespace muster::websocket
