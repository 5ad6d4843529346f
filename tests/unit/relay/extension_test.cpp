// SPDX-License-Identifier: MIT
// The extension's bytes: what is written, what is read, and what is refused.
#include <muster/relay/extension.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace relay = muster::relay;
using muster::as_bytes;
using muster::byte_view;
using muster::errc;
using test::from_hex;
using test::to_hex;

namespace {

std::string repeated(std::string_view hex, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += hex;
  return all;
}

// The trailer of these items; the views in it are into `bytes`.
relay::Trailer read(const std::vector<std::byte>& bytes) {
  const auto trailer = relay::decode_trailer(bytes);
  REQUIRE(trailer);
  REQUIRE(trailer->has_value());
  return **trailer;
}

muster::Mac::Tag tag_of(unsigned first) {
  muster::Mac::Tag tag{};
  for (std::size_t i = 0; i < tag.size(); ++i) tag[i] = static_cast<std::byte>(first + i);
  return tag;
}

const std::string tag_hex = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";

// The items of a trailer that has all of them.
const std::vector<std::string> all_items{
    "010004"
    "80000021",                          // capabilities
    "020004" + to_hex(as_bytes("Zoë")),  // name
    "030000",                            // spectator
    "040020" + tag_hex,                  // proof
    "0500020007",                        // seat
    "0600080123456789abcdef",            // sequence
    "070020" + tag_hex,                  // password key
    "080003000aff",                      // metadata
    "090000",                            // listed
    "0a0002012c",                        // max players
};

std::string joined(const std::vector<std::string>& items) {
  std::string hex = "525801";
  for (const std::string& item : items) hex += item;
  return hex;
}

}  // namespace

TEST_CASE("relay extension: a trailer with everything", "[relay][extension]") {
  const auto bytes = from_hex(joined(all_items));
  const relay::Trailer trailer = read(bytes);
  CHECK(trailer.capabilities == 0x80000021U);  // bits that nobody knows yet are kept
  CHECK(has(trailer.capabilities, relay::Capability::targeted));
  CHECK(has(trailer.capabilities, relay::Capability::may_host));
  CHECK_FALSE(has(trailer.capabilities, relay::Capability::sequence));
  CHECK(trailer.name == "Zoë");
  CHECK(static_cast<const void*>(trailer.name.data()) == bytes.data() + 13);  // a view
  CHECK(trailer.is_spectator);
  CHECK(trailer.proof == tag_of(0x10));
  CHECK(trailer.seat == 7);
  CHECK(trailer.sequence == 0x0123456789abcdefU);
  CHECK(trailer.password_key == tag_of(0x10));
  REQUIRE(trailer.metadata);
  CHECK(to_hex(*trailer.metadata) == "000aff");
  CHECK(trailer.is_listed);
  CHECK(trailer.max_players == 300);

  std::vector<std::byte> again = from_hex("00");  // it is appended
  append_trailer(again, trailer);
  CHECK(to_hex(again) == "00" + to_hex(bytes));
}

TEST_CASE("relay extension: a trailer with nothing, and none", "[relay][extension]") {
  const auto bytes = from_hex("525801");
  const relay::Trailer trailer = read(bytes);
  CHECK(trailer.capabilities == 0);
  CHECK(trailer.name.empty());
  CHECK_FALSE(trailer.is_spectator);
  CHECK_FALSE(trailer.proof);
  CHECK_FALSE(trailer.seat);
  CHECK_FALSE(trailer.sequence);
  CHECK_FALSE(trailer.password_key);
  CHECK_FALSE(trailer.metadata);
  CHECK_FALSE(trailer.is_listed);
  CHECK_FALSE(trailer.max_players);
  std::vector<std::byte> again;
  append_trailer(again, trailer);
  CHECK(to_hex(again) == "52580101000400000000");

  // Whatever else somebody appends to a JoinRequest is no trailer, and no mistake.
  for (const std::string_view hex : {"", "52", "5258", "525800", "525802", "525701", "005258010100",
                                     "ffffffff", "535801010004000000ff"}) {
    CAPTURE(hex);
    const auto none = relay::decode_trailer(from_hex(hex));
    REQUIRE(none);
    CHECK_FALSE(none->has_value());
  }
}

