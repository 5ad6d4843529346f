// SPDX-License-Identifier: MIT
// The kinds of ConnectionInfo, and the fields of each.
#include "connection_info.hpp"

#include <muster/address.hpp>
#include <muster/ascii.hpp>
#include <muster/url.hpp>
#include <muster/wire/byte_writer.hpp>

#include "json_fields.hpp"
#include "json_object.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace muster::signal {
namespace {

// The text was checked, and so its depth was.
constexpr std::size_t any_depth = wire::JsonScanner::depth_limit;

bool is_unspecified(const Address& address) noexcept {
  const auto significant = address.is_v4() ? address.ip.begin() + 12 : address.ip.begin();
  return std::all_of(significant, address.ip.end(), [](std::uint8_t byte) { return byte == 0; });
}

// Each reads the fields of its kind, and writes them behind the type.

bool copy_direct(byte_view json, JsonObject& object, std::optional<DirectEndpoint>& direct) {
  DirectEndpoint endpoint;
  if (!read_object(json, any_depth, required("host", endpoint.host),
                   required("port", endpoint.port))) {
    return false;
  }
  object.member("host", endpoint.host).member("port", endpoint.port);
  direct = std::move(endpoint);
  return true;
}

bool copy_unity_relay(byte_view json, JsonObject& object) {
  std::string allocation_id;
  std::string connection_data;
  std::string key;
  if (!read_object(json, any_depth, required("allocation_id", allocation_id),
                   required("connection_data", connection_data), required("key", key))) {
    return false;
  }
  object.member("allocation_id", allocation_id)
      .member("connection_data", connection_data)
      .member("key", key);
  return true;
}

bool copy_relay(byte_view json, JsonObject& object) {
  std::string host;
  std::uint16_t port = 0;
  std::optional<RelayTransport> transport;
  std::string allocation_id;
  std::string token;
  std::optional<std::uint16_t> client_id;
  if (!read_object(json, any_depth, required("host", host), required("port", port),
                   optional("transport", transport), required("allocation_id", allocation_id),
                   required("token", token), optional("client_id", client_id))) {
    return false;
  }
  object.member("host", host)
      .member("port", port)
      .member("transport", transport.value_or(RelayTransport::automatic))
      .member("allocation_id", allocation_id)
      .member("token", token)
      .optional("client_id", client_id);
  return true;
}

bool copy_webrtc(byte_view json, JsonObject& object) {
  std::optional<std::string> sdp;
  std::vector<std::string> ice_candidates;
  if (!read_object(json, any_depth, optional("sdp", sdp),
                   required("ice_candidates", ice_candidates))) {
    return false;
  }
  object.nullable("sdp", sdp).list("ice_candidates", ice_candidates);
  return true;
}

bool copy_custom(byte_view json, JsonObject& object) {
  byte_view data;
  if (!read_object(json, any_depth, required("data", data))) return false;
  object.member("data", RawJson{as_text(data)});
  return true;
}

}  // namespace

bool DirectEndpoint::is_usable() const noexcept {
  constexpr std::size_t longest_host = 253;  // RFC 1035 section 2.3.4
  if (port == 0 || host.empty() || host.size() > longest_host) return false;
  if (const auto address = Address::parse_ip(host)) return !is_unspecified(*address);
  // A name is what can stand in a URL by itself.
  const result<Url> url = parse_url("ws://" + host);
  return url && equals_ignoring_case(url->host, host);
}

std::optional<ConnectionInfo> read_connection_info(byte_view json) {
  std::string_view raw_type;
  if (!read_object(json, any_depth, required("type", raw_type))) return std::nullopt;
  char buffer[64];
  const std::string_view type = short_text(raw_type, buffer);

  std::vector<std::byte> bytes;
  wire::ByteWriter writer{bytes};
  JsonObject object{writer};
  object.member("type", type);
  ConnectionInfo info;
  bool is_whole = false;
  if (type == "direct") {
    is_whole = copy_direct(json, object, info.direct);
  } else if (type == "unity_relay") {
    is_whole = copy_unity_relay(json, object);
  } else if (type == "relay") {
    is_whole = copy_relay(json, object);
  } else if (type == "webrtc") {
    is_whole = copy_webrtc(json, object);
  } else if (type == "custom") {
    is_whole = copy_custom(json, object);
  }
  if (!is_whole) return std::nullopt;
  object.end();
  info.json = as_text(bytes);
  return info;
}

}  // namespace muster::signal
