// SPDX-License-Identifier: MIT
// Writing a bot's messages.
#include "client_frame.hpp"

#include <muster/bytes.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_string.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace muster::lobby {

namespace {

// {"type":TYPE,"NAME":TEXT,...}; names are plain, what is JSON already goes in as it is.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string_view type) : text_(R"({"type":)") { append(type); }
  ObjectWriter& text(std::string_view name, std::string_view value) {
    add(name);
    append(value);
    return *this;
  }
  ObjectWriter& json(std::string_view name, std::string_view value) {
    add(name);
    text_.append(value);
    return *this;
  }
  [[nodiscard]] std::string finish() { return std::move(text_.append("}")); }

 private:
  void add(std::string_view name) { text_.append(",\"").append(name).append("\":"); }
  void append(std::string_view value) {
    std::vector<std::byte> bytes;
    wire::ByteWriter writer{bytes};
    wire::write_json_string(writer, value);
    text_.append(as_text(bytes));
  }

  std::string text_;
};

std::string array_of(const std::vector<std::string>& texts) {
  std::vector<std::byte> bytes;
  wire::ByteWriter writer{bytes};
  for (const std::string& text : texts) {
    writer.text(bytes.empty() ? "[" : ",");
    wire::write_json_string(writer, text);
  }
  writer.text("]");
  return std::string{as_text(bytes)};
}

}  // namespace

std::string lobby_authenticate(const Token& token) {
  return ObjectWriter{"authenticate"}.text("token", token.reveal()).finish();
}

std::string gateway_authenticate(std::string_view match_id) {
  return ObjectWriter{"authenticate"}.text("match_id", match_id).text("token", "").finish();
}

std::string gateway_hello(std::string_view match_id, const Config& config) {
  ObjectWriter writer{"hello"};
  writer.text("match_id", match_id)
      .json("supported_versions", R"(["1.0"])")
      .text("client_name", config.client_name)
      .text("client_version", config.client_version);
  if (!config.supported_games.empty()) {
    writer.json("supported_games", array_of(config.supported_games));
  }
  return writer.finish();
}

std::string turn_action(std::string_view match_id, std::string_view request_id,
                        const Action& action) {
  return ObjectWriter{"turn_action"}
      .text("match_id", match_id)
      .json("request_id", request_id)
      .text("action", action.action)
      .json("params", action.params)
      .finish();
}

std::string gateway_pong(std::string_view match_id) {
  return ObjectWriter{"pong"}.text("match_id", match_id).finish();
}

}  // namespace muster::lobby
