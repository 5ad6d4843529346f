// SPDX-License-Identifier: MIT
// The tables and examples of docs/protocol/signal.md against the code and the vectors, so that the
// page cannot fall behind.
#include "../../lib/signal/client_message.hpp"
#include "../../lib/signal/error_code.hpp"
#include "../../lib/signal/vocabulary.hpp"

#include "support/catch.hpp"
#include "support/document.hpp"
#include "support/signal_messages.hpp"
#include "support/vectors.hpp"

#include <muster/signal/config.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

using nlohmann::json;
using namespace muster::signal;

namespace {

const test::Document& document() {
  static const test::Document document{"../../docs/protocol/signal.md"};
  return document;
}

const json& vectors() {
  static const json all = json::parse(test::read_data_file("signal_vectors.json"));
  return all;
}

// The lines from a heading to the next of any level.
std::string section(const std::string& heading) {
  std::istringstream lines{document().text()};
  std::string text;
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (is_inside && line.starts_with("#")) break;
    if (is_inside) text += line + '\n';
    is_inside = is_inside || line == heading;
  }
  REQUIRE_FALSE(text.empty());
  return text;
}

// The messages of a section's block of examples, each in one line; an indented line goes on with
// the one before.
std::vector<std::string> examples(const std::string& heading) {
  std::istringstream lines{section(heading)};
  std::vector<std::string> texts;
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "```json") {
      is_inside = true;
    } else if (line == "```") {
      is_inside = false;
    } else if (is_inside && line.starts_with("  ")) {
      REQUIRE_FALSE(texts.empty());
      texts.back() += line.substr(2);
    } else if (is_inside) {
      texts.push_back(line);
    }
  }
  REQUIRE_FALSE(texts.empty());
  return texts;
}

// The recorded message that an example is.
std::optional<json> recorded(const std::string& text) {
  for (const json& vector : vectors()["messages"]) {
    if (vector["json_text"] == text) return vector;
  }
  return std::nullopt;
}

std::vector<std::string> first_column(const std::vector<test::Row>& rows) {
  std::vector<std::string> names;
  for (const test::Row& row : rows) names.push_back(test::without_backticks(row.at(0)));
  return names;
}

// Each is what a row of the table is about, has no fields that the row does not name, and no
// message of the table is without one.
void check_fields(const std::vector<test::Row>& rows, std::size_t column,
                  const std::vector<std::string>& texts, const std::string& more_fields = {}) {
  std::map<std::string, std::string> fields;
  for (const test::Row& row : rows) {
    fields[test::without_backticks(row.at(0))] = row.at(column) + more_fields;
  }
  std::set<std::string> shown;
  for (const std::string& text : texts) {
    INFO(text);
    const json message = json::parse(text);
    const std::string type = message["type"];
    REQUIRE(fields.contains(type));
    shown.insert(type);
    if (!message.contains("data")) continue;
    for (const auto& [name, value] : message["data"].items()) {
      INFO(name);
      CHECK(fields[type].find("`" + name + "`") != std::string::npos);
    }
  }
  CHECK(shown.size() == fields.size());
}

struct Group {
  std::string heading;
  std::vector<test::Row> rows;
};

std::vector<Group> server_groups() {
  std::vector<Group> groups;
  for (const char* const heading : {"### Of the connection", "### Of rooms", "### Of the lobby",
                                    "### Of spectators", "### Of game data and peers"}) {
    groups.push_back({heading, document().table("| Message | To |", heading)});
    REQUIRE_FALSE(groups.back().rows.empty());
  }
  return groups;
}

template <class Code>
std::vector<std::string> names_between(Code first, Code end) {
  std::vector<std::string> names;
  for (auto i = static_cast<std::uint8_t>(first); i < static_cast<std::uint8_t>(end); ++i) {
    names.emplace_back(to_string(static_cast<Code>(i)));
  }
  return names;
}

