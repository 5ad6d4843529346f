// SPDX-License-Identifier: MIT
// Tokens and ids of a request: the golden vectors, and where a token is looked for.
#include <muster/shard/credentials.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

using muster::HeaderField;
using muster::Request;
using muster::shard::Credentials;
using muster::shard::decode_query_value;
using muster::shard::decode_token;
using muster::shard::JoinTarget;
using muster::shard::JoinTargetError;
using muster::shard::query_parameter;
using muster::shard::read_credentials;
using muster::shard::read_join_target;

namespace {

// What a decoder must make of a vector; nothing when it must refuse.
std::optional<std::string> expected_text(const nlohmann::json& vector) {
  const auto& ours = vector.at("ours");
  if (ours.contains("reject")) return std::nullopt;
  return ours.at("out").get<std::string>();
}

Credentials credentials_of(std::vector<HeaderField> headers,
                           std::vector<std::string_view> subprotocols = {}) {
  Request request;
  request.headers = headers;
  request.subprotocols = subprotocols;
  return read_credentials(request);
}

JoinTargetError target_error(std::string_view query) {
  JoinTarget target;
  return read_join_target(query, target);
}

}  // namespace

TEST_CASE("shard query: the golden vectors of values", "[shard][credentials]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("percent_decode_lenient_query");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    CHECK(decode_query_value(vector.at("in").get<std::string>()) == expected_text(vector));
  }
}

TEST_CASE("shard token: the golden vectors", "[shard][credentials]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("percent_decode_strict_token");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    CHECK(decode_token(vector.at("in").get<std::string>()) == expected_text(vector));
  }
}

TEST_CASE("shard query: the golden vectors of parameters", "[shard][credentials]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("query_param");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    const auto query = vector.at("query").get<std::string>();
    const auto raw = query_parameter(query, vector.at("key").get<std::string>());
    REQUIRE(raw.has_value() == !vector.at("value").is_null());
    if (raw) CHECK(decode_query_value(*raw) == vector.at("value").get<std::string>());
  }
}

TEST_CASE("shard query: the shard must be named, the subscriber may be", "[shard][credentials]") {
  JoinTarget target;
  REQUIRE(read_join_target("shard=m1&sid=p%201", target) == JoinTargetError::none);
  CHECK(target.shard == "m1");
  CHECK(target.sid == "p 1");
  REQUIRE(read_join_target("token=x&shard=a+b", target) == JoinTargetError::none);
  CHECK(target.shard == "a b");
  CHECK_FALSE(target.sid);

  CHECK(target_error("") == JoinTargetError::missing_shard);
  CHECK(target_error("sid=p1") == JoinTargetError::missing_shard);
  CHECK(target_error("shard=&sid=p1") == JoinTargetError::missing_shard);
  CHECK(target_error("shard&sid=p1") == JoinTargetError::missing_shard);
  CHECK(target_error("Shard=m1") == JoinTargetError::missing_shard);
  CHECK(target_error("%73hard=m1") == JoinTargetError::missing_shard);
}

TEST_CASE("shard query: ids have 1 to 128 bytes", "[shard][credentials]") {
  const std::string long_id(128, 'x');
  CHECK(target_error("shard=" + long_id + "&sid=" + long_id) == JoinTargetError::none);
  CHECK(target_error("shard=" + long_id + "x") == JoinTargetError::bad_query);
  CHECK(target_error("shard=m1&sid=" + long_id + "x") == JoinTargetError::bad_sid);
  CHECK(target_error("shard=m1&sid=") == JoinTargetError::bad_sid);
  CHECK(target_error("shard=m1&sid") == JoinTargetError::bad_sid);
  // The bytes count after decoding.
  std::string escaped;
  for (int i = 0; i < 64; ++i) escaped += "%C3%A9";
  CHECK(target_error("shard=m1&sid=" + escaped) == JoinTargetError::none);
  CHECK(target_error("shard=m1&sid=" + escaped + "x") == JoinTargetError::bad_sid);
}

TEST_CASE("shard query: ids are printable", "[shard][credentials]") {
  for (const std::string_view value : {"%00", "a%0Ab", "%1f", "%7F", "%C2%80", "%C2%9F",
                                       "%E2%80%A8", "%E2%80%A9", "%ff", "%C3", "%ED%A0%80"}) {
    CAPTURE(value);
    CHECK(target_error("shard=m1&sid=" + std::string{value}) == JoinTargetError::bad_query);
    CHECK(target_error("shard=" + std::string{value}) == JoinTargetError::bad_query);
  }
  for (const std::string_view value : {"%C2%A0", "%E2%80%A7", "+", "%2B", "%F0%9F%98%80"}) {
    CAPTURE(value);
    CHECK(target_error("shard=m1&sid=" + std::string{value}) == JoinTargetError::none);
  }
  // Only what is used must be right.
  CHECK(target_error("shard=m1&x=%&y=%ff") == JoinTargetError::none);
}

