// SPDX-License-Identifier: MIT
// HMAC-SHA-256 where OpenSSL is not.
#pragma once

#include "sha256.hpp"

#include <muster/bytes.hpp>
#include <muster/mac.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace muster {

/// @source RFC 2104 section 2
inline Mac::Tag hmac_sha256(byte_view key, byte_view message) noexcept {
  std::array<std::byte, Sha256::block_size> padded{};
  if (key.size() > padded.size()) {
    Sha256 sha;
    sha.add(key);
    const Mac::Tag short_key = sha.finish();
    std::copy(short_key.begin(), short_key.end(), padded.begin());
  } else {
    std::copy(key.begin(), key.end(), padded.begin());
  }
  for (std::byte& byte : padded) byte ^= std::byte{0x36};
  Sha256 inner;
  inner.add(padded);
  inner.add(message);
  const Mac::Tag inner_tag = inner.finish();
  for (std::byte& byte : padded) byte ^= std::byte{0x36 ^ 0x5c};
  Sha256 outer;
  outer.add(padded);
  outer.add(inner_tag);
  return outer.finish();
}

}  // namespace muster
