// SPDX-License-Identifier: MIT
// A server's certificate and key.
#pragma once

#include <muster/export.hpp>

#include <memory>
#include <string>
#include <system_error>

namespace muster::asio {

/// What the TLS connections of one or more servers have in common: TLS 1.2 and 1.3 with forward
/// secrecy, ALPN "http/1.1", session tickets; no compression, no renegotiation.
///
/// It outlives the servers that use it. Connections that are there do not need it.
/// @threads safe: one context may serve the servers of several loops
class MUSTER_API TlsServerContext {
 public:
  TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;
  ~TlsServerContext();

  /// Reads a certificate and its key, now or again: connections that come later get the new
  /// certificate, and those that are there go on. On failure, everything stays as it was.
  ///
  /// Reads the files within the call.
  /// @param certificate_file   PEM: the server's certificate first, then those that lead to a root
  /// @param key_file           PEM, without a passphrase
  /// @param problem            on failure, a sentence for the operator
  /// @error errc::not_found        a file cannot be read
  /// @error errc::bad_syntax       a file does not hold what it should
  /// @error errc::bad_value        the key is not the certificate's, or the certificate too weak
  /// @error errc::invalid_config   this build has no TLS
  [[nodiscard]] std::error_code load(const std::string& certificate_file,
                                     const std::string& key_file, std::string& problem);

  /// Whether a certificate was read. A server does not listen without.
  [[nodiscard]] bool is_loaded() const noexcept;

  class Impl;
  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