TEST_CASE("shard token: the header's scheme is compared without case", "[shard][credentials]") {
  for (const std::string_view value : {"Bearer tok", "bearer tok", "BEARER  tok"}) {
    const auto credentials = credentials_of({{"authorization", value}});
    CHECK(credentials.token == "tok");
    CHECK(credentials.subprotocol.empty());
  }
  for (const std::string_view value : {"Basic tok", "Bearer", "Bearer ", "Bearertok", "tok", ""}) {
    CAPTURE(value);
    CHECK_FALSE(credentials_of({{"Authorization", value}}).token);
  }
  CHECK_FALSE(credentials_of({{"X-Authorization", "Bearer tok"}}).token);
}

TEST_CASE("shard token: of repeated headers the last counts", "[shard][credentials]") {
  CHECK(credentials_of({{"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}}).token ==
        "b");
  CHECK_FALSE(credentials_of({{"Authorization", "Bearer a"}, {"Authorization", "Basic b"}}).token);
}

TEST_CASE("shard token: the first subprotocol that decodes", "[shard][credentials]") {
  const auto credentials =
      credentials_of({}, {"foo", "bearer.", "bearer.%4", "bearer.a%2Fb", "bearer.c"});
  CHECK(credentials.token == "a/b");
  CHECK(credentials.subprotocol == "bearer.a%2Fb");
  const auto none = credentials_of({}, {"foo", "bearer.%zz", "Bearer.x"});
  CHECK_FALSE(none.token);
  CHECK(none.subprotocol.empty());
}

TEST_CASE("shard token: the header wins, and the subprotocol is answered still",
          "[shard][credentials]") {
  const auto credentials =
      credentials_of({{"Authorization", "Bearer tok-alice"}}, {"bearer.tok-bob"});
  CHECK(credentials.token == "tok-alice");
  CHECK(credentials.subprotocol == "bearer.tok-bob");
  // Another scheme counts as no header.
  CHECK(credentials_of({{"Authorization", "Basic x"}}, {"bearer.tok-bob"}).token == "tok-bob");
}

TEST_CASE("shard defect 14: an id that is not ASCII is itself", "[shard][credentials]") {
  JoinTarget target;
  REQUIRE(read_join_target("shard=%C3%A9&sid=alice", target) == JoinTargetError::none);
  CHECK(target.shard == "\xC3\xA9");
  CHECK(target_error("shard=%E9&sid=alice") == JoinTargetError::bad_query);
}

TEST_CASE("shard defect 14: a plus in a token is a plus", "[shard][credentials]") {
  const auto credentials = credentials_of({}, {"bearer.a/b+c="});
  CHECK(credentials.token == "a/b+c=");
  CHECK(credentials.subprotocol == "bearer.a/b+c=");
}

// Each handshake of the vectors whose fate depends on the token and the ids alone.
TEST_CASE("shard handshake: tokens and ids of the golden vectors", "[shard][credentials]") {
  std::size_t count = 0;
  const auto vectors = test::load_vectors("shard_vectors.json").at("handshake");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    const auto line = vector.at("request_line").get<std::string>();
    const std::string uri = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
    const std::string query = uri.find('?') == uri.npos ? "" : uri.substr(uri.find('?') + 1);
    std::vector<std::string> texts;
    for (const auto& header : vector.at("extra_headers")) {
      texts.push_back(header.at(1).get<std::string>());
    }
    std::vector<HeaderField> headers;
    std::vector<std::string_view> subprotocols;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto& name = vector.at("extra_headers").at(i).at(0).get_ref<const std::string&>();
      headers.push_back({name, texts[i]});
      if (name != "Sec-WebSocket-Protocol") continue;
      std::string_view rest = texts[i];
      while (!rest.empty()) {
        const std::string_view entry = rest.substr(0, rest.find(", "));
        subprotocols.push_back(entry);
        rest.remove_prefix(std::min(rest.size(), entry.size() + 2));
      }
    }
    const Credentials credentials = credentials_of(headers, subprotocols);

    const auto& outcome = vector.at("ours") == "same" ? vector.at("seed") : vector.at("ours");
    if (outcome.contains("echo_protocol")) {
      const auto& echo = outcome.at("echo_protocol");
      CHECK(credentials.subprotocol == (echo.is_null() ? "" : echo.get<std::string>()));
      ++count;
    }
    if (outcome.contains("user")) {
      const auto sessions =
          test::load_vectors("shard_vectors.json").at("handshake_setup").at("sessions");
      REQUIRE(credentials.token);
      CHECK(sessions.at(*credentials.token) == outcome.at("user"));
      ++count;
    }
    const auto code = outcome.value("/body/error/code"_json_pointer, std::string{});
    JoinTarget target;
    const JoinTargetError error = read_join_target(query, target);
    CHECK((error == JoinTargetError::missing_shard) == (code == "MISSING_SHARD"));
    CHECK((error == JoinTargetError::bad_query) == (code == "BAD_QUERY"));
    CHECK((error == JoinTargetError::bad_sid) == (code == "BAD_SID"));
    if (code == "AUTH_REQUIRED") CHECK_FALSE(credentials.token);
  }
  CHECK(count > 20);
}
