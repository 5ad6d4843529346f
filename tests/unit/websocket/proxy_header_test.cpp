// SPDX-License-Identifier: MIT
// The PROXY protocol's header: every field of both versions, and what is none.
#include <muster/websocket/proxy_header.hpp>

#include "support/catch.hpp"
#include "support/proxy_bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

using namespace muster;
using namespace muster::websocket;
using State = HeadResult::State;
using test::binary_header;
using test::tcp4;
using test::tcp6;

namespace {

// Parses it whole and byte by byte, and requires that both come to the same; what follows does not
// matter.
struct Parsed {
  explicit Parsed(const std::string& text) : result(parse_proxy_header(as_bytes(text), header)) {
    ProxyHeader other{Address::v4(1, 1)};
    HeadResult piecewise;
    for (std::size_t size = 0; size <= text.size() && piecewise.state == State::incomplete;
         ++size) {
      piecewise = parse_proxy_header(as_bytes(text).first(size), other);
      decided_at = size;
    }
    CHECK(piecewise.state == result.state);
    CHECK(piecewise.error == result.error);
    CHECK(piecewise.size == result.size);
    CHECK(other.source == header.source);
    if (result.state == State::complete) {
      CHECK(decided_at == result.size);
      for (const std::string_view more : {"G", "\r\n", "PROXY ", "\0"}) {
        ProxyHeader again;
        const std::string with_more = text.substr(0, result.size) + std::string{more};
        const HeadResult same = parse_proxy_header(as_bytes(with_more), again);
        CHECK(same.state == State::complete);
        CHECK(same.size == result.size);
        CHECK(again.source == header.source);
      }
    }
  }

  [[nodiscard]] std::string source() const {
    return header.source ? header.source->to_string() : "none";
  }

  ProxyHeader header{Address::v4(1, 1)};  // what is not decided stays as it was
  HeadResult result;
  std::size_t decided_at = 0;
};

std::string source_of(const std::string& text) {
  const Parsed parsed{text};
  INFO(text);
  CHECK(parsed.result.state == State::complete);
  return parsed.source();
}

errc error_of(const std::string& text) {
  const Parsed parsed{text};
  CHECK(parsed.result.state == State::malformed);
  CHECK(parsed.header.source == Address::v4(1, 1));
  return parsed.result.error;
}

bool is_waited_for(const std::string& text) {
  return Parsed{text}.result.state == State::incomplete;
}

}  // namespace

