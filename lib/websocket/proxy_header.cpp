// SPDX-License-Identifier: MIT
// The two notations of the PROXY protocol's header.
#include <muster/websocket/proxy_header.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace muster::websocket {

namespace {

using State = HeadResult::State;
using namespace std::string_view_literals;

constexpr std::string_view line_start = "PROXY ";
constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;

// Signature, version and command, family and protocol, length of the rest.
constexpr std::size_t fixed_size = 16;

constexpr HeadResult malformed(errc error) noexcept { return {State::malformed, 0, error, 0}; }

constexpr HeadResult complete(std::size_t size) noexcept {
  return {State::complete, 0, errc{}, size};
}

std::string_view take_word(std::string_view& rest) noexcept {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

std::optional<std::uint16_t> read_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<Address> read_address(std::string_view text, bool is_v6) noexcept {
  if ((text.find(':') != std::string_view::npos) != is_v6) return std::nullopt;
  return Address::parse_ip(text);
}

// "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
HeadResult parse_line(std::string_view text, ProxyHeader& out) noexcept {
  const std::string_view start = text.substr(0, max_proxy_line);
  const std::size_t cr = start.find_first_of("\r\n");
  if (cr == std::string_view::npos) {
    return text.size() < max_proxy_line ? HeadResult{} : malformed(errc::too_large);
  }
  if (start[cr] == '\n') return malformed(errc::bad_syntax);
  if (cr + 1 == start.size()) {
    return text.size() < max_proxy_line ? HeadResult{} : malformed(errc::too_large);
  }
  if (start[cr + 1] != '\n') return malformed(errc::bad_syntax);
  const HeadResult result = complete(cr + 2);

  std::string_view rest = start.substr(line_start.size(), cr - line_start.size());
  const std::string_view protocol = take_word(rest);
  if (protocol == "UNKNOWN") {  // whatever follows
    out.source.reset();
    return result;
  }
  if (protocol != "TCP4" && protocol != "TCP6") return malformed(errc::bad_value);
  // Exactly one blank between words, and none behind the last.
  if (std::count(rest.begin(), rest.end(), ' ') != 3) return malformed(errc::bad_syntax);
  const bool is_v6 = protocol == "TCP6";
  std::optional<Address> source = read_address(take_word(rest), is_v6);
  const bool has_destination = read_address(take_word(rest), is_v6).has_value();
  const std::optional<std::uint16_t> port = read_port(take_word(rest));
  if (!source || !has_destination || !port || !read_port(rest)) return malformed(errc::bad_value);
  source->port = *port;
  out.source = source;
  return result;
}

std::uint16_t read_u16(byte_view bytes) noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8U |
                                    std::to_integer<unsigned>(bytes[1]));
}

HeadResult parse_binary(byte_view input, ProxyHeader& out) noexcept {
  if (input.size() < fixed_size) return {};
  const auto version_and_command = std::to_integer<unsigned>(input[12]);
  const auto family = std::to_integer<unsigned>(input[13]);
  const std::size_t length = read_u16(input.subspan(14));
  const bool is_local = version_and_command == 0x20;
  if (!is_local && version_and_command != 0x21) return malformed(errc::bad_value);
  if (fixed_size + length > max_proxy_header) return malformed(errc::too_large);

  std::size_t ip_size = 0;
  std::size_t addresses_size = 0;
  if (!is_local) {  // else the rest has no meaning
    switch (family) {
      case 0x00:  // UNSPEC
        break;
      case 0x11:  // TCP over IPv4: two addresses, two ports
        ip_size = 4;
        addresses_size = 12;
        break;
      case 0x21:  // TCP over IPv6
        ip_size = 16;
        addresses_size = 36;
        break;
      case 0x31:  // a Unix stream: two names of 108 bytes
        addresses_size = 216;
        break;
      default:  // datagrams, and what is not defined
        return malformed(errc::bad_value);
    }
  }
  if (length < addresses_size) return malformed(errc::bad_syntax);
  if (input.size() < fixed_size + length) return {};

  out.source.reset();
  if (ip_size != 0) {
    const byte_view addresses = input.subspan(fixed_size, addresses_size);
    const std::uint16_t port = read_u16(addresses.subspan(2 * ip_size));
    Address source = Address::v4(0, port);  // as IPv6 the whole address is replaced
    std::transform(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(ip_size),
                   source.ip.end() - static_cast<std::ptrdiff_t>(ip_size),
                   [](std::byte octet) { return std::to_integer<std::uint8_t>(octet); });
    out.source = source;
  }
  return complete(fixed_size + length);
}

// Whether a text is the start of another, or begins with it.
bool begins_alike(std::string_view text, std::string_view start) noexcept {
  return text.substr(0, start.size()) == start.substr(0, text.size());
}

}  // namespace

HeadResult parse_proxy_header(byte_view input, ProxyHeader& out) noexcept {
  const std::string_view text = as_text(input);
  if (begins_alike(text, line_start)) {
    return text.size() < line_start.size() ? HeadResult{} : parse_line(text, out);
  }
  if (begins_alike(text, signature)) return parse_binary(input, out);
  return malformed(errc::bad_syntax);
}

}  // namespace muster::websocket
