// SPDX-License-Identifier: MIT
// The frame decoder's state machine, and the frame headers that this side writes.
#include <muster/websocket/frame_codec.hpp>

#include <muster/utf8.hpp>
#include <muster/websocket/close_code.hpp>
#include <muster/websocket/utf8.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace muster::websocket {

namespace {

constexpr errc no_error{};

struct Header {
  std::uint64_t payload_size = 0;
  MaskKey key = 0;
  std::uint8_t size = 0;  // 0: not all of it is there
  Opcode opcode = Opcode::continuation;
  bool fin = false;
};

// What a header must agree with.
struct Context {
  const Limits& limits;
  std::size_t gathered;  // bytes of the unfinished message
  bool is_server;
  bool message_open;
};

std::uint64_t octet(const std::byte* at) noexcept { return std::to_integer<std::uint64_t>(*at); }

constexpr bool is_control(Opcode opcode) noexcept {
  return (static_cast<unsigned>(opcode) & 8U) != 0;
}

errc check_first_byte(unsigned first, bool message_open) noexcept {
  if ((first & 0x70U) != 0) return errc::reserved_bits;
  const unsigned opcode = first & 0x0fU;
  if ((opcode & 7U) > 2) return errc::reserved_opcode;
  if ((opcode & 8U) != 0) return (first & 0x80U) != 0 ? no_error : errc::bad_control_frame;
  return (opcode == 0) == message_open ? no_error : errc::bad_continuation;
}

// Reads as much of a header as there is, and refuses it as soon as it can be known to be wrong: in
// the order of its bytes, so that it does not matter how they were split.
inline errc parse_header(const Context& context, const std::byte* at, std::size_t available,
                         Header& out) noexcept {
  const auto first = static_cast<unsigned>(octet(at));
  if (const errc error = check_first_byte(first, context.message_open); error != no_error) {
    return error;
  }
  if (available < 2) return no_error;
  out.opcode = static_cast<Opcode>(first & 0x0fU);
  out.fin = (first & 0x80U) != 0;
  const auto second = static_cast<unsigned>(octet(at + 1));
  const bool is_masked = (second & 0x80U) != 0;
  if (is_masked != context.is_server) return errc::bad_mask;
  std::size_t size = 2;
  std::uint64_t length = second & 0x7fU;
  if (length >= 126) {
    if (is_control(out.opcode)) return errc::bad_control_frame;
    size = length == 126 ? 4 : 10;
    if (available < size) return no_error;
    length = 0;
    for (std::size_t i = 2; i < size; ++i) length = length << 8U | octet(at + i);
    if (length < 126 || (size == 10 && (length <= 0xffff || length >> 63U != 0))) {
      return errc::bad_length;
    }
  }
  const Limits& limits = context.limits;
  if (!is_control(out.opcode) &&
      (length > limits.max_frame_bytes || context.gathered > limits.max_message_bytes ||
       length > limits.max_message_bytes - context.gathered)) {
    return errc::too_large;
  }
  if (is_masked) {
    if (available < size + 4) return no_error;
    std::memcpy(&out.key, at + size, sizeof out.key);
    size += 4;
  }
  out.payload_size = length;
  out.size = static_cast<std::uint8_t>(size);
  return no_error;
}

}  // namespace

std::size_t write_frame_header(std::byte* out, Opcode opcode, bool fin, std::uint64_t payload_size,
                               std::optional<MaskKey> key) noexcept {
  const unsigned mask_bit = key ? 0x80U : 0U;
  out[0] = static_cast<std::byte>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode));
  std::size_t size = 2;
  if (payload_size < 126) {
    out[1] = static_cast<std::byte>(mask_bit | static_cast<unsigned>(payload_size));
  } else {
    const bool is_long = payload_size > 0xffff;
    out[1] = static_cast<std::byte>(mask_bit | (is_long ? 127U : 126U));
    for (unsigned shift = is_long ? 64 : 16; shift != 0;) {
      shift -= 8;
      out[size++] = static_cast<std::byte>(payload_size >> shift);
    }
  }
  if (key) {
    std::memcpy(out + size, &*key, sizeof(MaskKey));
    size += sizeof(MaskKey);
  }
  return size;
}

std::size_t write_control_frame(std::byte* out, Opcode opcode, byte_view payload,
                                std::optional<MaskKey> key) noexcept {
  payload = payload.first(std::min(payload.size(), max_control_payload));
  const std::size_t header = write_frame_header(out, opcode, true, payload.size(), key);
  wire::copy_masked(out + header, payload, key.value_or(0));
  return header + payload.size();
}

