// SPDX-License-Identifier: MIT
// What servers and clients are given of TLS, in builds with and without it.
#include "tls_engine.hpp"

#include <muster/error.hpp>

namespace muster::asio {

namespace {

constexpr const char* no_tls = "this build of muster has no TLS";

}  // namespace

TlsServerContext::TlsServerContext() : impl_(make_tls_server_context()) {}
TlsServerContext::~TlsServerContext() = default;

std::error_code TlsServerContext::load(const std::string& certificate_file,
                                       const std::string& key_file, std::string& problem) {
  if (impl_ != nullptr) return impl_->load(certificate_file, key_file, problem);
  problem = no_tls;
  return errc::invalid_config;
}

bool TlsServerContext::is_loaded() const noexcept { return impl_ != nullptr && impl_->is_loaded(); }

TlsClientContext::TlsClientContext() : impl_(make_tls_client_context()) {}
TlsClientContext::~TlsClientContext() = default;

std::error_code TlsClientContext::load(const Config& config, std::string& problem) {
  if (impl_ != nullptr) return impl_->load(config, problem);
  problem = no_tls;
  return errc::invalid_config;
}

bool TlsClientContext::is_loaded() const noexcept { return impl_ != nullptr && impl_->is_loaded(); }

#if !MUSTER_WITH_TLS
std::unique_ptr<TlsServerContext::Impl> make_tls_server_context() { return nullptr; }
std::unique_ptr<TlsClientContext::Impl> make_tls_client_context() { return nullptr; }
#endif

}  // namespace muster::asio
