// SPDX-License-Identifier: MIT
// What muster-bot says about a lobby.
#include "lobby_report.hpp"

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

using bot_program::LobbyTally;
using bot_program::MatchRow;
using bot_program::Verdict;
using muster::lobby::MatchResult;
using muster::lobby::Outcome;
using namespace std::chrono_literals;

namespace {

const std::chrono::system_clock::time_point noon{std::chrono::milliseconds{1'767'268'800'007}};

MatchResult result_of(Outcome outcome) {
  MatchResult result;
  result.match_id = "m";
  result.participant_id = "p";
  result.outcome = outcome;
  result.started = muster::time_point{} + 10s;
  result.ended = muster::time_point{} + 12500ms;
  return result;
}

}  // namespace

TEST_CASE("lobby report: results are counted by how they ended and who has won", "[bot][report]") {
  LobbyTally tally;
  tally.note(result_of(Outcome::completed), Verdict::won);
  tally.note(result_of(Outcome::completed), Verdict::lost);
  tally.note(result_of(Outcome::completed), Verdict::drawn);
  tally.note(result_of(Outcome::completed), Verdict::unknown);
  tally.note(result_of(Outcome::abandoned), Verdict::unknown);
  for (const Outcome other :
       {Outcome::refused, Outcome::ended_elsewhere, Outcome::cancelled, Outcome::failed}) {
    tally.note(result_of(other), Verdict::unknown);
  }
  CHECK(tally.completed == 4);
  CHECK(tally.won == 1);
  CHECK(tally.lost == 1);
  CHECK(tally.drawn == 1);
  CHECK(tally.abandoned == 1);
  CHECK(tally.other_ends == 4);
}

TEST_CASE("lobby report: decisions are recorded on other threads, and taken once",
          "[bot][report]") {
  bot_program::SharedTimes times;
  std::thread other{[&times] {
    for (int i = 0; i < 100; ++i) times.record(1ms);
  }};
  times.record(-1ms);  // a clock that jumped
  other.join();
  CHECK(times.take().count() == 101);
  CHECK(times.take().count() == 0);

  LobbyTally tally;
  tally.recent.record(5);
  tally.fold();
  CHECK(tally.recent.count() == 0);
  CHECK(tally.decisions.count() == 1);
}

TEST_CASE("lobby report: the table has a row for each match that is shown", "[bot][report]") {
  LobbyTally tally;
  tally.bots = 3;
  tally.online = 2;
  CHECK(bot_program::live_table(tally, {}, 1).find("match ") == std::string::npos);
  tally.running = 12;
  const std::vector<MatchRow> rows{{"m1", "b1", false, 7, 0, 1.5},
                                   {"m2\x1b[2J", "b2", true, 0, 2, 3}};
  const std::string table = bot_program::live_table(tally, rows, 4);
  CHECK(table.find("2 of 3 bots online, 12 matches running") != std::string::npos);
  CHECK(table.find("m2?[2J") != std::string::npos);
  CHECK(std::count(table.begin(), table.end(), '\x1b') == 0);
  CHECK(table.find("  away") != std::string::npos);
  CHECK(table.ends_with("\nand 10 more"));
}

TEST_CASE("lobby report: a line of the log is one object in ASCII", "[bot][report]") {
  const auto parsed = [](const std::string& line) {
    INFO(line);
    CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c < '\x7f'; }));
    return nlohmann::json::parse(line);
  };
  auto json = parsed(bot_program::event_json(
      noon, "b", {muster::lobby::EventKind::error_frame, "m\n\xff", "d\xc2\x9b\x7f", 4000}));
  CHECK(json["time"] == "2026-01-01T12:00:00.007Z");
  CHECK(json["bot"] == "b");
  CHECK(json["event"] == "error_frame");
  CHECK(json["match_id"] == "m\n\xef\xbf\xbd");
  CHECK(json["code"] == 4000);
  json = parsed(bot_program::event_json(noon, "b", {muster::lobby::EventKind::connected}));
  CHECK(json.size() == 3);

  json = parsed(bot_program::result_json(noon, "b", result_of(Outcome::completed), Verdict::won));
  CHECK(json["event"] == "match_result");
  CHECK(json["outcome"] == "completed");
  CHECK(json["verdict"] == "won");
  CHECK(json["seconds"] == 2.5);
  CHECK_FALSE(json.contains("reason"));
  json = parsed(bot_program::stopped_json(noon, "b", muster::lobby::StopReason::evicted));
  CHECK(json["reason"] == "evicted");
  LobbyTally tally;
  tally.bots = 4;
  json = parsed(bot_program::summary_json(noon, tally, 9, 3));
  CHECK(json["bots"] == 4);
  CHECK(json["seed"] == 9);
  CHECK(json["status"] == 3);
  CHECK_FALSE(json.contains("bot"));
}
