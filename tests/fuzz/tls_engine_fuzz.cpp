// SPDX-License-Identifier: MIT
// Fuzzes a server's and a client's TLS engine with raw bytes, cut anyhow: they say what they think
// of it, use all of it, and what they answer stays small.
//
// Byte 0: seed of the cuts. What follows is the stream.
#include "../lib/asio/tls_engine.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "support/require.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace {

using muster::asio::TlsClientContext;
using muster::asio::TlsEngine;
using muster::asio::TlsServerContext;
using test::require;

struct Contexts {
  Contexts() {
    std::string certificate_file = "/tmp/muster-fuzz-XXXXXX";
    const int fd = ::mkstemp(certificate_file.data());
    std::FILE* const file = ::fdopen(fd, "w");
    require(file != nullptr);
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600);
    X509_set_pubkey(certificate, key);
    require(X509_sign(certificate, key, EVP_sha256()) != 0);
    require(PEM_write_X509(file, certificate) == 1);
    require(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    std::string problem;
    require(!server.load(certificate_file, certificate_file, problem));
    require(!client.load({.is_insecure = true}, problem));
    ::unlink(certificate_file.c_str());
  }
  TlsServerContext server;
  TlsClientContext client;
};

void drive(TlsEngine& engine, const std::uint8_t* data, std::size_t size, std::uint32_t state) {
  std::array<std::byte, 1000> out;
  bool is_over = false;
  muster::byte_view nothing;
  engine.read(nothing, out);
  while (size != 0) {
    state = state * 1664525U + 1013904223U;
    const std::size_t count = std::min<std::size_t>(size, 1 + (state >> 20U));
    const std::string piece(reinterpret_cast<const char*>(data), count);
    data += count;
    size -= count;
    muster::byte_view input = muster::as_bytes(piece);
    TlsEngine::Read read;
    do {
      read = engine.read(input, out);
      require(read.size <= out.size());
    } while (read.state == TlsEngine::State::has_more);
    require(input.empty());
    require(!is_over || read.state == TlsEngine::State::failed);
    is_over = read.state == TlsEngine::State::failed;
    require(is_over == !engine.problem().empty());
    require(engine.output().size() < 64 * 1024);
  }
  engine.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Contexts contexts;
  if (size < 1) return 0;
  drive(*contexts.server.impl().make_engine(), data + 1, size - 1, data[0]);
  drive(*contexts.client.impl().make_engine("game.example"), data + 1, size - 1, data[0]);
  return 0;
}
