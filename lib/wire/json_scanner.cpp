// SPDX-License-Identifier: MIT
// JSON in one pass: strings eight bytes at a time, and a bit for each open array or object.
#include <muster/wire/json_scanner.hpp>

#include <muster/ascii.hpp>
#include <muster/utf8.hpp>
#include <muster/wire/json_string.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace muster::wire {
namespace {

// What is left to read, and what was wrong. Every function below takes something from the front,
// and says false after it has set `error`.
struct Text {
  const char* at;
  const char* end;
  errc error{};

  [[nodiscard]] bool is_empty() const noexcept { return at == end; }
  [[nodiscard]] bool starts_with(char c) const noexcept { return at != end && *at == c; }
  bool take(char c) noexcept {
    if (!starts_with(c)) return false;
    ++at;
    return true;
  }
  bool fail(errc reason = errc::bad_syntax) noexcept {
    error = reason;
    return false;
  }
};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void skip_space(Text& text) noexcept {
  while (text.at != text.end &&
         (*text.at == ' ' || *text.at == '\n' || *text.at == '\r' || *text.at == '\t')) {
    ++text.at;
  }
}

// A mark in the top bit of each byte that a string cannot simply pass over: quotes, backslashes,
// control characters, and all that is not ASCII. Above the first such byte there may be marks too
// many, below it there are none.
constexpr std::uint64_t special_bytes(std::uint64_t word) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t tops = 0x8080808080808080U;
  const std::uint64_t quotes = (word ^ (ones * '"')) - ones;
  const std::uint64_t backslashes = (word ^ (ones * '\\')) - ones;
  const std::uint64_t controls = word - ones * 0x20;
  return (word | quotes | backslashes | controls) & tops;
}

void skip_plain(Text& text) noexcept {
  std::uint64_t word = 0;
  while (static_cast<std::size_t>(text.end - text.at) >= sizeof word) {
    std::memcpy(&word, text.at, sizeof word);
    const std::uint64_t special = special_bytes(word);
    if (special != 0) {
      if constexpr (std::endian::native == std::endian::little) {
        text.at += std::countr_zero(special) / 8;
        return;
      }
      break;
    }
    text.at += sizeof word;
  }
  while (!text.is_empty() && static_cast<unsigned char>(*text.at) >= 0x20 &&
         static_cast<unsigned char>(*text.at) < 0x80 && *text.at != '"' && *text.at != '\\') {
    ++text.at;
  }
}

