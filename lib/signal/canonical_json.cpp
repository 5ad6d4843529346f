// SPDX-License-Identifier: MIT
// Members in the order of their names as UTF-16, strings with the fewest escapes.
#include "canonical_json.hpp"

#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_string.hpp>

#include "client_message.hpp"
#include "json_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

namespace muster::signal {
namespace {

using wire::JsonElement;
using wire::JsonKind;
using wire::JsonMember;
using wire::JsonScanner;

constexpr std::string_view backslash = "\\";

// The order of UTF-16 is that of UTF-8, but for what needs two units in it, whose first is from
// D800 to DFFF: it comes before the characters from U+E000 to U+FFFF, which begin with EE or EF.
bool utf16_less(std::string_view a, std::string_view b) noexcept {
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at == a.end() || other == b.end()) return at == a.end() && other != b.end();
  const auto x = static_cast<unsigned char>(*at);
  const auto y = static_cast<unsigned char>(*other);
  const bool is_x_pair = x >= 0xF0;
  const bool is_y_pair = y >= 0xF0;
  if (is_x_pair != is_y_pair && std::min(x, y) >= 0xEE) return is_x_pair;
  return x < y;
}

bool is_before(const JsonMember& a, const JsonMember& b) {
  if (a.name.find(backslash) == std::string_view::npos &&
      b.name.find(backslash) == std::string_view::npos) {
    return utf16_less(a.name, b.name);
  }
  return utf16_less(wire::json_string_text(a.name), wire::json_string_text(b.name));
}

bool is_portable(std::string_view number) noexcept {
  constexpr std::int64_t most = (std::int64_t{1} << 53) - 1;
  std::int64_t value = 0;
  const char* const end = number.data() + number.size();
  const auto [at, error] = std::from_chars(number.data(), end, value);
  return error == std::errc{} && at == end && value >= -most && value <= most && number != "-0";
}

}  // namespace

// One text, which was found to be JSON and not too deep.
class CanonicalJson::Writing {
 public:
  Writing(std::vector<JsonMember>& members, std::vector<std::byte>& out)
      : members_(members), out_(out) {}

  bool value(const JsonElement& element) {
    switch (element.kind) {
      case JsonKind::object:
        return object(element.value, {}, nullptr);
      case JsonKind::array:
        return array(element.value);
      case JsonKind::string:
        string(between_quotes(element.value));
        return true;
      case JsonKind::number:
        if (!is_portable(as_text(element.value))) return false;
        [[fallthrough]];
      default:
        wire::ByteWriter{out_}.bytes(element.value);
        return true;
    }
  }

  bool object(byte_view json, std::string_view without, std::optional<JsonElement>* left_out) {
    const std::size_t first = members_.size();
    JsonScanner scanner{json, JsonScanner::depth_limit};
    while (const auto member = scanner.next_member()) members_.push_back(*member);
    const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, members_.end(), is_before);
    const auto is_same = [](const JsonMember& a, const JsonMember& b) { return !is_before(a, b); };
    if (std::adjacent_find(begin, members_.end(), is_same) != members_.end()) return false;

    bool is_first = true;
    put('{');
    const std::size_t end = members_.size();
    for (std::size_t i = first; i < end; ++i) {
      const JsonMember member = members_[i];  // those of the objects within come behind
      const JsonElement element{member.value, member.kind};
      if (left_out != nullptr && member.is_named(without)) {
        const std::size_t size = out_.size();
        if (!value(element)) return false;
        out_.resize(size);
        *left_out = element;
        continue;
      }
      if (!is_first) put(',');
      is_first = false;
      string(member.name);
      put(':');
      if (!value(element)) return false;
    }
    put('}');
    members_.resize(first);
    return true;
  }

 private:
  bool array(byte_view json) {
    JsonScanner scanner{json, JsonScanner::depth_limit};
    bool is_first = true;
    put('[');
    while (const auto element = scanner.next_element()) {
      if (!is_first) put(',');
      is_first = false;
      if (!value(*element)) return false;
    }
    put(']');
    return true;
  }

  void string(std::string_view raw) {
    wire::ByteWriter writer{out_};
    if (raw.find(backslash) != std::string_view::npos) {
      return wire::write_json_string(writer, wire::json_string_text(raw));
    }
    writer.u8('"');
    writer.text(raw);
    writer.u8('"');
  }

  void put(char c) { out_.push_back(static_cast<std::byte>(c)); }

  std::vector<JsonMember>& members_;
  std::vector<std::byte>& out_;
};

std::error_code CanonicalJson::append(byte_view json, std::vector<std::byte>& out,
                                      std::string_view without,
                                      std::optional<JsonElement>& left_out) {
  left_out.reset();
  JsonScanner scanner{json, max_message_depth};
  const bool is_object = scanner.kind() == JsonKind::object;
  scanner.finish();
  if (!scanner.ok()) return make_error_code(scanner.error());
  members_.clear();
  Writing writing{members_, out};
  if (!is_object || !writing.object(json, without, &left_out)) {
    return make_error_code(errc::bad_value);
  }
  return {};
}

}  // namespace muster::signal