std::size_t write_close_frame(std::byte* out, std::uint16_t code, std::string_view text,
                              std::optional<MaskKey> key) noexcept {
  if (code == close_code::none) return write_control_frame(out, Opcode::close, {}, key);
  text = utf8_prefix(text, max_control_payload - 2);
  std::array<std::byte, max_control_payload> payload;
  payload[0] = static_cast<std::byte>(code >> 8U);
  payload[1] = static_cast<std::byte>(code);
  if (!text.empty()) std::memcpy(payload.data() + 2, text.data(), text.size());
  return write_control_frame(out, Opcode::close, byte_view{payload}.first(2 + text.size()), key);
}

// What is kept while a frame is split between inputs, or a message between frames.
struct MUSTER_LOCAL FrameDecoder::Partial {
  // Room for `more` bytes behind those gathered. Grows by doubling, so that many small pieces cost
  // little, but not beyond `most`, which is all that can still come where that is known.
  void reserve(std::size_t more, std::size_t most) {
    if (capacity - size >= more) return;
    const std::size_t grown =
        std::min(std::max({size + more, capacity * 2, std::size_t{256}}), most);
    auto larger = std::make_unique_for_overwrite<std::byte[]>(grown);
    if (size != 0) std::memcpy(larger.get(), data.get(), size);
    data = std::move(larger);
    capacity = grown;
  }

  [[nodiscard]] bool is_between_frames() const noexcept { return !in_frame && header_size == 0; }
  [[nodiscard]] bool is_idle() const noexcept { return is_between_frames() && !message_open; }

  std::unique_ptr<std::byte[]> data;  // the message so far
  std::size_t size = 0;
  std::size_t capacity = 0;
  Header frame;              // while in_frame
  std::size_t position = 0;  // in the frame's payload
  bool in_frame = false;     // its header is complete, its payload is not
  bool message_open = false;
  MessageKind kind = MessageKind::binary;
  Utf8Validator utf8;
  std::uint8_t header_size = 0;
  std::array<std::byte, max_frame_header> header;
  std::array<std::byte, max_control_payload> control;  // a split control frame's payload
};

FrameDecoder::FrameDecoder(Role role, const Limits& limits) noexcept
    : limits_(&limits), role_(role) {}
FrameDecoder::FrameDecoder(FrameDecoder&& other) noexcept = default;
FrameDecoder& FrameDecoder::operator=(FrameDecoder&& other) noexcept = default;
FrameDecoder::~FrameDecoder() = default;

bool FrameDecoder::is_mid_message() const noexcept { return partial_ && !partial_->is_idle(); }

std::size_t FrameDecoder::memory() const noexcept {
  return partial_ ? sizeof(Partial) + partial_->capacity : 0;
}

DecodeEvent FrameDecoder::next(mutable_byte_view& input) {
  if (partial_ && (ended_ || partial_->is_idle())) partial_.reset();
  if (ended_) {
    input = input.last(0);
    return {};
  }
  while (!input.empty()) {
    if (!partial_ || partial_->is_between_frames()) {
      const Context context{*limits_, partial_ ? partial_->size : 0, role_ == Role::server,
                            partial_ && partial_->message_open};
      Header header;
      if (const errc error = parse_header(context, input.data(), input.size(), header);
          error != no_error) {
        input = input.last(0);
        return fail(error);
      }
      const bool is_whole = header.size != 0 && header.payload_size <= input.size() - header.size;
      const bool is_message = header.fin && header.opcode != Opcode::continuation;
      if (is_whole && is_message) {  // a control frame is always final
        const auto size = static_cast<std::size_t>(header.payload_size);
        const mutable_byte_view payload = input.subspan(header.size, size);
        input = input.subspan(header.size + size);
        if (role_ == Role::server) wire::apply_mask(payload, header.key);
        if (is_control(header.opcode)) return control_event(header.opcode, payload);
        const auto kind = static_cast<MessageKind>(header.opcode);
        if (kind == MessageKind::text && !is_valid_utf8(payload)) return fail(errc::bad_utf8);
        return {.type = DecodeEvent::Type::message, .kind = kind, .payload = payload};
      }
      if (!partial_) partial_ = std::make_unique<Partial>();
    }
    const DecodeEvent event = next_split(input);
    if (event.type != DecodeEvent::Type::none) return event;
  }
  return {};
}