// Four hexadecimal digits; -1 when they are not.
int take_hex4(Text& text) noexcept {
  if (text.end - text.at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(*text.at++);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// Behind the backslash.
bool skip_escape(Text& text) noexcept {
  if (text.is_empty()) return text.fail();
  const char letter = *text.at++;
  if (letter != 'u') {
    return std::string_view{"\"\\/bfnrt"}.find(letter) != std::string_view::npos || text.fail();
  }
  const int first = take_hex4(text);
  if (first < 0 || (first >= 0xDC00 && first < 0xE000)) return text.fail();
  if (first < 0xD800 || first >= 0xE000) return true;
  if (!text.take('\\') || !text.take('u')) return text.fail();
  const int second = take_hex4(text);
  return (second >= 0xDC00 && second < 0xE000) || text.fail();
}

// A run of bytes that are not ASCII. No character reaches over its end, so it is judged alone.
bool skip_non_ascii(Text& text) noexcept {
  const char* const start = text.at;
  while (!text.is_empty() && static_cast<unsigned char>(*text.at) >= 0x80) ++text.at;
  const std::string_view run{start, static_cast<std::size_t>(text.at - start)};
  return is_valid_utf8(as_bytes(run)) || text.fail(errc::bad_utf8);
}

// From the opening quote to behind the closing one.
bool skip_string(Text& text) noexcept {
  ++text.at;
  while (true) {
    skip_plain(text);
    if (text.is_empty()) return text.fail();
    const char c = *text.at;
    if (c == '"') {
      ++text.at;
      return true;
    }
    if (c == '\\') {
      ++text.at;
      if (!skip_escape(text)) return false;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      return text.fail();
    } else if (!skip_non_ascii(text)) {
      return false;
    }
  }
}

// The digits of 2^1024 - 2^970, in the middle between the largest double and the next power of two:
// from here on a number is rounded to infinity (IEEE 754 section 4.3.1).
constexpr std::string_view infinity_digits =
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977"
    "587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845"
    "817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559"
    "699508093042880177904174497792";
constexpr std::int64_t infinity_exponent = static_cast<std::int64_t>(infinity_digits.size()) - 1;
static_assert(infinity_digits.size() == 309);

// Whether `integer`.`fraction` times ten to the `exponent` is infinity as a double. Exact, and
// without a conversion, which would depend on the locale or be missing from some libraries.
bool is_infinity(std::string_view integer, std::string_view fraction,
                 std::int64_t exponent) noexcept {
  // The power of ten that the first digit which is not zero stands for.
  std::int64_t magnitude = exponent + static_cast<std::int64_t>(integer.size()) - 1;
  if (integer == "0") {
    integer = {};
    const std::size_t zeros = std::min(fraction.find_first_not_of('0'), fraction.size());
    fraction.remove_prefix(zeros);
    if (fraction.empty()) return false;
    magnitude -= static_cast<std::int64_t>(zeros) + 1;
  }
  if (magnitude != infinity_exponent) return magnitude > infinity_exponent;
  for (std::size_t i = 0; i < infinity_digits.size(); ++i) {
    char digit = '0';
    if (i < integer.size()) {
      digit = integer[i];
    } else if (i - integer.size() < fraction.size()) {
      digit = fraction[i - integer.size()];
    }
    if (digit != infinity_digits[i]) return digit > infinity_digits[i];
  }
  return true;
}

std::string_view take_digits(Text& text) noexcept {
  const char* const start = text.at;
  while (!text.is_empty() && is_digit(*text.at)) ++text.at;
  return {start, static_cast<std::size_t>(text.at - start)};
}

// No text is so long that its digits could make up for an exponent beyond this.
constexpr std::int64_t exponent_bound = std::int64_t{1} << 56;

bool skip_number(Text& text) noexcept {
  (void)text.take('-');
  std::string_view integer;
  if (text.starts_with('0')) {
    integer = {text.at++, 1};
  } else {
    integer = take_digits(text);
    if (integer.empty()) return text.fail();
  }
  std::string_view fraction;
  if (text.take('.')) {
    fraction = take_digits(text);
    if (fraction.empty()) return text.fail();
  }
  if (!text.starts_with('e') && !text.starts_with('E')) {
    if (integer.size() < infinity_digits.size()) return true;
    return !is_infinity(integer, fraction, 0) || text.fail(errc::bad_value);
  }
  ++text.at;
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) ++text.at;
  const std::string_view digits = take_digits(text);
  if (digits.empty()) return text.fail();
  std::int64_t exponent = 0;
  for (const char digit : digits) {
    exponent = std::min(exponent * 10 + (digit - '0'), exponent_bound);
  }
  if (is_negative) exponent = -exponent;
  return !is_infinity(integer, fraction, exponent) || text.fail(errc::bad_value);
}

bool skip_word(Text& text, std::string_view word) noexcept {
  if (!std::string_view{text.at, static_cast<std::size_t>(text.end - text.at)}.starts_with(word)) {
    return text.fail();
  }
  text.at += word.size();
  return true;
}

JsonKind kind_of(const Text& text) noexcept {
  if (text.is_empty()) return JsonKind::none;
  switch (*text.at) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::string;
    case 't':
    case 'f':
      return JsonKind::boolean;
    case 'n':
      return JsonKind::null;
    default:
      return *text.at == '-' || is_digit(*text.at) ? JsonKind::number : JsonKind::none;
  }
}

// A value that is neither an array nor an object.
bool skip_scalar(Text& text) noexcept {
  switch (kind_of(text)) {
    case JsonKind::string:
      return skip_string(text);
    case JsonKind::number:
      return skip_number(text);
    case JsonKind::boolean:
      return skip_word(text, *text.at == 't' ? "true" : "false");
    case JsonKind::null:
      return skip_word(text, "null");
    default:
      return text.fail();
  }
}

// A name and its colon, up to the value.
bool take_name(Text& text, std::string_view& name) noexcept {
  if (!text.starts_with('"')) return text.fail();
  const char* const start = text.at + 1;
  if (!skip_string(text)) return false;
  name = {start, static_cast<std::size_t>(text.at - 1 - start)};
  skip_space(text);
  if (!text.take(':')) return text.fail();
  skip_space(text);
  return true;
}

// Which of the open containers are objects: a bit each.
class OpenContainers {
 public:
  void push(bool is_object) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << (size_ % 64);
    std::uint64_t& word = words_[size_ / 64];
    word = is_object ? word | bit : word & ~bit;
    ++size_;
  }
  void pop() noexcept { --size_; }
  [[nodiscard]] bool is_object() const noexcept {
    return (words_[(size_ - 1) / 64] >> ((size_ - 1) % 64) & 1U) != 0;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  std::array<std::uint64_t, JsonScanner::depth_limit / 64> words_{};
  std::size_t size_ = 0;
};

