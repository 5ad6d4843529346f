// SPDX-License-Identifier: MIT
// Encoding of shared messages.
#include <muster/frame.hpp>

#include <cstring>

namespace muster {

std::size_t write_server_header(std::byte* payload, MessageKind kind,
                                std::size_t payload_size) noexcept {
  const auto first = static_cast<std::byte>(0x80U | static_cast<unsigned>(kind));
  const auto byte = [payload_size](unsigned shift) {
    return static_cast<std::byte>(static_cast<std::uint64_t>(payload_size) >> shift);
  };
  if (payload_size < 126) {
    payload[-2] = first;
    payload[-1] = byte(0);
    return 2;
  }
  if (payload_size <= 0xffff) {
    payload[-4] = first;
    payload[-3] = std::byte{126};
    payload[-2] = byte(8);
    payload[-1] = byte(0);
    return 4;
  }
  payload[-10] = first;
  payload[-9] = std::byte{127};
  for (unsigned i = 0; i < 8; ++i) payload[static_cast<int>(i) - 8] = byte(8 * (7 - i));
  return 10;
}

namespace {

// A frame's tag: payload size in the low 32 bits, then the header size, then the kind.
struct Tag {
  std::uint32_t payload_size;
  std::uint8_t header_size;
  MessageKind kind;
};

constexpr std::uint64_t pack(const Tag& tag) noexcept {
  return tag.payload_size | (std::uint64_t{tag.header_size} << 32U) |
         (static_cast<std::uint64_t>(tag.kind) << 40U);
}

constexpr Tag unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word), static_cast<std::uint8_t>(word >> 32U),
          static_cast<MessageKind>(static_cast<std::uint8_t>(word >> 40U))};
}

}  // namespace

Frame::Frame(std::span<const byte_view> parts, MessageKind kind) {
  std::size_t size = 0;
  for (const byte_view part : parts) size += part.size();
  block_ = Block::allocate(max_server_header + size);
  std::byte* const payload = block_.data() + max_server_header;
  std::byte* out = payload;
  for (const byte_view part : parts) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  const std::size_t header = write_server_header(payload, kind, size);
  block_.tag() = pack({static_cast<std::uint32_t>(size), static_cast<std::uint8_t>(header), kind});
}

MessageKind Frame::kind() const noexcept { return unpack(block_.tag()).kind; }

byte_view Frame::payload() const noexcept {
  return {block_.data() + max_server_header, unpack(block_.tag()).payload_size};
}

byte_view Frame::encoded() const noexcept {
  const Tag tag = unpack(block_.tag());
  return {block_.data() + max_server_header - tag.header_size,
          std::size_t{tag.header_size} + tag.payload_size};
}

}  // namespace muster
