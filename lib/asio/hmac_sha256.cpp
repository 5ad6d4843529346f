// SPDX-License-Identifier: MIT
// HMAC-SHA-256 by OpenSSL.
#include <muster/asio/hmac_sha256.hpp>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <cstdlib>

namespace muster::asio {

struct MUSTER_LOCAL HmacSha256::Impl {
  Impl() : mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr)), context(EVP_MAC_CTX_new(mac)) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    if (context == nullptr || EVP_MAC_CTX_set_params(context, parameters) != 1) std::abort();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
  }

  EVP_MAC* mac;
  EVP_MAC_CTX* context;  // kept: making one costs more than a short message
};

HmacSha256::HmacSha256() : impl_(std::make_unique<Impl>()) {}
HmacSha256::~HmacSha256() = default;

Mac::Tag HmacSha256::tag(byte_view key, byte_view message) noexcept {
  Tag tag;
  std::size_t size = 0;
  // A null key would mean the key of the call before.
  static constexpr unsigned char empty = 0;
  const auto* const bytes =
      key.empty() ? &empty : reinterpret_cast<const unsigned char*>(key.data());
  const auto* const text = reinterpret_cast<const unsigned char*>(message.data());
  const bool good =
      EVP_MAC_init(impl_->context, bytes, key.size(), nullptr) == 1 &&
      (message.empty() || EVP_MAC_update(impl_->context, text, message.size()) == 1) &&
      EVP_MAC_final(impl_->context, reinterpret_cast<unsigned char*>(tag.data()), &size,
                    tag.size()) == 1;
  if (!good || size != tag.size()) std::abort();
  return tag;
}

}  // namespace muster::asio