TEST_CASE("relay extension: every prefix of a trailer", "[relay][extension]") {
  const auto bytes = from_hex(joined(all_items));
  std::vector<std::size_t> whole{0, 1, 2, 3};  // no trailer yet, and one without items
  for (const std::string& item : all_items) whole.push_back(whole.back() + item.size() / 2);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CAPTURE(size);
    const auto trailer = relay::decode_trailer(byte_view{bytes}.first(size));
    if (std::ranges::find(whole, size) != whole.end()) {
      CHECK(trailer);
    } else {
      REQUIRE_FALSE(trailer);
      CHECK(trailer.error() == errc::unexpected_end);
    }
  }
}

TEST_CASE("relay extension: items may come in any order, and unknown ones are skipped",
          "[relay][extension]") {
  auto items = all_items;
  std::ranges::reverse(items);
  items.insert(items.begin() + 1, "000000");
  items.insert(items.begin() + 3, "0b0003ffffff");
  items.push_back("ff0100" + repeated("52", 256));
  std::vector<std::byte> again;
  const auto bytes = from_hex(joined(items));
  append_trailer(again, read(bytes));
  CHECK(to_hex(again) == joined(all_items));
}

TEST_CASE("relay extension: of two items with one type the first counts", "[relay][extension]") {
  auto items = all_items;
  for (const std::string_view later :
       {"01000400000001", "02000141", "0500020009", "0600080000000000000000", "080000", "030000",
        "090000", "0a00020001"}) {
    items.emplace_back(later);
  }
  items.push_back("040020" + repeated("00", 32));
  items.push_back("070020" + repeated("00", 32));
  const auto bytes = from_hex(joined(items));
  std::vector<std::byte> again;
  append_trailer(again, read(bytes));
  CHECK(to_hex(again) == joined(all_items));
  // Also where the first is all zeros, or empty.
  const auto zeros = from_hex(joined(
      {"01000400000000", "01000400000001", "080000", "08000141", "0500020000", "0500020001"}));
  const relay::Trailer trailer = read(zeros);
  CHECK(trailer.capabilities == 0);
  REQUIRE(trailer.metadata);
  CHECK(trailer.metadata->empty());
  CHECK(trailer.seat == 0);
  // A later one is not read, but it is not damaged either.
  CHECK_FALSE(relay::decode_trailer(from_hex(joined({"0500020007", "05000107"}))));
}

TEST_CASE("relay extension: items of a wrong size refuse the trailer", "[relay][extension]") {
  const std::vector<std::string> wrong{
      "010000",
      "010003000000",
      "0100050000000000",
      "020000",
      "020041" + repeated("41", 65),
      "03000100",
      "04001f" + repeated("00", 31),
      "040021" + repeated("00", 33),
      "05000100",
      "050003000000",
      "060007" + repeated("00", 7),
      "060009" + repeated("00", 9),
      "070000",
      "07001f" + repeated("00", 31),
      "080401" + repeated("00", 1025),
      "09000100",
      "0a000100",
      "0a0003000000",
  };
  for (const std::string& item : wrong) {
    CAPTURE(item);
    const auto trailer = relay::decode_trailer(from_hex(joined({item})));
    REQUIRE_FALSE(trailer);
    CHECK(trailer.error() == errc::bad_value);
  }
  // The largest that are right.
  const auto name = from_hex(joined({"020040" + repeated("41", 64)}));
  CHECK(read(name).name.size() == relay::max_name_size);
  const auto metadata = from_hex(joined({"080400" + repeated("00", 1024)}));
  CHECK(read(metadata).metadata->size() == relay::max_metadata_size);
  // A size of 64 KiB without the bytes.
  for (const std::string_view type : {"01", "02", "08", "63"}) {
    const auto trailer = relay::decode_trailer(from_hex(joined({std::string{type} + "ffff00"})));
    REQUIRE_FALSE(trailer);
    CHECK(trailer.error() == errc::unexpected_end);
  }
}

