// SPDX-License-Identifier: MIT
// HMAC-SHA-1, which TURN servers take and no other: a Mac of ours has another hash.
#include "turn_credentials.hpp"

#include <muster/bytes.hpp>

#include "../base64.hpp"

#include <websocketpp/sha1/sha1.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace muster::signal {
namespace {

using Sha1 = std::array<std::byte, 20>;

Sha1 sha1(byte_view bytes) {
  std::array<unsigned char, 20> digest;
  websocketpp::sha1::calc(bytes.data(), bytes.size(), digest.data());
  Sha1 out;
  std::copy_n(std::as_bytes(std::span{digest}).begin(), out.size(), out.begin());
  return out;
}

// RFC 2104 section 2.
Sha1 hmac_sha1(byte_view key, byte_view message) {
  std::array<std::byte, 64> padded{};
  const auto with_pad = [&padded](std::byte pad, byte_view rest) {
    std::vector<std::byte> bytes;
    bytes.reserve(padded.size() + rest.size());
    for (const std::byte byte : padded) bytes.push_back(byte ^ pad);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return sha1(bytes);
  };
  if (key.size() > padded.size()) {
    const Sha1 short_key = sha1(key);
    std::copy(short_key.begin(), short_key.end(), padded.begin());
  } else {
    std::copy(key.begin(), key.end(), padded.begin());
  }
  return with_pad(std::byte{0x5c}, with_pad(std::byte{0x36}, message));
}

}  // namespace

TurnCredentials make_turn_credentials(std::string_view secret, std::int64_t expiry,
                                      const Uuid& player) {
  TurnCredentials credentials;
  credentials.username = std::to_string(expiry) + ':';
  credentials.username += view(to_text(player));
  credentials.credential =
      encode_base64(hmac_sha1(as_bytes(secret), as_bytes(credentials.username)), Base64::padded);
  return credentials;
}

}  // namespace muster::signal
