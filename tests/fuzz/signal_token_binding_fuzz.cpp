// SPDX-License-Identifier: MIT
// Fuzzes frames with a proof, and the canonical form of JSON, with nlohmann::json as the judge.
// Each input is a text and a binary frame, as it is, and a text that is signed as a client would.
#include "../lib/base64.hpp"
#include "../lib/signal/client_message.hpp"
#include "../lib/signal/token_binding.hpp"

#include <muster/mac.hpp>
#include <muster/wire/byte_writer.hpp>

#include "support/json_oracle.hpp"
#include "support/require.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace muster;
using nlohmann::json;
using signal::ProofVerdict;
using Bytes = std::vector<std::byte>;
using test::require;

constexpr std::array<std::byte, 32> nonce{};
constexpr std::string_view key = "AAAAAAAAAAAAAAAAAAAAAA==";

// As the library derives it.
Mac::Tag session_key(Mac& mac) {
  const std::array<std::byte, 16> secret{};
  Bytes info;
  wire::ByteWriter writer{info};
  writer.text("signalfish.tokenbinding.v2/session-key");
  writer.u8(1);
  return mac.tag(mac.tag(nonce, secret), info);
}

std::string signed_text(Mac& mac, std::string_view object, byte_view canonical) {
  Bytes bytes;
  wire::ByteWriter writer{bytes};
  writer.text({"signalfish.tokenbinding.v2\0json\0", 32});
  writer.u64_be(1);
  writer.bytes(canonical);
  const std::string proof =
      R"("token_binding":{"version":2,"scheme":"server_nonce_hkdf_sha256","sequence":1,)"
      R"("signature":")" +
      encode_base64(mac.tag(session_key(mac), bytes), Base64::padded) + "\"}";
  const std::size_t begin = object.find('{') + 1;
  const bool is_empty = object.find_first_not_of(" \t\r\n", begin) == object.rfind('}');
  return std::string{object.substr(0, begin)} + proof + (is_empty ? "" : ",") +
         std::string{object.substr(begin)};
}

void check_canonical(Mac& mac, byte_view text) {
  signal::CanonicalJson canonical;
  Bytes out;
  std::optional<wire::JsonElement> left_out;
  const std::error_code error = canonical.append(text, out, "token_binding", left_out);
  if (!test::is_json(as_text(text))) return require(static_cast<bool>(error));
  if (error) return;
  json value = json::parse(as_text(text));
  const bool has_proof = left_out.has_value();
  require(value.is_object() && has_proof == value.contains("token_binding"));
  if (has_proof) value.erase("token_binding");
  require(json::parse(as_text(out)) == value);
  require(out.size() <= text.size() * 6 + 2);

  Bytes again;
  require(!canonical.append(out, again, "token_binding", left_out));
  require(again == out);

  require(!left_out);

  if (has_proof) return;
  if (test::json_depth(as_text(text)) > signal::max_message_depth) return;
  auto binding = signal::TokenBinding::open(mac, nonce, key, "").value();
  signal::ProofBuffer buffer;
  const std::string frame = signed_text(mac, as_text(text), out);
  require(binding.check_text(as_bytes(frame), buffer) == ProofVerdict::valid);
  require(binding.check_text(as_bytes(frame), buffer) == ProofVerdict::bad_sequence);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const byte_view bytes = std::as_bytes(std::span{copy});
  WeakMac mac;
  check_canonical(mac, bytes);

  auto binding = signal::TokenBinding::open(mac, nonce, key, "").value();
  signal::ProofBuffer buffer;
  byte_view payload;
  if (binding.check_binary(bytes, payload, buffer) == ProofVerdict::valid) {
    require(binding.check_binary(bytes, payload, buffer) == ProofVerdict::bad_sequence);
  }
  if (binding.check_text(bytes, buffer) == ProofVerdict::malformed) return 0;
  require(test::is_json(as_text(bytes)));
  return 0;
}
