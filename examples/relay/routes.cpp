// SPDX-License-Identifier: MIT
// JSON in and out, tokens, and answers that come later.
#include "routes.hpp"

#include "server.hpp"

#include <muster/ascii.hpp>
#include <muster/error.hpp>

#include <asio/post.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

namespace relay_program {

namespace {

using Json = nlohmann::ordered_json;
using muster::as_bytes;
using muster::Decision;
using muster::HeaderField;
using muster::Request;
using muster::time_point;
using muster::relay::RoomListing;

constexpr std::size_t max_result_body = 32 * 1024;
constexpr std::size_t max_outcome = 64;  // bytes of one
constexpr int max_depth = 32;            // of JSON inside JSON: readers recurse

constexpr std::array json_headers{HeaderField{"Cache-Control", "no-store"},
                                  HeaderField{"X-Content-Type-Options", "nosniff"}};
constexpr std::array public_headers{HeaderField{"Cache-Control", "no-store"},
                                    HeaderField{"X-Content-Type-Options", "nosniff"},
                                    HeaderField{"Access-Control-Allow-Origin", "*"}};
constexpr std::array challenge_headers{HeaderField{"Cache-Control", "no-store"},
                                       HeaderField{"WWW-Authenticate", "Bearer"}};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void respond(Decision& decision, unsigned status, std::string text,
             std::span<const HeaderField> headers = json_headers) {
  text += '\n';
  decision.respond({.status = status,
                    .content_type = "application/json",
                    .body = as_bytes(text),
                    .headers = headers});
}

void respond_error(Decision& decision, unsigned status, std::string_view sentence) {
  respond(decision, status, dump({{"error", sentence}}));
}

std::string base64(muster::byte_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (i + k < bytes.size() ? std::to_integer<unsigned>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : digits[group >> (18U - 6U * k) & 63U];
    }
  }
  return out;
}

bool is_decent(std::string_view name) {
  return std::none_of(name.begin(), name.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Json json_of(const RoomListing& room) {
  return {{"game", room.room.game_id},
          {"room", room.room.room_id},
          {"rule_variation", room.room.rule_variation},
          {"players", room.players},
          {"max", room.max_players},
          {"spectators", room.spectators},
          {"open", room.is_open},
          {"has_password", room.has_password},
          {"metadata", base64(room.metadata)}};
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// @param is_all   for the administrator. Others learn no account, and not the name of a room that
///                 is still there: whoever knows it can come in
Json json_of(const Record& record, bool is_all) {
  Json json{{"id", record.id}, {"game_id", record.game_id}};
  if (is_all || record.closed_at) json["room_code"] = record.room_code;
  json["rule_variation"] = record.rule_variation;
  json["started_at"] = record.started_at;
  json["ended_at"] = or_null(record.ended_at);
  json["closed_at"] = or_null(record.closed_at);
  json["close_reason"] = or_null(record.close_reason);
  // It is the text that was posted, and so was JSON.
  json["result"] = record.result ? Json::parse(*record.result, nullptr, false) : Json(nullptr);
  if (json["result"].is_discarded()) json["result"] = or_null(record.result);
  if (is_all) {
    json["relay"] = record.relay;
    json["host_user_id"] = or_null(record.host_user_id);
  }
  return json;
}

Json json_of(const Participant& participant, bool is_all) {
  Json json{{"player_id", participant.player.id}, {"generation", participant.player.generation}};
  if (is_all) json["user_id"] = or_null(participant.user_id);
  json["display_name"] = or_null(participant.display_name);
  json["outcome"] = or_null(participant.outcome);
  json["joined_at"] = participant.joined_at;
  json["left_at"] = or_null(participant.left_at);
  json["leave_reason"] = or_null(participant.leave_reason);
  return json;
}

// All of the text, in plain digits.
template <class T>
std::optional<T> whole_number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T>
T parameter(const Request& request, std::string_view name, T otherwise) {
  const auto text = request.query_value(name);
  return text ? whole_number<T>(*text).value_or(otherwise) : otherwise;
}

constexpr std::size_t most_rooms = 1000;  // in one answer

std::size_t rooms_wanted(const Request& request) {
  return std::clamp<std::size_t>(parameter<std::size_t>(request, "limit", 100), 1, most_rooms);
}

// A host's token as it is written in a header: 16 hex digits, which no administrator's token has.
std::optional<std::uint64_t> host_token(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  return whole_number<std::uint64_t>(text, 16);
}

std::vector<Routes::Listed> joined(std::vector<std::vector<Routes::Listed>> loops) {
  std::vector<Routes::Listed> all;
  for (auto& rooms : loops) {
    std::move(rooms.begin(), rooms.end(), std::back_inserter(all));
  }
  return all;
}

/// A part of a list of rooms, as JSON.
/// @param text   which of a room's texts is shown
template <class Wanted>
std::string page_of(const std::vector<Routes::Listed>& rooms, std::size_t offset, std::size_t limit,
                    Wanted wanted, std::string Routes::Listed::*text) {
  std::size_t total = 0;
  std::size_t shown = 0;
  std::string page;
  for (const Routes::Listed& room : rooms) {
    if (!wanted(room)) continue;
    if (total++ < offset || shown == limit) continue;
    if (shown++ != 0) page += ',';
    page += room.*text;
  }
  return "{\"total\":" + std::to_string(total) + ",\"rooms\":[" + page + "]}";
}

bool is_json(const Request& request) {
  const std::string_view type = request.header("Content-Type").value_or("");
  std::string_view essence = type.substr(0, type.find(';'));
  while (essence.ends_with(' ')) essence.remove_suffix(1);
  return muster::equals_ignoring_case(essence, "application/json");
}

// What was posted about a game.
struct Posted {
  std::string room_code;
  std::string game_id;
  GameResult result;
};

/// @return   422's sentence, or nothing
std::string read_result(const Json& json, Posted& out) {
  if (!json.is_object()) return "an object with room_code, game_id, result and outcomes is needed";
  const auto text = [&json](const char* name, std::string& to) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_string()) return false;
    to = found->get<std::string>();
    return true;
  };
  if (!text("room_code", out.room_code)) return "room_code must be a text";
  if (!text("game_id", out.game_id)) return "game_id must be a text";
  const auto result = json.find("result");
  if (result == json.end()) return "result is missing; any JSON is allowed";
  out.result.result = dump(*result);
  const auto outcomes = json.find("outcomes");
  if (outcomes == json.end()) return {};
  if (!outcomes->is_object()) return "outcomes must be an object, by player id";
  for (const auto& [id, outcome] : outcomes->items()) {
    const auto number = whole_number<std::uint16_t>(id);
    if (!number || !outcome.is_string() ||
        outcome.get_ref<const std::string&>().size() > max_outcome) {
      return "outcomes must have player ids from 0 to 65535, and texts of at most 64 bytes";
    }
    out.result.outcomes.emplace_back(*number, outcome.get<std::string>());
  }
  return {};
}

UnixSeconds unix_now() {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  return duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Routes::Routes(Fleet& fleet, std::uint32_t here, Shared& shared, muster::relay::Service& relay,
               const Journal& journal, muster::Mac& mac)
    : fleet_(&fleet),
      here_(here),
      context_(&fleet.group.loop(here).context()),
      shared_(&shared),
      relay_(&relay),
      journal_(&journal),
      mac_(&mac),
      gatherer_(fleet.group, here,
                [&fleet](std::size_t loop) { return fleet.servers[loop]->routes().rooms(); }),
      alive_(std::make_shared<Routes*>(this)) {}

void Routes::add_to(muster::Router& router) {
  const auto to = [this](void (Routes::*route)(const Request&, Decision, time_point)) {
    return [this, route](const Request& request, Decision decision, time_point now) {
      (this->*route)(request, std::move(decision), now);
    };
  };
  router.get("/rooms", to(&Routes::list_rooms))
      .get_below("/games/", to(&Routes::show_record))
      .post("/games/result", to(&Routes::take_result));
  if (!shared_->admin().exists()) return;
  router.get("/admin/rooms", to(&Routes::list_all_rooms))
      .get("/admin/records", to(&Routes::list_records))
      .post("/admin/reload", to(&Routes::reload));
}

// Rooms.

std::vector<Routes::Listed> Routes::rooms() const {
  std::vector<Listed> rooms;
  relay_->list_rooms([&](const RoomListing& room) {
    Json json = json_of(room);
    Listed& listed = rooms.emplace_back();
    listed.game = room.room.game_id;
    listed.is_public =
        room.is_listed && is_decent(room.room.game_id) && is_decent(room.room.room_id);
    if (listed.is_public) listed.json = dump(json);
    json["listed"] = room.is_listed;
    json["has_host"] = room.has_host;
    json["instance"] = journal_->room_of(room.room.instance);
    listed.more = dump(json);
    return true;
  });
  return rooms;
}

void Routes::list_rooms(const Request& request, Decision decision, time_point now) {
  const auto game = request.query_value("game");
  const auto offset = parameter<std::size_t>(request, "offset", 0);
  const std::size_t limit = rooms_wanted(request);
  const auto show = [this, game, offset, limit](Decision asked) {
    respond(asked, 200,
            page_of(
                listed_, offset, limit,
                [&](const Listed& room) { return room.is_public && (!game || room.game == *game); },
                &Listed::json),
            public_headers);
  };
  if (now < listed_until_) return show(std::move(decision));
  const Ticket ticket = keep(std::move(decision));
  gatherer_.ask([this, ticket, show, now](std::vector<std::vector<Listed>> loops) {
    listed_ = joined(std::move(loops));
    listed_until_ = now + std::chrono::seconds{1};
    show(std::move(kept_.extract(ticket).mapped()));
  });
}

void Routes::list_all_rooms(const Request& request, Decision decision, time_point now) {
  if (!is_administrator(request, decision, now)) return;
  const auto offset = parameter<std::size_t>(request, "offset", 0);
  const std::size_t limit = rooms_wanted(request);
  const Ticket ticket = keep(std::move(decision));
  gatherer_.ask([this, ticket, offset, limit](std::vector<std::vector<Listed>> loops) {
    Decision asked = std::move(kept_.extract(ticket).mapped());
    respond(asked, 200,
            page_of(
                joined(std::move(loops)), offset, limit, [](const Listed&) { return true; },
                &Listed::more));
  });
}

// Records.

Routes::Ticket Routes::keep(Decision decision) {
  const Ticket ticket = next_ticket_++;
  kept_.emplace(ticket, std::move(decision));
  return ticket;
}

std::function<void(Routes::Answer)> Routes::answer_later(Ticket ticket) {
  return [context = context_, alive = std::weak_ptr{alive_}, ticket](Answer answer) {
    ::asio::post(*context, [alive, ticket, answer = std::move(answer)] {
      const auto self = alive.lock();
      if (!self) return;
      auto kept = (*self)->kept_.extract(ticket);
      if (!kept.empty()) answer(std::move(kept.mapped()));
    });
  };
}

void Routes::show_record(const Request& request, Decision decision, time_point now) {
  constexpr std::string_view prefix = "/games/";
  const auto id = whole_number<std::int64_t>(request.path.substr(prefix.size()));
  if (!id || *id <= 0) return respond_error(decision, 404, "no such game");
  const bool is_all = request.header("Authorization").has_value();
  if (is_all && !is_administrator(request, decision, now)) return;
  RecordWriter* const records = shared_->records();
  if (records == nullptr) return respond_error(decision, 503, "no records are kept");
  const Ticket ticket = keep(std::move(decision));
  const bool is_asked =
      records->find(*id, [later = answer_later(ticket), is_all](RecordWriter::Found found) {
        unsigned status = 200;
        Json json;
        if (!found.value) {
          status = 503;
          json = {{"error", "the records cannot be read now"}};
        } else if (!*found.value) {
          status = 404;
          json = {{"error", "no such game"}};
        } else {
          json = json_of(**found.value, is_all);
          json["participants"] = Json::array();
          for (const Participant& participant : (*found.value)->participants) {
            json["participants"].push_back(json_of(participant, is_all));
          }
        }
        later([status, text = dump(json)](Decision kept) { respond(kept, status, text); });
      });
  if (!is_asked) {
    auto kept = kept_.extract(ticket);
    respond_error(kept.mapped(), 503, "too many ask for records");
  }
}

void Routes::list_records(const Request& request, Decision decision, time_point now) {
  if (!is_administrator(request, decision, now)) return;
  RecordWriter* const records = shared_->records();
  if (records == nullptr) return respond_error(decision, 503, "no records are kept");
  RecordPage page;
  if (const auto before = request.query_value("before")) {
    page.before = whole_number<std::int64_t>(*before);
    if (!page.before) return respond_error(decision, 400, "before must be the id of a record");
  }
  page.limit = parameter<std::size_t>(request, "limit", page.limit);
  page.user_id = request.query_value("user");
  const Ticket ticket = keep(std::move(decision));
  const bool is_asked =
      records->list(page, [later = answer_later(ticket)](RecordWriter::Listed listed) {
        unsigned status = 200;
        Json json;
        if (!listed.value) {
          status = 503;
          json = {{"error", "the records cannot be read now"}};
        } else {
          json["records"] = Json::array();
          for (const Record& record : *listed.value) {
            Json one = json_of(record, true);
            for (const Participant& participant : record.participants) {
              one["participants"].push_back(json_of(participant, true));
            }
            json["records"].push_back(std::move(one));
          }
        }
        later([status, text = dump(json)](Decision kept) { respond(kept, status, text); });
      });
  if (!is_asked) {
    auto kept = kept_.extract(ticket);
    respond_error(kept.mapped(), 503, "too many ask for records");
  }
}

void Routes::take_result(const Request& request, Decision decision, time_point now) {
  const auto bearer = bearer_token(request);
  if (!bearer) {
    ++stats_.unauthorized;
    return refuse(decision);
  }
  const std::string token{*bearer};
  if (!is_json(request)) {
    return respond_error(decision, 415, "the content type must be application/json");
  }
  if (request.body.size() > max_result_body) {
    return respond_error(decision, 413, "a result may have 32 KiB");
  }
  bool is_deep = false;
  const auto callback = [&is_deep](int depth, Json::parse_event_t, Json&) {
    is_deep = is_deep || depth > max_depth;
    return !is_deep;
  };
  const std::string_view body = muster::as_text(request.body);
  const Json json = Json::parse(body.begin(), body.end(), callback, false);
  if (is_deep) return respond_error(decision, 422, "too much is inside of each other");
  if (json.is_discarded()) return respond_error(decision, 400, "this is not JSON");
  Posted posted;
  if (const std::string problem = read_result(json, posted); !problem.empty()) {
    return respond_error(decision, 422, problem);
  }

  Claim claim{posted.game_id, posted.room_code, host_token(token), request.remote};
  if (!claim.token && !is_administrator(request, decision, now)) return;
  const std::uint32_t home = relay_->home_of(posted.game_id, posted.room_code);
  const Ticket ticket = keep(std::move(decision));
  if (home == here_) return report(ticket, judge(claim, now), std::move(posted.result));
  const auto status = fleet_->mailboxes[home].post(
      [fleet = fleet_, home, back = fleet_->mailboxes[here_], alive = std::weak_ptr{alive_}, ticket,
       claim = std::move(claim), result = std::move(posted.result), now]() mutable {
        const Verdict verdict = fleet->servers[home]->routes().judge(claim, now);
        back.post([alive, ticket, verdict, result = std::move(result)]() mutable {
          if (const auto self = alive.lock()) (*self)->report(ticket, verdict, std::move(result));
        });
      });
  if (status != muster::asio::PostStatus::queued) {
    auto kept = kept_.extract(ticket);
    respond_error(kept.mapped(), 503, "the relay has too much to do; try again later");
  }
}

Routes::Verdict Routes::judge(const Claim& claim, time_point now) {
  if (claim.token) {
    const std::error_code error =
        relay_->check_host_token(claim.game_id, claim.room_code, *claim.token, claim.remote, now);
    if (error) return {error};
  }
  const auto* const room = relay_->find_room(claim.game_id, claim.room_code);
  if (room == nullptr) return {make_error_code(muster::errc::not_found)};
  return {{}, journal_->room_of(room->facts().instance)};
}

// Writes the result, if the sender may report it.
void Routes::report(Ticket ticket, const Verdict& verdict, GameResult result) {
  const auto found = kept_.find(ticket);
  if (found == kept_.end()) return;
  Decision& decision = found->second;
  RecordWriter* const records = shared_->records();
  const auto refused = [&] {
    if (verdict.error == muster::errc::limit_reached) {
      ++stats_.limited;
      respond_error(decision, 429, "too many attempts; try again later");
    } else if (verdict.error == muster::errc::not_found) {
      respond_error(decision, 404, "no such room");
    } else if (verdict.error) {
      ++stats_.unauthorized;
      refuse(decision);
    } else if (records == nullptr) {
      respond_error(decision, 503, "no records are kept");
    } else {
      return false;
    }
    return true;
  };
  if (refused()) {
    kept_.erase(found);
    return;
  }
  result.room = verdict.room;
  result.at = unix_now();
  const bool is_offered =
      records->offer(std::move(result), [later = answer_later(ticket)](const Effect& effect) {
        later([effect](Decision kept) {
          switch (effect.kind) {
            case Effect::Kind::written:
            case Effect::Kind::unchanged:
              return respond(kept, 200,
                             dump({{"game_record_id", effect.record_id},
                                   {"is_new", effect.kind == Effect::Kind::written}}));
            case Effect::Kind::no_record:
              return respond_error(kept, 404, "the room's record was lost");
            case Effect::Kind::rejected:
              return respond_error(kept, 422, "the database does not take this result");
            case Effect::Kind::lost:
              return respond_error(kept, 503, "the result could not be written");
          }
        });
      });
  if (!is_offered) {
    auto kept = kept_.extract(ticket);
    respond_error(kept.mapped(), 503, "too much waits to be written; try again later");
  }
}

// The administrator.

void Routes::reload(const Request& request, Decision decision, time_point now) {
  if (!is_administrator(request, decision, now)) return;
  const std::vector<std::string> problems = shared_->reload();
  respond(decision, problems.empty() ? 200 : 422,
          dump({{"games", shared_->content()->games.games.size()}, {"problems", problems}}));
}

bool Routes::is_administrator(const Request& request, Decision& decision, time_point now) {
  const auto token = bearer_token(request);
  if (!shared_->limits().may_present_token(request.remote, now)) {
    ++stats_.limited;
    respond_error(decision, 429, "too many attempts; try again later");
    return false;
  }
  if (token && shared_->admin().matches(*token, *mac_)) return true;
  ++stats_.unauthorized;
  if (token) shared_->limits().count_failed_token(request.remote, now);
  refuse(decision);
  return false;
}

void Routes::refuse(Decision& decision) {
  respond(decision, 401, dump({{"error", "a token is needed: Authorization: Bearer TOKEN"}}),
          challenge_headers);
}

}  // namespace relay_program
