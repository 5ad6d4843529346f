// SPDX-License-Identifier: MIT
// The proof, what it signs, and the key.
#include "token_binding.hpp"

#include <muster/wire/byte_writer.hpp>

#include "../base64.hpp"
#include "json_fields.hpp"
#include "msgpack_reader.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace muster::signal {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view scheme = "server_nonce_hkdf_sha256";
constexpr std::uint64_t version = 2;
// The next number that a JSON parser would not keep exactly.
constexpr std::uint64_t end_of_sequence = std::uint64_t{1} << 53;

// What is signed begins with it, so that no text can stand for a binary frame.
constexpr std::string_view text_domain = "signalfish.tokenbinding.v2\0json\0"sv;
constexpr std::string_view binary_domain = "signalfish.tokenbinding.v2\0binary\0"sv;
constexpr std::string_view key_label = "signalfish.tokenbinding.v2/session-key";

// HKDF for one block (RFC 5869 sections 2.2 and 2.3).
Mac::Tag derive_key(Mac& mac, byte_view salt, byte_view secret, std::string_view label) {
  const Mac::Tag extracted = mac.tag(salt, secret);
  std::vector<std::byte> info;
  wire::ByteWriter writer{info};
  writer.text(label);
  writer.u8(1);
  return mac.tag(extracted, info);
}

// Puts in front of what is signed what is the same for all of its kind, and room for the number.
void begin(std::vector<std::byte>& signed_bytes, std::string_view domain) {
  signed_bytes.clear();
  wire::ByteWriter writer{signed_bytes};
  writer.text(domain);
  writer.u64_be(0);
}

void set_sequence(std::vector<std::byte>& signed_bytes, std::string_view domain,
                  std::uint64_t sequence) {
  wire::ByteWriter writer{mutable_byte_view{signed_bytes}.subspan(domain.size(), 8)};
  writer.u64_be(sequence);
}

}  // namespace

// A proof whose fields have the right types. Views are into the frame, or into the buffers.
struct TokenBinding::Proof {
  std::uint64_t version = 0;
  std::uint64_t sequence = 0;
  std::string_view signature;
  std::optional<std::string_view> fingerprint;

  std::array<char, 64> signature_buffer{};
  std::array<char, 128> fingerprint_buffer{};

  bool read_json(const wire::JsonElement& json);
  bool read_msgpack(MsgpackReader& in);
};

bool TokenBinding::Proof::read_json(const wire::JsonElement& json) {
  std::string_view raw_scheme;
  std::string_view raw_signature;
  std::optional<std::string_view> raw_fingerprint;
  if (!read_object(json.value, wire::JsonScanner::depth_limit, required("version", version),
                   required("scheme", raw_scheme), required("sequence", sequence),
                   required("signature", raw_signature),
                   optional("fingerprint", raw_fingerprint))) {
    return false;
  }
  std::array<char, 64> scheme_buffer;
  signature = short_text(raw_signature, signature_buffer);
  if (raw_fingerprint) fingerprint = short_text(*raw_fingerprint, fingerprint_buffer);
  return short_text(raw_scheme, scheme_buffer) == scheme;
}

bool TokenBinding::Proof::read_msgpack(MsgpackReader& in) {
  enum Field : unsigned { has_version = 1, has_scheme = 2, has_sequence = 4, has_signature = 8 };
  constexpr unsigned all = has_version | has_scheme | has_sequence | has_signature;
  unsigned seen = 0;
  bool has_fingerprint = false;
  const std::uint32_t count = in.map();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = in.text();
    unsigned field = 0;
    if (name == "version") {
      field = has_version;
      version = in.natural();
    } else if (name == "scheme") {
      field = has_scheme;
      if (in.text() != scheme) return false;
    } else if (name == "sequence") {
      field = has_sequence;
      sequence = in.natural();
    } else if (name == "signature") {
      field = has_signature;
      signature = in.text();
    } else if (name == "fingerprint" && !has_fingerprint) {
      has_fingerprint = true;
      if (!in.take_nil()) fingerprint = in.text();
    } else {
      return false;
    }
    if ((seen & field) != 0) return false;
    seen |= field;
  }
  return in.ok() && seen == all;
}

