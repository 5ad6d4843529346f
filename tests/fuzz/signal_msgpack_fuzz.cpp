// SPDX-License-Identifier: MIT
// Fuzzes signaling messages from JSON to MessagePack and back. The input is taken for both in turn.
#include "../lib/signal/msgpack.hpp"

#include <muster/error.hpp>

#include "support/json_oracle.hpp"
#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace muster;
using Bytes = std::vector<std::byte>;
using test::require;

// Nothing: it is nested more deeply than what a client may send, or has more elements.
bool unpack(const Bytes& packed, Bytes& text) {
  const std::error_code error = signal::msgpack_to_message(packed, text);
  require(!error || error == errc::too_deep || error == errc::too_large);
  return !error;
}

// Once an identifier has its one form, nothing changes any more.
void from_json(byte_view json) {
  Bytes packed;
  const std::error_code error = signal::message_to_msgpack(json, packed);
  if (error) {
    require(packed.empty());
    if (error != errc::too_deep) require(!test::is_json(as_text(json)));
    return;
  }
  require(test::is_json(as_text(json)));
  Bytes text;
  if (!unpack(packed, text)) return;
  Bytes again;
  require(!signal::message_to_msgpack(text, again));
  require(again == packed);
}

void from_msgpack(byte_view msgpack) {
  Bytes text;
  if (signal::msgpack_to_message(msgpack, text)) {
    require(text.empty());
    return;
  }
  require(test::is_json(as_text(text)));
  from_json(text);
}

// What has JSON without identifiers has the same with them.
void convert(byte_view payload) {
  Bytes text;
  if (signal::binary_to_json(payload, text)) {
    require(text.empty());
    return;
  }
  require(test::is_json(as_text(text)));
  Bytes message;
  require(!signal::msgpack_to_message(payload, message));
  require(message == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const byte_view bytes = std::as_bytes(std::span{copy});
  from_json(bytes);
  from_msgpack(bytes);
  convert(bytes);
  return 0;
}
