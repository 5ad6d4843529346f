// SPDX-License-Identifier: MIT
// JSON as MessagePack and back, with nlohmann::json as the judge, and hostile input.
#include <muster/msgpack/json_msgpack.hpp>

#include <muster/error.hpp>

#include "support/catch.hpp"
#include "support/json_oracle.hpp"
#include "support/json_texts.hpp"
#include "support/vectors.hpp"

#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using muster::as_bytes;
using muster::as_text;
using muster::errc;
using muster::wire::json_to_msgpack;
using muster::wire::msgpack_to_json;
using muster::wire::TranscodeOptions;

namespace {

std::string packed(std::string_view json) {
  std::vector<std::byte> out;
  const std::error_code error = json_to_msgpack(as_bytes(json), out);
  return error ? error.message() : test::to_hex(out);
}

std::string unpacked(std::string_view hex) {
  std::vector<std::byte> out;
  const std::error_code error = msgpack_to_json(test::from_hex(hex), out);
  return error ? error.message() : std::string{as_text(out)};
}

std::error_code unpack_error(std::string_view hex, const TranscodeOptions& limits = {}) {
  std::vector<std::byte> out{std::byte{7}};
  const std::error_code error = msgpack_to_json(test::from_hex(hex), out, limits);
  if (error) CHECK(test::to_hex(out) == "07");  // as it was
  return error;
}

std::error_code pack_error(std::string_view json, const TranscodeOptions& limits = {}) {
  std::vector<std::byte> out{std::byte{7}};
  const std::error_code error = json_to_msgpack(as_bytes(json), out, limits);
  if (error) CHECK(test::to_hex(out) == "07");
  return error;
}

std::vector<std::uint8_t> octets(const std::vector<std::byte>& bytes) {
  std::vector<std::uint8_t> out;
  for (const std::byte octet : bytes) out.push_back(std::to_integer<std::uint8_t>(octet));
  return out;
}

}  // namespace

TEST_CASE("json to msgpack: each kind of value in its shortest form", "[shard][msgpack]") {
  CHECK(packed("null") == "c0");
  CHECK(packed(" true ") == "c3");
  CHECK(packed("false") == "c2");
  CHECK(packed("0") == "00");
  CHECK(packed("127") == "7f");
  CHECK(packed("128") == "cc80");
  CHECK(packed("65536") == "ce00010000");
  CHECK(packed("18446744073709551615") == "cfffffffffffffffff");
  CHECK(packed("-1") == "ff");
  CHECK(packed("-33") == "d0df");
  CHECK(packed("-9223372036854775808") == "d38000000000000000");
  CHECK(packed("\"a\\u00e9\\n\"") == "a461c3a90a");
  CHECK(packed("[1,[],{}]") == "93019080");
  CHECK(packed("{\"a\":1,\"b\":[2]}") == "82a16101a1629102");
}

TEST_CASE("json to msgpack: what is no 64-bit integer is a float", "[shard][msgpack]") {
  CHECK(packed("1.0") == "ca3f800000");
  CHECK(packed("1e2") == "ca42c80000");
  CHECK(packed("-0") == "ca80000000");
  CHECK(packed("-0.0") == "ca80000000");
  CHECK(packed("0.1") == "cb3fb999999999999a");
  CHECK(packed("18446744073709551616") == "ca5f800000");
  CHECK(packed("12345678901234567890123") == "cb4484ea15b273b38a");
  CHECK(packed("-1e-400") == "ca80000000");
  CHECK(packed("4.9e-324") == "cb0000000000000001");
}

TEST_CASE("json to msgpack: a header grows with its count", "[shard][msgpack]") {
  for (const std::size_t count :
       {std::size_t{15}, std::size_t{16}, std::size_t{300}, std::size_t{65535}}) {
    std::string inner;
    for (std::size_t i = 0; i < count; ++i) inner += i == 0 ? "1" : ",1";
    const std::string json = "[[" + inner + "]]";
    std::vector<std::byte> out;
    REQUIRE_FALSE(json_to_msgpack(as_bytes(json), out, {.max_elements = 65536}));
    CHECK(octets(out) == nlohmann::json::to_msgpack(nlohmann::json::parse(json)));
  }
}

TEST_CASE("json to msgpack: thousands of texts, judged by nlohmann::json", "[shard][msgpack]") {
  using nlohmann::ordered_json;
  std::size_t count = 0;
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    test::JsonTexts texts{seed};
    const std::string text = texts.next();
    if (!test::is_json(text)) continue;
    CAPTURE(seed, text);
    std::vector<std::byte> out;
    REQUIRE_FALSE(json_to_msgpack(as_bytes(text), out));
    REQUIRE(nlohmann::json::from_msgpack(octets(out)) == nlohmann::json::parse(text));

    // Byte for byte, where no name repeats.
    const ordered_json value = ordered_json::parse(text);
    const std::string canonical = value.dump();
    out.clear();
    REQUIRE_FALSE(json_to_msgpack(as_bytes(canonical), out));
    REQUIRE(octets(out) == ordered_json::to_msgpack(value));

    // And back.
    std::vector<std::byte> json;
    REQUIRE_FALSE(msgpack_to_json(out, json));
    REQUIRE(ordered_json::parse(as_text(json)) == value);
    ++count;
  }
  CHECK(count > 1000);
}

TEST_CASE("json to msgpack: what is no JSON is refused", "[shard][msgpack]") {
  CHECK(pack_error("") == errc::bad_syntax);
  CHECK(pack_error("[1,]") == errc::bad_syntax);
  CHECK(pack_error("\"\xFF\"") == errc::bad_utf8);
  CHECK(pack_error("1e400") == errc::bad_value);
  CHECK(pack_error("[[1]]", {.max_depth = 1}) == errc::too_deep);
  CHECK(pack_error("[1,{\"a\":2}]", {.max_elements = 2}) == errc::too_large);
  CHECK_FALSE(pack_error("[1,{\"a\":2}]", {.max_elements = 3}));
}

