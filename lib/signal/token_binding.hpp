// SPDX-License-Identifier: MIT
// Proof that each frame of a connection comes from who opened it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/mac.hpp>

#include "canonical_json.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::signal {

/// What a frame with a proof is found to be.
enum class ProofVerdict : std::uint8_t {
  valid,
  malformed,  ///< no message at all; the connection goes on, and the next number is as it was
  missing,
  bad_proof,     ///< of another shape
  bad_frame,     ///< binary, and not what it must be
  bad_sequence,  ///< of another version, or not the next number
  bad_signature,
  fingerprint_required,
  fingerprint_mismatch,
};

/// What a client is told, with the error code UNAUTHORIZED, before it is closed; for `malformed`
/// with INVALID_INPUT.
[[nodiscard]] std::string_view to_string(ProofVerdict verdict) noexcept;

/// Memory for checking that connections of one loop share.
struct ProofBuffer {
  CanonicalJson canonical;
  std::vector<std::byte> signed_bytes;
};

/// One connection's side of token binding, version 2: the key that it and its client derive from
/// what they said while it was opened, and the number that the next frame must have.
/// @threads       distinct objects: safe; shared objects: unsafe
/// @source        docs/protocol/signal.md, "Token binding"; RFC 5869
class TokenBinding {
 public:
  static constexpr std::string_view subprotocol = "signalfish.tokenbinding.v2";
  static constexpr std::size_t nonce_size = 32;

  /// @param mac          HMAC-SHA-256; must outlive the object
  /// @param key          the value of Sec-WebSocket-Key
  /// @param fingerprint  of the certificate that each proof must name, in lower case; empty: none
  /// @return             nothing: the key is no 16 bytes in base64
  [[nodiscard]] static std::optional<TokenBinding> open(
      Mac& mac, const std::array<std::byte, nonce_size>& nonce, std::string_view key,
      std::string fingerprint);

  /// It is on another loop now, which has one of its own.
  void use(Mac& mac) noexcept { mac_ = &mac; }

  /// For TokenBindingChallenge, the first message of the connection.
  [[nodiscard]] const std::string& nonce() const noexcept { return nonce_; }

  /// Checks a text frame: a message with the member `token_binding`, which a reader of messages
  /// passes over. A frame that is valid uses up its number.
  [[nodiscard]] ProofVerdict check_text(byte_view text, ProofBuffer& buffer);

  /// The same for a binary frame.
  /// @param payload   what the client sends, if it is valid: a view into the frame
  [[nodiscard]] ProofVerdict check_binary(byte_view frame, byte_view& payload, ProofBuffer& buffer);

 private:
  struct Proof;

  TokenBinding(Mac& mac, std::string nonce, std::string fingerprint) noexcept;

  [[nodiscard]] ProofVerdict check(const Proof& proof, std::vector<std::byte>& signed_bytes);

  Mac* mac_;
  Mac::Tag key_{};
  std::string nonce_;
  std::string fingerprint_;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace muster::signal
