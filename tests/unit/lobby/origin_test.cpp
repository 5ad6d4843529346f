// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <muster/lobby/origin.hpp>

#include <string>

using muster::lobby::Origin;
using muster::lobby::UrlError;

TEST_CASE("origin: every recorded pair of lobby and gateway", "[lobby][vectors]") {
  const nlohmann::json cases = test::load_vectors("lobby_vectors.json")["url_resolution"];
  REQUIRE(cases.size() == 59);
  for (const auto& c : cases) {
    INFO(c["id"].get<std::string>() << ": " << c["note"].get<std::string>());
    const nlohmann::json& wanted = c["ours"];
    // Two of the cases are about a lobby in clear text that is allowed.
    const bool allows = c["id"] == "u13";
    Origin origin;
    std::string url;
    UrlError error = origin.read(c["lobby_url"].get<std::string>(), allows);
    if (error == UrlError::none) error = origin.resolve(c["gateway"].get<std::string>(), url);
    if (wanted.contains("error")) {
      CHECK(std::string{to_string(error)} == wanted["error"].get<std::string>());
      CHECK(url.empty());
    } else {
      CHECK(std::string{to_string(error)} == "none");
      CHECK(url == wanted["url"].get<std::string>());
    }
  }
}

TEST_CASE("origin: clear text is for this machine only", "[lobby]") {
  for (const char* url : {"ws://localhost:8001/x", "ws://127.0.0.1/x", "ws://127.9.9.9:1/x",
                          "ws://[::1]:8001/x", "WS://LOCALHOST/"}) {
    INFO(url);
    CHECK(Origin{}.read(url) == UrlError::none);
  }
  for (const char* url : {"ws://localhost.example/x", "ws://127.0.0.1.example/", "ws://128.0.0.1/",
                          "ws://[::2]/", "ws://127.1/", "ws://localhost./"}) {
    INFO(url);
    CHECK(Origin{}.read(url) == UrlError::lobby_insecure);
    CHECK(Origin{}.read(url, true) == UrlError::none);
  }
}

TEST_CASE("origin: an address is the same however it is written", "[lobby]") {
  Origin origin;
  REQUIRE(origin.read("wss://[2001:DB8:0:0::1]:443/lobby") == UrlError::none);
  CHECK(origin.text() == "wss://[2001:db8::1]");
  std::string url;
  CHECK(origin.resolve("wss://[2001:db8::0:1]/m", url) == UrlError::none);
  CHECK(url == "wss://[2001:db8::1]/m");
  CHECK(origin.resolve("wss://[2001:db8::2]/m", url) == UrlError::cross_origin);
  CHECK(origin.resolve("wss://[2001:db8::1/m", url) == UrlError::malformed_host);
  CHECK(origin.resolve("wss://[2001:db8::1]x/m", url) == UrlError::malformed_host);
  CHECK(origin.resolve("wss://2001:db8::1/m", url) == UrlError::malformed_port);
}

TEST_CASE("origin: the longest gateway is taken, and one byte more is not", "[lobby]") {
  Origin origin;
  REQUIRE(origin.read("wss://a.example/") == UrlError::none);
  std::string url;
  const std::string longest = "/" + std::string(muster::lobby::max_gateway_size - 1, 'a');
  CHECK(origin.resolve(longest, url) == UrlError::none);
  CHECK(url == "wss://a.example" + longest);
  CHECK(origin.resolve(longest + "a", url) == UrlError::malformed_gateway);
}

TEST_CASE("origin: no byte outside of a URL gets through", "[lobby]") {
  Origin origin;
  REQUIRE(origin.read("wss://a.example/") == UrlError::none);
  for (int c = 0; c < 256; ++c) {
    const std::string gateway = std::string{"/x"} + static_cast<char>(c);
    std::string url;
    const UrlError error = origin.resolve(gateway, url);
    INFO(c);
    const bool is_plain = c > 0x20 && c < 0x7F && c != '\\';
    if (c == '#') {
      CHECK(error == UrlError::fragment);
    } else {
      CHECK(error == (is_plain ? UrlError::none : UrlError::malformed_gateway));
    }
  }
}