DecodeEvent FrameDecoder::next_split(mutable_byte_view& input) {
  Partial& partial = *partial_;
  while (!partial.in_frame) {
    if (input.empty()) return {};
    // One byte after the other: at most 14 steps, and a wrong byte is noticed where it stands.
    partial.header[partial.header_size++] = input.front();
    input = input.subspan(1);
    const Context context{*limits_, partial.message_open ? partial.size : 0, role_ == Role::server,
                          partial.message_open};
    Header header;
    if (const errc error =
            parse_header(context, partial.header.data(), partial.header_size, header);
        error != no_error) {
      return fail(error);
    }
    if (header.size == 0) continue;
    partial.frame = header;
    partial.position = 0;
    partial.header_size = 0;
    partial.in_frame = true;
    if (is_control(header.opcode) || header.opcode == Opcode::continuation) continue;
    partial.message_open = true;
    partial.kind = static_cast<MessageKind>(header.opcode);
  }
  return receive_payload(input);
}

DecodeEvent FrameDecoder::receive_payload(mutable_byte_view& input) {
  Partial& partial = *partial_;
  const std::size_t remaining =
      static_cast<std::size_t>(partial.frame.payload_size) - partial.position;
  const mutable_byte_view piece = input.first(std::min(remaining, input.size()));
  if (!piece.empty()) {
    std::byte* out = nullptr;
    if (is_control(partial.frame.opcode)) {
      out = partial.control.data() + partial.position;
    } else {
      // A limit that was lowered inside the message does not hold for the frame that has begun.
      const std::size_t all = partial.size + remaining;
      partial.reserve(piece.size(),
                      partial.frame.fin ? all : std::max(all, limits_->max_message_bytes));
      out = partial.data.get() + partial.size;
    }
    // An unmasked frame's key is zero.
    wire::copy_masked(out, piece, partial.frame.key, partial.position);
    partial.position += piece.size();
    input = input.subspan(piece.size());
    if (!is_control(partial.frame.opcode)) {
      partial.size += piece.size();
      if (partial.kind == MessageKind::text && !partial.utf8.feed({out, piece.size()})) {
        return fail(errc::bad_utf8);
      }
    }
  }
  return piece.size() == remaining ? finish_frame() : DecodeEvent{};
}

DecodeEvent FrameDecoder::finish_frame() noexcept {
  Partial& partial = *partial_;
  partial.in_frame = false;
  if (is_control(partial.frame.opcode)) {
    return control_event(partial.frame.opcode, byte_view{partial.control}.first(partial.position));
  }
  if (!partial.frame.fin) return {};
  if (!partial.utf8.is_complete()) return fail(errc::bad_utf8);
  partial.message_open = false;
  return {.type = DecodeEvent::Type::message,
          .kind = partial.kind,
          .payload = {partial.data.get(), partial.size}};
}

DecodeEvent FrameDecoder::control_event(Opcode opcode, byte_view payload) noexcept {
  DecodeEvent event{.payload = payload};
  if (opcode != Opcode::close) {
    event.type = opcode == Opcode::ping ? DecodeEvent::Type::ping : DecodeEvent::Type::pong;
    return event;
  }
  if (!payload.empty()) {
    if (payload.size() == 1) return fail(errc::bad_close_code);
    event.close_code =
        static_cast<std::uint16_t>(octet(payload.data()) << 8U | octet(payload.data() + 1));
    if (!close_code::may_be_received(event.close_code)) return fail(errc::bad_close_code);
    event.payload = payload.subspan(2);
    if (!is_valid_utf8(event.payload)) return fail(errc::bad_utf8);
  }
  ended_ = true;
  if (partial_) {  // nothing is left to be completed; the reason itself may lie in `control`
    partial_->data.reset();
    partial_->capacity = 0;
  }
  event.type = DecodeEvent::Type::close;
  return event;
}

DecodeEvent FrameDecoder::fail(errc error) noexcept {
  ended_ = true;
  partial_.reset();
  const std::uint16_t answer = error == errc::bad_utf8    ? close_code::invalid_payload
                               : error == errc::too_large ? close_code::message_too_big
                                                          : close_code::protocol_error;
  return {.type = DecodeEvent::Type::error, .close_code = answer, .error = error};
}

}  // namespace muster::websocket
