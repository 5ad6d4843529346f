// SPDX-License-Identifier: MIT
// Token binding, version 2: the vectors, and what each kind of wrong frame is told.
#include "../lib/base64.hpp"
#include "../lib/signal/canonical_json.hpp"
#include "../lib/signal/client_message.hpp"
#include "../lib/signal/token_binding.hpp"

#include <muster/asio/hmac_sha256.hpp>

#include "support/catch.hpp"
#include "support/signal_messages.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace signal = muster::signal;
using muster::as_bytes;
using muster::as_text;
using muster::Base64;
using muster::byte_view;
using nlohmann::json;
using signal::ProofVerdict;

namespace {

const json& vectors() {
  static const json loaded = test::load_vectors("signal_vectors.json").at("token_binding_v2");
  return loaded;
}

std::array<std::byte, 32> nonce_of(std::string_view text) {
  std::array<std::byte, 32> nonce{};
  REQUIRE(muster::decode_base64(text, Base64::padded, nonce) == nonce.size());
  return nonce;
}

std::string canonical(std::string_view text, bool* is_valid = nullptr) {
  signal::CanonicalJson canonical_json;
  std::vector<std::byte> out;
  std::optional<muster::wire::JsonElement> left_out;
  const bool good = !canonical_json.append(as_bytes(text), out, "token_binding", left_out);
  if (is_valid != nullptr) *is_valid = good;
  return std::string{as_text(out)};
}

// A server's side of the vectors' connection, and a client that knows its key.
struct Connection {
  explicit Connection(std::string fingerprint = {})
      : binding(signal::TokenBinding::open(
                    mac,
                    nonce_of(vectors().at("challenge").at("data").at("nonce").get<std::string>()),
                    vectors().at("sec_websocket_key").get<std::string>(), std::move(fingerprint))
                    .value()) {}

  json proof(std::string_view domain, int sequence, byte_view payload,
             std::optional<std::string> fingerprint = std::nullopt) {
    std::vector<std::byte> bytes;
    muster::wire::ByteWriter writer{bytes};
    writer.text("signalfish.tokenbinding.v2");
    writer.u8(0);
    writer.text(domain);
    writer.u8(0);
    writer.u64_be(static_cast<std::uint64_t>(sequence));
    writer.bytes(payload);
    writer.text(fingerprint.value_or(""));
    const auto key = test::from_hex(vectors().at("session_key_hex").get<std::string>());
    json value{{"version", 2},
               {"scheme", "server_nonce_hkdf_sha256"},
               {"sequence", sequence},
               {"signature", muster::encode_base64(mac.tag(key, bytes), Base64::padded)},
               {"fingerprint", nullptr}};
    if (fingerprint) value["fingerprint"] = *fingerprint;
    return value;
  }

  json signed_text(int sequence, json message,
                   std::optional<std::string> fingerprint = std::nullopt) {
    const std::string payload = canonical(message.dump());
    message["token_binding"] = proof("json", sequence, as_bytes(payload), std::move(fingerprint));
    return message;
  }

  ProofVerdict check(const json& message) { return check(message.dump()); }
  ProofVerdict check(const std::string& text) { return binding.check_text(as_bytes(text), buffer); }
  ProofVerdict check_binary(byte_view frame) {
    return binding.check_binary(frame, received, buffer);
  }

  muster::asio::HmacSha256 mac;
  signal::TokenBinding binding;
  signal::ProofBuffer buffer;
  byte_view received;
};

const json ping{{"type", "Ping"}};

std::vector<std::byte> envelope(const json& proof, const std::vector<std::byte>& payload) {
  std::vector<std::uint8_t> octets;
  for (const std::byte byte : payload) octets.push_back(std::to_integer<std::uint8_t>(byte));
  const json frame{{"token_binding", proof}, {"payload", json::binary(octets)}};
  std::vector<std::byte> bytes;
  for (const std::uint8_t octet : json::to_msgpack(frame)) bytes.push_back(std::byte{octet});
  return bytes;
}

}  // namespace

