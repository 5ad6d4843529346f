// SPDX-License-Identifier: MIT
// Lines, tables and JSON about matches.
#include "lobby_report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace bot_program {

namespace {

using Long = unsigned long long;
using Json = nlohmann::ordered_json;
using std::chrono::system_clock;

double milliseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

std::string iso_8601(system_clock::time_point time) {
  const std::time_t unix_time = system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&unix_time, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const auto since = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  return std::string{text.data(), size} + format(".%03dZ", static_cast<int>(since.count() % 1000));
}

Json line(system_clock::time_point time, std::string_view bot, std::string_view event) {
  Json json;
  json["time"] = iso_8601(time);
  if (!bot.empty()) json["bot"] = bot;
  json["event"] = event;
  return json;
}

// In ASCII, so that no terminal takes a stranger's text for a command.
std::string write(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string matches(const LobbyTally& tally) {
  return format(
      "%llu played, %llu won, %llu lost, %llu drawn; %llu abandoned, %llu ended otherwise",
      static_cast<Long>(tally.completed), static_cast<Long>(tally.won),
      static_cast<Long>(tally.lost), static_cast<Long>(tally.drawn),
      static_cast<Long>(tally.abandoned), static_cast<Long>(tally.other_ends));
}

std::string turns(const LobbyTally& tally) {
  return format("%llu turns, %llu of them by the fallback", static_cast<Long>(tally.turns),
                static_cast<Long>(tally.fallbacks));
}

std::string reconnects(const LobbyTally& tally) {
  return format("%llu of lobbies, %llu of matches", static_cast<Long>(tally.lobby_reconnects),
                static_cast<Long>(tally.match_reconnects));
}

}  // namespace

void LobbyTally::note(const muster::lobby::MatchResult& result, Verdict verdict) noexcept {
  switch (result.outcome) {
    case muster::lobby::Outcome::completed:
      ++completed;
      break;
    case muster::lobby::Outcome::abandoned:
      ++abandoned;
      break;
    default:
      ++other_ends;
  }
  won += verdict == Verdict::won ? 1U : 0U;
  lost += verdict == Verdict::lost ? 1U : 0U;
  drawn += verdict == Verdict::drawn ? 1U : 0U;
}

void LobbyTally::fold() noexcept {
  decisions.add(recent);
  recent = {};
}

std::string live_line(const LobbyTally& tally) {
  return format("%zu of %zu online, %zu matches; ", tally.online, tally.bots, tally.running) +
         matches(tally) + "; " + turns(tally) + "; reconnects: " + reconnects(tally);
}

std::string live_table(const LobbyTally& tally, std::span<const MatchRow> rows,
                       double elapsed_seconds) {
  std::string text = format("%5.0f s   %zu of %zu bots online, %zu matches running\n",
                            elapsed_seconds, tally.online, tally.bots, tally.running);
  text += "matches     " + matches(tally) + "\n";
  text += "turns       " + turns(tally) + "\n";
  text += "reconnects  " + reconnects(tally) + "\n";
  text +=
      format("decisions   p50 %.3f p99 %.3f ms in the last second",
             milliseconds(tally.recent.quantile(0.5)), milliseconds(tally.recent.quantile(0.99)));
  if (rows.empty()) return text;
  text += format("\n%-38s%-38s%8s%12s%9s", "match", "bot", "turns", "reconnects", "seconds");
  for (const MatchRow& row : rows) {
    text += format("\n%-38.36s%-38.36s%8u%12u%9.1f%s", printable(row.match_id).c_str(),
                   printable(row.bot).c_str(), row.turns, row.reconnects, row.seconds,
                   row.is_away ? "  away" : "");
  }
  if (tally.running > rows.size()) text += format("\nand %zu more", tally.running - rows.size());
  return text;
}

std::string summary(const LobbyTally& tally, std::uint64_t seed, double seconds) {
  std::string text =
      format("\n%zu bots, %.1f s, seed %llu\n\n", tally.bots, seconds, static_cast<Long>(seed));
  text += "matches     " + matches(tally) + "\n";
  text += "turns       " + turns(tally) + "\n";
  text += "reconnects  " + reconnects(tally) + "\n";
  text += format("decisions   %llu, p50 %.3f p90 %.3f p99 %.3f max %.3f ms\n",
                 static_cast<Long>(tally.decisions.count()),
                 milliseconds(tally.decisions.quantile(0.5)),
                 milliseconds(tally.decisions.quantile(0.9)),
                 milliseconds(tally.decisions.quantile(0.99)), milliseconds(tally.decisions.max()));
  return text;
}

std::string event_json(system_clock::time_point time, std::string_view bot,
                       const muster::lobby::Event& event) {
  Json json = line(time, bot, to_string(event.kind));
  if (!event.match_id.empty()) json["match_id"] = event.match_id;
  if (!event.detail.empty()) json["detail"] = event.detail;
  if (event.code != 0) json["code"] = event.code;
  return write(json);
}

std::string result_json(system_clock::time_point time, std::string_view bot,
                        const muster::lobby::MatchResult& result, Verdict verdict) {
  Json json = line(time, bot, "match_result");
  json["match_id"] = result.match_id;
  json["participant_id"] = result.participant_id;
  json["outcome"] = to_string(result.outcome);
  if (!result.reason.empty()) json["reason"] = result.reason;
  json["verdict"] = to_string(verdict);
  if (result.close_code != 0) json["code"] = result.close_code;
  json["turns"] = result.turns;
  json["fallbacks"] = result.fallbacks;
  json["reconnects"] = result.reconnects;
  json["seconds"] = std::chrono::duration<double>{result.ended - result.started}.count();
  return write(json);
}

std::string stopped_json(system_clock::time_point time, std::string_view bot,
                         muster::lobby::StopReason reason) {
  Json json = line(time, bot, "stopped");
  json["reason"] = to_string(reason);
  return write(json);
}

std::string summary_json(system_clock::time_point time, const LobbyTally& tally, std::uint64_t seed,
                         int status) {
  Json json = line(time, {}, "summary");
  json["status"] = status;
  json["seed"] = seed;
  json["bots"] = tally.bots;
  json["completed"] = tally.completed;
  json["abandoned"] = tally.abandoned;
  json["other_ends"] = tally.other_ends;
  json["won"] = tally.won;
  json["lost"] = tally.lost;
  json["drawn"] = tally.drawn;
  json["turns"] = tally.turns;
  json["fallbacks"] = tally.fallbacks;
  json["lobby_reconnects"] = tally.lobby_reconnects;
  json["match_reconnects"] = tally.match_reconnects;
  json["decisions"] = {{"count", tally.decisions.count()},
                       {"p50_us", 1e3 * milliseconds(tally.decisions.quantile(0.5))},
                       {"p99_us", 1e3 * milliseconds(tally.decisions.quantile(0.99))},
                       {"max_us", 1e3 * milliseconds(tally.decisions.max())}};
  for (const auto& [name, times] :
       {std::pair{"to_handler", &tally.there}, std::pair{"from_handler", &tally.back}}) {
    json[name] = {{"p50_us", 1e3 * milliseconds(times->quantile(0.5))},
                  {"p99_us", 1e3 * milliseconds(times->quantile(0.99))}};
  }
  return write(json);
}

std::string printable(std::string_view text) {
  std::string out{text};
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return out;
}

}  // namespace bot_program
