// SPDX-License-Identifier: MIT
#include <muster/soe/hello.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

#include <algorithm>

namespace muster::soe {
namespace {

constexpr std::uint8_t hello_version = 1;

// What may stand in a request line or a header: visible ASCII.
bool is_visible(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_valid(const Hello& hello) noexcept {
  return hello.target.starts_with('/') && is_visible(hello.target) && is_visible(hello.token) &&
         hello.subprotocols.size() <= Hello::max_subprotocols &&
         std::all_of(hello.subprotocols.begin(), hello.subprotocols.end(),
                     [](const std::string& name) {
                       return !name.empty() && name.size() <= 255 && is_visible(name);
                     });
}

}  // namespace

std::optional<Hello> Hello::decode(byte_view message) {
  if (message.size() > max_size) return std::nullopt;
  wire::ByteReader in{message};
  Hello hello;
  if (in.u8() != hello_version) return std::nullopt;
  hello.target = as_text(in.bytes(in.u16_be()));
  hello.token = as_text(in.bytes(in.u16_be()));
  for (unsigned left = in.u8(); left != 0 && in.ok(); --left) {
    hello.subprotocols.emplace_back(as_text(in.bytes(in.u8())));
  }
  if (!in.ok() || !in.is_at_end() || !is_valid(hello)) return std::nullopt;
  return hello;
}

std::vector<std::byte> Hello::encode() const {
  if (!is_valid(*this) || target.size() > 0xFFFF || token.size() > 0xFFFF) return {};
  std::vector<std::byte> bytes;
  wire::ByteWriter out{bytes};
  out.u8(hello_version);
  out.u16_be(static_cast<std::uint16_t>(target.size()));
  out.text(target);
  out.u16_be(static_cast<std::uint16_t>(token.size()));
  out.text(token);
  out.u8(static_cast<std::uint8_t>(subprotocols.size()));
  for (const std::string& name : subprotocols) {
    out.u8(static_cast<std::uint8_t>(name.size()));
    out.text(name);
  }
  if (bytes.size() > max_size) bytes.clear();
  return bytes;
}

}  // namespace muster::soe