std::string_view to_string(ProofVerdict verdict) noexcept {
  switch (verdict) {
    case ProofVerdict::valid:
      return "";
    case ProofVerdict::malformed:
      return "Invalid client message";
    case ProofVerdict::missing:
      return "Token binding proof missing";
    case ProofVerdict::bad_proof:
      return "Invalid token binding proof";
    case ProofVerdict::bad_frame:
      return "Invalid token-bound binary frame";
    case ProofVerdict::bad_sequence:
      return "Invalid token binding version or sequence";
    case ProofVerdict::bad_signature:
      return "Invalid token binding signature";
    case ProofVerdict::fingerprint_required:
      return "Client fingerprint required";
    case ProofVerdict::fingerprint_mismatch:
      return "Client fingerprint mismatch";
  }
  return "";
}

TokenBinding::TokenBinding(Mac& mac, std::string nonce, std::string fingerprint) noexcept
    : mac_(&mac), nonce_(std::move(nonce)), fingerprint_(std::move(fingerprint)) {}

std::optional<TokenBinding> TokenBinding::open(Mac& mac,
                                               const std::array<std::byte, nonce_size>& nonce,
                                               std::string_view key, std::string fingerprint) {
  std::array<std::byte, 16> secret;
  if (decode_base64(key, Base64::padded, secret) != secret.size()) return std::nullopt;
  TokenBinding binding{mac, encode_base64(nonce, Base64::padded), std::move(fingerprint)};
  binding.key_ = derive_key(mac, nonce, secret, key_label);
  return binding;
}

ProofVerdict TokenBinding::check_text(byte_view text, ProofBuffer& buffer) {
  begin(buffer.signed_bytes, text_domain);
  std::optional<wire::JsonElement> json;
  if (buffer.canonical.append(text, buffer.signed_bytes, "token_binding", json)) {
    return ProofVerdict::malformed;
  }
  if (!json) return ProofVerdict::missing;
  Proof proof;
  if (!proof.read_json(*json)) return ProofVerdict::bad_proof;
  set_sequence(buffer.signed_bytes, text_domain, proof.sequence);
  return check(proof, buffer.signed_bytes);
}

ProofVerdict TokenBinding::check_binary(byte_view frame, byte_view& payload, ProofBuffer& buffer) {
  MsgpackReader in{frame};
  Proof proof;
  bool has_proof = false;
  bool has_payload = false;
  if (in.map() != 2) return ProofVerdict::bad_frame;
  for (int i = 0; i < 2; ++i) {
    const std::string_view name = in.text();
    if (name == "token_binding" && !has_proof) {
      has_proof = true;
      if (!proof.read_msgpack(in)) return ProofVerdict::bad_frame;
    } else if (name == "payload" && !has_payload) {
      has_payload = true;
      payload = in.binary();
    } else {
      return ProofVerdict::bad_frame;
    }
  }
  if (!in.ok() || !in.is_at_end()) return ProofVerdict::bad_frame;
  begin(buffer.signed_bytes, binary_domain);
  wire::ByteWriter{buffer.signed_bytes}.bytes(payload);
  set_sequence(buffer.signed_bytes, binary_domain, proof.sequence);
  return check(proof, buffer.signed_bytes);
}

// In the order of the original.
ProofVerdict TokenBinding::check(const Proof& proof, std::vector<std::byte>& signed_bytes) {
  if (proof.version != version) return ProofVerdict::bad_sequence;
  if (!fingerprint_.empty()) {
    if (!proof.fingerprint) return ProofVerdict::fingerprint_required;
    if (!equal_in_constant_time(as_bytes(fingerprint_), as_bytes(*proof.fingerprint))) {
      return ProofVerdict::fingerprint_mismatch;
    }
  }
  if (proof.sequence != next_sequence_ || next_sequence_ == end_of_sequence) {
    return ProofVerdict::bad_sequence;
  }
  if (proof.fingerprint) wire::ByteWriter{signed_bytes}.text(*proof.fingerprint);
  Mac::Tag signature{};
  if (decode_base64(proof.signature, Base64::padded, signature) != signature.size() ||
      !equal_in_constant_time(mac_->tag(key_, signed_bytes), signature)) {
    return ProofVerdict::bad_signature;
  }
  ++next_sequence_;
  return ProofVerdict::valid;
}

}  // namespace muster::signal
