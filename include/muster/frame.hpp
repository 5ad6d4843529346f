// SPDX-License-Identifier: MIT
// An immutable encoded message that many connections can share.
#pragma once

#include <muster/block.hpp>
#include <muster/export.hpp>
#include <muster/message.hpp>

#include <span>

namespace muster {

/// The longest header that a server puts before a message (RFC 6455 section 5.2, unmasked).
inline constexpr std::size_t max_server_header = 10;

/// Writes the header of a whole, unmasked data frame before `payload_end - payload_size`.
///
/// A server's header is the same for every receiver, which is why it is written once, where the
/// message is encoded, and not by each connection.
/// @param payload        where the payload starts; at least `max_server_header` bytes before it are
/// free
/// @return               the header's size, 2, 4 or 10 bytes
/// @source               RFC 6455 section 5.2
MUSTER_API std::size_t write_server_header(std::byte* payload, MessageKind kind,
                                           std::size_t payload_size) noexcept;

/// An immutable encoded message, shared by reference.
///
/// Make one when a message goes to several connections by direct sends, or when it is large: it is
/// encoded once and never copied while the receivers keep up. A single small message is cheaper to
/// send as a `Message`, which is copied into the outbox. An empty `Frame` cannot be sent.
/// @threads distinct frames: safe; copies of one frame on two threads: unsafe
class MUSTER_API Frame {
 public:
  Frame() noexcept = default;

  /// Copies the payload; one allocation.
  explicit Frame(Message message) : Frame(std::span{&message.bytes, 1}, message.kind) {}

  /// Copies the parts, one after the other, as one message.
  Frame(std::span<const byte_view> parts, MessageKind kind);

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(block_); }
  [[nodiscard]] MessageKind kind() const noexcept;
  [[nodiscard]] byte_view payload() const noexcept;

  /// Header and payload as a WebSocket server sends them.
  [[nodiscard]] byte_view encoded() const noexcept;

  /// The memory behind it, for an outbox that queues it by reference.
  [[nodiscard]] const Block& block() const noexcept { return block_; }

 private:
  Block block_;  // max_server_header bytes of headroom, then the payload
};

}  // namespace muster