TEST_CASE("relay extension: names are UTF-8 without control characters", "[relay][extension]") {
  const auto error_of = [](std::string_view name) {
    const auto size = static_cast<unsigned>(name.size());
    const auto item =
        from_hex(joined({"0200" + to_hex(std::array{std::byte(size)}) + to_hex(as_bytes(name))}));
    const auto trailer = relay::decode_trailer(item);
    CHECK(relay::is_display_name(name) == trailer.has_value());
    return trailer ? errc{} : trailer.error();
  };
  CHECK(error_of("\xFF") == errc::bad_utf8);
  CHECK(error_of("a\xC2") == errc::bad_utf8);
  CHECK(error_of("\xED\xA0\x80") == errc::bad_utf8);
  for (const std::string_view name :
       {std::string_view{"\0", 1}, std::string_view{"a\nb"}, std::string_view{"\x1f"},
        std::string_view{"a\x7f"}, std::string_view{"\xC2\x80"}, std::string_view{"a\xC2\x9F"}}) {
    CHECK(error_of(name) == errc::bad_value);
  }
  for (const std::string_view name :
       {" ", "a", "\xC2\xA0", "\xE9\x83\xA8", "\xF0\x9F\x98\x80", "\xC3\x80", "\xE0\xA4\x80"}) {
    CHECK(error_of(name) == errc{});
  }
  CHECK_FALSE(relay::is_display_name(""));
  CHECK_FALSE(relay::is_display_name(std::string(65, 'a')));
  CHECK(relay::is_display_name(std::string(64, 'a')));
}

TEST_CASE("relay extension: message ids", "[relay][extension]") {
  for (unsigned id = 0; id < 256; ++id) {
    CAPTURE(id);
    const std::array message{static_cast<std::byte>(id), std::byte{0}};
    const auto extended = relay::read_extended(message);
    CHECK(extended.has_value() == (id >= 16 && id <= 23));
    if (extended) CHECK(static_cast<unsigned>(*extended) == id);
  }
  CHECK_FALSE(relay::read_extended({}));
}

TEST_CASE("relay extension: TARGETED", "[relay][extension]") {
  const std::vector<std::uint16_t> players{1, 300, 65435};
  CHECK(to_hex(relay::targeted_header(false, players)) == "100000030001012cff9b");
  CHECK(to_hex(relay::targeted_header(true, {})) == "10010000");

  const auto bytes = from_hex("100100030001012cff9b6869");
  const auto targeted = relay::decode_targeted(bytes);
  REQUIRE(targeted);
  CHECK(targeted->all_but);
  REQUIRE(targeted->player_count() == 3);
  CHECK(targeted->player(0) == 1);
  CHECK(targeted->player(1) == 300);
  CHECK(targeted->player(2) == 65435);
  CHECK(muster::as_text(targeted->payload) == "hi");
  CHECK(targeted->payload.data() == bytes.data() + 10);

  for (std::size_t size = 0; size < 10; ++size) {
    CAPTURE(size);
    const auto cut = relay::decode_targeted(byte_view{bytes}.first(size));
    REQUIRE_FALSE(cut);
    CHECK(cut.error() == errc::unexpected_end);
  }
  const auto empty = relay::decode_targeted(byte_view{bytes}.first(10));
  REQUIRE(empty);
  CHECK(empty->payload.empty());
  const auto nobody = relay::decode_targeted(from_hex("10000000"));
  REQUIRE(nobody);
  CHECK_FALSE(nobody->all_but);
  CHECK(nobody->player_count() == 0);
  for (const std::string_view hex : {"10020000", "10800000", "10ff0000", "11000000", "00000000"}) {
    CAPTURE(hex);
    const auto wrong = relay::decode_targeted(from_hex(hex));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error() == errc::bad_value);
  }
  // A count without the players.
  const auto hostile = relay::decode_targeted(from_hex("1000ffff000100020003"));
  REQUIRE_FALSE(hostile);
  CHECK(hostile.error() == errc::unexpected_end);
}

