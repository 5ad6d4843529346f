// SPDX-License-Identifier: MIT
// A server's certificate and key, in OpenSSL.
#include "openssl_engine.hpp"

#include <muster/error.hpp>

#include <openssl/err.h>

#include <fstream>
#include <mutex>
#include <string_view>
#include <utility>

namespace muster::asio {

namespace {

constexpr std::string_view http_1_1{"\x08http/1.1"};

// A client that names protocols must name ours (RFC 7301 section 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const auto* const ours = reinterpret_cast<const unsigned char*>(http_1_1.data());
  if (SSL_select_next_proto(&found, chosen_size, ours, static_cast<unsigned>(http_1_1.size()),
                            offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

class OpenSslServerContext final : public TlsServerContext::Impl {
 public:
  std::error_code load(const std::string& certificate_file, const std::string& key_file,
                       std::string& problem) override {
    problem.clear();
    for (const std::string& file : {certificate_file, key_file}) {
      if (std::ifstream{file}.get() != std::ifstream::traits_type::eof()) continue;
      problem = file + " cannot be read, or is empty";
      return errc::not_found;
    }
    ERR_clear_error();
    SslContextPtr fresh = make_ssl_context();
    if (fresh == nullptr) throw std::bad_alloc{};
    SSL_CTX_set_alpn_select_cb(fresh.get(), choose_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(fresh.get(), certificate_file.c_str()) != 1) {
      return refuse(certificate_file + " holds no usable certificate: ", problem);
    }
    if (SSL_CTX_use_PrivateKey_file(fresh.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return refuse(key_file + " holds no usable key for it: ", problem);
    }
    if (SSL_CTX_check_private_key(fresh.get()) != 1) {
      problem =
          "the key in " + key_file + " does not belong to the certificate in " + certificate_file;
      ERR_clear_error();
      return errc::bad_value;
    }
    const std::lock_guard lock{mutex_};
    context_.swap(fresh);
    return {};
  }

  [[nodiscard]] bool is_loaded() const noexcept override {
    const std::lock_guard lock{mutex_};
    return context_ != nullptr;
  }

  [[nodiscard]] std::unique_ptr<TlsEngine> make_engine() const override {
    SslPtr ssl;
    {
      const std::lock_guard lock{mutex_};
      if (context_ != nullptr) ssl.reset(SSL_new(context_.get()));  // keeps the SSL_CTX alive
    }
    if (ssl == nullptr) return nullptr;
    SSL_set_accept_state(ssl.get());
    return make_openssl_engine(std::move(ssl));
  }

 private:
  // Whether the bytes are no PEM, or what they say is not good enough.
  static std::error_code refuse(std::string what, std::string& problem) {
    const unsigned long error = ERR_peek_error();
    const bool is_format = ERR_GET_LIB(error) == ERR_LIB_PEM ||
                           ERR_GET_LIB(error) == ERR_LIB_ASN1 ||
                           ERR_GET_LIB(error) == ERR_LIB_OSSL_DECODER;
    problem = std::move(what) + take_openssl_error();
    return is_format ? errc::bad_syntax : errc::bad_value;
  }

  // Taken once per new connection and by `load`, never for a message.
  mutable std::mutex mutex_;
  SslContextPtr context_;
};

}  // namespace

std::unique_ptr<TlsServerContext::Impl> make_tls_server_context() {
  return std::make_unique<OpenSslServerContext>();
}

}  // namespace muster::asio
