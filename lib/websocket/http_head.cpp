// SPDX-License-Identifier: MIT
// The grammar of HTTP/1.1 heads.
#include <muster/websocket/http_head.hpp>

#include <algorithm>
#include <limits>

namespace muster::websocket {

namespace {

using State = HeadResult::State;

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
constexpr bool is_one_of(char c, std::string_view set) noexcept {
  return set.find(c) != std::string_view::npos;
}

constexpr bool is_token_char(char c) noexcept {
  return is_letter(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-.^_`|~");
}

// What a host may consist of: the unreserved characters, sub-delimiters and %, : [ ] of RFC 3986.
constexpr bool is_host_char(char c) noexcept {
  return is_letter(c) || is_digit(c) || is_one_of(c, "-._~!$&'()*+,;=%:[]");
}

constexpr bool is_control(unsigned char c) noexcept { return c < 0x20 || c == 0x7f; }

constexpr HeadResult malformed(unsigned status, errc error) noexcept {
  return {State::malformed, status, error, 0};
}
constexpr HeadResult bad_syntax() noexcept { return malformed(400, errc::bad_syntax); }

constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Looks for the empty line, from where the last call stopped. Octets that no head may have are
// noticed here, so that a peer which speaks another protocol is not waited for.
HeadResult find_end(std::string_view input, std::size_t& scanned, std::size_t max_bytes) noexcept {
  const std::size_t end = std::min(input.size(), max_bytes);
  for (; scanned < end; ++scanned) {
    const auto c = static_cast<unsigned char>(input[scanned]);
    const bool after_cr = scanned > 0 && input[scanned - 1] == '\r';
    if (after_cr != (c == '\n')) return bad_syntax();
    if (c == '\n') {
      if (scanned >= 3 && input[scanned - 2] == '\n') {
        return {State::complete, 0, errc{}, scanned + 1};
      }
    } else if (is_control(c) && c != '\r' && c != '\t') {
      return bad_syntax();
    }
  }
  return scanned == max_bytes ? malformed(431, errc::too_large) : HeadResult{};
}

// Takes a line without its CR LF; `find_end` has made sure that there is one.
std::string_view take_line(std::string_view& rest) noexcept {
  const std::string_view line = rest.substr(0, rest.find('\r'));
  rest.remove_prefix(line.size() + 2);
  return line;
}

std::string_view take_word(std::string_view& rest) noexcept {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

// "HTTP/1.0" or "HTTP/1.1"; later minor versions count as 1.1 (RFC 9110 section 2.5).
HeadResult parse_version(std::string_view text, unsigned& minor) noexcept {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return bad_syntax();
  }
  if (text[5] != '1') return malformed(505, errc::bad_value);
  minor = text[7] == '0' ? 0 : 1;
  return {};
}

bool parse_digits(std::string_view text, std::uint64_t& out) noexcept {
  if (text.empty()) return false;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return false;
    value = value * 10 + digit;
  }
  out = value;
  return true;
}

// Splits a target into path and query.
bool split_target(RequestHead& head) noexcept {
  std::string_view rest = head.target;
  if (rest.empty()) return false;
  for (const char c : rest) {
    // Browsers percent-encode the rest; a fragment is never sent (RFC 6455 section 3).
    if (c == '#' || static_cast<unsigned char>(c) <= 0x20 ||
        static_cast<unsigned char>(c) >= 0x7f) {
      return false;
    }
  }
  head.query = {};
  if (rest == "*") {
    head.path = rest;
    return head.method == "OPTIONS";
  }
  if (rest.front() != '/') {
    // A whole URL, as a proxy gets it, must be understood too (RFC 9112 section 3.2.2).
    const std::size_t colon = rest.find("://");
    if (colon == std::string_view::npos) return false;
    const std::string_view scheme = rest.substr(0, colon);
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https") &&
        !equals_ignoring_case(scheme, "ws") && !equals_ignoring_case(scheme, "wss")) {
      return false;
    }
    rest.remove_prefix(colon + 3);
    const std::size_t authority = std::min(rest.find_first_of("/?"), rest.size());
    if (authority == 0) return false;
    rest.remove_prefix(authority);
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  head.path = question == 0 ? std::string_view{"/"} : rest.substr(0, question);
  if (question < rest.size()) head.query = rest.substr(question + 1);
  return true;
}

HeadResult parse_fields(std::string_view rest, std::size_t max_fields, HeaderFields& out,
                        std::optional<std::uint64_t>& content_length) noexcept {
  out.clear();
  content_length.reset();
  while (true) {
    const std::string_view line = take_line(rest);
    if (line.empty()) return {};
    // A line that begins with a blank continues the one before (obs-fold); it has no name either.
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return bad_syntax();
    const HeaderField field{line.substr(0, colon), trim(line.substr(colon + 1))};
    if (out.all().size() == max_fields || !out.add(field)) return malformed(431, errc::too_large);
    if (equals_ignoring_case(field.name, "Content-Length")) {
      std::uint64_t length = 0;
      if (content_length || !parse_digits(field.value, length)) return bad_syntax();
      content_length = length;
    }
  }
}

}  // namespace

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_field_value(std::string_view text) noexcept {
  return trim(text).size() == text.size() && std::all_of(text.begin(), text.end(), [](char c) {
           return c == '\t' || !is_control(static_cast<unsigned char>(c));
         });
}

bool HeaderFields::add(HeaderField field) noexcept {
  if (size_ == fields_.size()) return false;
  fields_[size_++] = field;
  return true;
}

bool HeaderFields::is_same_name(std::string_view a, std::string_view b) noexcept {
  return equals_ignoring_case(a, b);
}

std::string_view HeaderFields::take_element(std::string_view& rest) noexcept {
  const std::string_view element = rest.substr(0, rest.find(','));
  rest.remove_prefix(std::min(rest.size(), element.size() + 1));
  return trim(element);
}

std::optional<std::string_view> HeaderFields::find(std::string_view name) const noexcept {
  for (const HeaderField& field : all()) {
    if (is_same_name(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t HeaderFields::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(all().begin(), all().end(),
                    [name](const HeaderField& field) { return is_same_name(field.name, name); }));
}

bool HeaderFields::has_token(std::string_view name, std::string_view token) const noexcept {
  bool found = false;
  for_each_element(name, [&](std::string_view element) {
    found = equals_ignoring_case(element, token);
    return !found;
  });
  return found;
}

HeadResult parse_request_head(byte_view input, std::size_t& scanned, RequestHead& out,
                              std::size_t max_bytes, std::size_t max_fields) noexcept {
  const HeadResult end = find_end(as_text(input), scanned, max_bytes);
  if (end.state != State::complete) return end;
  std::string_view rest = as_text(input.first(end.size));
  std::string_view line = take_line(rest);
  out.method = take_word(line);
  out.target = take_word(line);
  if (!is_token(out.method)) return bad_syntax();
  if (const HeadResult version = parse_version(line, out.minor_version); version.error != errc{}) {
    return version;
  }
  if (!split_target(out)) return bad_syntax();
  if (const HeadResult fields = parse_fields(rest, max_fields, out.headers, out.content_length);
      fields.error != errc{}) {
    return fields;
  }
  for (const std::string_view once : {"Sec-WebSocket-Key", "Sec-WebSocket-Version"}) {
    if (out.headers.count(once) > 1) return bad_syntax();
  }
  const std::size_t hosts = out.headers.count("Host");
  if (hosts > 1 || (hosts == 0 && out.minor_version > 0)) return bad_syntax();
  const std::string_view host = out.headers.find("Host").value_or("");
  if (!std::all_of(host.begin(), host.end(), is_host_char)) return bad_syntax();
  if (out.headers.count("Transfer-Encoding") != 0) return malformed(501, errc::bad_value);
  return end;
}

HeadResult parse_response_head(byte_view input, std::size_t& scanned, ResponseHead& out,
                               std::size_t max_bytes, std::size_t max_fields) noexcept {
  HeadResult end = find_end(as_text(input), scanned, max_bytes);
  const auto without_status = [](HeadResult failure) {
    failure.status = 0;  // nobody answers a response
    return failure;
  };
  if (end.state != State::complete) return without_status(end);
  std::string_view rest = as_text(input.first(end.size));
  std::string_view line = take_line(rest);
  const HeadResult version = parse_version(take_word(line), out.minor_version);
  if (version.error != errc{}) return without_status(version);
  const std::string_view status = take_word(line);
  std::uint64_t number = 0;
  if (status.size() != 3 || !parse_digits(status, number) || number < 100 || number > 599) {
    return without_status(bad_syntax());
  }
  out.status = static_cast<unsigned>(number);
  out.reason = line;
  const HeadResult fields = parse_fields(rest, max_fields, out.headers, out.content_length);
  if (fields.error != errc{}) return without_status(fields);
  for (const std::string_view once : {"Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"}) {
    if (out.headers.count(once) > 1) return without_status(bad_syntax());
  }
  return end;
}

}  // namespace muster::websocket
