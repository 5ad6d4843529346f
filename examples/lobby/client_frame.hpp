// SPDX-License-Identifier: MIT
// What a client's message says, before it has a seat.
#pragma once

#include "game.hpp"

#include <muster/message.hpp>

#include <string>
#include <string_view>

namespace lobby_program {

/// The object in a message; null if it is none, or binary. Messages are bounded by their services.
[[nodiscard]] inline Json parse_frame(const muster::Message& message) {
  if (message.kind != muster::MessageKind::text) return {};
  Json json = Json::parse(muster::as_text(message.bytes), nullptr, false);
  return json.is_object() ? json : Json{};
}

/// The text of a member; empty if there is none. Lives as long as the object.
[[nodiscard]] inline std::string_view text_of(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get_ref<const std::string&>()
                                                     : std::string_view{};
}

}  // namespace lobby_program