TEST_CASE("relay extension: MEMBER_EVENT", "[relay][extension]") {
  const std::vector<relay::MemberEvent> events{
      {relay::MemberChange::joined, 1, 2, relay::extended_flag, "Zoë"},
      {relay::MemberChange::away, 300, relay::no_seat, relay::spectator_flag, ""},
      {relay::MemberChange::expired, 65435, 65534, 3, std::string_view{"a"}},
  };
  std::vector<std::byte> message;
  for (const auto& event : events) append_member_event(message, event);
  CHECK(to_hex(message) ==
        "11"
        "00000100020204"
        "5a6fc3ab"
        "01012cffff0100"
        "05ff9bfffe030161");
  const auto decoded = relay::decode_member_events(message);
  REQUIRE(decoded);
  CHECK(*decoded == events);

  // Each prefix is as many events as are whole.
  for (std::size_t size = 0; size < message.size(); ++size) {
    CAPTURE(size);
    const auto cut = relay::decode_member_events(byte_view{message}.first(size));
    if (size == 12 || size == 19) {
      REQUIRE(cut);
      CHECK(cut->size() == (size == 12 ? 1 : 2));
    } else {
      REQUIRE_FALSE(cut);
      CHECK(cut.error() == errc::unexpected_end);
    }
  }
  const auto error_of = [](std::string_view hex) {
    const auto wrong = relay::decode_member_events(from_hex(hex));
    return wrong ? errc{} : wrong.error();
  };
  CHECK(error_of("1106000100010000") == errc::bad_value);  // a change that nobody knows
  CHECK(error_of("11ff000100010000") == errc::bad_value);
  CHECK(error_of("1000000100010000") == errc::bad_value);    // another message
  CHECK(error_of("11000001000100010a") == errc::bad_value);  // control characters in a name
  CHECK(error_of("1100000100010001ff") == errc::bad_utf8);
  CHECK(error_of("11000001000100ff61") == errc::unexpected_end);
  CHECK(error_of("1100000100010041" + repeated("61", 65)) == errc::bad_value);
  CHECK(error_of("1100000100010040" + repeated("61", 64)) == errc{});
  CHECK(error_of("1100000100018000") == errc{});  // a flag of later days
}

TEST_CASE("relay extension: HOST_STATE, STATE_SEQUENCE, CHALLENGE and HOST_OFFER",
          "[relay][extension]") {
  const relay::HostState away{relay::HostPresence::away, 0, 30'000};
  CHECK(to_hex(encode_host_state(away)) == "1200000000007530");
  CHECK(*relay::decode_host_state(encode_host_state(away)) == away);
  const relay::HostState changed{relay::HostPresence::changed, 0x0102, 0xfffffffe};
  CHECK(to_hex(encode_host_state(changed)) == "12020102fffffffe");
  CHECK(*relay::decode_host_state(encode_host_state(changed)) == changed);
  const auto unknown = relay::decode_host_state(from_hex("1203000000000000"));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == errc::bad_value);

  CHECK(to_hex(relay::encode_state_sequence(0x0102030405060708)) == "140102030405060708");
  CHECK(*relay::decode_state_sequence(from_hex("14ffffffffffffffff")) == ~std::uint64_t{0});

  relay::Nonce nonce{};
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::byte>(i);
  CHECK(to_hex(relay::encode_challenge(nonce)) == "15000102030405060708090a0b0c0d0e0f");
  CHECK(*relay::decode_challenge(relay::encode_challenge(nonce)) == nonce);

  CHECK(to_hex(relay::encode_host_offer(5000)) == "1600001388");
  CHECK(*relay::decode_host_offer(from_hex("16ffffffff")) == 0xffffffffU);
}

