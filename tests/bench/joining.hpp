// SPDX-License-Identifier: MIT
// How hosts and players enter their rooms, in the bench protocol and in the relay's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "client.hpp"
#include "options.hpp"

namespace muster_bench {

/// Connection i belongs to room i / --room, and is its host when i is the first of it.
///
/// Both protocols begin with the same first message. The bench servers do not look into it: they
/// send it back as the welcome, and a player's goes to the host. The relay's answers are described
/// in docs/protocol/relay.md.
class Joining {
 public:
  Joining(const Options& options, Client& client)
      : options_(options), client_(client), ids_(options.connections, unknown) {
    client_.connections().resize(options.connections);
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      std::string& path = client_.connections()[i].path;
      path = (is_host(i) ? "/host/" : "/play/") + std::to_string(room(i));
      if (options.is_relay) path = "/ws";
      if (options.is_signal()) path = "/v3/ws";
    }
  }

  bool is_host(std::uint32_t index) const { return index % options_.room == 0; }
  std::uint32_t room(std::uint32_t index) const { return index / options_.room; }
  std::uint64_t hosts() const { return hosts_; }
  std::uint64_t welcomed() const { return welcomed_; }    ///< players
  std::uint64_t announced() const { return announced_; }  ///< players, to their hosts
  std::uint64_t synced() const { return synced_; }        ///< players

  /// What a player is called in the relay protocol.
  std::uint16_t id(std::uint32_t index) const { return ids_[index]; }

  void on_open(std::uint32_t index) {
    if (!options_.is_signal()) return client_.append_bytes(index, request(index));
    for (const std::string& text : signal_requests(index)) client_.append_bytes(index, text, 0x81);
  }

  /// What the signaling protocol begins with: who it is, and which room.
  std::array<std::string, 2> signal_requests(std::uint32_t index) const {
    std::string code(6, 'A');
    std::uint32_t rest = room(index);
    for (std::size_t i = code.size(); i-- > 0; rest /= 26)
      code[i] = static_cast<char>('A' + rest % 26);
    const std::string format = options_.is_json() ? "json" : "message_pack";
    return {R"({"type":"Authenticate","data":{"app_id":"bench","protocol_version":3,)"
            R"("game_data_format":")" +
                format + R"("}})",
            R"({"type":"JoinRoom","data":{"game_name":"bench","player_name":"P)" +
                std::to_string(index) + R"(","room_code":")" + code + R"(","max_players":250}})"};
  }

  /// A message of the room's own.
  void on_text(std::uint32_t index, std::string_view text) {
    const auto is = [text](std::string_view type) {
      constexpr std::size_t before = 9;  // {"type":"
      return text.size() > before + type.size() && text.substr(before, type.size()) == type &&
             text[before + type.size()] == '"';
    };
    if (is("RoomJoined")) {
      ids_[index] = 1;
      ++(is_host(index) ? hosts_ : welcomed_);
    } else if (is("PlayerJoined") && is_host(index)) {
      ++announced_;
    } else if (is("Error") || is("RoomJoinFailed") || is("AuthenticationError")) {
      fail("the server refused: " + std::string(text));
    }
  }

  /// Whether the message belonged to the entering, and is dealt with.
  bool on_message(std::uint32_t index, std::string_view message) {
    if (ids_[index] == unknown) {
      welcome(index, message);
      return true;
    }
    if (is_host(index)) {
      const bool is_announcement = options_.is_relay ? message.size() == 3 && message[0] == '\0'
                                                     : message.substr(0, mark.size()) == mark;
      if (is_announcement) ++announced_;
      return is_announcement;
    }
    if (!options_.is_relay || message.empty() || message[0] != full_update) return false;
    ++synced_;
    return true;
  }

  /// The relay drops updates for a player who has had no full state. True if there is something to
  /// wait for.
  bool sync(std::uint32_t host) {
    if (!options_.is_relay) return false;
    client_.append_bytes(host, std::string(1, full_update));
    return true;
  }

  /// A JoinRequest: two texts, the rule variation, whether to create, no token.
  std::string request(std::uint32_t index) const {
    const auto name = "r" + std::to_string(room(index));
    std::string bytes{mark};
    bytes += static_cast<char>(name.size());
    bytes += name;
    bytes += '\0';
    bytes += static_cast<char>(is_host(index));
    bytes += '\0';
    return bytes;
  }

 private:
  static constexpr std::uint16_t unknown = 0xffff;
  static constexpr char full_update = 3;
  static constexpr std::string_view mark =
      "\x04"
      "demo";

  void welcome(std::uint32_t index, std::string_view message) {
    ids_[index] = static_cast<std::uint16_t>(is_host(index) ? 0 : 1);
    if (options_.is_relay) {
      if (message.size() != 13 || message[0] != 6)
        fail("the relay refused: " + std::string(message.substr(message.empty() ? 0 : 1)));
      ids_[index] = static_cast<std::uint16_t>(static_cast<unsigned char>(message[1]) << 8 |
                                               static_cast<unsigned char>(message[2]));
    } else if (message != request(index)) {
      client_.report("connection " + std::to_string(index) + ": a wrong welcome");
    }
    ++(is_host(index) ? hosts_ : welcomed_);
  }

  const Options& options_;
  Client& client_;
  std::vector<std::uint16_t> ids_;
  std::uint64_t hosts_ = 0;
  std::uint64_t welcomed_ = 0;
  std::uint64_t announced_ = 0;
  std::uint64_t synced_ = 0;
};

}  // namespace muster_bench
