// SPDX-License-Identifier: MIT
// A TLS engine on an OpenSSL connection.
#pragma once

#include "tls_engine.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace muster::asio {

template <auto free_it>
struct OpenSslDeleter {
  template <class T>
  void operator()(T* that) const noexcept {
    free_it(that);
  }
};
using SslContextPtr = std::unique_ptr<SSL_CTX, OpenSslDeleter<&SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpenSslDeleter<&SSL_free>>;

/// What both roles ask of TLS. Null: no memory.
[[nodiscard]] SslContextPtr make_ssl_context();

/// What the first error in OpenSSL's queue says, and empties the queue.
[[nodiscard]] std::string take_openssl_error();

/// @param ssl   with its role set; null: no memory
[[nodiscard]] std::unique_ptr<TlsEngine> make_openssl_engine(SslPtr ssl);

}  // namespace muster::asio
