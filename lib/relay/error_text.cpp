// SPDX-License-Identifier: MIT
// SERVER_ERROR texts with a room's or a game's name in them.
#include <muster/relay/error_text.hpp>

#include <muster/utf8.hpp>

#include <initializer_list>

namespace muster::relay::error_text {
namespace {

std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

// How many bytes the control character at the front of the text takes; 0 when there is none.
std::size_t control_size(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x20 || lead == 0x7F) return 1;
  // U+0080 to U+009F, the second set of control characters.
  if (lead == 0xC2 && text.size() >= 2 && static_cast<unsigned char>(text[1]) < 0xA0) return 2;
  // U+2028 and U+2029 begin a new line in a browser's console or a log viewer.
  if (text.starts_with("\xE2\x80\xA8") || text.starts_with("\xE2\x80\xA9")) return 3;
  return 0;
}

}  // namespace

std::string echo(std::string_view id) {
  // First cut, then replace: a replacement never takes more bytes than what it replaces.
  id = utf8_prefix(id, max_echo_size);
  std::string text;
  text.reserve(id.size());
  while (!id.empty()) {
    const std::size_t size = control_size(id);
    text += size == 0 ? id[0] : '?';
    id.remove_prefix(size == 0 ? 1 : size);
  }
  return text;
}

std::string unknown_game(std::string_view game_id) {
  return join({"Unknown game ", echo(game_id), "."});
}

std::string room_exists(std::string_view room_id, std::string_view game_id) {
  return join({"Room ", echo(room_id), " already exists for game ", echo(game_id), "."});
}

std::string no_such_room(std::string_view room_id, std::string_view game_id) {
  return join({"Room ", echo(room_id), " does not exist for game ", echo(game_id), "."});
}

std::string room_is_gone(std::string_view room_id, std::string_view game_id) {
  return join({"Room ", echo(room_id), " no longer exists for game ", echo(game_id), "."});
}

std::string room_is_full(std::string_view room_id, std::uint16_t max_players) {
  return join({"Room ", echo(room_id), " exceeded max amount of players ",
               std::to_string(max_players), "."});
}

std::string out_of_client_ids(std::string_view room_id) {
  return join({"Room ", echo(room_id), " run out of client ids."});
}

}  // namespace muster::relay::error_text
