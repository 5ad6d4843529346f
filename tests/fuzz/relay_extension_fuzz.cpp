// SPDX-License-Identifier: MIT
// Fuzzes the extension: whatever decodes must survive being encoded and decoded again.
#include <muster/relay/extension.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace muster::relay;
using muster::byte_view;
using test::require;

bool same(byte_view a, byte_view b) { return std::ranges::equal(a, b); }

void trailer(byte_view input) {
  const auto first = decode_trailer(input);
  if (!first || !first->has_value()) return;
  std::vector<std::byte> encoded;
  append_trailer(encoded, **first);
  // Items are dropped, never added; but for the capabilities, which are always there.
  require(encoded.size() <= input.size() + 7);
  const auto second = decode_trailer(encoded);
  require(second.has_value() && second->has_value());
  const Trailer& a = **first;
  const Trailer& b = **second;
  require(a.capabilities == b.capabilities && a.name == b.name && a.proof == b.proof);
  require(a.is_spectator == b.is_spectator && a.is_listed == b.is_listed && a.seat == b.seat);
  require(a.sequence == b.sequence && a.password_key == b.password_key);
  require(a.max_players == b.max_players && a.metadata.has_value() == b.metadata.has_value());
  require(!a.metadata || same(*a.metadata, *b.metadata));
  require(a.name.empty() || is_display_name(a.name));
  std::vector<std::byte> again;
  append_trailer(again, b);
  require(again == encoded);
}

// Every message has one form: what is encoded again is what came.
void message(byte_view input) {
  const auto id = read_extended(input);
  if (!id) return;
  if (const auto targeted = decode_targeted(input)) {
    std::vector<std::uint16_t> players;
    for (std::size_t i = 0; i < targeted->player_count(); ++i) {
      players.push_back(targeted->player(i));
    }
    auto encoded = targeted_header(targeted->all_but, players);
    encoded.insert(encoded.end(), targeted->payload.begin(), targeted->payload.end());
    require(*id == Extended::targeted && same(encoded, input));
  }
  if (const auto events = decode_member_events(input)) {
    std::vector<std::byte> encoded;
    for (const MemberEvent& event : *events) append_member_event(encoded, event);
    require(*id == Extended::member_event && same(encoded, input));
  }
  if (const auto state = decode_host_state(input)) require(same(encode_host_state(*state), input));
  if (const auto info = decode_room_info(input)) require(same(encode_room_info(*info), input));
  if (const auto sequence = decode_state_sequence(input)) {
    require(same(encode_state_sequence(*sequence), input));
  }
  if (const auto nonce = decode_challenge(input)) require(same(encode_challenge(*nonce), input));
  if (const auto offer = decode_host_offer(input)) require(same(encode_host_offer(*offer), input));
  if (const auto ban = decode_ban(input)) require(same(encode_ban(*ban), input));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span{data, size});
  trailer(input);
  message(input);
  return 0;
}
