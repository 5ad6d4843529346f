// SPDX-License-Identifier: MIT
// JSON texts by the thousand, and damaged ones, from a seed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace test {

/// Writes JSON texts in every form that the grammar knows. Equal seeds give equal texts.
class JsonTexts {
 public:
  explicit JsonTexts(std::uint32_t seed) : random_(seed) {}

  std::string next() {
    std::string text;
    space(text);
    value(text, 5);
    space(text);
    return text;
  }

  /// A text whose outermost value is an object.
  std::string next_object() {
    std::string text;
    space(text);
    object(text, 4);
    space(text);
    return text;
  }

  /// The text with one to three bytes changed, removed, doubled or put in.
  std::string damaged(std::string text) {
    constexpr std::string_view wicked =
        "{}[]\",:\\/0123456789-+.eEtrufalsn \t\n\r\x01\x1f\x7f\x80\xbf\xc2\xe0\xed\xf0\xf4\xff";
    for (std::size_t rounds = 1 + below(3); rounds > 0; --rounds) {
      const std::size_t at = below(text.size() + 1);
      const char c = below(8) == 0 ? static_cast<char>(below(256)) : wicked[below(wicked.size())];
      switch (below(4)) {
        case 0:
          if (at < text.size()) text[at] = c;
          break;
        case 1:
          if (at < text.size()) text.erase(at, 1 + below(3));
          break;
        case 2:
          text.insert(at, text.substr(at, 1 + below(4)));
          break;
        default:
          text.insert(at, 1, c);
      }
    }
    return text;
  }

  std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  void space(std::string& out) {
    constexpr std::string_view spaces = " \n\r\t";
    while (below(6) == 0) out += spaces[below(spaces.size())];
  }

  void digits(std::string& out, std::size_t most) {
    for (std::size_t left = 1 + below(most); left > 0; --left) {
      out += static_cast<char>('0' + below(10));
    }
  }

  void number(std::string& out) {
    if (below(3) == 0) out += '-';
    if (below(4) == 0) {
      out += '0';
    } else {
      out += static_cast<char>('1' + below(9));
      if (below(2) == 0) digits(out, below(10) == 0 ? 330 : 20);
    }
    if (below(3) == 0) {
      out += '.';
      if (below(10) == 0) out.append(below(320), '0');
      digits(out, 18);
    }
    if (below(3) == 0) {
      out += below(2) == 0 ? 'e' : 'E';
      if (below(2) == 0) out += below(2) == 0 ? '-' : '+';
      out += std::to_string(below(4) == 0 ? 290 + below(40) : below(12));
    }
  }

  void string(std::string& out) {
    constexpr std::array<std::string_view, 24> pieces = {"a",
                                                         "Z",
                                                         "0",
                                                         " ",
                                                         "/",
                                                         "\\\"",
                                                         "\\\\",
                                                         "\\/",
                                                         "\\b",
                                                         "\\f",
                                                         "\\n",
                                                         "\\r",
                                                         "\\t",
                                                         "\\u0000",
                                                         "\\u0069",
                                                         "\\u00E9",
                                                         "\\u20ac",
                                                         "\\uFFFF",
                                                         "\\ud83d\\ude00",
                                                         "\xC3\xA9",
                                                         "\xE2\x82\xAC",
                                                         "\xF0\x9F\x98\x80",
                                                         "\x7F",
                                                         "input"};
    out += '"';
    for (std::size_t left = below(12); left > 0; --left) out += pieces[below(pieces.size())];
    out += '"';
  }

  void array(std::string& out, std::size_t depth) {
    out += '[';
    space(out);
    for (std::size_t left = below(5), i = 0; i < left; ++i) {
      if (i > 0) out += ',';
      space(out);
      value(out, depth - 1);
      space(out);
    }
    out += ']';
  }

  void object(std::string& out, std::size_t depth) {
    out += '{';
    space(out);
    for (std::size_t left = below(5), i = 0; i < left; ++i) {
      if (i > 0) out += ',';
      space(out);
      string(out);
      space(out);
      out += ':';
      space(out);
      value(out, depth - 1);
      space(out);
    }
    out += '}';
  }

  void value(std::string& out, std::size_t depth) {
    switch (below(depth == 0 ? 5 : 9)) {
      case 0:
        out += "null";
        return;
      case 1:
        out += below(2) == 0 ? "true" : "false";
        return;
      case 2:
      case 3:
        return number(out);
      case 4:
        return string(out);
      case 5:
      case 6:
        return array(out, depth);
      default:
        return object(out, depth);
    }
  }

  std::mt19937 random_;
};

}  // namespace test
