// SPDX-License-Identifier: MIT
// HMAC-SHA-256 for builds without OpenSSL.
#include "../sha256.hpp"

#include <muster/asio/hmac_sha256.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace muster::asio {

namespace {

constexpr std::size_t block_size = Sha256::block_size;

Mac::Tag hash(byte_view bytes) noexcept {
  Sha256 sha;
  sha.add(bytes);
  return sha.finish();
}

}  // namespace

struct MUSTER_LOCAL HmacSha256::Impl {};

HmacSha256::HmacSha256() = default;
HmacSha256::~HmacSha256() = default;

// RFC 2104 section 2.
Mac::Tag HmacSha256::tag(byte_view key, byte_view message) noexcept {
  std::array<std::byte, block_size> padded{};
  if (key.size() > block_size) {
    const Tag short_key = hash(key);
    std::copy(short_key.begin(), short_key.end(), padded.begin());
  } else {
    std::copy(key.begin(), key.end(), padded.begin());
  }
  for (std::byte& byte : padded) byte ^= std::byte{0x36};
  Sha256 inner;
  inner.add(padded);
  inner.add(message);
  const Tag inner_tag = inner.finish();
  for (std::byte& byte : padded) byte ^= std::byte{0x36 ^ 0x5c};
  Sha256 outer;
  outer.add(padded);
  outer.add(inner_tag);
  return outer.finish();
}

}  // namespace muster::asio
