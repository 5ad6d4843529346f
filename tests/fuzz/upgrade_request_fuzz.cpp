// SPDX-License-Identifier: MIT
// Fuzzes HTTP heads and the opening handshake, in both directions.
#include <muster/websocket/handshake.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace {

using namespace muster;
using namespace muster::websocket;
using State = HeadResult::State;
using test::require;

constexpr std::size_t max_bytes = 2048;

bool lies_in(std::string_view part, byte_view whole) {
  const auto* const begin = reinterpret_cast<const char*>(whole.data());
  return part.empty() || (std::greater_equal<>{}(part.data(), begin) &&
                          std::less_equal<>{}(part.data() + part.size(), begin + whole.size()));
}

bool is_same(const HeadResult& a, const HeadResult& b) {
  return a.state == b.state && a.status == b.status && a.error == b.error && a.size == b.size;
}

void check_fields(const HeaderFields& fields, byte_view head) {
  for (const HeaderField& field : fields.all()) {
    require(is_token(field.name) && is_field_value(field.value));
    require(lies_in(field.name, head) && lies_in(field.value, head));
    require(fields.find(field.name).has_value());
  }
}

void check_request(byte_view input) {
  RequestHead head;
  std::size_t scanned = 0;
  const HeadResult whole = parse_request_head(input, scanned, head, max_bytes);

  // Byte by byte it must come to the same, at the byte where the head ends or goes wrong.
  RequestHead other;
  HeadResult piecewise;
  scanned = 0;
  for (std::size_t size = 0; size <= input.size() && piecewise.state == State::incomplete; ++size) {
    piecewise = parse_request_head(input.first(size), scanned, other, max_bytes);
  }
  require(is_same(whole, piecewise));
  require((whole.state == State::malformed) == (whole.status >= 400));
  if (whole.state != State::complete) return;

  const byte_view bytes = input.first(whole.size);
  require(whole.size <= max_bytes && as_text(bytes).ends_with("\r\n\r\n"));
  require(is_token(head.method) && lies_in(head.target, bytes) && lies_in(head.query, bytes));
  require(head.path == "*" || head.path.starts_with('/'));
  check_fields(head.headers, bytes);

  UpgradeOffer offer;
  const UpgradeCheck check = check_upgrade(head, offer);
  require(check ? check.status == 101
                : check.status == 400 || check.status == 405 || check.status == 426);
  if (!check) return;
  require(asks_for_websocket(head) && head.headers.find("Host").has_value());
  // Whatever was offered can be accepted, and the client will take it.
  std::vector<std::byte> out(64 + input.size() + upgrade_response_size({}));
  for (const std::string_view name : offer.subprotocols()) {
    const std::size_t size = write_upgrade_response(out, offer.accept, name);
    require(size == upgrade_response_size(name));
    ResponseHead response;
    scanned = 0;
    const byte_view answer = byte_view{out}.first(size);
    require(parse_response_head(answer, scanned, response).size == size);
    HandshakeKey key{};
    head.headers.find("Sec-WebSocket-Key")->copy(key.data(), key.size());
    const auto chosen = check_upgrade_response(response, key, offer.subprotocols());
    require(chosen.has_value() && chosen.value() == name);
  }
}

void check_response(byte_view input) {
  ResponseHead head;
  std::size_t scanned = 0;
  const HeadResult whole = parse_response_head(input, scanned, head, max_bytes);
  ResponseHead other;
  HeadResult piecewise;
  scanned = 0;
  for (std::size_t size = 0; size <= input.size() && piecewise.state == State::incomplete; ++size) {
    piecewise = parse_response_head(input.first(size), scanned, other, max_bytes);
  }
  require(is_same(whole, piecewise) && whole.status == 0);
  if (whole.state != State::complete) return;
  require(head.status >= 100 && head.status <= 599);
  check_fields(head.headers, input.first(whole.size));
  HandshakeKey key{};
  constexpr std::string_view sample = "dGhlIHNhbXBsZSBub25jZQ==";
  sample.copy(key.data(), key.size());
  constexpr std::array<std::string_view, 2> offered{"chat", "a"};
  const auto chosen = check_upgrade_response(head, key, offered);
  require(!chosen || head.status == 101);
  require(!chosen || head.headers.find("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span{data, size});
  if (input.size() > 2 * max_bytes) return 0;
  check_request(input);
  check_response(input);
  return 0;
}