// A value of any kind, white space before it taken already. At most `max_depth` more containers.
bool skip_value(Text& text, std::size_t max_depth) noexcept {
  OpenContainers open;
  std::string_view name;
  while (true) {
    const bool is_object = text.starts_with('{');
    if (is_object || text.starts_with('[')) {
      if (open.size() == max_depth) return text.fail(errc::too_deep);
      open.push(is_object);
      ++text.at;
      skip_space(text);
      if (!text.starts_with(is_object ? '}' : ']')) {
        if (is_object && !take_name(text, name)) return false;
        continue;
      }
    } else if (!skip_scalar(text)) {
      return false;
    }
    // A value is complete, or all items of a container are.
    while (true) {
      if (open.size() == 0) return true;
      skip_space(text);
      if (text.take(open.is_object() ? '}' : ']')) {
        open.pop();
        if (open.size() == 0) return true;
        continue;
      }
      if (!text.take(',')) return text.fail();
      skip_space(text);
      if (open.is_object() && !take_name(text, name)) return false;
      break;
    }
  }
}

}  // namespace

bool JsonMember::is_named(std::string_view text) const noexcept {
  return json_string_equals(name, text);
}

JsonScanner::JsonScanner(byte_view text, std::size_t max_depth) noexcept
    : at_(as_text(text).data()), end_(at_ + text.size()), max_depth_(max_depth) {
  assert(max_depth <= depth_limit);
  max_depth_ = std::min(max_depth, depth_limit);
  Text rest{at_, end_};
  skip_space(rest);
  at_ = rest.at;
  kind_ = kind_of(rest);
  if (kind_ == JsonKind::none) end_with(errc::bad_syntax);
}

void JsonScanner::end_with(errc reason) noexcept {
  error_ = reason;
  state_ = State::ended;
}

void JsonScanner::expect_end() noexcept {
  Text rest{at_, end_};
  skip_space(rest);
  end_with(rest.is_empty() ? errc{} : errc::bad_syntax);
}

// Moves to the next item of the outermost container. False: there is none, or what comes is wrong.
bool JsonScanner::enter_next(JsonKind kind, char closing) noexcept {
  if (kind_ != kind || state_ == State::ended) return false;
  Text rest{at_, end_};
  const bool is_first = state_ == State::start;
  if (is_first) {
    if (max_depth_ == 0) return end_with(errc::too_deep), false;
    state_ = State::in_container;
    ++rest.at;
  }
  skip_space(rest);
  if (rest.take(closing)) {
    at_ = rest.at;
    expect_end();
    return false;
  }
  if (!is_first) {
    if (!rest.take(',')) return end_with(errc::bad_syntax), false;
    skip_space(rest);
  }
  at_ = rest.at;
  return true;
}

std::optional<JsonElement> JsonScanner::take_value() noexcept {
  Text rest{at_, end_};
  const JsonKind kind = kind_of(rest);
  if (!skip_value(rest, max_depth_ - 1)) {
    end_with(rest.error);
    return std::nullopt;
  }
  const char* const value = std::exchange(at_, rest.at);
  return JsonElement{as_bytes({value, static_cast<std::size_t>(rest.at - value)}), kind};
}

std::optional<JsonMember> JsonScanner::next_member() noexcept {
  if (!enter_next(JsonKind::object, '}')) return std::nullopt;
  Text rest{at_, end_};
  JsonMember member;
  if (!take_name(rest, member.name)) {
    end_with(rest.error);
    return std::nullopt;
  }
  at_ = rest.at;
  const std::optional<JsonElement> element = take_value();
  if (!element) return std::nullopt;
  member.value = element->value;
  member.kind = element->kind;
  return member;
}

std::optional<JsonElement> JsonScanner::next_element() noexcept {
  if (!enter_next(JsonKind::array, ']')) return std::nullopt;
  return take_value();
}

void JsonScanner::finish() noexcept {
  if (state_ == State::in_container) {
    while (kind_ == JsonKind::object ? next_member().has_value() : next_element().has_value()) {
    }
    return;
  }
  if (state_ == State::ended) return;
  Text rest{at_, end_};
  if (!skip_value(rest, max_depth_)) return end_with(rest.error);
  at_ = rest.at;
  expect_end();
}

std::error_code check_json(byte_view text, std::size_t max_depth) noexcept {
  JsonScanner scanner{text, max_depth};
  scanner.finish();
  if (!scanner.ok()) return make_error_code(scanner.error());
  return {};
}

}  // namespace muster::wire