TEST_CASE("signal token binding: the vectors' frames are valid, in their order",
          "[signal][token_binding][vectors]") {
  Connection connection;
  CHECK(connection.binding.nonce() == vectors().at("challenge").at("data").at("nonce"));
  CHECK(signal::TokenBinding::subprotocol == vectors().at("subprotocol"));
  const json& text = vectors().at("json").at("signed_frame");
  CHECK(connection.check(text) == ProofVerdict::valid);
  const auto message = signal::read_client_message(as_bytes(text.dump()));
  REQUIRE(message);  // the proof is no member that it knows
  CHECK(std::get<signal::AuthorityRequest>(*message).become_authority);

  const json& binary = vectors().at("binary");
  const auto frame = test::from_hex(binary.at("envelope_hex").get<std::string>());
  CHECK(connection.check_binary(frame) == ProofVerdict::valid);
  CHECK(test::to_hex(connection.received) == binary.at("payload_hex"));
  CHECK(connection.check(connection.signed_text(3, ping)) == ProofVerdict::valid);
}

TEST_CASE("signal token binding: a proof that names a fingerprint covers it",
          "[signal][token_binding][vectors]") {
  const json& vector = vectors().at("json_with_fingerprint");
  const auto fingerprint = vector.at("fingerprint").get<std::string>();
  json message = vectors().at("json").at("signed_frame");
  message["token_binding"]["signature"] = vector.at("signature_b64");
  message["token_binding"]["fingerprint"] = fingerprint;
  Connection demanding{fingerprint};
  CHECK(demanding.check(message) == ProofVerdict::valid);
  Connection connection;
  CHECK(connection.check(message) == ProofVerdict::valid);
  Connection altered;
  message["token_binding"]["fingerprint"] = std::string(64, '0');
  CHECK(altered.check(message) == ProofVerdict::bad_signature);
}

TEST_CASE("signal token binding: canonical JSON", "[signal][token_binding][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("canonicalization_cases")) {
    ++count;
    const auto text = vector.at("in").get<std::string>();
    INFO(text);
    bool is_valid = false;
    const std::string out = canonical(text, &is_valid);
    CHECK(is_valid == !vector.contains("error"));
    if (vector.contains("out")) CHECK(out == vector.at("out"));
    if (vector.contains("out_key_order")) CHECK(out == "{\"\U0001F600\":1,\"\uFF61\":2}");
  }
  CHECK(count == 7);
  CHECK(canonical(vectors().at("json").at("signed_frame").dump()) ==
        vectors().at("json").at("canonical_text"));
}

TEST_CASE("signal token binding: canonical JSON has one order and one form for all that is equal",
          "[signal][token_binding]") {
  CHECK(canonical(R"( { "b" : [ ] , "\u0061" : { } , "" : "\/\u001f\u0041\"\\\n" } )") ==
        "{\"\":\"/\\u001fA\\\"\\\\\\n\",\"a\":{},\"b\":[]}");
  CHECK(canonical(R"({"ab":1,"a":2,"a\u0000":3})") == R"({"a":2,"a\u0000":3,"ab":1})");
  CHECK(canonical("{\"\uE000\":1,\"\U00010000\":2,\"\u00E9\":3,\"\uD7FF\":4}") ==
        "{\"\u00E9\":3,\"\uD7FF\":4,\"\U00010000\":2,\"\uE000\":1}");
  CHECK(canonical(R"({"x":[9007199254740991,-9007199254740991,0]})") ==
        R"({"x":[9007199254740991,-9007199254740991,0]})");
  CHECK(canonical(R"({"x":[{"b":[{"d":1,"c":2}],"a":0},null]})") ==
        R"({"x":[{"a":0,"b":[{"c":2,"d":1}]},null]})");
  for (const char* value : {R"({"a":1,"\u0061":2})", R"([{"x":{"a":1,"b":2,"a":3}}])", "0.0", "1E2",
                            "-9007199254740992", "99999999999999999999", "-0"}) {
    INFO(value);
    bool is_valid = true;
    (void)canonical(R"({"x":)" + std::string{value} + "}", &is_valid);
    CHECK_FALSE(is_valid);
  }
}

TEST_CASE("signal token binding: a number is used once, and none is passed over",
          "[signal][token_binding]") {
  Connection connection;
  CHECK(connection.check(connection.signed_text(2, ping)) == ProofVerdict::bad_sequence);
  CHECK(connection.check(connection.signed_text(0, ping)) == ProofVerdict::bad_sequence);
  const json first = connection.signed_text(1, ping);
  CHECK(connection.check(first) == ProofVerdict::valid);
  CHECK(connection.check(first) == ProofVerdict::bad_sequence);
  CHECK(connection.check(connection.signed_text(3, ping)) == ProofVerdict::bad_sequence);
  CHECK(connection.check(connection.signed_text(2, ping)) == ProofVerdict::valid);
}

