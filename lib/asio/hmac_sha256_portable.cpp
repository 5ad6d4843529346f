// SPDX-License-Identifier: MIT
// HMAC-SHA-256 for builds without OpenSSL.
#include "../hmac_sha256.hpp"

#include <muster/asio/hmac_sha256.hpp>

namespace muster::asio {

struct MUSTER_LOCAL HmacSha256::Impl {};

HmacSha256::HmacSha256() = default;
HmacSha256::~HmacSha256() = default;

Mac::Tag HmacSha256::tag(byte_view key, byte_view message) noexcept {
  return hmac_sha256(key, message);
}

}  // namespace muster::asio
