// SPDX-License-Identifier: MIT
// JSON strings: what is escaped, and that it is read back as it was.
#include <muster/wire/json_string.hpp>

#include "support/catch.hpp"
#include "support/json_oracle.hpp"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string written(std::string_view text) {
  std::vector<std::byte> out;
  muster::wire::ByteWriter writer{out};
  muster::wire::write_json_string(writer, text);
  return std::string{muster::as_text(out)};
}

}  // namespace

TEST_CASE("json string: only what must be escaped is", "[wire][json]") {
  CHECK(written("") == "\"\"");
  CHECK(written("a/b'c") == "\"a/b'c\"");
  CHECK(written("say \"hi\" \\ bye") == "\"say \\\"hi\\\" \\\\ bye\"");
  CHECK(written("\b\f\n\r\t") == "\"\\b\\f\\n\\r\\t\"");
  CHECK(written(std::string_view{"\0\x01\x1f\x7f", 4}) == "\"\\u0000\\u0001\\u001f\x7f\"");
  CHECK(written("\xC3\xA9\xF0\x9F\x98\x80") == "\"\xC3\xA9\xF0\x9F\x98\x80\"");
}

TEST_CASE("json string: damaged text becomes valid", "[wire][json]") {
  CHECK(written("a\xFF\"") == "\"a\xEF\xBF\xBD\\\"\"");
}

TEST_CASE("json string: every character reads back as itself", "[wire][json]") {
  for (char32_t code = 0; code < 0x110000; code += code < 0x900 ? 1 : 0x1F) {
    if (code >= 0xD800 && code < 0xE000) continue;
    char escaped[16];
    if (code < 0x10000) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(code));
    } else {
      const unsigned rest = static_cast<unsigned>(code) - 0x10000;
      std::snprintf(escaped, sizeof escaped, "\\u%04X\\u%04X", 0xD800 + (rest >> 10U),
                    0xDC00 + (rest & 0x3FFU));
    }
    const std::string text = nlohmann::json::parse("\"" + std::string{escaped} + "\"");
    CAPTURE(escaped);
    REQUIRE(muster::wire::json_string_equals(escaped, text));
    const std::string quoted = written(text);
    REQUIRE(nlohmann::json::parse(quoted).get<std::string>() == text);
    REQUIRE(muster::wire::json_string_equals(std::string_view{quoted}.substr(1, quoted.size() - 2),
                                             text));
  }
}

TEST_CASE("json string: what it means, as text", "[wire][json]") {
  using muster::wire::json_string_text;
  CHECK(json_string_text("").empty());
  CHECK(json_string_text("plain") == "plain");
  CHECK(json_string_text("a\\n\\\"b\\\\\\u00e9\\ud83d\\ude00\\/") ==
        "a\n\"b\\\xC3\xA9\xF0\x9F\x98\x80/");
}
