// SPDX-License-Identifier: MIT
// Fuzzes the parts of SOE packets: what decodes must survive being encoded and decoded again,
// lengths lead through any input to its end, and no compressed body leaves its room.
//
// The input is taken as each of them in turn, as it is and, for bodies, behind its first two bytes.
#include <muster/soe/crc32.hpp>
#include <muster/soe/length.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>

#include "../../lib/soe/deflate.hpp"

#include "support/require.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace muster;
using namespace muster::soe;
using test::require;

// Nothing is asked of what follows the last field: it is not written again.
template <class Packet>
void check_packet(byte_view input) {
  const auto packet = Packet::decode(input);
  if (!packet) return;
  std::vector<std::byte> first(input.size() + 2);  // a reason that was missing is written
  first.resize(packet->encode(first));
  require(!first.empty());
  const auto again = Packet::decode(first);
  require(again.has_value());
  std::vector<std::byte> second(first.size());
  require(again->encode(second) == first.size() && second == first);
  require(again->encode(mutable_byte_view{second}.first(first.size() - 1)) == 0);
}

void check_op_code(byte_view datagram) {
  if (datagram.size() < 2) return;
  const auto op = static_cast<std::uint16_t>(std::to_integer<unsigned>(datagram[0]) << 8U |
                                             std::to_integer<unsigned>(datagram[1]));
  require(op_of(base_of(op), channel_of(op)) == op);
  require(minimum_size(op, 7) >= 2);
  require(!is_contextless(op) || (is_known(op) && minimum_size(op, 2) == minimum_size(op, 7)));
  const bool is_long_enough = datagram.size() >= minimum_size(op, 2);
  require(is_long_enough ||
          (!SessionRequest::decode(datagram) && !SessionResponse::decode(datagram) &&
           !RemapConnection::decode(datagram)));
}

template <class Read, class Write, class Size>
void check_lengths(byte_view rest, Read read, Write write, Size size_of) {
  while (!rest.empty()) {
    const byte_view before = rest;
    std::uint32_t n = 0;
    if (!read(rest, n)) {
      require(rest.size() == before.size() && before.size() < max_length_size);
      break;
    }
    const std::size_t taken = before.size() - rest.size();
    require(taken >= size_of(n) || n == 255);
    require(taken == 1 || taken == 3 || taken == 7);

    std::array<std::byte, max_length_size + 1> out{};  // a zero follows
    const std::byte* const end = write(out.data(), n);
    require(end == out.data() + size_of(n));
    byte_view in{out};
    std::uint32_t again = 0;
    require(read(in, again) && again == n && in.data() == end);

    rest = rest.subspan(std::min<std::size_t>(n, rest.size()));
  }
}

void check_deflate(byte_view input) {
  static Inflater inflater;
  static Deflater deflater;
  std::array<std::byte, 4096> out;
  const auto size = inflater.inflate(input, mutable_byte_view{out}.first(2048));
  if (!size) return;
  require(*size <= 2048);
  std::array<std::byte, 4096> stream;
  const std::size_t compressed = deflater.deflate(mutable_byte_view{out}.first(*size), stream);
  require(compressed > 0);
  std::array<std::byte, 2048> back;
  require(inflater.inflate(byte_view{stream}.first(compressed), back) == size);
  require(std::equal(back.begin(), back.begin() + static_cast<std::ptrdiff_t>(*size), out.begin()));
}

void check_checksum(byte_view input) {
  for (std::size_t length = 0; length <= std::min(input.size(), max_crc_length); ++length) {
    std::array<std::byte, max_crc_length> out{};
    const std::uint32_t crc = read_crc(input.data(), length);
    require((crc & ~crc_mask(length)) == 0);
    write_crc(out.data(), crc, length);
    require(
        std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(length), input.begin()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input = std::as_bytes(std::span{data, size});
  check_op_code(input);
  check_packet<SessionRequest>(input);
  check_packet<SessionResponse>(input);
  check_packet<RemapConnection>(input);
  for (const std::size_t skipped : {std::size_t{0}, std::min<std::size_t>(size, 2)}) {
    const byte_view body = input.subspan(skipped);
    check_packet<Disconnect>(body);
    check_packet<NetStatusRequest>(body);
    check_packet<NetStatusResponse>(body);
    check_lengths(body, read_multi_length, write_multi_length, multi_length_size);
    check_lengths(body, read_bundle_length, write_bundle_length, bundle_length_size);
    check_deflate(body);
  }
  check_checksum(input);
  return 0;
}
