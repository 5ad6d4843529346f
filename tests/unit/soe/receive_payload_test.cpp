// SPDX-License-Identifier: MIT
// What is in the packets of a reliable channel: bundles, the escape, encryption.
#include "support/catch.hpp"
#include "support/receive_world.hpp"
#include "support/vectors.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using muster::as_bytes;
using muster::soe::Config;
using muster::soe::Escape;
using muster::soe::Rc4;
using namespace std::string_literals;
using test::bundle;
using test::Bytes;
using test::encrypted;
using test::first_fragment;
using test::Outcome;
using test::packet;
using test::patterned;
using test::ReceiveWorld;

namespace {

using Messages = std::vector<std::string>;

}  // namespace

TEST_CASE("soe receive: a bundle is several messages", "[soe]") {
  const Messages items{"a", std::string(254, 'b'), std::string(255, 'c'), std::string(70'000, 'd'),
                       "\0\x19\x01z"s};  // an item is not looked into
  ReceiveWorld w;
  CHECK(w.receive(packet(0, bundle(items))) == Outcome::accepted);
  CHECK(w.take() == items);
  CHECK(w.channel.stats().messages == 5);
  CHECK(w.channel.stats().bytes == 1 + 254 + 255 + 70'000 + 4);

  // Longer forms of lengths than needed, and nothing in between.
  CHECK(w.receive(packet(1, "\0\x19\0\xff\0\x02hi\0\xff\xff\xff\0\0\0\x03you\xff\0\0"s)) ==
        Outcome::accepted);
  CHECK(w.take() == Messages{"hi", "you"});
  CHECK(w.receive(packet(2, "\0\x19\0\0"s)) == Outcome::accepted);
  CHECK(w.receive(packet(3, "\0\x19"s)) == Outcome::accepted);  // too short for a bundle
  CHECK(w.receive(packet(4, "\0"s)) == Outcome::accepted);
  CHECK(w.receive(packet(5, "\x19\0\1a"s)) == Outcome::accepted);
  CHECK(w.take() == Messages{"\0\x19"s, "\0"s, "\x19\0\1a"s});
}

TEST_CASE("soe receive: nothing of a bundle with a bad length is delivered", "[soe]") {
  for (const std::string& items :
       {"\x02hi\x05hell"s, "\x01"s, "\xff"s, "\xff\0"s, "\xff\0\x01"s, "\x02hi\xff\xff\xff\0\0\0"s,
        "\x02hi\xff\xff\xff\0\0\0\x01"s, "\x02hi\xff\xff\xff\xff\xff\xff\xffx"s,
        "\xff\xff\xff\x80\0\0\0x"s}) {
    INFO(test::to_hex(as_bytes(items)));
    const std::string payload = "\0\x19"s + items;
    const auto size = static_cast<std::uint32_t>(payload.size());
    ReceiveWorld plain;
    CHECK(plain.receive(packet(0, payload)) == Outcome::corrupt);
    CHECK(plain.take().empty());

    ReceiveWorld unstable;
    CHECK(unstable.receive_unstable(packet(0, payload)) == Outcome::corrupt);
    CHECK(unstable.take().empty());
    CHECK(unstable.pool.used() == 0);

    ReceiveWorld whole;
    CHECK(whole.receive_fragment(first_fragment(0, size, payload)) == Outcome::corrupt);
    CHECK(whole.take().empty());
    CHECK(whole.budget.used == 0);

    ReceiveWorld late;
    CHECK(late.receive(packet(1, payload)) == Outcome::accepted);
    CHECK(late.receive(packet(0, "first")) == Outcome::corrupt);
    CHECK(late.take() == Messages{"first"});
    CHECK(late.pool.used() == 0);
  }
}

TEST_CASE("soe receive: a message of fragments may be a bundle", "[soe]") {
  const Messages items{"first", std::string(300, 'x'), "last"};
  const Bytes payload = bundle(items);
  for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
    ReceiveWorld w;
    const auto middle = payload.begin() + static_cast<std::ptrdiff_t>(cut);
    const Outcome first = w.receive_fragment(first_fragment(
        0, static_cast<std::uint32_t>(payload.size()), Bytes(payload.begin(), middle)));
    CHECK(first == Outcome::accepted);
    if (cut != payload.size()) {
      CHECK(w.receive_fragment(packet(1, Bytes(middle, payload.end()))) == Outcome::accepted);
    }
    REQUIRE(w.take() == items);
  }
}
TEST_CASE("soe receive: the escape byte", "[soe]") {
  const Messages items{"\0a"s, "\0\0a"s, "a"s, "\0"s, "\0\0"s};
  const Messages without{"a"s, "\0a"s, "a"s, "\0"s, "\0"s};
  for (const Escape escape : {Escape::encrypted, Escape::always}) {
    Config config;
    config.escape = escape;
    ReceiveWorld w{config};
    const Messages& expected = escape == Escape::always ? without : items;
    std::int64_t sequence = 0;
    for (const std::string& item : items) {
      CHECK(w.receive(packet(sequence++, item)) == Outcome::accepted);
    }
    CHECK(w.take() == expected);
    CHECK(w.receive(packet(sequence++, bundle(items))) == Outcome::accepted);
    CHECK(w.take() == expected);
    for (const std::string& item : items) {
      const auto size = static_cast<std::uint32_t>(item.size());
      CHECK(w.receive_fragment(first_fragment(sequence++, size, item)) == Outcome::accepted);
    }
    CHECK(w.take() == expected);
  }
}

TEST_CASE("soe receive: messages are decrypted one after the other", "[soe]") {
  for (const Escape escape : {Escape::encrypted, Escape::always}) {
    Config config;
    config.escape = escape;
    ReceiveWorld w{config};
    Rc4 cipher = Rc4{muster::as_bytes("a key")};
    w.channel.set_cipher(&cipher);
    Messages sent;
    std::int64_t sequence = 0;
    int escaped = 0;
    for (unsigned i = 0; i < 3000; ++i) {
      // One in 256 begins with a zero byte when encrypted; some are that byte alone.
      const Messages messages{patterned(1 + i % 3, i), patterned(i % 50 + 1, i + 1)};
      Messages items;
      for (const std::string& message : messages) {
        items.push_back(encrypted(cipher, message));
        escaped += items.back().size() > message.size() ? 1 : 0;
        sent.push_back(message);
      }
      switch (i % 3) {
        case 0:
          REQUIRE(w.receive(packet(sequence++, bundle(items))) == Outcome::accepted);
          break;
        case 1: {
          for (const std::string& item : items) {
            REQUIRE(w.receive(packet(sequence++, item)) == Outcome::accepted);
          }
          break;
        }
        default:
          for (const std::string& item : items) {
            const std::size_t cut = item.size() / 2;
            REQUIRE(w.receive_fragment(packet(sequence + 1, item.substr(cut))) ==
                    Outcome::accepted);
            REQUIRE(w.receive_fragment(first_fragment(
                        sequence, static_cast<std::uint32_t>(item.size()), item.substr(0, cut))) ==
                    Outcome::accepted);
            sequence += 2;
          }
      }
    }
    CHECK(w.take() == sent);
    CHECK(escaped > 5);
  }
}

TEST_CASE("soe receive: encryption begins, changes and ends between messages", "[soe]") {
  ReceiveWorld w;
  Rc4 first = Rc4{muster::as_bytes("first")};
  Rc4 second = Rc4{muster::as_bytes("second")};
  CHECK(w.receive(packet(0, "in clear")) == Outcome::accepted);
  w.channel.set_cipher(&first);
  CHECK(w.receive(packet(1, encrypted(first, "one"))) == Outcome::accepted);
  CHECK(w.receive(packet(2, encrypted(first, "two"))) == Outcome::accepted);
  w.channel.set_cipher(&second);
  CHECK(w.receive(packet(3, encrypted(second, "three"))) == Outcome::accepted);
  w.channel.set_cipher(nullptr);
  CHECK(w.receive(packet(4, "in clear")) == Outcome::accepted);
  CHECK(w.take() == Messages{"in clear", "one", "two", "three", "in clear"});
}
