// SPDX-License-Identifier: MIT
// Fuzzes the way from JSON to MessagePack and back, with nlohmann::json as the judge. The input is
// taken for both in turn.
#include <muster/error.hpp>
#include <muster/msgpack/json_msgpack.hpp>

#include "support/json_oracle.hpp"
#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace muster;
using nlohmann::json;
using test::octets;
using test::require;

json unpack(byte_view bytes) { return json::from_msgpack(octets(bytes), true, false); }

void from_json(byte_view text) {
  std::vector<std::byte> out;
  const std::error_code error = wire::json_to_msgpack(text, out);
  if (error) {
    require(out.empty());
    if (error != errc::too_deep && error != errc::too_large) require(!test::is_json(as_text(text)));
    return;
  }
  require(unpack(out) == json::parse(as_text(text)));
}

void from_msgpack(byte_view bytes) {
  std::vector<std::byte> out;
  const std::error_code error = wire::msgpack_to_json(bytes, out);
  require(out.size() <= 6 * bytes.size() + 32);
  if (error) {
    require(out.empty());
    if (error == errc::bad_syntax || error == errc::unexpected_end) {
      require(unpack(bytes).is_discarded());
    }
    return;
  }
  require(test::is_json(as_text(out)));
  require(unpack(bytes) == json::parse(as_text(out)));
  std::vector<std::byte> again;
  require(!wire::json_to_msgpack(out, again));
  require(again.size() <= bytes.size());  // the shortest form
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const byte_view bytes = std::as_bytes(std::span{copy});
  from_json(bytes);
  from_msgpack(bytes);
  return 0;
}
