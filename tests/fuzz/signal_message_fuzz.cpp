// SPDX-License-Identifier: MIT
// Fuzzes the messages of signaling clients. The common form is read in a way of its own: it must
// find what the general way finds. nlohmann::json judges what is JSON.
#include "../lib/signal/client_message.hpp"
#include "../lib/signal/game_data.hpp"

#include "support/json_oracle.hpp"
#include "support/require.hpp"
#include "support/signal_messages.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace muster;
using nlohmann::json;
using test::require;

// What others get of it is a message.
void pass_on(const signal::GameData& message) {
  signal::GameDataStamp stamp;
  stamp.delivery = message.delivery;
  stamp.key = message.key;
  const signal::GameDataParts parts{MessageKind::text, stamp, message.data, signal::Version::v3};
  std::string text;
  for (const byte_view part : parts.parts()) text += as_text(part);
  const json passed = json::parse(text);
  require(passed.at("data").at("data") == json::parse(as_text(message.data)));
  require(passed.at("data").at("seq") == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const byte_view bytes = std::as_bytes(std::span{copy});
  const auto message = signal::read_client_message(bytes);
  const std::string spaced = " " + std::string{as_text(bytes)};
  const auto again = signal::read_client_message(as_bytes(spaced));
  require(message.has_value() == again.has_value());
  if (!message) {
    require(message.error() == errc::bad_syntax);
    return 0;
  }
  require(test::is_json(as_text(bytes)));
  require(test::json_depth(as_text(bytes)) <= signal::max_message_depth);
  const json fields = test::ClientFields::of(*message);
  require(fields == test::ClientFields::of(*again));
  require(fields.at("type") == json::parse(as_text(bytes)).at("type"));
  if (const auto* game_data = std::get_if<signal::GameData>(&*message)) pass_on(*game_data);
  return 0;
}
