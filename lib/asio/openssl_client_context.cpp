// SPDX-License-Identifier: MIT
// A client's trust, in OpenSSL.
#include "openssl_engine.hpp"

#include <muster/error.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <new>
#include <utility>

namespace muster::asio {

namespace {

class OpenSslClientContext final : public TlsClientContext::Impl {
 public:
  std::error_code load(const TlsClientContext::Config& config, std::string& problem) override {
    problem.clear();
    ERR_clear_error();
    SslContextPtr fresh = make_ssl_context();
    if (fresh == nullptr) throw std::bad_alloc{};
    if (config.is_insecure) {
      SSL_CTX_set_verify(fresh.get(), SSL_VERIFY_NONE, nullptr);
    } else {
      SSL_CTX_set_verify(fresh.get(), SSL_VERIFY_PEER, nullptr);
      if (config.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(fresh.get());  // without any, no server is accepted
      } else if (std::ifstream{config.ca_file}.get() == std::ifstream::traits_type::eof()) {
        problem = config.ca_file + " cannot be read, or is empty";
        return errc::not_found;
      } else if (SSL_CTX_load_verify_file(fresh.get(), config.ca_file.c_str()) != 1) {
        problem = config.ca_file + " holds no certificate: " + take_openssl_error();
        return errc::bad_syntax;
      }
    }
    ERR_clear_error();
    is_insecure_ = config.is_insecure;
    context_ = std::move(fresh);
    return {};
  }

  [[nodiscard]] bool is_loaded() const noexcept override { return context_ != nullptr; }

  [[nodiscard]] std::unique_ptr<TlsEngine> make_engine(const std::string& url_host) const override {
    if (context_ == nullptr) return nullptr;
    SslPtr ssl{SSL_new(context_.get())};
    if (ssl == nullptr) return nullptr;
    SSL_set_connect_state(ssl.get());
    static constexpr unsigned char protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_set_alpn_protos(ssl.get(), protocols, sizeof(protocols));  // 0 is its success
    std::string host = url_host;
    if (host.ends_with('.')) host.pop_back();  // certificates and SNI have no root label
    X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl.get());
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // An address is looked for among the certificate's addresses, and is no name for SNI (RFC 6066
    // section 3).
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str()) == 1;
    bool good = true;
    if (!is_address) {
      good = SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                      host.data()) == 1;
      if (!is_insecure_) good = good && SSL_set1_host(ssl.get(), host.c_str()) == 1;
    }
    ERR_clear_error();
    return good ? make_openssl_engine(std::move(ssl)) : nullptr;
  }

 private:
  bool is_insecure_ = false;
  SslContextPtr context_;
};

}  // namespace

std::unique_ptr<TlsClientContext::Impl> make_tls_client_context() {
  return std::make_unique<OpenSslClientContext>();
}

}  // namespace muster::asio
