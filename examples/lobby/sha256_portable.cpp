// SPDX-License-Identifier: MIT
// SHA-256 for builds without OpenSSL.
#include "digest.hpp"

#include "sha256.hpp"

namespace lobby_program {

Digest sha256(std::initializer_list<muster::byte_view> parts) noexcept {
  muster::Sha256 sha;
  for (const muster::byte_view part : parts) sha.add(part);
  return sha.finish();
}

}  // namespace lobby_program
