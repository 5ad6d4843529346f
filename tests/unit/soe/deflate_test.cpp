// SPDX-License-Identifier: MIT
// zlib streams: what must be refused, and that nothing is written beyond the room given.
#include "../../../lib/soe/deflate.hpp"

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

using muster::byte_view;
using muster::mutable_byte_view;
using muster::soe::Deflater;
using muster::soe::Inflater;
using test::from_hex;

namespace {

std::vector<std::byte> text_of(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * i / 7 % 23);
  return bytes;
}

// "hello", stored.
constexpr const char* stored_hello = "7801010500faff68656c6c6f062c0215";

}  // namespace

TEST_CASE("deflate: it is there if it was built in", "[soe][deflate]") {
  CHECK(Inflater::is_available() == bool{MUSTER_WITH_DEFLATE});
  CHECK(Deflater::is_available() == bool{MUSTER_WITH_DEFLATE});
}

#if !MUSTER_WITH_DEFLATE

TEST_CASE("deflate: without it every call fails", "[soe][deflate]") {
  std::vector<std::byte> out(100);
  CHECK_FALSE(Inflater{}.inflate(from_hex(stored_hello), out));
  CHECK(Deflater{}.deflate(text_of(20), out) == 0);
  CHECK(out == std::vector<std::byte>(100));
}

#else

namespace {

std::vector<std::byte> compressed(byte_view bytes) {
  std::vector<std::byte> out(bytes.size() + 100);
  out.resize(Deflater{}.deflate(bytes, out));
  return out;
}

}  // namespace

TEST_CASE("deflate: what is compressed comes back, at every level", "[soe][deflate]") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  Inflater inflater;
  for (int level = 1; level <= 12; ++level) {
    Deflater deflater{level};
    for (const std::size_t size : {0U, 1U, 2U, 63U, 64U, 505U, 512U, 1400U, 65507U}) {
      CAPTURE(level, size);
      auto plain = text_of(size);
      // Half of them with what cannot be compressed.
      if (level % 2 == 0) {
        for (std::byte& byte : plain) byte = static_cast<std::byte>(random() & 0xFFU);
      }
      std::vector<std::byte> stream(size + 100);
      stream.resize(deflater.deflate(plain, stream));
      REQUIRE_FALSE(stream.empty());
      CHECK((std::to_integer<unsigned>(stream[0]) & 0x0FU) == 8);  // RFC 1950: deflate
      std::vector<std::byte> out(size);
      REQUIRE(inflater.inflate(stream, out) == size);
      CHECK(out == plain);
    }
  }
}

TEST_CASE("deflate: a stream that does not fit is refused, and nothing is written beyond the room",
          "[soe][deflate]") {
  const auto plain = text_of(300);
  const auto stream = compressed(plain);
  Deflater deflater;
  for (std::size_t room = 0; room <= stream.size() + 40; ++room) {
    std::vector<std::byte> out(room + 64, std::byte{0xA5});
    const std::size_t size = deflater.deflate(plain, mutable_byte_view{out}.first(room));
    CAPTURE(room, size);
    if (room < stream.size()) CHECK(size == 0);
    REQUIRE(size <= room);
    CHECK(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(room), out.end(),
                      [](std::byte byte) { return byte == std::byte{0xA5}; }));
    if (size > 0) {
      std::vector<std::byte> back(plain.size());
      REQUIRE(Inflater{}.inflate(byte_view{out}.first(size), back) == plain.size());
      CHECK(back == plain);
    }
  }
}

TEST_CASE("deflate: what would expand to more than the room is refused", "[soe][deflate]") {
  const auto plain = text_of(300);
  const auto stream = compressed(plain);
  Inflater inflater;
  for (const std::size_t room : {0U, 1U, 100U, 299U}) {
    std::vector<std::byte> out(room + 512, std::byte{0xA5});
    CAPTURE(room);
    CHECK_FALSE(inflater.inflate(stream, mutable_byte_view{out}.first(room)));
    CHECK(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(room), out.end(),
                      [](std::byte byte) { return byte == std::byte{0xA5}; }));
  }
  std::vector<std::byte> out(1000);
  CHECK(inflater.inflate(stream, out) == 300U);
}

