// SPDX-License-Identifier: MIT
// OpenSSL between two byte buffers.
#include "openssl_engine.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace muster::asio {

namespace {

class OpenSslEngine final : public TlsEngine {
 public:
  OpenSslEngine(SslPtr ssl, BIO* bio) noexcept : ssl_(std::move(ssl)) {
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);  // takes the one reference
  }

  Read read(byte_view& input, mutable_byte_view out) noexcept override {
    input_ = input;
    const Read result = read_records(out);
    input = input_;
    input_ = {};
    return result;
  }

  bool write(byte_view plain) noexcept override {
    if (plain.empty()) return true;
    if (has_failed_ || !may_write()) return false;
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) == 1) return true;
    fail(SSL_get_error(ssl_.get(), 0));
    return false;
  }

  void finish() noexcept override {
    if (has_failed_ || !may_write() || (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0)
      return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }

  [[nodiscard]] bool may_write() const noexcept override {
    return SSL_is_init_finished(ssl_.get()) != 0;
  }

  // Called by OpenSSL.

  std::size_t take_input(char* out, std::size_t size) noexcept {
    const std::size_t count = std::min(size, input_.size());
    if (count != 0) std::memcpy(out, input_.data(), count);
    input_ = input_.subspan(count);
    return count;
  }

  void add_output(const char* bytes, std::size_t size) noexcept {
    const auto* const begin = reinterpret_cast<const std::byte*>(bytes);
    output_.insert(output_.end(), begin, begin + size);
  }

 private:
  // Several records are read into one stretch, so that a session gets as much as a plain one does.
  Read read_records(mutable_byte_view out) noexcept {
    if (has_failed_) {
      input_ = {};
      return {State::failed, 0};
    }
    std::size_t size = 0;
    while (size < out.size()) {
      ERR_clear_error();
      std::size_t count = 0;
      const int result = SSL_read_ex(ssl_.get(), out.data() + size, out.size() - size, &count);
      if (result == 1) {
        size += count;
        continue;
      }
      const int error = SSL_get_error(ssl_.get(), result);
      if (error == SSL_ERROR_WANT_READ) return {State::wants_input, size};
      if (error == SSL_ERROR_ZERO_RETURN) {
        input_ = {};  // what follows the end is nothing
        return {State::ended, size};
      }
      fail(error);
      return {State::failed, size};
    }
    return {State::has_more, size};
  }

  void fail(int error) {
    has_failed_ = true;
    input_ = {};
    const long verified = SSL_get_verify_result(ssl_.get());
    if (SSL_is_server(ssl_.get()) == 0 && verified != X509_V_OK &&
        (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0) {
      problem_ = "the server's certificate is not accepted: ";
      problem_ += X509_verify_cert_error_string(verified);
    } else if (const int reason = ERR_GET_REASON(ERR_peek_error());
               reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
               reason == SSL_R_HTTPS_PROXY_REQUEST) {
      problem_ = "the peer does not speak TLS";
    } else {
      problem_ = error == SSL_ERROR_SSL ? "TLS: " + take_openssl_error() : "TLS: no further";
    }
    ERR_clear_error();
  }

  SslPtr ssl_;
  byte_view input_;  // during `read`
  bool has_failed_ = false;
};

OpenSslEngine& engine_of(BIO* bio) noexcept {
  return *static_cast<OpenSslEngine*>(BIO_get_data(bio));
}

int read_bio(BIO* bio, char* out, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(bio);
  *done = engine_of(bio).take_input(out, size);
  if (*done != 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int write_bio(BIO* bio, const char* bytes, std::size_t size, std::size_t* done) {
  engine_of(bio).add_output(bytes, size);
  *done = size;
  return 1;
}

long control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// A memory BIO would copy what it is given; this one reads from where the socket's bytes lie, and
// writes to where they are sent from. It lives as long as the process.
const BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "muster");
    if (made != nullptr) {
      BIO_meth_set_read_ex(made, read_bio);
      BIO_meth_set_write_ex(made, write_bio);
      BIO_meth_set_ctrl(made, control_bio);
    }
    return made;
  }();
  return method;
}

}  // namespace

SslContextPtr make_ssl_context() {
  SslContextPtr context{SSL_CTX_new(TLS_method())};
  SSL_CTX* const it = context.get();
  if (it == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(it, TLS1_2_VERSION);
  SSL_CTX_set_options(it, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325 section 4.2); all of
  // TLS 1.3's are of that kind.
  if (SSL_CTX_set_cipher_list(it, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) return nullptr;
  // An idle connection has no buffers.
  SSL_CTX_set_mode(it, SSL_MODE_RELEASE_BUFFERS);
  // Tickets are kept by the clients, so that sessions cost a server nothing.
  SSL_CTX_set_session_cache_mode(it, SSL_SESS_CACHE_OFF);
  // OpenSSL would ask on the terminal.
  SSL_CTX_set_default_passwd_cb(it, [](char*, int, int, void*) { return -1; });
  return context;
}

std::string take_openssl_error() {
  const unsigned long error = ERR_peek_error();
  const char* const text = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return text == nullptr ? "unknown error" : text;
}

std::unique_ptr<TlsEngine> make_openssl_engine(SslPtr ssl) {
  if (ssl == nullptr || bio_method() == nullptr) return nullptr;
  BIO* const bio = BIO_new(bio_method());
  if (bio == nullptr) return nullptr;
  return std::make_unique<OpenSslEngine>(std::move(ssl), bio);
}

}  // namespace muster::asio
