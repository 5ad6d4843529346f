// SPDX-License-Identifier: MIT
#include <muster/mac.hpp>

#include "support/catch.hpp"

#include <set>
#include <string>

using muster::as_bytes;
using muster::Mac;
using muster::WeakMac;

TEST_CASE("equal_in_constant_time: every byte and the size count", "[mac]") {
  const std::string text = "0123456789abcdef";
  CHECK(muster::equal_in_constant_time({}, {}));
  CHECK(muster::equal_in_constant_time(as_bytes(text), as_bytes(text)));
  CHECK_FALSE(muster::equal_in_constant_time(as_bytes(text), as_bytes(text).first(15)));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = static_cast<char>(other[i] ^ 0x40);
    CHECK_FALSE(muster::equal_in_constant_time(as_bytes(text), as_bytes(other)));
  }
}

TEST_CASE("WeakMac: the tag depends on the key, on the message and on where one ends", "[mac]") {
  WeakMac mac;
  std::set<Mac::Tag> tags;
  for (const char* key : {"", "k", "kk", "l"}) {
    for (const char* message : {"", "m", "mm", "n", "km"}) {
      tags.insert(mac.tag(as_bytes(key), as_bytes(message)));
      CHECK(mac.tag(as_bytes(key), as_bytes(message)) ==
            WeakMac{}.tag(as_bytes(key), as_bytes(message)));
    }
  }
  CHECK(tags.size() == 20);
}
