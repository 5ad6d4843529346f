// SPDX-License-Identifier: MIT
// Fuzzes a server's session whose service echoes: whatever comes, and however it is cut, it is told
// once that the connection is over, and nothing is left.
//
// Byte 0: an upgrade request goes in front (bit 0), the answer comes late (bit 1), the transport
// takes little (bit 2), the peer ends its side (bit 3), time passes (bit 4), the service closes
// after some messages (bit 5), how the stream is cut (the rest). Byte 1: seed of the cuts. What
// follows is the stream.
#include "support/require.hpp"
#include "support/session_pipe.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using test::require;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  using namespace std::chrono_literals;
  if (size < 2) return 0;
  const auto has = [flags = data[0]](unsigned bit) { return ((flags >> bit) & 1U) != 0; };
  constexpr std::size_t lengths[] = {1, 5, 100, 100'000};
  const std::size_t longest = lengths[data[0] >> 6U];
  std::uint32_t state = data[1] + 1U;
  const auto draw = [&state](std::size_t count) {
    state = state * 1664525U + 1013904223U;
    return (state >> 8U) % count;
  };

  websocket::Config config;
  config.max_message = 4096;
  config.max_body = 256;
  test::SessionWorld world{config};
  int messages = 0;
  world.service.is_silent = true;
  world.service.when_message = [&](Connection& connection, const Message& message) {
    require(message.bytes.size() <= config.max_message);
    connection.send(message);
    if (has(5) && ++messages == 3) connection.close(CloseReason::kicked, 4000, "enough");
  };
  if (has(1)) {
    world.service.when_upgrade = [](const Request&, Decision&) {};
    world.service.when_request = [](const Request&, Decision&) {};
  }

  std::string stream;
  if (has(0)) stream = test::upgrade_request;
  stream.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  test::End end = world.accept();
  if (has(2)) end.session->give_room(150);
  for (std::string_view rest = stream; !rest.empty() && end.is_alive();) {
    const std::string_view piece = rest.substr(0, 1 + draw(longest));
    rest.remove_prefix(piece.size());
    end.session->feed(piece, world.now);
    if (draw(4) == 0) continue;  // more comes in the same pass
    world.run();
    if (has(4) && draw(4) == 0) world.wait(draw(3000) * 1ms);
    if (has(2) && end.is_alive()) end.session->give_room(draw(20));
    if (has(1) && draw(4) == 0) {
      for (Decision& late : world.service.kept) {
        draw(4) == 0 ? late.respond({}) : static_cast<void>(late.accept(world.service));
      }
    }
  }
  if (has(3)) world.finish(end);
  world.service.kept.clear();
  world.wait(5min);

  require(end.is_gone());
  require(world.service.out_of_turn == 0);
  for (const auto& [connection, told] : world.service.told) {
    require(told.opens <= 1 && told.closes == 1);
  }
  require(world.endpoint.session_count() == 0 && world.endpoint.opening_count() == 0);
  require(world.outbox.connection_count() == 0);
  return 0;
}
