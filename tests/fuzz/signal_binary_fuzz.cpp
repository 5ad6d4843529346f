// SPDX-License-Identifier: MIT
// Fuzzes binary game data of both versions, which the first byte chooses. nlohmann::json must find
// the same fields, and what is written again must be read again.
#include "../lib/signal/game_data.hpp"

#include "support/json_oracle.hpp"
#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace muster;
using nlohmann::json;
using test::octets;
using test::require;

void check(const signal::BinaryGameData& message, byte_view frame, signal::Version version) {
  const json fields = json::from_msgpack(octets(frame));
  const bool is_v3 = version == signal::Version::v3;
  require(fields.size() == (is_v3 ? 5U : 3U));
  require(fields.at("from_player") == json::binary(octets(message.from_player.bytes)));
  require(fields.at("encoding") == std::string{to_string(message.encoding)});
  require(fields.at("payload") == json::binary(octets(message.payload)));
  require(!is_v3 || (fields.at("seq") == message.seq && message.seq > 0));
  require(!is_v3 || (fields.at("epoch") == message.epoch && message.epoch > 0));
}

void check_again(const signal::BinaryGameData& message, signal::Version version) {
  const signal::GameDataStamp stamp{message.from_player, message.seq, message.epoch, {}, {}};
  const signal::GameDataParts parts{MessageKind::binary, stamp, message.payload, version};
  std::vector<std::byte> frame;
  for (const byte_view part : parts.parts()) frame.insert(frame.end(), part.begin(), part.end());
  const auto again = signal::read_binary_game_data(frame, version);
  require(again.has_value());
  require(again->from_player == message.from_player);
  require(octets(again->payload) == octets(message.payload));
  require(again->seq == message.seq && again->epoch == message.epoch);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto version = data[0] % 2 == 0 ? signal::Version::v2 : signal::Version::v3;
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data + 1, data + size);
  const byte_view frame = std::as_bytes(std::span{copy});
  const auto message = signal::read_binary_game_data(frame, version);
  if (!message) {
    require(message.error() == errc::bad_syntax || message.error() == errc::bad_value ||
            message.error() == errc::unexpected_end);
    return 0;
  }
  check(*message, frame, version);
  check_again(*message, version);
  return 0;
}
