// SPDX-License-Identifier: MIT
// Game data as each kind of recipient gets it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/message.hpp>
#include <muster/result.hpp>

#include "uuid.hpp"
#include "vocabulary.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace muster::signal {

/// Whose message it is, and what it owes.
struct GameDataStamp {
  Uuid from_player;
  std::uint64_t seq = 1;                    ///< v3
  std::uint32_t epoch = 1;                  ///< v3
  std::optional<DeliveryClass> delivery{};  ///< v3 text; as the sender gave it
  std::optional<std::uint32_t> key{};       ///< v3 text
};

/// The three parts of a message, of which the middle one is the sender's own: nothing is copied but
/// what stands around it.
class GameDataParts {
 public:
  /// @param kind   binary: a message of the encoding `message_pack`
  /// @param data   a valid JSON value, or any bytes for a binary message
  GameDataParts(MessageKind kind, const GameDataStamp& stamp, byte_view data,
                Version version) noexcept;

  GameDataParts(const GameDataParts&) = delete;  // its views point into itself
  GameDataParts& operator=(const GameDataParts&) = delete;

  [[nodiscard]] std::span<const byte_view> parts() const noexcept { return parts_; }

 private:
  std::array<char, 128> head_;
  std::array<char, 128> tail_;
  std::array<byte_view, 3> parts_;
};

/// A binary message as it was read, for clients and tests.
struct BinaryGameData {
  Uuid from_player;
  GameDataFormat encoding = GameDataFormat::message_pack;
  byte_view payload;
  std::uint64_t seq = 0;    ///< v3
  std::uint32_t epoch = 0;  ///< v3
};

/// @error errc::bad_syntax, bad_value, unexpected_end   not exactly the fields of that version
/// @source docs/protocol/signal.md, "Binary game data"
[[nodiscard]] result<BinaryGameData> read_binary_game_data(byte_view frame, Version version);

}  // namespace muster::signal
