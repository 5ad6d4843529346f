// SPDX-License-Identifier: MIT
// Which members of a message are identifiers.
#include "msgpack.hpp"

#include <muster/msgpack/json_msgpack.hpp>
#include <muster/wire/json_scanner.hpp>

#include "client_message.hpp"
#include "uuid.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace muster::signal {
namespace {

// A message is {type, data}, and its data a structure of members, structures and lists of them. The
// same name is the same thing in all messages, but for what belongs to the application.
class Identifiers final : public wire::BinaryTexts {
 public:
  [[nodiscard]] Place member(Place object, std::string_view name) const noexcept override {
    switch (object) {
      case in_message:
        return name == "data" ? in_structure : in_other;
      case in_structure:
        if (contains(messages, name)) return in_message;
        if (contains(others, name)) return in_other;
        return contains(identifiers, name) ? is_identifier : in_structure;
      default:
        return in_other;
    }
  }

  [[nodiscard]] std::size_t to_binary(Place place, std::string_view text,
                                      std::span<std::byte, most> out) const noexcept override {
    if (place != is_identifier) return 0;
    const std::optional<Uuid> uuid = read_uuid(text);
    if (!uuid) return 0;
    std::copy(uuid->bytes.begin(), uuid->bytes.end(), out.begin());
    return uuid->bytes.size();
  }

  [[nodiscard]] std::size_t to_text(Place place, byte_view binary,
                                    std::span<char, most> out) const noexcept override {
    Uuid uuid;
    if (place != is_identifier || binary.size() != uuid.bytes.size()) return 0;
    std::copy(binary.begin(), binary.end(), uuid.bytes.begin());
    return view(signal::to_text(uuid)).copy(out.data(), out.size());
  }

 private:
  // The outermost value is a message.
  enum : Place { in_message, in_structure, is_identifier, in_other };

  static constexpr std::array<std::string_view, 3> messages{"missed_events", "operation", "result"};
  static constexpr std::array<std::string_view, 4> others{"connection_info", "data",
                                                          "direct_endpoint", "signal"};
  static constexpr std::array<std::string_view, 13> identifiers{"authority_player",
                                                                "from",
                                                                "from_player",
                                                                "generation",
                                                                "host",
                                                                "id",
                                                                "operation_id",
                                                                "peer_id",
                                                                "player_id",
                                                                "ready_players",
                                                                "room_id",
                                                                "spectator_id",
                                                                "to"};

  template <std::size_t Count>
  static bool contains(const std::array<std::string_view, Count>& names,
                       std::string_view name) noexcept {
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

}  // namespace

// A server's own messages nest no deeper than what clients may send, and one level more for each
// message around them.
std::error_code message_to_msgpack(byte_view json, std::vector<std::byte>& out) {
  const Identifiers identifiers;
  return wire::json_to_msgpack(json, out,
                               {.max_depth = wire::JsonScanner::depth_limit,
                                .max_elements = any_number,
                                .only_float64 = true,
                                .binary_texts = &identifiers});
}

// What is too deep or too large for a message need not be transcoded first.
std::error_code msgpack_to_message(byte_view msgpack, std::vector<std::byte>& json) {
  const Identifiers identifiers;
  return wire::msgpack_to_json(msgpack, json,
                               {.max_depth = max_message_depth, .binary_texts = &identifiers});
}

std::error_code binary_to_json(byte_view payload, std::vector<std::byte>& json) {
  return wire::msgpack_to_json(payload, json, {.max_depth = max_message_depth});
}

}  // namespace muster::signal