TEST_CASE("signal token binding: a frame that is altered, or another connection's, has no proof",
          "[signal][token_binding]") {
  Connection connection;
  json message = connection.signed_text(1, ping);
  message["type"] = "Pong";
  CHECK(connection.check(message) == ProofVerdict::bad_signature);
  message = connection.signed_text(1, ping);
  message["extra"] = 1;
  CHECK(connection.check(message) == ProofVerdict::bad_signature);
  for (const char* signature :
       {"", "AAAA", "not base64", "qAEwVMxmW4JrvH/TH/QNBG5RMd3jfPJa8giAerhUDUp="}) {
    message = connection.signed_text(1, ping);
    message["token_binding"]["signature"] = signature;
    CHECK(connection.check(message) == ProofVerdict::bad_signature);
  }
  // What is signed as a text is no binary frame.
  const auto payload = test::from_hex("82a166");
  const json proof = connection.proof("json", 1, payload);
  CHECK(connection.check_binary(envelope(proof, payload)) == ProofVerdict::bad_signature);

  std::array<std::byte, 32> nonce{};
  auto other = signal::TokenBinding::open(connection.mac, nonce,
                                          vectors().at("sec_websocket_key").get<std::string>(), "");
  REQUIRE(other);
  const std::string text = connection.signed_text(1, ping).dump();
  CHECK(other->check_text(as_bytes(text), connection.buffer) == ProofVerdict::bad_signature);
  // None of them has used up the number.
  CHECK(connection.check(text) == ProofVerdict::valid);
}

TEST_CASE("signal token binding: a proof of another shape is none", "[signal][token_binding]") {
  Connection connection;
  CHECK(connection.check(ping) == ProofVerdict::missing);
  for (const char* proof : {"null", "[]", "7", "{}", R"("x")"}) {
    json message = ping;
    message["token_binding"] = json::parse(proof);
    CHECK(connection.check(message) == ProofVerdict::bad_proof);
  }
  const json good = connection.signed_text(1, ping);
  const auto with = [&good](const char* key, const json& value) {
    json message = good;
    message["token_binding"][key] = value;
    return message;
  };
  for (const char* key : {"version", "scheme", "sequence", "signature"}) {
    json message = good;
    message["token_binding"].erase(key);
    CHECK(connection.check(message) == ProofVerdict::bad_proof);
    CHECK(connection.check(with(key, nullptr)) == ProofVerdict::bad_proof);
    CHECK(connection.check(with(key, json::array())) == ProofVerdict::bad_proof);
  }
  CHECK(connection.check(with("sequence", -1)) == ProofVerdict::bad_proof);
  CHECK(connection.check(with("fingerprint", 1)) == ProofVerdict::bad_proof);
  CHECK(connection.check(with("scheme", "sec_websocket_key_sha256")) == ProofVerdict::bad_proof);
  CHECK(connection.check(with("version", 1)) == ProofVerdict::bad_sequence);
  json without = good;
  without["token_binding"].erase("fingerprint");
  CHECK(connection.check(without) == ProofVerdict::valid);
}

TEST_CASE("signal token binding: what is no JSON is malformed, and nothing worse",
          "[signal][token_binding]") {
  Connection connection;
  const json good = connection.signed_text(1, ping);
  const std::string text = good.dump();
  const std::string inner = text.substr(0, text.size() - 1);
  CHECK(connection.check(std::string{"hello"}) == ProofVerdict::malformed);
  CHECK(connection.check(std::string{}) == ProofVerdict::malformed);
  CHECK(connection.check(std::string{"[1]"}) == ProofVerdict::malformed);
  CHECK(connection.check(std::string{"\"\"\n\n"}) == ProofVerdict::malformed);
  CHECK(connection.check(inner) == ProofVerdict::malformed);
  CHECK(connection.check(inner + R"(,"type":"Ping"})") == ProofVerdict::malformed);
  CHECK(connection.check(inner + R"(,"token_binding":{}})") == ProofVerdict::malformed);
  CHECK(connection.check(inner + R"(,"x":1.5})") == ProofVerdict::malformed);
  std::string proof_twice = text;
  proof_twice.replace(proof_twice.find("\"version\""), 0, "\"version\":2,");
  CHECK(connection.check(proof_twice) == ProofVerdict::malformed);
  CHECK(connection.check(inner + R"(,"x":)" + std::string(64, '[') + std::string(64, ']') + "}") ==
        ProofVerdict::malformed);
  CHECK(connection.check(text) == ProofVerdict::valid);
}

