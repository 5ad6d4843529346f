// SPDX-License-Identifier: MIT
// Fuzzes JoinRequest: whatever decodes must survive being encoded and decoded again.
#include <muster/relay/join_request.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace {

using test::require;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::relay;
  const auto input = std::as_bytes(std::span{data, size});
  const auto first = decode_join_request(input);
  if (!first) return 0;
  const auto encoded = encode_join_request(*first);
  require(encoded.has_value());
  require(encoded->size() <= size);  // the canonical form is the shortest
  const auto second = decode_join_request(*encoded);
  require(second.has_value());
  require(second->game_id == first->game_id);
  require(second->room_id == first->room_id);
  require(second->rule_variation == first->rule_variation);
  require(second->create_room == first->create_room);
  require(second->reconnect_token == first->reconnect_token);
  require(std::ranges::equal(second->trailer, first->trailer));
  const auto again = encode_join_request(*second);
  require(again.has_value() && *again == *encoded);
  return 0;
}