// "`a`, `b`", from the enumerators 0 to `last`.
template <class Word>
std::string words_up_to(Word last) {
  std::string all;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(last); ++i) {
    all += (all.empty() ? "`" : ", `") + std::string{to_string(static_cast<Word>(i))} + "`";
  }
  return all;
}

}  // namespace

TEST_CASE("signal document: its error codes are the code's", "[signal][document]") {
  constexpr auto later = ErrorCode::room_session_incompatible;
  constexpr auto end =
      static_cast<ErrorCode>(static_cast<std::uint8_t>(ErrorCode::transfer_target_not_found) + 1);
  CHECK(first_column(document().table("| Error code |")) ==
        names_between(ErrorCode::unauthorized, later));
  CHECK(first_column(document().table("| Later error code |")) == names_between(later, end));
  CHECK(to_string(end).empty());
  CHECK_FALSE(is_on_the_list(later));
}

TEST_CASE("signal document: its close codes are the code's", "[signal][document]") {
  const std::vector<test::Row> rows = document().table("| Code | Text | When |");
  REQUIRE(rows.size() == 10);
  for (const test::Row& row : rows) {
    INFO(row[0]);
    const auto code = static_cast<CloseCode>(std::stoi(row[0]));
    CHECK(row[1] == "`" + std::string{to_string(code)} + "`");
  }
  for (int i = 1000; i < 5000; ++i) {
    const bool is_listed = std::any_of(rows.begin(), rows.end(), [i](const test::Row& row) {
      return row[0] == std::to_string(i);
    });
    INFO(i);
    CHECK(to_string(static_cast<CloseCode>(i)).empty() != is_listed);
  }
}

TEST_CASE("signal document: its words are the code's", "[signal][document]") {
  const std::map<std::string, std::string> words{
      {"GameDataFormat", words_up_to(GameDataFormat::rkyv)},
      {"RelayTransport", words_up_to(RelayTransport::automatic)},
      {"LobbyState", words_up_to(LobbyState::finalized)},
      {"SpectatorChange", words_up_to(SpectatorChange::room_closed)},
      {"DeliveryClass", words_up_to(DeliveryClass::volatile_)},
      {"GapReason", words_up_to(GapReason::unsupported_format)},
      {"ReplayStatus", words_up_to(ReplayStatus::unavailable)},
      {"Topology", words_up_to(Topology::mesh)},
      {"Transport", words_up_to(Transport::webrtc)},
  };
  std::map<std::string, std::string> documented;
  for (const test::Row& row : document().table("| Word | Values |")) documented[row[0]] = row[1];
  CHECK(documented == words);
}

TEST_CASE("signal document: a client's messages are those that are read", "[signal][document]") {
  const std::vector<test::Row> rows = document().table("| Message | Fields |");
  const std::vector<std::string> texts = examples("## Client messages");
  CHECK(rows.size() == std::variant_size_v<ClientMessage>);
  check_fields(rows, 1, texts);
  for (const std::string& text : texts) {
    INFO(text);
    const auto message = read_client_message(muster::as_bytes(text));
    REQUIRE(message.has_value());
    CHECK(test::ClientFields::of(*message)["type"] == json::parse(text)["type"]);
    const auto vector = recorded(text);
    REQUIRE(vector);
    CHECK((*vector)["direction"] == "c2s");
  }
}

TEST_CASE("signal document: the operations of moderation are those that are read",
          "[signal][document]") {
  const std::vector<test::Row> rows = document().table("| Operation | Fields |");
  REQUIRE(rows.size() == 6);
  for (const test::Row& row : rows) {
    INFO(row[0]);
    json operation{{"type", test::without_backticks(row[0])}};
    const std::string player = "0f0e0d0c-0b0a-4908-8706-050403020100";
    operation["data"] = json::object();
    if (row[1] == "`player_id`") operation["data"]["player_id"] = player;
    const json message{{"type", "RoomOperation"},
                       {"data", {{"operation_id", player}, {"operation", operation}}}};
    const auto read = read_client_message(muster::as_bytes(message.dump()));
    REQUIRE(read.has_value());
    CHECK(test::ClientFields::of(*read)["data"]["operation"]["type"] == operation["type"]);
    CHECK_FALSE(read_client_message(muster::as_bytes(operation.dump())).has_value());
  }
}

