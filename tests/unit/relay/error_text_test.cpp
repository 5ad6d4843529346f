// SPDX-License-Identifier: MIT
// How ids are repeated in texts. The texts themselves are compared in
// tests/spec/relay_vectors_test.cpp.
#include <muster/relay/error_text.hpp>
#include <muster/utf8.hpp>

#include "support/catch.hpp"

#include <string>

namespace error_text = muster::relay::error_text;

TEST_CASE("relay defect 29: an id of up to 64 bytes is repeated in full", "[relay][error_text]") {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}}) {
    CHECK(error_text::echo(std::string(size, 'r')).size() == size);
  }
  CHECK(error_text::echo("\xE9\x83\xA8 #~") == "\xE9\x83\xA8 #~");
}

TEST_CASE("relay defect 29: a longer id is cut to 64 bytes between characters",
          "[relay][error_text]") {
  CHECK(error_text::echo(std::string(65, 'r')) == std::string(64, 'r'));
  CHECK(error_text::echo(std::string(1'000'000, 'r')).size() == 64);
  // 63 bytes, then a character of two: it would end at byte 65.
  CHECK(error_text::echo(std::string(63, 'r') + "\xC3\xA9") == std::string(63, 'r'));
  CHECK(error_text::echo(std::string(62, 'r') + "\xC3\xA9" + "s") ==
        std::string(62, 'r') + "\xC3\xA9");
  const std::string text = error_text::no_such_room(std::string(500, 'r'), std::string(500, 'g'));
  CHECK(text ==
        "Room " + std::string(64, 'r') + " does not exist for game " + std::string(64, 'g') + ".");
}

TEST_CASE("relay defect 29: control characters and line breaks do not get into a text",
          "[relay][error_text]") {
  CHECK(error_text::echo("a\r\nb\tc") == "a??b?c");
  CHECK(error_text::echo(std::string_view{"\0\x1f\x7f", 3}) == "???");
  CHECK(error_text::echo("\xC2\x80|\xC2\x9F|\xC2\xA0") == "?|?|\xC2\xA0");
  CHECK(error_text::echo("\xE2\x80\xA8|\xE2\x80\xA9|\xE2\x80\xA7") == "?|?|\xE2\x80\xA7");
  CHECK(error_text::unknown_game("x\ny") == "Unknown game x?y.");
}

TEST_CASE("relay defect 29: what is repeated stays UTF-8", "[relay][error_text]") {
  std::string id;
  while (id.size() < 70) id += "\xF0\x9F\x98\x80\xC2\x85";
  for (std::size_t start = 0; start < 6; ++start) {
    const std::string echoed = error_text::echo(std::string(start, 'x') + id);
    CHECK(muster::is_valid_utf8(muster::as_bytes(echoed)));
    CHECK(echoed.size() <= error_text::max_echo_size);
  }
}