TEST_CASE("msgpack to json: each kind of value", "[shard][msgpack]") {
  CHECK(unpacked("c0") == "null");
  CHECK(unpacked("c3") == "true");
  CHECK(unpacked("c2") == "false");
  CHECK(unpacked("7f") == "127");
  CHECK(unpacked("cfffffffffffffffff") == "18446744073709551615");
  CHECK(unpacked("e0") == "-32");
  CHECK(unpacked("d005") == "5");
  CHECK(unpacked("d38000000000000000") == "-9223372036854775808");
  CHECK(unpacked("a461c3a90a") == "\"a\xC3\xA9\\n\"");
  CHECK(unpacked("93019080") == "[1,[],{}]");
  CHECK(unpacked("82a16101a1629102") == "{\"a\":1,\"b\":[2]}");
}

TEST_CASE("msgpack to json: a float reads back as itself, and as a float", "[shard][msgpack]") {
  CHECK(unpacked("ca3f800000") == "1.0");
  CHECK(unpacked("cb3ff0000000000000") == "1.0");
  CHECK(unpacked("ca80000000") == "-0.0");
  CHECK(unpacked("cb3fb999999999999a") == "0.1");
  CHECK(unpacked("cb0000000000000001") == "5e-324");
  std::mt19937_64 random{7};
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::byte> bytes{std::byte{0xCB}};
    for (int j = 0; j < 8; ++j) bytes.push_back(static_cast<std::byte>(random() & 0xFFU));
    const auto expected = nlohmann::json::from_msgpack(octets(bytes));
    std::vector<std::byte> json;
    const std::error_code error = msgpack_to_json(bytes, json);
    REQUIRE(static_cast<bool>(error) == !std::isfinite(expected.get<double>()));
    if (error) continue;
    const auto value = nlohmann::json::parse(as_text(json));
    REQUIRE(value.is_number_float());
    REQUIRE(value == expected);
  }
}

TEST_CASE("msgpack to json: what JSON lacks is refused", "[shard][msgpack]") {
  CHECK(unpack_error("ca7f800000") == errc::bad_value);          // infinity
  CHECK(unpack_error("cbfff0000000000000") == errc::bad_value);  // minus infinity
  CHECK(unpack_error("cb7ff8000000000000") == errc::bad_value);  // NaN
  CHECK(unpack_error("c40161") == errc::bad_value);              // binary
  CHECK(unpack_error("d40161") == errc::bad_value);              // an extension
  CHECK(unpack_error("d6ff00000000") == errc::bad_value);        // a timestamp
  CHECK(unpack_error("810101") == errc::bad_value);              // a number as a key
  CHECK(unpack_error("81c001") == errc::bad_value);
  CHECK(unpack_error("819001") == errc::bad_value);
  CHECK(unpack_error("818001") == errc::bad_value);
  CHECK(unpack_error("81c4016101") == errc::bad_value);
  CHECK(unpack_error("a1ff") == errc::bad_utf8);
  CHECK(unpack_error("81a1ff01") == errc::bad_utf8);
}

TEST_CASE("msgpack to json: what is no MessagePack is refused", "[shard][msgpack]") {
  CHECK(unpack_error("c1") == errc::bad_syntax);
  CHECK(unpack_error("91c1") == errc::bad_syntax);
  CHECK(unpack_error("0102") == errc::bad_syntax);
  CHECK(unpack_error("90c0") == errc::bad_syntax);
  for (const std::string_view whole :
       {"cfffffffffffffffff", "a461c3a90a", "93019080", "82a16101a1629102", "cb3ff0000000000000",
        "da0001ff", "dd0000000101"}) {
    for (std::size_t size = 0; size < whole.size(); size += 2) {
      CAPTURE(whole, size);
      CHECK(unpack_error(whole.substr(0, size)) == errc::unexpected_end);
    }
  }
}

TEST_CASE("msgpack to json: depth and elements are bounded", "[shard][msgpack]") {
  CHECK_FALSE(unpack_error("9191c0", {.max_depth = 2}));
  CHECK(unpack_error("9191c0", {.max_depth = 1}) == errc::too_deep);
  CHECK(unpack_error("80", {.max_depth = 0}) == errc::too_deep);
  CHECK_FALSE(unpack_error("920181a16102", {.max_elements = 3}));
  CHECK(unpack_error("920181a16102", {.max_elements = 2}) == errc::too_large);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "91";
  CHECK(unpack_error(deep) == errc::too_deep);
}

TEST_CASE("msgpack to json: a count or a length reserves nothing", "[shard][msgpack]") {
  // Four thousand million items, and as many bytes of text, in five bytes each.
  CHECK(unpack_error("ddffffffff") == errc::too_large);
  CHECK(unpack_error("dfffffffff") == errc::too_large);
  CHECK(unpack_error("dbffffffff") == errc::unexpected_end);
  CHECK(unpack_error("c6ffffffff") == errc::unexpected_end);
  CHECK(unpack_error("c9ffffffff01") == errc::unexpected_end);
  std::string claims;
  for (int i = 0; i < 60; ++i) claims += "dc0400";  // 1024 items each, one inside the other
  std::vector<std::byte> out;
  CHECK(msgpack_to_json(test::from_hex(claims), out) == errc::unexpected_end);
  CHECK(out.empty());
  CHECK(out.capacity() < 1024);
}
