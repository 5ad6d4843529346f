// SPDX-License-Identifier: MIT
// The keyed hash that servers use.
#pragma once

#include <muster/export.hpp>
#include <muster/mac.hpp>

#include <memory>

namespace muster::asio {

/// HMAC-SHA-256: OpenSSL's, or a portable one in a build without it. Both give the same tags.
/// @threads distinct objects: safe; shared objects: unsafe
/// @source RFC 2104; FIPS 180-4; test vectors: RFC 4231
class MUSTER_API HmacSha256 final : public Mac {
 public:
  HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;
  ~HmacSha256() override;

  /// Ends the program if OpenSSL cannot compute it: nothing safe can be done without.
  [[nodiscard]] Tag tag(byte_view key, byte_view message) noexcept override;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