TEST_CASE("signal document: a server's messages are those that are written", "[signal][document]") {
  std::set<std::string> known{"TokenBindingChallenge"};
  for (const json& vector : vectors()["messages"]) {
    if (vector["direction"] == "s2c") known.insert(vector["json"]["type"]);
  }
  known.erase("NewPeer");  // only read
  std::set<std::string> documented;
  for (const Group& group : server_groups()) {
    for (const std::string& name : first_column(group.rows)) documented.insert(name);
    const std::vector<std::string> texts = examples(group.heading);
    // Reconnected has the fields of the message of its table's first row too.
    check_fields(group.rows, 2, texts,
                 group.heading == "### Of rooms" ? group.rows.front().at(2) : "");
    for (const std::string& text : texts) {
      INFO(text);
      const json message = json::parse(text);
      if (message["type"] == "TokenBindingChallenge") {
        CHECK(message == vectors()["token_binding_v2"]["challenge"]);
        CHECK(test::ServerMessage{message, Version::v3}.text() == text);
        continue;
      }
      const auto vector = recorded(text);
      REQUIRE(vector);
      CHECK((*vector)["direction"] == "s2c");
      if (message["type"] == "GameData") continue;  // it is written in parts, by another test
      const Version version = (*vector)["protocol"] == 3 ? Version::v3 : Version::v2;
      CHECK(test::ServerMessage{message, version}.text() == text);
    }
  }
  CHECK(documented == known);
}

TEST_CASE("signal document: its numbers are the code's", "[signal][document]") {
  const Config config;
  const std::vector<test::Row> rates = document().table("| What | In a window |");
  const std::vector<std::uint64_t> expected{config.max_room_creations, config.max_join_attempts,
                                            config.max_signals,        config.max_signal_errors,
                                            config.max_error_replies,  config.max_relay_bytes};
  REQUIRE(rates.size() == expected.size() + 1);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(rates[i][0]);
    CHECK(rates[i][1] == std::to_string(expected[i]));
  }
  const std::string times = "24 times";
  CHECK(rates[0][2].find(times) != std::string::npos);
  CHECK(config.max_connections_per_address == 24);
  CHECK(document().text().find("up to " + std::to_string(max_message_depth) + " arrays") !=
        std::string::npos);
}

TEST_CASE("signal document: each defect that has a test is on its list", "[signal][document]") {
  const std::string listed = section("## Differences");
  std::set<int> numbers;
  const std::regex item{"(^|\n)([0-9]+)\\. "};
  for (std::sregex_iterator it{listed.begin(), listed.end(), item}, end; it != end; ++it) {
    numbers.insert(std::stoi((*it)[2]));
  }
  CHECK(numbers.size() == 16);
  const std::regex name{"\"signal defect ([0-9]+):"};
  std::set<int> tested;
  for (const char* const file :
       {"../spec/signal_defects_test.cpp", "../unit/signal/service_heap_test.cpp"}) {
    const std::string tests = test::read_data_file(file);
    for (std::sregex_iterator it{tests.begin(), tests.end(), name}, end; it != end; ++it) {
      tested.insert(std::stoi((*it)[1]));
    }
  }
  CHECK(tested.size() >= 13);
  CHECK(std::includes(numbers.begin(), numbers.end(), tested.begin(), tested.end()));
}

TEST_CASE("signal document: matchbox's messages are the recorded ones", "[signal][document]") {
  std::vector<std::string> known;
  for (const json& vector : vectors()["matchbox"]) known.push_back(vector["json_text"]);
  CHECK(examples("## matchbox") == known);
}
