// SPDX-License-Identifier: MIT
// Envelopes: the golden vectors, by default and with the original's leniency.
#include <muster/shard/envelope.hpp>

#include "support/catch.hpp"
#include "support/heap_count.hpp"
#include "support/json_oracle.hpp"
#include "support/vectors.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

using muster::as_bytes;
using muster::as_text;
using muster::byte_view;
using muster::shard::Envelope;
using muster::shard::EnvelopeDecoder;
using muster::shard::EnvelopeError;
using muster::shard::EnvelopeRules;

namespace {

std::vector<std::byte> message_of(const nlohmann::json& vector) {
  if (vector.contains("hex")) return test::from_hex(vector.at("hex").get<std::string>());
  const auto text = vector.at("text").get<std::string>();
  const byte_view bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

// The vectors say in words what is in the deepest one.
nlohmann::json expected_input(const nlohmann::json& outcome) {
  if (outcome.at("input") == "126 nested arrays (127 levels with the envelope)") {
    return nlohmann::json::parse(std::string(126, '[') + std::string(126, ']'));
  }
  return outcome.at("input");
}

void check_outcome(EnvelopeDecoder& decoder, byte_view message, const nlohmann::json& outcome) {
  Envelope envelope;
  const EnvelopeError error = decoder.decode(message, envelope);
  CAPTURE(to_string(error));
  REQUIRE((error == EnvelopeError::none) == outcome.at("accepted").get<bool>());
  if (error != EnvelopeError::none) {
    if (outcome.contains("code")) CHECK(to_string(error) == outcome.at("code"));
    return;
  }
  CHECK(nlohmann::json::parse(as_text(envelope.input)) == expected_input(outcome));
  const auto client_seq = outcome.value("client_seq", nlohmann::json{});
  if (client_seq.is_null()) {
    CHECK_FALSE(envelope.client_seq);
  } else {
    CHECK(envelope.client_seq == client_seq.get<std::uint64_t>());
  }
}

EnvelopeError error_of(std::string_view text, const EnvelopeRules& rules = {}) {
  EnvelopeDecoder decoder{rules};
  Envelope envelope;
  return decoder.decode(as_bytes(text), envelope);
}

}  // namespace

TEST_CASE("envelope: the golden vectors, by default", "[shard][envelope]") {
  EnvelopeDecoder decoder;
  const auto vectors = test::load_vectors("shard_vectors.json").at("envelope");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump(-1, ' ', true).substr(0, 400));
    const auto& ours = vector.at("ours");
    check_outcome(decoder, message_of(vector), ours == "same" ? vector.at("seed") : ours);
  }
}

TEST_CASE("envelope: the golden vectors, as the original", "[shard][envelope]") {
  EnvelopeDecoder decoder{EnvelopeRules::original()};
  const auto vectors = test::load_vectors("shard_vectors.json").at("envelope");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump(-1, ' ', true).substr(0, 400));
    check_outcome(decoder, message_of(vector), vector.at("seed"));
  }
}

TEST_CASE("envelope: escaped names are the same names", "[shard][envelope]") {
  EnvelopeDecoder decoder;
  Envelope envelope;
  REQUIRE(decoder.decode(as_bytes("{\"\\u0069nput\":[1],\"client\\u005fseq\":3,\"x\":{}}"),
                         envelope) == EnvelopeError::none);
  CHECK(as_text(envelope.input) == "[1]");
  CHECK(envelope.client_seq == 3U);
}

TEST_CASE("envelope: of equal names the last counts", "[shard][envelope]") {
  EnvelopeDecoder decoder;
  Envelope envelope;
  REQUIRE(decoder.decode(
              as_bytes("{\"client_seq\":\"x\",\"input\":1,\"client_seq\":4,\"\\u0069nput\":2}"),
              envelope) == EnvelopeError::none);
  CHECK(as_text(envelope.input) == "2");
  CHECK(envelope.client_seq == 4U);
  REQUIRE(decoder.decode(as_bytes("{\"input\":1,\"client_seq\":4,\"client_seq\":null}"),
                         envelope) == EnvelopeError::none);
  CHECK_FALSE(envelope.client_seq);
}

TEST_CASE("envelope: the depth counts the envelope itself", "[shard][envelope]") {
  const auto nested = [](std::size_t depth) {
    return "{\"input\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  CHECK(error_of(nested(64)) == EnvelopeError::none);
  CHECK(error_of(nested(65)) == EnvelopeError::too_deep);
  CHECK(error_of(nested(127), EnvelopeRules::original()) == EnvelopeError::none);
  CHECK(error_of(nested(128), EnvelopeRules::original()) == EnvelopeError::too_deep);
}

TEST_CASE("shard defect 8: an input is not copied and not written anew", "[shard][envelope]") {
  const std::string message = "{ \"input\" : { \"b\" : 1.50, \"a\" : -0 } , \"client_seq\" : 1 }";
  EnvelopeDecoder decoder;
  Envelope envelope;
#if MUSTER_TEST_COUNTS_ALLOCATIONS
  const int before = test::allocations;
#endif
  const EnvelopeError error = decoder.decode(as_bytes(message), envelope);
#if MUSTER_TEST_COUNTS_ALLOCATIONS
  const int after = test::allocations;
  CHECK(after == before);
#endif
  REQUIRE(error == EnvelopeError::none);
  CHECK(as_text(envelope.input) == "{ \"b\" : 1.50, \"a\" : -0 }");
  CHECK(envelope.input.data() == as_bytes(message).data() + message.find("{ \"b\""));
}

TEST_CASE("shard defect 12: whatever is refused has a reason", "[shard][envelope]") {
  CHECK(error_of("{") == EnvelopeError::bad_json);
  CHECK(error_of("{\"input\":\"\xFF\"}") == EnvelopeError::bad_utf8);
  CHECK(error_of("[1]") == EnvelopeError::not_object);
  CHECK(error_of("[1") == EnvelopeError::bad_json);
  CHECK(error_of("{\"client_seq\":1}") == EnvelopeError::missing_input);
  CHECK(error_of("{\"input\":1,\"client_seq\":-0}") == EnvelopeError::bad_client_seq);
  CHECK(error_of("{\"input\":1,\"client_seq\":[1]}") == EnvelopeError::bad_client_seq);
}
