// SPDX-License-Identifier: MIT
// RFC 6455 frames: headers to write, and a decoder that turns bytes into messages.
#pragma once

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/export.hpp>
#include <muster/message.hpp>
#include <muster/wire/mask.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace muster::websocket {

using wire::MaskKey;

/// @source RFC 6455 section 5.2
enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

/// Which side of the connection this is. A server reads masked frames, a client unmasked ones.
enum class Role : std::uint8_t { server, client };

/// The longest frame header: two bytes, a 64-bit length and a mask.
inline constexpr std::size_t max_frame_header = 14;

/// The most that a Close, Ping or Pong can carry (RFC 6455 section 5.5).
inline constexpr std::size_t max_control_payload = 125;

/// Writes a frame header, with the length in its shortest form.
/// @param out    room for `max_frame_header` bytes, or for `muster::max_server_header` without a
/// mask
/// @param key    for a client's frame; the payload must be masked with it from offset 0
/// @return       the header's size: 2, 4 or 10 bytes, and 4 more with a mask
/// @source       RFC 6455 section 5.2
MUSTER_API std::size_t write_frame_header(std::byte* out, Opcode opcode, bool fin,
                                          std::uint64_t payload_size,
                                          std::optional<MaskKey> key = std::nullopt) noexcept;

/// Writes a whole Ping, Pong or Close.
/// @param out      room for `max_frame_header` + `max_control_payload` bytes
/// @param payload  at most `max_control_payload` bytes; what exceeds that is left out
/// @return         the frame's size
MUSTER_API std::size_t write_control_frame(std::byte* out, Opcode opcode, byte_view payload,
                                           std::optional<MaskKey> key = std::nullopt) noexcept;

/// Writes a whole Close.
/// @param out    room for `max_frame_header` + `max_control_payload` bytes
/// @param code   0: an empty Close, without text
/// @param text   at most 123 bytes of UTF-8; longer text is cut at a character
/// @return       the frame's size
MUSTER_API std::size_t write_close_frame(std::byte* out, std::uint16_t code, std::string_view text,
                                         std::optional<MaskKey> key = std::nullopt) noexcept;

/// What a decoder accepts. Many decoders share one.
struct Limits {
  std::size_t max_message_bytes = 1024 * 1024;  ///< 0 to 2^62; the fragments' payloads together
  std::size_t max_frame_bytes = 1024 * 1024;    ///< 0 to 2^62; one data frame's payload
};

/// What `FrameDecoder::next` found.
struct DecodeEvent {
  enum class Type : std::uint8_t {
    none,     ///< the input is used up
    message,  ///< a whole message: `kind`, `payload`
    ping,     ///< to be answered with a Pong of the same `payload`
    pong,     ///< `payload`
    close,  ///< `close_code`, 0 if the frame has none, and `payload`: the reason text, valid UTF-8
    error,  ///< the peer broke the rules: `error`, and `close_code` to answer with
  };
  Type type = Type::none;
  MessageKind kind = MessageKind::binary;
  std::uint16_t close_code = 0;
  errc error{};
  byte_view payload{};  ///< valid until the next call on the decoder, and while the input lives
};

/// Turns the bytes that arrive on one connection into messages and control frames.
///
/// Between messages it owns no memory. A data frame that lies whole in the input is unmasked in
/// place and handed out as it lies, and so is a control frame, also between fragments. Only what is
/// split between inputs or into fragments is gathered in memory, which grows with what was received
/// and never with what a header announces.
///
/// Call `next` until it says `none`: memory behind a payload is given back by the call after it.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API FrameDecoder {
 public:
  /// @param limits  kept by reference
  FrameDecoder(Role role, const Limits& limits) noexcept;
  FrameDecoder(FrameDecoder&& other) noexcept;
  FrameDecoder& operator=(FrameDecoder&& other) noexcept;
  ~FrameDecoder();

  /// Finds the next event and removes the bytes that led to it from the front of `input`.
  ///
  /// Changes `input` in place (it unmasks). A text is refused at the first byte that makes it
  /// impossible to be UTF-8, also inside an unfinished frame. After `close` and after `error` all
  /// further input is used up and ignored.
  /// @error  errc::reserved_bits, reserved_opcode, bad_control_frame, bad_mask, bad_length,
  ///         bad_continuation, bad_close_code   answer with 1002
  /// @error  errc::bad_utf8    a text message, or the reason of a Close; answer with 1007
  /// @error  errc::too_large   a frame or a message above its limit, as soon as the header is
  /// there;
  ///                           answer with 1009
  /// @complexity  O(bytes removed); allocates only for split frames and fragments
  /// @source      RFC 6455 sections 5, 7.4 and 8.1
  [[nodiscard]] DecodeEvent next(mutable_byte_view& input);

  /// Other limits, from the next frame on. The reference is kept.
  void set_limits(const Limits& limits) noexcept { limits_ = &limits; }

  [[nodiscard]] const Limits& limits() const noexcept { return *limits_; }

  /// True after `close` or `error`.
  [[nodiscard]] bool is_ended() const noexcept { return ended_; }

  /// True if bytes of an unfinished frame or message have arrived.
  [[nodiscard]] bool is_mid_message() const noexcept;

  /// Bytes on the heap now.
  [[nodiscard]] std::size_t memory() const noexcept;

 private:
  struct Partial;

  DecodeEvent next_split(mutable_byte_view& input);
  DecodeEvent receive_payload(mutable_byte_view& input);
  DecodeEvent finish_frame() noexcept;
  DecodeEvent control_event(Opcode opcode, byte_view payload) noexcept;
  DecodeEvent fail(errc error) noexcept;

  const Limits* limits_;
  std::unique_ptr<Partial> partial_;  // while a frame is split or a message unfinished
  Role role_;
  bool ended_ = false;
};

static_assert(sizeof(FrameDecoder) <= 24, "every idle connection has one");

}  // namespace muster::websocket