TEST_CASE("deflate: defect: a small packet that expands without bound", "[soe][deflate]") {
  const std::vector<std::byte> zeros(2'000'000);
  const auto bomb = compressed(zeros);
  REQUIRE(bomb.size() < 10'000);
  std::vector<std::byte> out(16 * 512);
  CHECK_FALSE(Inflater{}.inflate(bomb, out));
}

TEST_CASE("deflate: every cut and every flipped bit is refused", "[soe][deflate]") {
  const auto plain = text_of(100);
  const auto stream = compressed(plain);
  Inflater inflater;
  std::vector<std::byte> out(4096);
  for (std::size_t size = 0; size < stream.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(inflater.inflate(byte_view{stream}.first(size), out));
  }
  std::size_t accepted = 0;
  for (std::size_t bit = 0; bit < stream.size() * 8; ++bit) {
    auto damaged = stream;
    damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    CAPTURE(bit);
    const auto size = inflater.inflate(damaged, out);
    if (!size) continue;
    // Up to seven bits between the last block and the checksum mean nothing.
    ++accepted;
    REQUIRE(*size == plain.size());
    CHECK(std::equal(plain.begin(), plain.end(), out.begin()));
  }
  CHECK(accepted <= 7);
  CHECK(inflater.inflate(stream, out) == plain.size());
}

TEST_CASE("deflate: headers", "[soe][deflate]") {
  Inflater inflater;
  std::vector<std::byte> out(64);
  auto stream = from_hex(stored_hello);
  REQUIRE(inflater.inflate(stream, out) == 5U);
  CHECK(muster::as_text(byte_view{out}.first(5)) == "hello");

  SECTION("every size of window") {
    for (unsigned info = 0; info <= 7; ++info) {
      const unsigned first = info << 4U | 8U;
      stream[0] = static_cast<std::byte>(first);
      stream[1] = static_cast<std::byte>((31 - first * 256 % 31) % 31);
      CAPTURE(info);
      CHECK(inflater.inflate(stream, out) == 5U);
    }
  }
  SECTION("a preset dictionary") {
    // With the dictionary's checksum, as such streams have it.
    CHECK_FALSE(inflater.inflate(from_hex("782000000001010500faff68656c6c6f062c0215"), out));
    CHECK_FALSE(inflater.inflate(from_hex("7820010500faff68656c6c6f062c0215"), out));
  }
  SECTION("another method") {
    CHECK_FALSE(inflater.inflate(from_hex("7918010500faff68656c6c6f062c0215"), out));
  }
  SECTION("gzip, and a stream without a header") {
    CHECK_FALSE(inflater.inflate(from_hex("1f8b0800000000000003cb48cdc9c907008"
                                          "6a6103605000000"),
                                 out));
    CHECK_FALSE(inflater.inflate(from_hex("010500faff68656c6c6f"), out));
  }
  SECTION("what follows the stream is ignored") {
    stream.push_back(std::byte{0xFF});
    stream.push_back(std::byte{0x00});
    CHECK(inflater.inflate(stream, out) == 5U);
  }
}

TEST_CASE("deflate: views that point nowhere", "[soe][deflate]") {
  Inflater inflater;
  Deflater deflater;
  std::vector<std::byte> out(64);
  CHECK_FALSE(inflater.inflate({}, out));
  CHECK_FALSE(inflater.inflate(from_hex(stored_hello), {}));
  CHECK(deflater.deflate(text_of(3), {}) == 0);
  const std::size_t size = deflater.deflate({}, out);
  REQUIRE(size > 0);
  const auto empty = std::vector<std::byte>(out.begin(), out.begin() + static_cast<int>(size));
  CHECK(inflater.inflate(empty, out) == 0U);
  CHECK(inflater.inflate(empty, {}) == 0U);
}

#endif
