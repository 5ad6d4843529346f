// SPDX-License-Identifier: MIT
// What the fuzz targets of SOE sessions share: how they read their input, and how they are set up.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/config.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/require.hpp"
#include "support/soe_end.hpp"
#include "support/soe_event_order.hpp"
#include "support/soe_peer.hpp"

namespace test {

/// Takes an input apart; at its end everything is zero.
class FuzzInput {
 public:
  explicit FuzzInput(muster::byte_view input) noexcept : rest_(input) {}

  [[nodiscard]] bool is_empty() const noexcept { return rest_.empty(); }
  [[nodiscard]] unsigned byte() noexcept {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<unsigned>(rest_[0]);
    rest_ = rest_.subspan(1);
    return value;
  }
  [[nodiscard]] unsigned two() noexcept {
    const unsigned high = byte();
    return high << 8U | byte();
  }
  [[nodiscard]] Bytes bytes(std::size_t size) {
    const muster::byte_view taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }

 private:
  muster::byte_view rest_;
};

/// A session by the bits of a number: so small that limits are near.
inline muster::soe::Config fuzz_config(unsigned bits) {
  using namespace std::chrono_literals;
  muster::soe::Config config =
      (bits & 1U) != 0 ? muster::soe::Config::for_own_ends(600) : muster::soe::Config{};
  config.protocols = {"game"};
  config.compression = (bits & 2U) != 0;
  config.compress_from = (bits & 2U) != 0 ? 32 : 0;
  if ((bits & 4U) != 0) config.encryption_key = Bytes(7, std::byte{0x2A});
  config.unreliable_flag = (bits & 8U) != 0;
  config.acknowledges_each = (bits & 16U) != 0;
  if ((bits & 32U) != 0) config.escape = muster::soe::Escape::always;
  config.allows_port_remaps = (bits & 64U) != 0;
  config.answers_unknown_senders = (bits & 64U) != 0;
  config.explains_refusal = (bits & 128U) != 0;
  config.net_status_interval = (bits & 128U) != 0 ? 3s : 0s;
  config.max_message = 20'000;
  config.reassembly_budget = 40'000;
  config.send_budget = 64 * 1024;
  config.max_half_open = 4;
  return config;
}

/// Whether an end, all sessions of which are over, has its memory back: a message as large as there
/// may be comes through, in fragments of which many come early.
inline bool takes_large_message(SoeEnd& server) {
  const muster::Address from = muster::Address::v4(0x0AFFFFFF, 9);
  SoePeer peer;
  peer.session_id = 0x7E57;
  peer.ask(server, from);
  server.receive(from, peer.heartbeat());
  require(server.count(SoeEvent::Kind::opened) == 1);
  server.events.clear();
  const std::size_t size = server.mux.config().max_message;
  const Bytes part(400, std::byte{'p'});
  const std::size_t parts = size / part.size();
  for (std::size_t i = 1; i < parts; i += 2) {
    server.receive(from, peer.fragment(static_cast<unsigned>(i), part));
    const auto before = static_cast<unsigned>(i - 1);
    server.receive(from, before == 0 ? peer.first_fragment(0, static_cast<std::uint32_t>(size),
                                                           muster::as_text(part))
                                     : peer.fragment(before, part));
  }
  for (const SoeEvent& event : server.events) {
    if (event.kind == SoeEvent::Kind::data && event.data.size() == size) return true;
  }
  return false;
}

}  // namespace test
