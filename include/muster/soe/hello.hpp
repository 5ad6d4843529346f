// SPDX-License-Identifier: MIT
// The first message of a connection over SOE, and what the others are wrapped in.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/request.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::soe {

/// What a client says first, on `reliable0`: what an HTTP request says for a WebSocket.
///
///     1      version, 1
///     2, n   length (big endian) and target: path, and query after a '?'
///     2, n   length and token: becomes the header "Authorization: Bearer TOKEN"; may be empty
///     1      number of subprotocols, at most 16; then for each
///     1, n   length and name
struct MUSTER_API Hello {
  static constexpr std::size_t max_subprotocols = 16;
  static constexpr std::size_t max_size = 8 * 1024;  ///< bytes of an encoded hello

  std::string target = "/";  ///< begins with '/'; no blanks or control characters
  std::string token{};       ///< no blanks or control characters
  std::vector<std::string> subprotocols{};

  /// Nothing if it does not have that form.
  [[nodiscard]] static std::optional<Hello> decode(byte_view message);

  /// Empty: a field is out of range.
  [[nodiscard]] std::vector<std::byte> encode() const;
};

/// The byte in front of every message after the hello.
enum class MessageTag : std::uint8_t {
  accepted = 0,  ///< server, first: the chosen subprotocol follows, or nothing
  text = 1,      ///< a text message, UTF-8
  binary = 2,    ///< a binary message
  close = 8,     ///< code (2 bytes, big endian; 0: none) and text follow; the last
  refused = 15,  ///< server, first and last: status (2 bytes, big endian) and body follow
};

}  // namespace muster::soe
