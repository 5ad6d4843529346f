// SPDX-License-Identifier: MIT
// SHA-256 by OpenSSL.
#include "digest.hpp"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace lobby_program {

Digest sha256(std::initializer_list<muster::byte_view> parts) noexcept {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context{EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free};
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const muster::byte_view part : parts) {
    good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  }
  Digest digest;
  unsigned int size = 0;
  good = good && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()),
                                    &size) == 1;
  if (!good || size != digest.size()) std::abort();  // a library without SHA-256
  return digest;
}

}  // namespace lobby_program
