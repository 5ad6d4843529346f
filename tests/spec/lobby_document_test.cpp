// SPDX-License-Identifier: MIT
// The tables of docs/protocol/lobby.md against the code, so that the page cannot fall behind.
#include "../../lib/lobby/client_frame.hpp"
#include "../../lib/lobby/gateway_close.hpp"

#include "support/catch.hpp"
#include "support/document.hpp"

#include <muster/lobby/event.hpp>
#include <muster/lobby/match_result.hpp>
#include <muster/lobby/origin.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using muster::lobby::EventKind;
using muster::lobby::GatewayVerdict;
using muster::lobby::Outcome;
using muster::lobby::StopReason;
using muster::lobby::UrlError;

const test::Document& document() {
  static const test::Document document{"../../docs/protocol/lobby.md"};
  return document;
}

// The names of an enumeration from `first` on, until there is none.
template <class Enum>
std::vector<std::string> names_from(Enum first) {
  std::vector<std::string> names;
  for (auto i = static_cast<std::uint8_t>(first);; ++i) {
    const std::string name{to_string(static_cast<Enum>(i))};
    if (name == "unknown") return names;
    names.push_back(name);
  }
}

std::vector<std::string> first_column(const std::string& header) {
  std::vector<std::string> names;
  for (const test::Row& row : document().table(header)) {
    names.push_back(test::without_backticks(row.at(0)));
  }
  return names;
}

}  // namespace

TEST_CASE("lobby document: its events are the code's", "[lobby][document]") {
  CHECK(first_column("| Event |") == names_from(EventKind::connected));
}

TEST_CASE("lobby document: the errors of URLs are the code's", "[lobby][document]") {
  std::vector<std::string> documented = first_column("| Why not |");
  std::vector<std::string> known = names_from(UrlError::lobby_not_absolute);
  std::sort(documented.begin(), documented.end());
  std::sort(known.begin(), known.end());
  CHECK(documented == known);
}

TEST_CASE("lobby document: a client's messages are what the code writes", "[lobby][document]") {
  namespace lobby = muster::lobby;
  lobby::Config config;
  config.client_name = "N";
  config.client_version = "V";
  const std::vector<std::string> messages{lobby::lobby_authenticate(lobby::Token{"TOKEN"}),
                                          std::string{lobby::lobby_pong},
                                          lobby::gateway_authenticate("M"),
                                          lobby::gateway_hello("M", config),
                                          lobby::turn_action("M", "R", {"A", "{...}"}),
                                          lobby::gateway_pong("M")};
  for (std::string message : messages) {
    // The page writes a capital name where a text goes.
    for (const std::string name : {"TOKEN", "M", "N", "V", "A"}) {
      const std::string quoted = "\"" + name + "\"";
      for (auto at = message.find(quoted); at != std::string::npos; at = message.find(quoted)) {
        message.replace(at, quoted.size(), name);
      }
    }
    CAPTURE(message);
    CHECK(document().text().find("`" + message + "`") != std::string::npos);
  }
}

TEST_CASE("lobby document: outcomes and stop reasons are the code's", "[lobby][document]") {
  for (const std::string& name : names_from(Outcome::completed)) {
    INFO(name);
    CHECK(document().text().find("`" + name + "`") != std::string::npos);
  }
  for (const std::string& name : names_from(StopReason::max_matches)) {
    INFO(name);
    CHECK(document().text().find("`" + name + "`") != std::string::npos);
  }
}

TEST_CASE("lobby document: what a gateway's close means is what the code does",
          "[lobby][document]") {
  using Next = GatewayVerdict::Next;
  const auto rows = document().table("| Code | What the client does | Outcome |");
  REQUIRE(rows.size() == 12);
  std::vector<std::uint16_t> special;
  for (const test::Row& row : rows) {
    if (row[0] == "others") continue;
    const auto code = static_cast<std::uint16_t>(std::stoi(row[0]));
    special.push_back(code);
    INFO(code);
    const GatewayVerdict verdict = muster::lobby::judge_gateway_close(code, "", false);
    const std::string& does = row[1];
    CHECK((verdict.next == Next::end) == (does == "ends"));
    CHECK((verdict.next == Next::redial_once) == does.starts_with("dials once more"));
    CHECK((verdict.next == Next::redial_late) == (does == "dials, after the longest delay"));
    const GatewayVerdict refused =
        muster::lobby::judge_gateway_close(code, "duplicate_participant", false);
    if (does.find("ends behind an `error`") != std::string::npos) CHECK(refused.next == Next::end);
    if (!row[2].empty()) {
      const GatewayVerdict& last = verdict.next == Next::redial ? refused : verdict;
      CHECK(std::string{to_string(last.outcome)} == test::without_backticks(row[2]));
    }
  }
  for (std::uint32_t code = 0; code < 5000; ++code) {
    if (std::count(special.begin(), special.end(), code) != 0) continue;
    INFO(code);
    const auto verdict =
        muster::lobby::judge_gateway_close(static_cast<std::uint16_t>(code), "", false);
    CHECK(verdict.next == Next::redial);
  }
}
