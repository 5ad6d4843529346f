// SPDX-License-Identifier: MIT
// How players, games and rooms may be called.
#include "../lib/signal/player_name.hpp"
#include "../lib/signal/app_id.hpp"
#include "../lib/signal/room_code.hpp"

#include <muster/entropy.hpp>

#include "support/catch.hpp"

#include <set>
#include <string>
#include <string_view>

namespace signal = muster::signal;

namespace {

signal::PlayerNameRules rules() {
  signal::PlayerNameRules rules;
  rules.allowed_symbols = {"-", "_"};
  return rules;
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("signal: a player's name has letters, digits and a few symbols of any script",
          "[signal]") {
  for (const char* name : {
           "Ada",
           "a",
           "Ada-L_2 \u00DCn\u00EF",
           "\u0416\u0443\u043A",              // Cyrillic
           "\u9F8D\u30E6\u30FC\u30B6\u30FC",  // Han, Katakana, a mark that is a letter
           "\u0905\u0926\u093F\u0924\u093F",  // Devanagari, with vowel signs
           "\u0663\u2163\u00B2",              // a digit, a numeral, a superscript
           "\U00010400",
       }) {
    INFO(name);
    CHECK(signal::is_player_name(name, rules()));
  }
  for (const char* name : {
           "",
           " Ada",
           "Ada ",
           " ",
           "A@da",
           "A\tda",
           "A\nda",
           "A\u00A0da",  // spaces of other kinds
           "A\u3000da",
           "A\u2028da",
           "A\u200Bda",  // what cannot be seen
           "A\u200Dda",
           "\u3164",
           "A\u202Eda",
           "A\x7F",
           "a\u0301",  // an accent of its own
           "\U0001F600",
           "<b>",
       }) {
    INFO(name);
    CHECK_FALSE(signal::is_player_name(name, rules()));
  }
}

TEST_CASE("signal: a player's name is measured in characters", "[signal]") {
  CHECK(signal::is_player_name(repeated("a", 32), rules()));
  CHECK_FALSE(signal::is_player_name(repeated("a", 33), rules()));
  CHECK(signal::is_player_name(repeated("\U00010400", 32), rules()));
  CHECK_FALSE(signal::is_player_name(repeated("\U00010400", 33), rules()));
}

TEST_CASE("signal: names follow the rules that clients are told", "[signal]") {
  signal::PlayerNameRules ascii = rules();
  ascii.allow_unicode_alphanumeric = false;
  CHECK(signal::is_player_name("Ada 2", ascii));
  CHECK_FALSE(signal::is_player_name("\u00DCn\u00EF", ascii));
  ascii.allow_spaces = false;
  CHECK_FALSE(signal::is_player_name("Ada 2", ascii));
  ascii.allowed_symbols = {"\u2605"};
  CHECK(signal::is_player_name("\u2605Ada", ascii));
  CHECK_FALSE(signal::is_player_name("Ada-2", ascii));
  ascii.additional_allowed_characters = "!\u2606\t";
  CHECK(signal::is_player_name("Ada!\u2606", ascii));
  CHECK_FALSE(signal::is_player_name("Ada\t!", ascii));

  signal::PlayerNameRules loose = rules();
  loose.allow_leading_trailing_whitespace = true;
  CHECK(signal::is_player_name(" Ada ", loose));
}

TEST_CASE("signal: names that differ in case are the same name", "[signal]") {
  CHECK(signal::fold_name("ADA") == "ada");
  CHECK(signal::fold_name("\u00DCN\u00CF \u0416") == signal::fold_name("\u00FCn\u00EF \u0436"));
  CHECK(signal::fold_name("\U00010400") == "\U00010428");
  CHECK(signal::fold_name("ada") != signal::fold_name("adb"));
  CHECK(signal::fold_name("").empty());
}

TEST_CASE("signal: a game's name is measured in bytes", "[signal]") {
  CHECK(signal::is_game_name("tank-duel_2 \u00FC", 64));
  CHECK(signal::is_game_name(repeated("g", 64), 64));
  CHECK_FALSE(signal::is_game_name(repeated("g", 65), 64));
  CHECK(signal::is_game_name(repeated("\u00FC", 32), 64));
  CHECK_FALSE(signal::is_game_name(repeated("\u00FC", 33), 64));
  for (const char* name : {"", "tank!duel", "a\tb", "a/b"}) {
    INFO(name);
    CHECK_FALSE(signal::is_game_name(name, 64));
  }
}

TEST_CASE("signal: a drawn code has the prefix, the length and no letter that is misread",
          "[signal]") {
  muster::SeededEntropy entropy{7};
  std::set<std::string> codes;
  std::set<char> letters;
  for (int i = 0; i < 500; ++i) {
    const std::string code = signal::draw_room_code(entropy, 6, "EU");
    REQUIRE(code.size() == 6);
    CHECK(code.starts_with("EU"));
    CHECK(signal::normalize_room_code(code, 6) == code);
    letters.insert(code.begin() + 2, code.end());
    codes.insert(code);
  }
  CHECK(codes.size() > 490);
  CHECK(std::string(letters.begin(), letters.end()) == "23456789ABCDEFGHJKLMNPQRSTUVWXYZ");
  CHECK(signal::draw_room_code(entropy, 6, "").size() == 6);
}

TEST_CASE("signal: an application's identifier is a short text without control characters",
          "[signal]") {
  CHECK(signal::is_app_id("demo-app"));
  CHECK(signal::is_app_id("Dem\u00F6 app"));
  CHECK(signal::is_app_id(repeated("a", 256)));
  CHECK_FALSE(signal::is_app_id(repeated("a", 257)));
  for (const char* id : {"", "a\nb", "a\x7F", "a\u0085", "\u009F"}) {
    INFO(id);
    CHECK_FALSE(signal::is_app_id(id));
  }
  CHECK_FALSE(signal::is_app_id(std::string_view{"a\0b", 3}));
}
