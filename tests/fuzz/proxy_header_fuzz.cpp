// SPDX-License-Identifier: MIT
// Fuzzes the PROXY protocol's header.
#include <muster/websocket/proxy_header.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace muster;
using namespace muster::websocket;
using State = HeadResult::State;
using test::require;

bool is_same(const HeadResult& a, const HeadResult& b) {
  return a.state == b.state && a.error == b.error && a.size == b.size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span{data, std::min<std::size_t>(size, 1024)});
  const ProxyHeader untouched{Address::v4(1, 1)};
  ProxyHeader header = untouched;
  const HeadResult whole = parse_proxy_header(input, header);

  // Byte by byte it must come to the same, at the byte where it ends or goes wrong.
  ProxyHeader other = untouched;
  HeadResult piecewise;
  std::size_t at = 0;
  for (; at <= input.size(); ++at) {
    // A block of its own, so that a read behind its end is noticed.
    const std::vector<std::byte> start(input.begin(),
                                       input.begin() + static_cast<std::ptrdiff_t>(at));
    piecewise = parse_proxy_header(start, other);
    if (piecewise.state != State::incomplete) break;
    require(other.source == untouched.source);
  }
  require(is_same(whole, piecewise) && header.source == other.source);
  require(whole.status == 0);
  if (whole.state != State::complete) {
    require(header.source == untouched.source);
    // The bound is enough to decide.
    require(whole.state == State::malformed || input.size() < max_proxy_header);
    return 0;
  }
  require(at == whole.size && whole.size <= max_proxy_header);
  const bool is_line = input[0] == std::byte{'P'};
  require(!is_line ||
          (whole.size <= max_proxy_line && as_text(input.first(whole.size)).ends_with("\r\n")));
  // What it names can be written and read again.
  if (header.source) {
    require(Address::parse_ip(header.source->to_string(false))->ip == header.source->ip);
  }
  return 0;
}
