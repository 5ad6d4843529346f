// SPDX-License-Identifier: MIT
// A session that became a stream of server-sent events.
#include <muster/websocket/session.hpp>

#include <muster/websocket/close_code.hpp>

#include <chrono>
#include <string_view>

namespace muster::websocket {

namespace {

// A line that begins with a colon is a comment (WHATWG HTML, section 9.2.6).
constexpr std::string_view heartbeat = ": heartbeat\n\n";

}  // namespace

// How often a stream is looked at: twice within its interval. Nothing is noted when something is
// written, so a look only learns that it happened since the one before.
duration Session::stream_period() const noexcept {
  const duration interval = endpoint_->config_.heartbeat_interval;
  return interval != duration{0} ? interval / 2 : std::chrono::hours{24};
}

void Session::look_after_stream(time_point now) {
  const Config& config = endpoint_->config_;
  Endpoint::Stream& stream = endpoint_->streams_.at(id().index);
  if (written() != stream.written) {
    stream.written = written();
    stream.progress = now;
  } else if (backlog() == 0 && config.heartbeat_interval != duration{0} &&
             now - stream.progress + stream_period() >= config.heartbeat_interval) {
    // Now, or it is late at the next look.
    ++endpoint_->stats_.heartbeats;
    send_control(as_bytes(heartbeat));
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
