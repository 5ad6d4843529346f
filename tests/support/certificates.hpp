// SPDX-License-Identifier: MIT
// Certificates that a test makes for itself.
#pragma once

#include "support/catch.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <unistd.h>

namespace test {

/// A directory that is gone with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "muster-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct CertificateFiles {
  std::string certificate;
  std::string key;
};

/// A root that issues certificates into a directory.
class Authority {
 public:
  Authority(const TemporaryDirectory& directory, const std::string& name)
      : directory_(directory), name_(name), key_(make_key()), certificate_(make(name, *key_, 1)) {
    add(*certificate_, NID_basic_constraints, "critical,CA:TRUE");
    REQUIRE(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) != 0);
    write_certificate(ca_file(), *certificate_);
  }

  [[nodiscard]] std::string ca_file() const { return directory_.file(name_ + ".ca.pem"); }

  /// @param names   as in "DNS:localhost,IP:127.0.0.1"
  /// @param days    from now to its end; negative: it has ended
  CertificateFiles issue(const std::string& name, const std::string& names, int days = 1) {
    const auto key = make_key();
    const auto certificate = make(name, *key, days);
    REQUIRE(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get())));
    add(*certificate, NID_subject_alt_name, names);
    REQUIRE(X509_sign(certificate.get(), key_.get(), EVP_sha256()) != 0);
    CertificateFiles files{directory_.file(name + ".pem"), directory_.file(name + ".key")};
    write_certificate(files.certificate, *certificate);
    const File out = open(files.key);
    REQUIRE(PEM_write_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return files;
  }

 private:
  template <auto free_it>
  struct Deleter {
    template <class T>
    void operator()(T* that) const {
      free_it(that);
    }
  };
  using Key = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;
  using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;
  using File = std::unique_ptr<std::FILE, Deleter<&std::fclose>>;

  static Key make_key() {
    Key key{EVP_EC_gen("P-256")};
    REQUIRE(key != nullptr);
    return key;
  }

  static Certificate make(const std::string& name, EVP_PKEY& key, int days) {
    static long serial = 0;
    Certificate made{X509_new()};
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -2L * 24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), days * 24L * 3600);
    X509_set_pubkey(made.get(), &key);
    X509_NAME* const subject = X509_get_subject_name(made.get());
    REQUIRE(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                       0) == 1);
    REQUIRE(X509_set_issuer_name(made.get(), subject) == 1);
    return made;
  }

  static void add(X509& to, int what, const std::string& value) {
    std::unique_ptr<X509_EXTENSION, Deleter<&X509_EXTENSION_free>> extension{
        X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str())};
    REQUIRE(extension != nullptr);
    REQUIRE(X509_add_ext(&to, extension.get(), -1) == 1);
  }

  static File open(const std::string& path) {
    File file{std::fopen(path.c_str(), "w")};
    REQUIRE(file != nullptr);
    return file;
  }

  static void write_certificate(const std::string& path, X509& certificate) {
    const File out = open(path);
    REQUIRE(PEM_write_X509(out.get(), &certificate) == 1);
  }

  const TemporaryDirectory& directory_;
  std::string name_;
  Key key_;
  Certificate certificate_;
};

}  // namespace test
