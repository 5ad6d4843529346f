// SPDX-License-Identifier: MIT
// RC4 against published keystreams and against a plain one.
#include <muster/soe/rc4.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using muster::byte_view;
using muster::soe::Rc4;
using test::from_hex;
using test::to_hex;

namespace {

// Written as the textbooks have it.
class PlainRc4 {
 public:
  explicit PlainRc4(byte_view key) {
    std::iota(s_.begin(), s_.end(), 0U);
    unsigned j = 0;
    for (unsigned i = 0; i < 256; ++i) {
      j = (j + s_[i] + std::to_integer<unsigned>(key[i % key.size()])) % 256;
      std::swap(s_[i], s_[j]);
    }
  }
  std::byte next() {
    i_ = (i_ + 1) % 256;
    j_ = (j_ + s_[i_]) % 256;
    std::swap(s_[i_], s_[j_]);
    return static_cast<std::byte>(s_[(s_[i_] + s_[j_]) % 256]);
  }

 private:
  std::array<unsigned, 256> s_{};
  unsigned i_ = 0;
  unsigned j_ = 0;
};

std::vector<std::byte> key_of(std::size_t size) {
  std::vector<std::byte> key(size);
  for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<std::byte>(i * 31 + size);
  return key;
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

}  // namespace

TEST_CASE("rc4: known keystreams", "[soe][rc4]") {
  const auto encrypted = [](std::string_view key, std::string_view plain) {
    std::vector<std::byte> out(plain.size());
    Rc4{muster::as_bytes(key)}.transform(muster::as_bytes(plain), out.data());
    return to_hex(out);
  };
  CHECK(encrypted("Key", "Plaintext") == "bbf316e8d940af0ad3");
  CHECK(encrypted("Wiki", "pedia") == "1021bf0420");
  CHECK(encrypted("Secret", "Attack at dawn") == "45a01f645fc35b383552544b9bf5");

  // RFC 6229: the 40-bit key 0102030405, at offsets 0 and 240.
  std::vector<std::byte> stream(256);
  Rc4{from_hex("0102030405")}.transform(stream);
  CHECK(to_hex(byte_view{stream}.first(16)) == "b2396305f03dc027ccc3524a0a1118a8");
  CHECK(to_hex(byte_view{stream}.subspan(240, 16)) == "28cb1132c96ce286421dcaadb8b69eae");
}

TEST_CASE("rc4: every length of key, in pieces of any size", "[soe][rc4]") {
  CHECK_FALSE(Rc4::is_valid_key({}));
  CHECK_FALSE(Rc4::is_valid_key(key_of(257)));
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  for (std::size_t size = 1; size <= 256; ++size) {
    const auto key = key_of(size);
    REQUIRE(Rc4::is_valid_key(key));
    Rc4 cipher{key};
    PlainRc4 plain{key};
    bool same = true;
    for (int piece = 0; piece < 20; ++piece) {
      std::vector<std::byte> bytes(random() % 64);
      cipher.transform(bytes);
      for (const std::byte byte : bytes) same = same && byte == plain.next();
    }
    CAPTURE(size);
    CHECK(same);
  }
}

TEST_CASE("rc4: in place or into other memory is the same", "[soe][rc4]") {
  const auto key = key_of(16);
  std::vector<std::byte> text(300);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::byte>(i);
  std::vector<std::byte> other(text.size() + 1, std::byte{0x77});
  std::vector<std::byte> in_place = text;
  Rc4{key}.transform(text, other.data());
  Rc4{key}.transform(in_place, in_place.data());
  CHECK(other.back() == std::byte{0x77});
  other.pop_back();
  CHECK(other == in_place);
  CHECK(other != text);
  Rc4{key}.transform(in_place);
  CHECK(in_place == text);
  Rc4 cipher{key};
  cipher.transform(muster::mutable_byte_view{});
  CHECK(cipher.peek() == (Rc4{key}.peek()));
}

TEST_CASE("rc4: peek tells the next byte and changes nothing", "[soe][rc4]") {
  for (std::size_t size = 1; size <= 40; ++size) {
    Rc4 cipher{key_of(size)};
    PlainRc4 plain{key_of(size)};
    bool same = true;
    // Long enough that the read falls on either of the two places that are exchanged.
    for (int i = 0; i < 3000; ++i) {
      const std::byte peeked = cipher.peek();
      std::array<std::byte, 1> byte{};
      cipher.transform(byte);
      same = same && peeked == byte[0] && byte[0] == plain.next();
    }
    CAPTURE(size);
    CHECK(same);
  }
}

TEST_CASE("rc4: a copy continues from the same place, by itself", "[soe][rc4]") {
  Rc4 first{key_of(5)};
  std::array<std::byte, 100> skipped{};
  first.transform(skipped);
  Rc4 second = first;
  std::array<std::byte, 50> a{};
  std::array<std::byte, 50> b{};
  first.transform(a);
  second.transform(b);
  CHECK(a == b);
}

TEST_CASE("rc4: an erased cipher holds nothing of the key", "[soe][rc4]") {
  Rc4 cipher{key_of(16)};
  std::array<std::byte, 100> used{};
  cipher.transform(used);  // so that neither index is zero
  cipher.erase();
  CHECK(std::bit_cast<std::array<std::byte, sizeof(Rc4)>>(cipher) ==
        std::array<std::byte, sizeof(Rc4)>{});
  // It may be given a key again.
  cipher = Rc4{key_of(16)};
  CHECK(cipher.peek() == (Rc4{key_of(16)}.peek()));
}

TEST_CASE("rc4: nothing prints a cipher", "[soe][rc4]") {
  STATIC_REQUIRE_FALSE(Printable<Rc4>);
  STATIC_REQUIRE(Printable<int>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<Rc4>);
}
