// SPDX-License-Identifier: MIT
// Fuzzes version 2 of the shard protocol, both directions: what is decoded must be encoded to the
// very bytes it came from.
#include <muster/shard/v2_message.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace {

using test::require;

template <class AnyMessage>
void check(const muster::result<AnyMessage>& message, muster::byte_view bytes) {
  if (!message) {
    require(message.error() != muster::errc{});
    return;
  }
  std::vector<std::byte> out;
  std::visit([&out](const auto& of_its_type) { encode(of_its_type, out); }, *message);
  require(std::ranges::equal(out, bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::shard;
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const auto bytes = std::as_bytes(std::span{copy});
  const auto from_server = v2::decode_server_message(bytes);
  const auto from_client = v2::decode_client_message(bytes);
  require(!from_server || !from_client);
  check(from_server, bytes);
  check(from_client, bytes);
  return 0;
}