TEST_CASE("relay extension: BAN", "[relay][extension]") {
  CHECK(to_hex(relay::encode_ban({0x0102, 3})) == "17010203");
  for (std::uint8_t scopes = 1; scopes <= 3; ++scopes) {
    const auto ban = relay::decode_ban(relay::encode_ban({7, scopes}));
    REQUIRE(ban);
    CHECK(ban->player_id == 7);
    CHECK(ban->scopes == scopes);
  }
  for (const std::string_view hex : {"17000100", "17000104", "170001ff"}) {
    CAPTURE(hex);
    const auto ban = relay::decode_ban(from_hex(hex));
    REQUIRE_FALSE(ban);
    CHECK(ban.error() == errc::bad_value);
  }
}

TEST_CASE("relay extension: messages of one size have no other", "[relay][extension]") {
  const auto check = [](const auto& whole, auto decode) {
    std::vector<std::byte> bytes{whole.begin(), whole.end()};
    REQUIRE(decode(bytes));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CAPTURE(size);
      const auto cut = decode(byte_view{bytes}.first(size));
      REQUIRE_FALSE(cut);
      CHECK(cut.error() == errc::unexpected_end);
    }
    bytes.push_back({});
    const auto longer = decode(bytes);
    REQUIRE_FALSE(longer);
    CHECK(longer.error() == errc::bad_value);
    bytes.pop_back();
    bytes[0] = std::byte{2};
    const auto another = decode(bytes);
    REQUIRE_FALSE(another);
    CHECK(another.error() == errc::bad_value);
  };
  check(relay::encode_host_state({}), relay::decode_host_state);
  check(relay::encode_state_sequence(1), relay::decode_state_sequence);
  check(relay::encode_challenge({}), relay::decode_challenge);
  check(relay::encode_host_offer(1), relay::decode_host_offer);
  check(relay::encode_ban({1, 1}), relay::decode_ban);
}

TEST_CASE("relay extension: ROOM_INFO", "[relay][extension]") {
  const auto metadata = from_hex("00ff");
  CHECK(to_hex(relay::encode_room_info({})) == "1301");
  CHECK(to_hex(relay::encode_room_info({false, true, metadata})) == "130200ff");
  for (const bool is_open : {false, true}) {
    for (const bool is_listed : {false, true}) {
      const auto bytes = relay::encode_room_info({is_open, is_listed, metadata});
      const auto info = relay::decode_room_info(bytes);
      REQUIRE(info);
      CHECK(info->is_open == is_open);
      CHECK(info->is_listed == is_listed);
      CHECK(to_hex(info->metadata) == "00ff");
    }
  }
  const auto error_of = [](const std::string& hex) {
    const auto info = relay::decode_room_info(from_hex(hex));
    return info ? errc{} : info.error();
  };
  CHECK(error_of("") == errc::unexpected_end);
  CHECK(error_of("13") == errc::unexpected_end);
  CHECK(error_of("1300") == errc{});
  CHECK(error_of("1304") == errc::bad_value);
  CHECK(error_of("1380") == errc::bad_value);
  CHECK(error_of("1200") == errc::bad_value);
  CHECK(error_of("1300" + repeated("00", 1024)) == errc{});
  CHECK(error_of("1300" + repeated("00", 1025)) == errc::bad_value);
}

TEST_CASE("relay extension: a password's key names its room", "[relay][extension]") {
  // What it is made of, as the page says.
  class Spy final : public muster::Mac {
   public:
    Tag tag(byte_view key, byte_view message) noexcept override {
      heard = to_hex(key) + " " + to_hex(message);
      return tag_of(1);
    }
    std::string heard;
  };
  Spy spy;
  CHECK(relay::password_key(spy, "pw", "g", "r") == tag_of(1));
  CHECK(spy.heard == to_hex(as_bytes("pw")) + " " + to_hex(as_bytes("muster room password")) +
                         "00"
                         "67"
                         "00"
                         "72");
  muster::WeakMac mac;
  const auto key = relay::password_key(mac, "pw", "ab", "c");
  CHECK(key == relay::password_key(mac, "pw", "ab", "c"));
  CHECK(key != relay::password_key(mac, "pW", "ab", "c"));
  CHECK(key != relay::password_key(mac, "pw", "a", "bc"));
  CHECK(key != relay::password_key(mac, "pw", "abc", ""));
}
