// SPDX-License-Identifier: MIT
// Gateway texts: whatever the server writes, the token goes nowhere but to the lobby's host.
#include <muster/lobby/origin.hpp>
#include <muster/url.hpp>

#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using test::require;

constexpr std::string_view lobbies[] = {
    "wss://lobby.example/ws/bot?x#y", "ws://localhost:8001/x",
    "WSS://Lobby.Example:443",        "ws://[::1]:8001/",
    "wss://[2001:db8::1]/",           "wss://127.0.0.1:8443/",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
  muster::lobby::Origin origin;
  require(origin.read(lobbies[data[0] % std::size(lobbies)]) == muster::lobby::UrlError::none);
  std::string url;
  if (origin.resolve(text, url) == muster::lobby::UrlError::none) {
    // What a dialer makes of it, by a parser of its own.
    const auto lobby = muster::parse_url(origin.text());
    const auto gateway = muster::parse_url(url);
    require(lobby.has_value());
    if (gateway) {
      require(gateway->host == lobby->host);
      require(gateway->is_secure() || !lobby->is_secure());
      const bool is_upgraded = gateway->is_secure() && !lobby->is_secure();
      require(gateway->port == lobby->port || (is_upgraded && gateway->port == 443));
    }
  } else {
    require(url.empty());
  }
  // A lobby's URL may be anything too.
  muster::lobby::Origin any;
  if (any.read(text) == muster::lobby::UrlError::none) {
    const auto read = muster::parse_url(text.substr(0, text.find('#')));
    if (read) require(muster::parse_url(any.text())->host == read->host);
  }
  return 0;
}
