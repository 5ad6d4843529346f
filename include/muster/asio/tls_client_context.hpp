// SPDX-License-Identifier: MIT
// Whom a client trusts.
#pragma once

#include <muster/export.hpp>

#include <memory>
#include <string>
#include <system_error>

namespace muster::asio {

/// How a client checks the servers that it reaches by wss://. TLS 1.2 and 1.3.
///
/// A server must have a certificate that leads to a trusted root and names the host of the URL.
/// @threads safe once it is loaded: several clients may use it
class MUSTER_API TlsClientContext {
 public:
  struct Config {
    /// PEM: the roots that are trusted. Empty: the system's.
    std::string ca_file{};

    /// Checks nothing: whoever answers is taken for the server, and may read and change everything.
    /// For experiments on one machine.
    bool is_insecure = false;
  };

  TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;
  ~TlsClientContext();

  /// Reads the roots. On failure, everything stays as it was. Not while a client uses it.
  /// @param problem   on failure, a sentence for the operator
  /// @error errc::not_found        the file cannot be read
  /// @error errc::bad_syntax       the file holds no certificate
  /// @error errc::invalid_config   this build has no TLS
  [[nodiscard]] std::error_code load(const Config& config, std::string& problem);

  [[nodiscard]] bool is_loaded() const noexcept;

  class Impl;
  [[nodiscard]] const Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
