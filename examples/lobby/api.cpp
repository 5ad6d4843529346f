// SPDX-License-Identifier: MIT
// JSON out, and a little in.
#include "api.hpp"

#include <muster/ascii.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

namespace lobby_program {

namespace {

using muster::as_bytes;
using muster::Decision;
using muster::HeaderField;
using muster::Request;
using muster::time_point;

constexpr std::string_view below = "/api/external-api/";
constexpr std::string_view house = "house";

constexpr std::array json_headers{HeaderField{"Cache-Control", "no-store"},
                                  HeaderField{"X-Content-Type-Options", "nosniff"}};
constexpr std::array challenge_headers{HeaderField{"Cache-Control", "no-store"},
                                       HeaderField{"WWW-Authenticate", "Bearer"}};

void respond(Decision& decision, unsigned status, const Json& json,
             std::span<const HeaderField> headers = json_headers) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  decision.respond({.status = status,
                    .content_type = "application/json",
                    .body = as_bytes(text),
                    .headers = headers});
}

// The body of a POST: an object, or nothing at all.
std::optional<Json> body_of(const Request& request) {
  if (request.body.empty()) return Json::object();
  Json json = Json::parse(muster::as_text(request.body), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::int64_t seconds(muster::duration span) {
  return std::chrono::duration_cast<std::chrono::seconds>(span).count();
}

Json json_of(const Table& table) {
  const Match& match = table.match();
  const GameResult standing = match.game().result();
  Json seats = Json::array();
  for (std::size_t seat = 0; seat < match.seats().size(); ++seat) {
    Json entry{{"name", table.plan().players[seat].name},
               {"house", table.plan().players[seat].bot_id.empty()},
               {"connected", match.is_attached(seat)}};
    if (seat < standing.seats.size()) {
      entry["net"] = standing.seats[seat].net;
      entry.update(standing.seats[seat].fields);
    }
    seats.push_back(std::move(entry));
  }
  return {{"id", match.id()},
          {"number", table.number()},
          {"occasion", table.plan().occasion},
          {"game", table.plan().game},
          {"started", match.is_started()},
          {"round", match.round()},
          {"seats", std::move(seats)}};
}

}  // namespace

Api::Api(const Accounts& accounts, const Lobby& lobby, const Matches& matches,
         Dispatcher& dispatcher, muster::Entropy& entropy, const WallClock& clock)
    : accounts_(&accounts),
      lobby_(&lobby),
      matches_(&matches),
      dispatcher_(&dispatcher),
      entropy_(&entropy),
      clock_(&clock) {}

void Api::add_to(muster::Router& router) {
  const auto to = [this](void (Api::*route)(const Request&, Decision, time_point)) {
    return [this, route](const Request& request, Decision decision, time_point now) {
      (this->*route)(request, std::move(decision), now);
    };
  };
  const std::string api{below};
  router.post(api + "challenges/house-bot", to(&Api::challenge))
      .post(api + "matchmaking/join", to(&Api::join))
      .get(api + "matchmaking/status", to(&Api::status))
      .post(api + "matchmaking/leave", to(&Api::leave))
      .get("/results.json", to(&Api::results))
      .get("/tournament.json", to(&Api::tournament))
      .get_below("/matches/", to(&Api::match));
}

// Refusals.

void Api::refuse(Decision& decision, unsigned status, std::string_view code,
                 std::string_view message) {
  ++(status == 401 ? stats_.unauthorized : stats_.refused);
  respond(decision, status,
          {{"error_code", code}, {"message", message}, {"request_id", make_uuid(*entropy_)}},
          status == 401 ? std::span<const HeaderField>{challenge_headers}
                        : std::span<const HeaderField>{json_headers});
}

void Api::refuse(Decision& decision, Denial denial) {
  switch (denial) {
    case Denial::offline:
      return refuse(decision, 409, "EXT_BOT_OFFLINE", "the bot is not connected to the lobby");
    case Denial::at_cap:
      return refuse(decision, 429, "TOKEN_AT_CONCURRENT_MATCH_CAP",
                    "the token has as many matches as it may have at once");
    case Denial::ineligible:
      return refuse(decision, 403, "EXTAPI_MATCHMAKING_INELIGIBLE",
                    "no other matches are made while a tournament runs");
    case Denial::full:
      return refuse(decision, 503, "SERVER_FULL", "the server has as much as it can take");
  }
}

std::optional<Credential> Api::credential_of(const Request& request, Decision& decision) {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view field = request.header("Authorization").value_or("");
  std::optional<Credential> found;
  if (field.size() > scheme.size() &&
      muster::equals_ignoring_case(field.substr(0, scheme.size()), scheme)) {
    found = accounts_->find(field.substr(scheme.size()));
  }
  if (!found) refuse(decision, 401, "UNAUTHORIZED", "a bot's token is needed");
  return found;
}

// Matches that bots ask for.

void Api::challenge(const Request& request, Decision decision, time_point now) {
  const auto who = credential_of(request, decision);
  if (!who) return;
  const auto body = body_of(request);
  if (!body) return refuse(decision, 400, "INVALID_BODY", "the body must be a JSON object");
  for (const auto& [key, value] : body->items()) {
    if ((key != "bot_id" && key != "opponent") || !value.is_string()) {
      return refuse(decision, 400, "INVALID_BODY",
                    "the body may have bot_id and opponent, which are texts");
    }
  }
  if (body->contains("bot_id") && (*body)["bot_id"] != who->bot_id) {
    return refuse(decision, 403, "NOT_YOUR_BOT", "the token is another bot's");
  }
  if (body->contains("opponent") && (*body)["opponent"] != house) {
    return refuse(decision, 400, "EXTAPI_HOUSE_BOT_NOT_FOUND", "the house has one bot: house");
  }
  Denial denial{};
  const Table* const table = dispatcher_->challenge(*who, denial, now);
  if (table == nullptr) return refuse(decision, denial);
  const std::size_t seat = *table->seat_of_bot(who->bot_id);
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(table->plan().config.turn_timeout);
  respond(decision, 200,
          {{"match_id", table->id()},
           {"participant_id", table->match().seats()[seat].participant_id},
           {"status", "dispatching"},
           {"gateway_ws_url", nullptr},
           {"opponent", house},
           {"opponent_bot_id", nullptr},
           {"rated", table->plan().is_rated},
           {"decision_timeout_ms", timeout.count()}});
}

void Api::join(const Request& request, Decision decision, time_point now) {
  const auto who = credential_of(request, decision);
  if (!who) return;
  if (const auto denial = dispatcher_->join(*who, now)) return refuse(decision, *denial);
  Json answer = queue_place(*who, now);
  answer["queue_ttl_seconds"] = seconds(dispatcher_->queue().config().ttl);
  answer["rated"] = true;
  respond(decision, 200, answer);
}

void Api::status(const Request& request, Decision decision, time_point now) {
  const auto who = credential_of(request, decision);
  if (who) respond(decision, 200, queue_place(*who, now));
}

void Api::leave(const Request& request, Decision decision, time_point) {
  const auto who = credential_of(request, decision);
  if (!who) return;
  const bool was_there = dispatcher_->queue().leave(who->bot_id);
  respond(decision, 200, {{"status", was_there ? "left" : "not_queued"}});
}

Json Api::queue_place(const Credential& who, time_point now) {
  const Queue::Place place = dispatcher_->queue().place(who.bot_id, now);
  switch (place.state) {
    case Queue::Place::State::queued:
      return {{"status", "queued"},
              {"position", place.position},
              {"waiting_seconds", seconds(place.waited)}};
    case Queue::Place::State::timed_out:
      return {{"status", "timed_out"}, {"position", nullptr}, {"waiting_seconds", 0}};
    case Queue::Place::State::idle:
      break;
  }
  const bool plays = dispatcher_->is_matched(who.bot_id);
  return {{"status", plays ? "matched" : "idle"}, {"position", nullptr}, {"waiting_seconds", 0}};
}

// What everybody may see.

void Api::results(const Request& request, Decision decision, time_point) {
  std::size_t limit = 100;
  if (const auto text = request.query_value("limit")) {
    std::from_chars(text->data(), text->data() + text->size(), limit);
  }
  Json matches = Json::array();
  for (const Json& result : dispatcher_->results()) {
    if (matches.size() >= limit) break;
    matches.push_back(result);
  }
  respond(decision, 200, {{"matches", std::move(matches)}, {"standings", standings()}});
}

Json Api::standings() const {
  Json lines = Json::array();
  const TournamentRun* const run = dispatcher_->tournament();
  if (run == nullptr || run->tournament() == nullptr) return lines;
  for (const Standing& line : run->tournament()->standings()) {
    const Entrant& entrant = run->tournament()->entrants()[line.entrant];
    lines.push_back({{"place", line.place},
                     {"name", entrant.name},
                     {"bot_id", entrant.id},
                     {"online", run->is_online(line.entrant)},
                     {"wins", line.wins},
                     {"draws", line.draws},
                     {"losses", line.losses},
                     {"byes", line.byes},
                     {"net", line.net},
                     {"elo", std::round(line.elo * 10) / 10},
                     {"out", line.is_out}});
  }
  return lines;
}

void Api::tournament(const Request&, Decision decision, time_point now) {
  Json running = Json::array();
  matches_->list([&](const Table& table) {
    if (!table.match().is_over()) running.push_back(json_of(table));
    return running.size() < 200;
  });
  Json answer{{"server_ts", clock_->text(now)},        {"state", "none"},
              {"game", dispatcher_->config().game},    {"online", lobby_->online_count()},
              {"queued", dispatcher_->queue().size()}, {"running", matches_->running()},
              {"matches", std::move(running)},         {"standings", standings()}};
  if (const TournamentRun* const run = dispatcher_->tournament()) {
    const auto state = run->state();
    answer["state"] = state == TournamentRun::State::waiting   ? "waiting"
                      : state == TournamentRun::State::running ? "running"
                                                               : "over";
    answer["format"] = to_string(run->config().tournament.format);
    answer["wanted"] = run->config().bots;
    answer["gathered"] = run->gathered();
    answer["played"] = run->tournament() == nullptr ? 0 : run->tournament()->played();
  }
  respond(decision, 200, answer);
}

void Api::match(const Request& request, Decision decision, time_point) {
  std::string_view id = request.path.substr(std::string_view{"/matches/"}.size());
  if (id.ends_with(".json")) id.remove_suffix(5);
  const Table* const table = matches_->find(id);
  if (table == nullptr) {
    return refuse(decision, 404, "MATCH_NOT_FOUND", "no match of this id is running");
  }
  Json answer = json_of(*table);
  if (table->match().is_started()) answer["state"] = table->match().game().public_view();
  Json actions = Json::array();
  for (const Table::Done& done : table->actions()) {
    actions.push_back({{"round", done.round}, {"seat", done.seat}, {"details", done.details}});
  }
  answer["actions"] = std::move(actions);
  respond(decision, 200, answer);
}

}  // namespace lobby_program
