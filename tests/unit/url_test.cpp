// SPDX-License-Identifier: MIT
// Which URLs are WebSocket URLs, and what they are made of.
#include <muster/url.hpp>

#include "support/catch.hpp"

#include <string>
#include <string_view>
#include <vector>

using muster::errc;
using muster::parse_url;
using muster::Url;

TEST_CASE("url: the parts of a URL", "[url]") {
  const auto url = parse_url("ws://relay.example:8080/ws?room=a%20b&x=1?2");
  REQUIRE(url);
  CHECK(url->scheme == "ws");
  CHECK_FALSE(url->is_secure());
  CHECK(url->host == "relay.example");
  CHECK(url->port == 8080);
  CHECK(url->target == "/ws?room=a%20b&x=1?2");
  CHECK(url->path() == "/ws");
  CHECK(url->query() == "room=a%20b&x=1?2");
  CHECK(url->authority() == "relay.example:8080");
}

TEST_CASE("url: what is left out has its default", "[url]") {
  CHECK(*parse_url("ws://a") == Url{"ws", "a", 80, "/"});
  CHECK(*parse_url("wss://a") == Url{"wss", "a", 443, "/"});
  CHECK(*parse_url("WSS://Example.COM/Path") == Url{"wss", "example.com", 443, "/Path"});
  CHECK(*parse_url("ws://a?q") == Url{"ws", "a", 80, "/?q"});
  CHECK(*parse_url("ws://a?") == Url{"ws", "a", 80, "/?"});
  CHECK(parse_url("ws://a/b")->query().empty());
  CHECK(parse_url("ws://a:80")->authority() == "a");
  CHECK(parse_url("wss://a:443")->authority() == "a");
  CHECK(parse_url("ws://a:443")->authority() == "a:443");
}

TEST_CASE("url: addresses as hosts", "[url]") {
  for (const std::string_view host :
       {"::1", "::", "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4",
        "1::", "1:2:3:4:5:6:1.2.3.4", "fe80::a:b"}) {
    CAPTURE(host);
    const auto url = parse_url("ws://[" + std::string{host} + "]:81/");
    REQUIRE(url);
    CHECK(url->host == host);
    CHECK(url->authority() == "[" + std::string{host} + "]:81");
  }
  CHECK(parse_url("ws://[::AB]")->host == "::ab");
  CHECK(parse_url("ws://127.0.0.1:1")->host == "127.0.0.1");
  for (const std::string_view host :
       {"", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "1::2::3", ":1",
        "1:", ":::", "12345::", "g::", "::1.2.3", "::1.2.3.256",
        "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%eth0", "::1 "}) {
    CAPTURE(host);
    CHECK(parse_url("ws://[" + std::string{host} + "]/").error() == errc::bad_value);
  }
}

TEST_CASE("url: what no URL of ours may hold", "[url]") {
  struct Case {
    std::string_view text;
    errc error;
  };
  using namespace std::string_view_literals;
  const std::vector<Case> cases{
      {"", errc::bad_syntax},
      {"ws:", errc::bad_syntax},
      {"ws:/a", errc::bad_syntax},
      {"//a/", errc::bad_syntax},
      {"a:80/ws", errc::bad_syntax},
      {"http://a/", errc::bad_value},
      {" ws://a/", errc::bad_value},
      {"://a/", errc::bad_value},
      {"ws://", errc::bad_syntax},
      {"ws:///a", errc::bad_syntax},
      {"ws://:80/", errc::bad_syntax},
      {"ws://user@a/", errc::bad_syntax},
      {"ws://user:pass@a/", errc::bad_syntax},
      {"ws://@a/", errc::bad_syntax},
      {"ws://[::1]user@a/", errc::bad_syntax},
      {"ws://a/#part", errc::bad_syntax},
      {"ws://a#part", errc::bad_syntax},
      {"ws://a/?q#", errc::bad_syntax},
      {"ws://a:/", errc::bad_syntax},
      {"ws://a:x/", errc::bad_syntax},
      {"ws://a:+80/", errc::bad_syntax},
      {"ws://a:80:80/", errc::bad_syntax},
      {"ws://a:0/", errc::bad_value},
      {"ws://a:65536/", errc::bad_value},
      {"ws://a:000080/", errc::bad_value},
      {"ws://a:99999999999999999999/", errc::bad_value},
      {"ws://[::1/", errc::bad_syntax},
      {"ws://[::1]80/", errc::bad_syntax},
      {"ws://a..b/", errc::bad_syntax},
      {"ws://.a/", errc::bad_syntax},
      {"ws://a b/", errc::bad_syntax},
      {"ws://a%20b/", errc::bad_syntax},
      {"ws://\xc3\xa9/", errc::bad_syntax},
      {"ws://1.2.3/", errc::bad_value},
      {"ws://1.2.3.4.5/", errc::bad_value},
      {"ws://1.2.3.256/", errc::bad_value},
      {"ws://01.2.3.4/", errc::bad_value},
      {"ws://2130706433/", errc::bad_value},
      {"ws://a/ b", errc::bad_syntax},
      {"ws://a/\r\nHost: b", errc::bad_syntax},
      {"ws://a/\0"sv, errc::bad_syntax},
      {"ws://a\0b/"sv, errc::bad_syntax},
      {"ws://a/\x7f", errc::bad_syntax},
      {"ws://a/%", errc::bad_syntax},
      {"ws://a/%1", errc::bad_syntax},
      {"ws://a/%1g", errc::bad_syntax},
      {"ws://a/\"", errc::bad_syntax},
      {"ws://a\\b/", errc::bad_syntax},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto url = parse_url(c.text);
    REQUIRE_FALSE(url);
    CHECK(url.error() == c.error);
  }
}

TEST_CASE("url: bounds of length", "[url]") {
  const std::string label(63, 'a');
  CHECK(parse_url("ws://" + label + "/"));
  CHECK_FALSE(parse_url("ws://" + label + "a/"));
  CHECK(parse_url("ws://" + label + "." + label + "." + label + "." + std::string(61, 'a') + "./"));
  CHECK_FALSE(parse_url("ws://" + label + "." + label + "." + label + "." + std::string(62, 'a')));
  const std::string longest = "ws://a/" + std::string(muster::max_url_size - 7, 'b');
  CHECK(parse_url(longest));
  CHECK(parse_url(longest + "b").error() == errc::too_large);
}
