// SPDX-License-Identifier: MIT
// One message as the application sees it: bytes and whether they are text.
#pragma once

#include <muster/bytes.hpp>

#include <cstdint>

namespace muster {

/// What a message carries. The numbers are the opcodes of RFC 6455 section 5.2.
enum class MessageKind : std::uint8_t {
  text = 1,    ///< UTF-8; what arrives as text has been validated
  binary = 2,  ///< any bytes
};

/// A view of one whole message. An arriving message's bytes are valid during the call that hands it
/// out, and no longer.
struct Message {
  byte_view bytes;
  MessageKind kind = MessageKind::binary;
};

}  // namespace muster