TEST_CASE("proxy header 1: the source of TCP over IPv4 and IPv6", "[proxy]") {
  CHECK(source_of("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n") == "192.0.2.1:56324");
  CHECK(source_of("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n") ==
        "255.255.255.255:65535");
  CHECK(source_of("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n") == "0.0.0.0:0");
  CHECK(source_of("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n") == "[2001:db8::1]:1");
  const std::string longest =
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
  CHECK(longest.size() == 104);
  CHECK(source_of(longest) == "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
  CHECK(source_of("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n") == "192.0.2.1:1");
}

TEST_CASE("proxy header 1: an unknown protocol names nobody, whatever follows", "[proxy]") {
  CHECK(source_of("PROXY UNKNOWN\r\n") == "none");
  CHECK(source_of("PROXY UNKNOWN \r\n") == "none");
  CHECK(source_of("PROXY UNKNOWN ffff::1 what 1 ever\t\x01\r\n") == "none");
  const std::string filler(max_proxy_line - 16, 'x');
  CHECK(source_of("PROXY UNKNOWN " + filler + "\r\n") == "none");
  CHECK(error_of("PROXY UNKNOWN " + filler + "x\r\n") == errc::too_large);
}

TEST_CASE("proxy header 1: what is none", "[proxy]") {
  const std::string good = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(is_waited_for(good.substr(0, size)));
  for (const std::string_view line : {"TCP4 192.0.2.1 198.51.100.1 56324",
                                      "TCP4 192.0.2.1 198.51.100.1 56324 443 ",
                                      "TCP4 192.0.2.1 198.51.100.1 56324 443 1",
                                      "TCP4  192.0.2.1 198.51.100.1 56324 443",
                                      "TCP4",
                                      "TCP4 ",
                                      "UDP4 192.0.2.1 198.51.100.1 56324 443",
                                      "tcp4 192.0.2.1 198.51.100.1 1 2",
                                      "TCP 192.0.2.1 198.51.100.1 1 2",
                                      "TCP4\t192.0.2.1 198.51.100.1 1 2",
                                      "",
                                      "UNKNOWNS",
                                      "TCP4 192.0.2.256 198.51.100.1 1 2",
                                      "TCP4 192.0.2.01 198.51.100.1 1 2",
                                      "TCP4 192.0.2 198.51.100.1 1 2",
                                      "TCP4 192.0.2.1 198.51.100 1 2",
                                      "TCP4 2001:db8::1 2001:db8::2 1 2",
                                      "TCP4 192.0.2.1 2001:db8::2 1 2",
                                      "TCP6 192.0.2.1 198.51.100.1 1 2",
                                      "TCP6 2001:db8::1 198.51.100.1 1 2",
                                      "TCP6 [2001:db8::1] 2001:db8::2 1 2",
                                      "TCP6 2001:db8::1%eth0 2001:db8::2 1 2",
                                      "TCP4 192.0.2.1 198.51.100.1 65536 2",
                                      "TCP4 192.0.2.1 198.51.100.1 1 65536",
                                      "TCP4 192.0.2.1 198.51.100.1 -1 2",
                                      "TCP4 192.0.2.1 198.51.100.1 +1 2",
                                      "TCP4 192.0.2.1 198.51.100.1 01 2",
                                      "TCP4 192.0.2.1 198.51.100.1 1 02",
                                      "TCP4 192.0.2.1 198.51.100.1 1x 2",
                                      "TCP4 192.0.2.1 198.51.100.1  2",
                                      "TCP4 localhost 198.51.100.1 1 2"}) {
    INFO(line);
    const errc error = error_of("PROXY " + std::string{line} + "\r\n");
    CHECK((error == errc::bad_value || error == errc::bad_syntax));
  }
  CHECK(error_of("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n") == errc::bad_syntax);
  CHECK(error_of("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\rX") == errc::bad_syntax);
  CHECK(error_of("PROXY TCP4 192.0.2.1 \n198.51.100.1 56324 443\r\n") == errc::bad_syntax);
}

TEST_CASE("proxy header 1: a line is not waited for without end", "[proxy]") {
  const std::string line = "PROXY TCP4 " + std::string(300, '1');
  CHECK(is_waited_for(line.substr(0, max_proxy_line - 1)));
  CHECK(error_of(line.substr(0, max_proxy_line)) == errc::too_large);
  CHECK(error_of(line) == errc::too_large);
  CHECK(error_of("PROXY UNKNOWN" + std::string(max_proxy_line - 14, ' ') + "\r\n") ==
        errc::too_large);
}

TEST_CASE("proxy header 2: the source of TCP over IPv4 and IPv6", "[proxy]") {
  const std::string v4 = tcp4("192.0.2.1", 56324, "198.51.100.1", 443);
  CHECK(v4 == std::string{"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04"
                          "\x01\xbb",
                          28});
  CHECK(source_of(v4) == "192.0.2.1:56324");
  const std::string v6 = tcp6("2001:db8::1", 65535, "2001:db8::2", 1);
  CHECK(v6.size() == 16 + 36);
  CHECK(source_of(v6) == "[2001:db8::1]:65535");
  CHECK(source_of(tcp6("::ffff:192.0.2.1", 1, "::1", 2)) == "192.0.2.1:1");
}

TEST_CASE("proxy header 2: who speaks for itself, or for nobody with an address", "[proxy]") {
  CHECK(source_of(binary_header(0x20, 0x00, "")) == "none");
  CHECK(source_of(binary_header(0x20, 0x11, std::string(12, 'a'))) == "none");
  // Of LOCAL nothing has a meaning, the family included.
  CHECK(source_of(binary_header(0x20, 0x11, "")) == "none");
  CHECK(source_of(binary_header(0x20, 0xff, "xyz")) == "none");
  CHECK(source_of(binary_header(0x21, 0x00, "")) == "none");
  CHECK(source_of(binary_header(0x21, 0x00, std::string(36, 'a'))) == "none");
  CHECK(source_of(binary_header(0x21, 0x31, std::string(216, '/'))) == "none");
}

TEST_CASE("proxy header 2: further fields are skipped", "[proxy]") {
  const std::string fields = std::string{"\x04\0\x03noo", 6} + std::string(200, '\xff');
  CHECK(source_of(tcp4("192.0.2.1", 1, "192.0.2.2", 2, fields)) == "192.0.2.1:1");
  CHECK(source_of(tcp6("2001:db8::1", 1, "::1", 2, fields)) == "[2001:db8::1]:1");
  CHECK(source_of(binary_header(0x21, 0x31, std::string(216, '/') + fields)) == "none");
}

TEST_CASE("proxy header 2: what is none", "[proxy]") {
  const std::string good = tcp4("192.0.2.1", 1, "192.0.2.2", 2, "more");
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(is_waited_for(good.substr(0, size)));
  // Versions and commands.
  for (unsigned both = 0; both <= 0xff; ++both) {
    if (both == 0x20 || both == 0x21) continue;
    CHECK(error_of(binary_header(both, 0x11, std::string(12, 'a'))) == errc::bad_value);
  }
  // Families and protocols.
  for (unsigned family = 0; family <= 0xff; ++family) {
    if (family == 0x00 || family == 0x11 || family == 0x21 || family == 0x31) continue;
    CHECK(error_of(binary_header(0x21, family, std::string(216, 'a'))) == errc::bad_value);
  }
  // Addresses that are not there.
  for (std::size_t size = 0; size < 216; ++size) {
    const std::string rest(size, 'a');
    if (size < 12) CHECK(error_of(binary_header(0x21, 0x11, rest)) == errc::bad_syntax);
    if (size < 36) CHECK(error_of(binary_header(0x21, 0x21, rest)) == errc::bad_syntax);
    CHECK(error_of(binary_header(0x21, 0x31, rest)) == errc::bad_syntax);
  }
  // The signature, octet by octet.
  for (std::size_t at = 0; at < 12; ++at) {
    std::string wrong = good;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    const Parsed parsed{wrong};
    CHECK(parsed.result.error == errc::bad_syntax);
    CHECK(parsed.decided_at == at + 1);
  }
}

TEST_CASE("proxy header 2: a bound on its length", "[proxy]") {
  const std::string most(max_proxy_header - 16, 'a');
  CHECK(Parsed{binary_header(0x20, 0, most)}.result.size == max_proxy_header);
  CHECK(source_of(tcp4("192.0.2.1", 1, "192.0.2.2", 2, most.substr(12))) == "192.0.2.1:1");
  CHECK(error_of(binary_header(0x20, 0, most + "a")) == errc::too_large);
  // It is the announced length that counts: nothing of it is waited for.
  CHECK(error_of(std::string{"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", 16}) == errc::too_large);
}

TEST_CASE("proxy header: another protocol is noticed at its first octet that does not fit",
          "[proxy]") {
  for (const auto& [text, at] :
       std::initializer_list<std::pair<std::string, std::size_t>>{{"GET / HTTP/1.1\r\n", 1},
                                                                  {"POST / HTTP/1.1\r\n", 2},
                                                                  {"PUT / HTTP/1.1\r\n", 2},
                                                                  {"PROXY\tTCP4", 6},
                                                                  {"proxy TCP4", 1},
                                                                  {"\x16\x03\x01\x02", 1},  // TLS
                                                                  {"\r\n\r\nGET", 5},
                                                                  {"\n", 1}}) {
    INFO(text);
    const Parsed parsed{text};
    CHECK(parsed.result.error == errc::bad_syntax);
    CHECK(parsed.decided_at == at);
  }
}
