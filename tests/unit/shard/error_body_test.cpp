// SPDX-License-Identifier: MIT
// Error bodies: the golden vectors, and that every one is JSON.
#include <muster/shard/error_body.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <map>
#include <set>
#include <string>

using muster::shard::error_body;
using muster::shard::ErrorCode;
using muster::shard::http_status;

namespace {

std::map<std::string, ErrorCode> all_codes() {
  std::map<std::string, ErrorCode> codes;
  for (unsigned i = 0; i <= static_cast<unsigned>(ErrorCode::shards_not_available); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    codes.emplace(to_string(code), code);
  }
  return codes;
}

}  // namespace

TEST_CASE("shard error body: compact, code first", "[shard][error_body]") {
  CHECK(error_body(ErrorCode::invalid_json) ==
        "{\"error\":{\"code\":\"INVALID_JSON\",\"message\":\"Invalid request body\"}}");
  CHECK(error_body(ErrorCode::shard_not_found, "Shard \"nope\" not found") ==
        "{\"error\":{\"code\":\"SHARD_NOT_FOUND\",\"message\":\"Shard \\\"nope\\\" not found\"}}");
}

TEST_CASE("shard error body: a message from a stranger cannot break it", "[shard][error_body]") {
  for (const std::string message : {"\"},\"x\":{\"", "\\", "a\nb\x01", "\xFF\xC3", "\xC3\xA9"}) {
    const auto body = nlohmann::json::parse(error_body(ErrorCode::bad_query, message));
    CHECK(body.size() == 1);
    CHECK(body.at("error").size() == 2);
    CHECK(body.at("error").at("code") == "BAD_QUERY");
  }
  CHECK(nlohmann::json::parse(error_body(ErrorCode::bad_query, "a\n\"b\xFF"))
            .at("error")
            .at("message") == "a\n\"b\xEF\xBF\xBD");
}

TEST_CASE("shard error body: each code has a text, a status and a message", "[shard][error_body]") {
  const auto codes = all_codes();
  CHECK(codes.size() == static_cast<std::size_t>(ErrorCode::shards_not_available) + 1);
  for (const auto& [text, code] : codes) {
    CAPTURE(text);
    CHECK((http_status(code) >= 400 && http_status(code) < 600));
    CHECK_FALSE(default_message(code).empty());
    CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string::npos);
    const auto body = nlohmann::json::parse(error_body(code));
    CHECK(body == nlohmann::json{{"error", {{"code", text}, {"message", default_message(code)}}}});
  }
}

TEST_CASE("shard error body: the statuses and bodies of the golden vectors",
          "[shard][error_body]") {
  const auto codes = all_codes();
  const auto vectors = test::load_vectors("shard_vectors.json");
  std::set<std::string> seen;
  for (const auto& vector : vectors.at("http")) {
    CAPTURE(vector.dump());
    if (vector.contains("code")) {
      const auto code = vector.at("code").get<std::string>();
      CHECK(http_status(codes.at(code)) == vector.at("status"));
      seen.insert(code);
    }
    const auto body = vector.value("body", nlohmann::json{});
    if (!body.is_object() || !body.contains("error")) continue;
    const ErrorCode code = codes.at(body.at("error").at("code").get<std::string>());
    CHECK(http_status(code) == vector.at("status"));
    const auto message = body.at("error").at("message").get<std::string>();
    CHECK(nlohmann::json::parse(error_body(code, message)) == body);
    // What names no id is the default.
    if (code != ErrorCode::shard_not_found) CHECK(nlohmann::json::parse(error_body(code)) == body);
    seen.emplace(to_string(code));
  }
  for (const auto& vector : vectors.at("handshake")) {
    CAPTURE(vector.dump());
    const auto& ours = vector.at("ours");
    if (!ours.is_object() || !ours.contains("body")) continue;
    const auto code = ours.at("body").at("error").at("code").get<std::string>();
    CHECK(http_status(codes.at(code)) == ours.at("status"));
    seen.insert(code);
  }
  CHECK(seen.size() >= 12);
}