TEST_CASE("signal token binding: a certificate that is demanded must be named",
          "[signal][token_binding]") {
  const std::string mine(64, 'a');
  Connection connection{mine};
  CHECK(connection.check(connection.signed_text(1, ping)) == ProofVerdict::fingerprint_required);
  CHECK(connection.check(connection.signed_text(1, ping, std::string(64, 'b'))) ==
        ProofVerdict::fingerprint_mismatch);
  CHECK(connection.check(connection.signed_text(1, ping, "")) ==
        ProofVerdict::fingerprint_mismatch);
  CHECK(connection.check(connection.signed_text(1, ping, mine)) == ProofVerdict::valid);
  const auto payload = test::from_hex("c0");
  CHECK(connection.check_binary(envelope(connection.proof("binary", 2, payload, mine), payload)) ==
        ProofVerdict::valid);
}

TEST_CASE("signal token binding: a binary frame is the envelope and nothing else",
          "[signal][token_binding]") {
  Connection connection;
  const auto payload = test::from_hex("82a166cd04b7");
  const json proof = connection.proof("binary", 1, payload);
  const auto good = envelope(proof, payload);
  CHECK(connection.check_binary(payload) == ProofVerdict::bad_frame);
  CHECK(connection.check_binary({}) == ProofVerdict::bad_frame);
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(connection.check_binary(byte_view{good}.first(size)) == ProofVerdict::bad_frame);
  }
  auto trailing = good;
  trailing.push_back(std::byte{0xC0});
  CHECK(connection.check_binary(trailing) == ProofVerdict::bad_frame);
  for (const char* key : {"version", "scheme", "sequence", "signature"}) {
    json lacking = proof;
    lacking.erase(key);
    CHECK(connection.check_binary(envelope(lacking, payload)) == ProofVerdict::bad_frame);
    json wrong = proof;
    wrong[key] = nullptr;
    CHECK(connection.check_binary(envelope(wrong, payload)) == ProofVerdict::bad_frame);
  }
  json unknown = proof;
  unknown["x"] = 1;
  CHECK(connection.check_binary(envelope(unknown, payload)) == ProofVerdict::bad_frame);
  CHECK(connection.check_binary(envelope(connection.proof("binary", 2, payload), payload)) ==
        ProofVerdict::bad_sequence);
  auto altered = payload;
  altered.back() ^= std::byte{1};
  CHECK(connection.check_binary(envelope(proof, altered)) == ProofVerdict::bad_signature);
  CHECK(connection.check_binary(good) == ProofVerdict::valid);
  CHECK(test::to_hex(connection.received) == test::to_hex(payload));
  CHECK(connection.check_binary(good) == ProofVerdict::bad_sequence);
}

TEST_CASE("signal token binding: a key that is no 16 bytes opens nothing",
          "[signal][token_binding]") {
  muster::asio::HmacSha256 mac;
  const std::array<std::byte, 32> nonce{};
  for (const char* key : {"", "oKGio6SlpqeoqaqrrK2u", "oKGio6SlpqeoqaqrrK2urw",
                          "oKGio6SlpqeoqaqrrK2urx==", "oKGio6SlpqeoqaqrrK2urwAA"}) {
    INFO(key);
    CHECK_FALSE(signal::TokenBinding::open(mac, nonce, key, ""));
  }
  CHECK(signal::TokenBinding::open(mac, nonce, "oKGio6SlpqeoqaqrrK2urw==", ""));
}

TEST_CASE("signal token binding: each violation is told in the original's words",
          "[signal][token_binding][vectors]") {
  constexpr std::array verdicts{
      ProofVerdict::bad_sequence,        ProofVerdict::bad_signature,
      ProofVerdict::bad_proof,           ProofVerdict::missing,
      ProofVerdict::bad_frame,           ProofVerdict::fingerprint_required,
      ProofVerdict::fingerprint_mismatch};
  const json& negative = vectors().at("negative");
  REQUIRE(negative.size() == verdicts.size());
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    CHECK(std::string{to_string(verdicts[i])} == negative[i].at("message"));
  }
  CHECK(to_string(ProofVerdict::malformed) == "Invalid client message");
}
