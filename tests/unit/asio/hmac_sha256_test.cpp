// SPDX-License-Identifier: MIT
#include <muster/asio/hmac_sha256.hpp>

#include "../lib/hmac_sha256.hpp"
#include "support/catch.hpp"

#include <string>
#include <string_view>

using muster::as_bytes;
using muster::Mac;

namespace {

std::string hex(const Mac::Tag& tag) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::byte byte : tag) {
    out += digits[std::to_integer<std::size_t>(byte >> 4U)];
    out += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return out;
}

}  // namespace

TEST_CASE("HmacSha256: the vectors of RFC 4231", "[mac]") {
  struct Vector {
    std::string key;
    std::string message;
    std::string_view tag;
  };
  std::string counted;
  for (char c = 1; c <= 25; ++c) counted += c;
  const Vector vectors[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counted, std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The "
       "key needs to be hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  muster::asio::HmacSha256 mac;
  for (const auto& [key, message, tag] : vectors) {
    CHECK(hex(mac.tag(as_bytes(key), as_bytes(message))) == tag);
    CHECK(hex(muster::hmac_sha256(as_bytes(key), as_bytes(message))) == tag);  // the portable one
  }
}

TEST_CASE("HmacSha256: an empty key and an empty message are values like others", "[mac]") {
  muster::asio::HmacSha256 mac;
  const Mac::Tag keyed = mac.tag(as_bytes("key"), {});
  // Not the tag of the key that was used before.
  CHECK(hex(mac.tag({}, {})) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  CHECK(mac.tag(as_bytes("key"), {}) == keyed);
  // Around the ends of a block: each length has a tag of its own.
  for (std::size_t size = 50; size < 70; ++size) {
    const std::string text(size, 'x');
    CHECK(mac.tag({}, as_bytes(text)) != mac.tag({}, as_bytes(text).first(size - 1)));
    CHECK(mac.tag({}, as_bytes(text)) == muster::hmac_sha256({}, as_bytes(text)));
  }
}
