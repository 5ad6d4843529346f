// SPDX-License-Identifier: MIT
#include <muster/shard/matchmaker.hpp>

#include <muster/shard/id.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using std::chrono::sys_seconds;
using State = MatchStatus::State;
using Names = std::vector<std::string>;

namespace {

constexpr time_point start{100h};
constexpr sys_seconds unix_start{1'700'000'000s};

MatchMode mode(std::string name, std::uint16_t teams, std::uint16_t team_size,
               std::optional<RatingWindow> window = {}) {
  return {.name = std::move(name), .teams = teams, .team_size = team_size, .window = window};
}

struct World final : MatchHandler {
  explicit World(std::vector<MatchMode> modes, Matchmaker::Config other = {})
      : config(std::move(other)) {
    config.modes = std::move(modes);
    std::string problem;
    REQUIRE_FALSE(Matchmaker::validate(config, problem));
    entropy.fill(key);
    matchmaker.emplace(config, key, entropy, mac, *this, start, unix_start);
  }

  bool on_match(const Match& match, time_point at) override {
    CHECK(at == now);
    const bool is_made = !answer || answer(match);
    (is_made ? matches : failed).push_back(match);
    return is_made;
  }
  void on_idle(std::string_view player, IdleReason reason, std::string_view shard,
               time_point at) override {
    CHECK(at == now);
    idle.emplace_back(std::string{player}, reason, std::string{shard});
    if (hear) hear(player, reason);
  }

  std::error_code enqueue(const Names& players, std::string_view name = "m",
                          std::int32_t rating = 0) {
    const std::vector<std::string_view> views(players.begin(), players.end());
    return matchmaker->enqueue({.mode = name, .players = views, .rating = rating}, now);
  }
  void queue(const Names& players, std::string_view name = "m", std::int32_t rating = 0) {
    REQUIRE_FALSE(enqueue(players, name, rating));
  }
  void pass(duration time = 0s) {
    now += time;
    matchmaker->advance(now);
  }
  MatchStatus status(std::string_view player) { return matchmaker->status(player, now); }
  std::string json(std::string_view player) { return to_json(status(player)); }
  CheckedTicket checked(std::string_view player) {
    const MatchStatus at = status(player);
    return TicketSigner{mac, key}.check(
        at.ticket, at.shard, unix_start + std::chrono::floor<std::chrono::seconds>(now - start));
  }

  // The players of a match, by name.
  static Names players(const Match& match) {
    Names names;
    for (const MatchSeat& seat : match.seats) names.push_back(seat.player);
    std::sort(names.begin(), names.end());
    return names;
  }

  Matchmaker::Config config;
  SeededEntropy entropy{1};
  WeakMac mac;
  TicketSigner::Key key{};
  time_point now = start;
  std::function<bool(const Match&)> answer;
  std::function<void(std::string_view, IdleReason)> hear;
  std::vector<Match> matches;
  std::vector<Match> failed;
  std::vector<std::tuple<std::string, IdleReason, std::string>> idle;
  std::optional<Matchmaker> matchmaker;
};

using Idle = decltype(World::idle);

}  // namespace

TEST_CASE("matchmaker: the shard id and the status are those of the vectors", "[shard]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("matchmaker");
  const auto& example = vectors.at("example");
  CHECK(Matchmaker::Config{}.shard_prefix == example.at("prefix"));
  CHECK(unix_start.time_since_epoch().count() == example.at("now").get<std::int64_t>());
  World w{{mode("m", 1, 2)}};
  const auto& shown = vectors.at("status_json");
  CHECK(nlohmann::json::parse(w.json("alice")) == shown.at(0));

  w.queue({"alice"});
  w.now += 3s;
  CHECK(nlohmann::json::parse(w.json("alice")) == shown.at(1));

  w.now = start;
  w.queue({"bob"});
  w.pass();
  auto matched = nlohmann::json::parse(w.json("alice"));
  CHECK(w.matches.at(0).shard == example.at("id"));
  CHECK(matched.at("expires") == 1'700'000'015);
  CHECK(matched.at("ticket") == w.status("alice").ticket);
  matched.erase("expires");
  matched.erase("ticket");
  CHECK(matched == shown.at(2));

  // Once the ticket is used there is nothing left of it.
  REQUIRE_FALSE(w.matchmaker->claim(w.checked("alice").ticket, w.now));
  CHECK(nlohmann::json::parse(w.json("alice")) == shown.at(2));
}

TEST_CASE("matchmaker: groups of the vectors", "[shard]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("matchmaker");
  const auto& fixed = vectors.at("fixed_size_2");
  World w{{mode("ranked", 1, 2), mode("casual", 1, 2)}};
  for (const auto& entry : fixed.at("queue")) {
    w.queue({entry.at(0).get<std::string>()}, entry.at(1).get<std::string>());
  }
  w.pass();
  REQUIRE(w.matches.size() == fixed.at("groups").size());
  for (std::size_t i = 0; i < w.matches.size(); ++i) {
    CHECK(World::players(w.matches[i]) == fixed.at("groups").at(i).get<Names>());
  }
  for (const auto& left : fixed.at("left")) {
    CHECK(w.status(left.get<std::string>()).state == State::queued);
  }
}

TEST_CASE("matchmaker: without ratings, whoever came first is matched first", "[shard]") {
  World w{{mode("m", 1, 3)}};
  for (int i = 0; i < 8; ++i) w.queue({"p" + std::to_string(i)}, "m", 1000 * (i % 2));
  CHECK(w.status("p5").position == 5);
  w.pass();
  REQUIRE(w.matches.size() == 2);
  CHECK(World::players(w.matches[0]) == Names{"p0", "p1", "p2"});
  CHECK(World::players(w.matches[1]) == Names{"p3", "p4", "p5"});
  CHECK(w.matches[0].shard != w.matches[1].shard);
  CHECK(w.status("p6").position == 0);
  CHECK(w.status("p7").position == 1);
}

TEST_CASE("matchmaker: a party stays together, in one team", "[shard]") {
  World w{{mode("m", 2, 3)}};
  w.queue({"a1", "a2"});
  w.queue({"b1", "b2"});
  w.queue({"c1", "c2"});  // there is no room for it beside two others
  w.queue({"d"});
  CHECK(w.status("d").position == 6);
  CHECK(w.status("c2").position == 4);
  w.pass(1s);
  CHECK(w.matches.empty());
  w.queue({"e"});
  w.pass(1s);
  REQUIRE(w.matches.size() == 1);
  CHECK(World::players(w.matches[0]) == Names{"a1", "a2", "b1", "b2", "d", "e"});
  std::map<std::string, unsigned> team;
  for (const MatchSeat& seat : w.matches[0].seats) team[seat.player] = seat.team;
  CHECK(team["a1"] == team["a2"]);
  CHECK(team["b1"] == team["b2"]);
  CHECK(team["a1"] != team["b1"]);
  CHECK(team["d"] != team["e"]);
  CHECK(w.status("c1").position == 0);
}

TEST_CASE("matchmaker: the oldest party is served even where a greedy choice leaves it out",
          "[shard]") {
  // Five that came alone and then pairs: not all five fit, but the first does.
  World w{{mode("m", 2, 3)}};
  for (int i = 0; i < 5; ++i) w.queue({"p" + std::to_string(i)});
  w.queue({"q1", "q2"});
  w.queue({"r1", "r2"});
  w.pass();
  REQUIRE(w.matches.size() == 1);
  CHECK(World::players(w.matches[0]) == Names{"p0", "p1", "p2", "p3", "q1", "q2"});
}

TEST_CASE("matchmaker: the rating window widens with the time waited, up to its maximum",
          "[shard]") {
  const RatingWindow window{.initial = 50, .per_second = 10, .most = 200};
  World w{{mode("m", 1, 2, window)}};
  w.queue({"a"}, "m", 1000);
  w.queue({"b"}, "m", 1150);
  w.pass();
  CHECK(w.matches.empty());
  // 100 points above the initial window take ten seconds, and the matchmaker knows it.
  CHECK(w.matchmaker->next_deadline() == start + 10s);
  w.pass(10s - 1ns);
  CHECK(w.matches.empty());
  w.pass(1ns);
  REQUIRE(w.matches.size() == 1);

  w.queue({"c"}, "m", 1000);
  w.queue({"d"}, "m", 1201);
  w.pass(59s);
  CHECK(w.matches.size() == 1);
  w.pass(1s);
  CHECK(w.status("c").reason == IdleReason::max_wait);

  w.queue({"e"}, "m", 1000);
  w.queue({"f"}, "m", 800);
  w.pass(15s);
  CHECK(w.matches.size() == 2);
}

TEST_CASE("matchmaker: the window is that of the one who waited longest", "[shard]") {
  const RatingWindow window{.initial = 0, .per_second = 10, .most = 1000};
  World w{{mode("m", 1, 2, window)}};
  w.queue({"old"}, "m", 1000);
  w.pass(30s);
  w.queue({"new"}, "m", 700);
  w.pass();
  REQUIRE(w.matches.size() == 1);
  CHECK(World::players(w.matches[0]) == Names{"new", "old"});
}

TEST_CASE("matchmaker: of several groups, that around the oldest is formed, of the nearest",
          "[shard]") {
  const RatingWindow window{.initial = 100, .per_second = 0, .most = 100};
  World w{{mode("m", 1, 2, window)}};
  w.queue({"oldest"}, "m", 1000);
  w.queue({"far"}, "m", 1090);
  w.queue({"near"}, "m", 990);
  w.queue({"farther"}, "m", 1100);
  w.pass();
  REQUIRE(w.matches.size() == 2);
  CHECK(World::players(w.matches[0]) == Names{"near", "oldest"});
  CHECK(World::players(w.matches[1]) == Names{"far", "farther"});
}

TEST_CASE("matchmaker: of equal ratings the earlier is taken, on either side", "[shard]") {
  const RatingWindow window{.initial = 100, .per_second = 0, .most = 100};
  for (const std::int32_t other : {950, 1000, 1050}) {
    World w{{mode("m", 1, 3, window)}};
    w.queue({"a"}, "m", 1000);
    for (const char* name : {"b", "c", "d", "e"}) w.queue({name}, "m", other);
    w.pass();
    REQUIRE(w.matches.size() == 1);
    CHECK(World::players(w.matches[0]) == Names{"a", "b", "c"});
  }
}

TEST_CASE("matchmaker: ratings at the ends of their range", "[shard]") {
  const RatingWindow all{.initial = 0xffffffff, .per_second = 0, .most = 0xffffffff};
  const RatingWindow nearly{.initial = 0xfffffffe, .per_second = 1'000'000, .most = 0xffffffff};
  for (const RatingWindow& window : {all, nearly}) {
    World w{{mode("m", 1, 2, window)}};
    w.queue({"a"}, "m", std::numeric_limits<std::int32_t>::min());
    w.queue({"b"}, "m", std::numeric_limits<std::int32_t>::max());
    w.pass();
    CHECK(w.matches.size() == (window == all ? 1 : 0));
    w.pass(1s);
    CHECK(w.matches.size() == 1);
  }
}

TEST_CASE("matchmaker: a player who leaves is not matched", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.queue({"a"});
  w.queue({"b"});
  CHECK(w.matchmaker->dequeue("a", w.now));
  CHECK_FALSE(w.matchmaker->dequeue("a", w.now));
  CHECK_FALSE(w.matchmaker->dequeue("nobody", w.now));
  w.pass();
  CHECK(w.matches.empty());
  CHECK(w.json("a") == R"({"status":"idle"})");
  CHECK(w.status("b").position == 0);
  CHECK(w.matchmaker->queued_count() == 1);
}

TEST_CASE("matchmaker: a party leaves together, and the others are told", "[shard]") {
  World w{{mode("m", 2, 2)}};
  w.queue({"a", "b"});
  CHECK(w.matchmaker->dequeue("b", w.now));
  CHECK(w.idle == Idle{{"a", IdleReason::party_left, ""}});
  CHECK(w.json("a") == R"({"status":"idle","reason":"party_left"})");
  CHECK(w.json("b") == R"({"status":"idle"})");
  CHECK(w.matchmaker->queued_count() == 0);
  w.pass(60s);
  CHECK(w.json("a") == R"({"status":"idle"})");
  CHECK(w.matchmaker->next_deadline() == no_deadline);
}

TEST_CASE("matchmaker: who queues again goes to the back, and takes its party out", "[shard]") {
  World w{{mode("m", 1, 3), mode("other", 1, 3)}};
  w.queue({"a", "b"});
  w.queue({"c"});
  w.queue({"a", "d"});
  CHECK(w.idle == Idle{{"b", IdleReason::party_left, ""}});
  CHECK(w.status("c").position == 0);
  CHECK(w.status("a").position == 1);
  CHECK(w.matchmaker->queued_count() == 3);
  w.queue({"a"}, "other");
  CHECK(w.status("d").reason == IdleReason::party_left);
  w.pass();
  CHECK(w.matches.empty());
}

TEST_CASE("shard defect 20: a player who leaves while its match is made is not matched",
          "[shard]") {
  World w{{mode("m", 2, 2)}};
  w.answer = [&](const Match& match) {
    CHECK(match.seats.size() == 4);
    CHECK(w.matchmaker->dequeue("b", w.now));
    CHECK(w.status("b").state == State::idle);
    return true;
  };
  w.queue({"a", "b"});
  w.queue({"c"});
  w.queue({"d"});
  w.pass();
  REQUIRE(w.matches.size() == 1);
  // Its party goes with it, and those who came alone have their seats.
  CHECK(w.idle == Idle{{"a", IdleReason::party_left, ""}});
  CHECK(w.status("a").state == State::idle);
  CHECK(w.status("b").state == State::idle);
  CHECK(w.status("c").state == State::matched);
  CHECK(w.status("d").state == State::matched);
  // Nor can what was signed for it be used.
  for (const MatchSeat& seat : w.matches[0].seats) {
    const auto checked =
        TicketSigner{w.mac, w.key}.check(seat.ticket, w.matches[0].shard, unix_start);
    REQUIRE(checked);
    const bool may = seat.player == "c" || seat.player == "d";
    CHECK(w.matchmaker->claim(checked.ticket, w.now) ==
          (may ? std::error_code{} : make_error_code(errc::not_found)));
  }
}

TEST_CASE("shard defect 20: a player who queues again while its match is made keeps the new place",
          "[shard]") {
  const bool is_made = GENERATE(true, false);
  World w{{mode("m", 1, 2), mode("other", 1, 2)}};
  w.answer = [&](const Match&) {
    w.queue({"a"}, "other");
    return is_made;
  };
  w.queue({"a"});
  w.queue({"b"});
  w.pass();
  CHECK(w.status("a").state == State::queued);
  CHECK(w.status("b").state == (is_made ? State::matched : State::queued));
  w.answer = {};
  w.queue({"x"}, "other");
  w.pass(1s);
  CHECK(World::players(w.matches.back()) == Names{"a", "x"});
  CHECK(w.matchmaker->queued_count() == (is_made ? 0 : 1));
}

TEST_CASE("shard defect 20: an entry that was replaced or left is not matched", "[shard]") {
  World w{{mode("m", 1, 2), mode("other", 1, 2)}};
  w.queue({"a"});
  w.queue({"b"});
  w.queue({"a"}, "other");
  w.pass();
  CHECK(w.matches.empty());
  w.queue({"c"}, "other");
  w.pass(1s);
  REQUIRE(w.matches.size() == 1);
  CHECK(World::players(w.matches[0]) == Names{"a", "c"});
}

TEST_CASE("shard defect 20: an assignment that nobody takes does not stay for ever", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.queue({"a"});
  w.queue({"b"});
  w.pass();
  REQUIRE_FALSE(w.matchmaker->claim(w.checked("a").ticket, w.now));
  CHECK(w.matchmaker->next_deadline() == start + 15s);
  w.pass(15s);
  CHECK(w.status("a").state == State::matched);
  CHECK(w.json("b") == R"({"status":"idle","reason":"unclaimed"})");
  CHECK(w.idle == Idle{{"b", IdleReason::unclaimed, w.matches[0].shard}});
  w.pass(45s);
  CHECK(w.json("a") == R"({"status":"idle"})");
  w.pass(15s);
  CHECK(w.json("b") == R"({"status":"idle"})");
  CHECK(w.matchmaker->next_deadline() == no_deadline);
}

TEST_CASE("matchmaker: a seat is claimed with its own ticket, and once", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.queue({"a"});
  w.queue({"b"});
  w.pass(500ms);
  const CheckedTicket ticket = w.checked("a");
  REQUIRE(ticket);
  CHECK(ticket.ticket.sid == "a");
  CHECK(ticket.ticket.shard == w.matches[0].shard);
  CHECK(ticket.ticket.nonce != w.checked("b").ticket.nonce);
  const auto with = [&](auto change) {
    JoinTicket other = ticket.ticket;
    change(other);
    return w.matchmaker->claim(other, w.now);
  };
  CHECK(with([](JoinTicket& t) { ++t.nonce; }) == errc::not_found);
  CHECK(with([](JoinTicket& t) { t.sid = "b"; }) == errc::not_found);
  CHECK(with([](JoinTicket& t) { t.sid = "x"; }) == errc::not_found);
  CHECK(with([](JoinTicket& t) { t.shard += "0"; }) == errc::not_found);
  CHECK_FALSE(with([](JoinTicket&) {}));
  CHECK(with([](JoinTicket&) {}) == errc::already_exists);
  CHECK(w.matchmaker->stats().claimed == 1);
}

TEST_CASE("matchmaker: a ticket does not outlive the seat", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.now += 700ms;
  w.queue({"a"});
  w.queue({"b"});
  w.pass();
  const time_point matched = w.now;
  w.now = start + 15s - 1ns;
  CHECK(w.checked("a"));
  w.now = start + 15s;
  CHECK(w.checked("a").verdict == TicketVerdict::expired);
  w.now = matched + 15s;
  CHECK(w.status("a").reason == IdleReason::unclaimed);
  CHECK(w.status("a").ticket.empty());
}

TEST_CASE("matchmaker: a seat can be given up, and only then is there another", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.queue({"a"});
  w.queue({"b"});
  w.pass();
  const JoinTicket ticket = w.checked("a").ticket;
  CHECK(w.enqueue({"a"}) == errc::already_exists);
  CHECK(w.enqueue({"x", "a"}) == errc::already_exists);
  CHECK(w.status("x").state == State::idle);
  CHECK(w.matchmaker->dequeue("a", w.now));
  CHECK(w.matchmaker->claim(ticket, w.now) == errc::not_found);
  w.queue({"a"});
  // Who has claimed its seat may queue for the next match, but not give it up.
  REQUIRE_FALSE(w.matchmaker->claim(w.checked("b").ticket, w.now));
  CHECK_FALSE(w.matchmaker->dequeue("b", w.now));
  CHECK(w.status("b").state == State::matched);
  w.queue({"b"});
  w.pass(1s);
  REQUIRE(w.matches.size() == 2);
  CHECK(World::players(w.matches[1]) == Names{"a", "b"});
  CHECK(w.matchmaker->stats().given_up == 1);
}

TEST_CASE("matchmaker: after the longest wait a player is idle, and knows why", "[shard]") {
  World w{{mode("m", 2, 2)}};
  w.queue({"a", "b"});
  CHECK(w.matchmaker->next_deadline() == start + 60s);
  w.pass(60s - 1ns);
  CHECK(w.status("a").state == State::queued);
  w.pass(1ns);
  CHECK(w.json("a") == R"({"status":"idle","reason":"max_wait"})");
  CHECK(w.idle == Idle{{"a", IdleReason::max_wait, ""}, {"b", IdleReason::max_wait, ""}});
  CHECK(w.matchmaker->queued_count() == 0);
  w.queue({"a"});
  CHECK(w.json("a") == R"({"status":"queued","position":0,"waiting_secs":0})");
}

TEST_CASE("matchmaker: who hears that it is idle may queue again at once", "[shard]") {
  World w{{mode("m", 2, 2)}};
  w.hear = [&](std::string_view player, IdleReason) {
    const std::vector<std::string_view> players{player};
    REQUIRE_FALSE(w.matchmaker->enqueue({.mode = "m", .players = players, .rating = 0}, w.now));
  };
  w.queue({"a", "b"});
  w.queue({"c"});
  w.pass(60s);
  CHECK(w.matchmaker->queued_count() == 3);
  CHECK(w.idle.size() == 3);
  w.pass(59s);
  CHECK(w.matchmaker->queued_count() == 3);
}

TEST_CASE("matchmaker: players whose shard could not be made go back to their places", "[shard]") {
  World w{{mode("m", 1, 2), mode("other", 1, 2)}};
  for (const char* name : {"a", "b", "c", "d"}) w.queue({name});
  w.queue({"x"}, "other");
  w.queue({"y"}, "other");
  w.answer = [](const Match& match) { return match.mode == "other"; };
  w.now += 2s;
  w.pass();
  // One try for each pass, and no other mode waits for it.
  CHECK(w.failed.size() == 1);
  CHECK(w.matches.size() == 1);
  CHECK(w.matchmaker->stats().failed_matches == 1);
  CHECK(w.status("a").position == 0);
  CHECK(w.status("b").position == 1);
  CHECK(w.status("c").position == 2);
  CHECK(w.status("a").waited == 2s);
  CHECK(w.matchmaker->next_deadline() == w.now + 1s);
  w.pass(999ms);
  CHECK(w.failed.size() == 1);
  w.answer = {};
  w.pass(1ms);
  REQUIRE(w.matches.size() == 3);
  CHECK(World::players(w.matches[1]) == Names{"a", "b"});
  CHECK(World::players(w.matches[2]) == Names{"c", "d"});
  CHECK(w.matches[1].shard != w.failed[0].shard);
  CHECK_FALSE(w.matchmaker->claim(w.checked("a").ticket, w.now));
}

TEST_CASE("matchmaker: a queue whose shards can never be made still ends", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.answer = [](const Match&) { return false; };
  w.queue({"a"});
  w.queue({"b"});
  int advances = 0;
  for (time_point next; (next = w.matchmaker->next_deadline()) < start + 61s; ++advances) {
    w.now = next;
    w.pass();
    REQUIRE(advances < 100);
  }
  CHECK(w.failed.size() == 60);
  CHECK(w.status("a").reason == IdleReason::max_wait);
}

TEST_CASE("matchmaker: what cannot be queued is refused, and changes nothing", "[shard]") {
  World w{{mode("m", 2, 2)}};
  w.queue({"a", "b"});
  CHECK(w.enqueue({"c"}, "n") == errc::not_found);
  CHECK(w.enqueue({"a"}, "") == errc::not_found);
  CHECK(w.enqueue({}) == errc::bad_value);
  CHECK(w.enqueue({"c", "c"}) == errc::bad_value);
  CHECK(w.enqueue({""}) == errc::bad_value);
  CHECK(w.enqueue({std::string(129, 'x')}) == errc::bad_value);
  CHECK(w.enqueue({"a\n"}) == errc::bad_value);
  CHECK(w.enqueue({"\xff"}) == errc::bad_value);
  CHECK(w.enqueue({"a", "c", "d"}) == errc::too_large);
  CHECK(w.matchmaker->stats().refused == 9);
  CHECK(w.status("a").state == State::queued);
  CHECK(w.matchmaker->queued_count() == 2);
  CHECK(w.idle.empty());
}

TEST_CASE("matchmaker: the queue is bounded, and what is only remembered gives way", "[shard]") {
  World w{{mode("m", 1, 4)}, {.max_players = 4}};
  w.queue({"a", "b"});
  w.queue({"c"});
  CHECK(w.enqueue({"d", "e"}) == errc::limit_reached);
  CHECK(w.status("d").state == State::idle);
  CHECK(w.matchmaker->dequeue("a", w.now));
  CHECK(w.status("b").reason == IdleReason::party_left);
  CHECK(w.enqueue({"d", "e", "f", "g"}) == errc::limit_reached);
  w.queue({"d", "e"});
  CHECK(w.status("b").reason == IdleReason::party_left);
  CHECK(w.enqueue({"f", "b", "g"}) == errc::limit_reached);
  w.queue({"f"});
  CHECK(w.status("b").reason == IdleReason::none);
  CHECK(w.enqueue({"b"}) == errc::limit_reached);
  w.queue({"c"});  // who is known needs no room
  CHECK(w.matchmaker->queued_count() == 4);
}

TEST_CASE("matchmaker: tickets go by the calendar as it was last said to be", "[shard]") {
  World w{{mode("m", 1, 2)}};
  w.now += 90min;
  w.matchmaker->set_unix_time(w.now, unix_start + 2h);
  w.now += 2500ms;
  w.queue({"a"});
  w.queue({"b"});
  w.pass();
  CHECK(w.status("a").expires == unix_start + 2h + 17s);
  CHECK(w.matches[0].expires == unix_start + 2h + 17s);
  CHECK(w.matches[0].shard == "match_65540d22_1");
}

TEST_CASE("matchmaker: the longest names make a valid id and a ticket that fits", "[shard]") {
  World w{{mode("m", 1, 2)}, {.shard_prefix = std::string(64, 'p')}};
  const std::string a(128, 'a');
  w.matchmaker->set_unix_time(w.now, sys_seconds{std::chrono::seconds{1LL << 60}});
  w.queue({a});
  w.queue({"b"});
  w.pass();
  REQUIRE(w.matches.size() == 1);
  CHECK(is_valid_id(w.matches[0].shard));
  CHECK(w.status(a).ticket.size() <= TicketSigner::max_text_size);
}

TEST_CASE("matchmaker: passes keep their distance, and there is none without need", "[shard]") {
  World w{{mode("m", 1, 2)}};
  CHECK(w.matchmaker->next_deadline() == no_deadline);
  w.queue({"a"});
  CHECK(w.matchmaker->next_deadline() == start + 60s);  // nobody else is there
  w.queue({"b"});
  CHECK(w.matchmaker->next_deadline() == start);
  w.pass(100ms);
  CHECK(w.matches.size() == 1);
  w.queue({"c"});
  w.queue({"d"});
  CHECK(w.matchmaker->next_deadline() == start + 1100ms);
  w.pass(999ms);
  CHECK(w.matches.size() == 1);
  w.pass(1ms);
  CHECK(w.matches.size() == 2);
}

TEST_CASE("matchmaker: configurations outside their ranges are refused", "[shard]") {
  const auto problem_of = [](auto change) {
    Matchmaker::Config config;
    change(config);
    std::string problem;
    const std::error_code error = Matchmaker::validate(config, problem);
    CHECK((error == errc::invalid_config) == !problem.empty());
    return problem;
  };
  using Config = Matchmaker::Config;
  CHECK(problem_of([](Config&) {}).empty());
  CHECK_THAT(problem_of([](Config& c) { c.modes.clear(); }), StartsWith("modes"));
  CHECK_THAT(problem_of([](Config& c) { c.modes.resize(65); }), StartsWith("modes"));
  CHECK_THAT(problem_of([](Config& c) { c.modes.resize(2); }), ContainsSubstring("different"));
  CHECK_THAT(problem_of([](Config& c) { c.modes[0].name = ""; }), ContainsSubstring("name"));
  CHECK_THAT(problem_of([](Config& c) { c.modes[0].teams = 0; }), ContainsSubstring("teams"));
  CHECK_THAT(problem_of([](Config& c) { c.modes[0].team_size = 1; }), ContainsSubstring("teams"));
  CHECK_THAT(problem_of([](Config& c) { c.modes[0].team_size = 257; }), ContainsSubstring("256"));
  CHECK_THAT(problem_of([](Config& c) { c.modes[0] = mode("m", 10, 10); }),
             ContainsSubstring("2048"));
  CHECK_THAT(problem_of([](Config& c) {
               c.modes[0].window = {100, 1, 99};
             }),
             ContainsSubstring("window.most"));
  CHECK_THAT(problem_of([](Config& c) {
               c.modes[0].window = {1, 1'000'001, 99};
             }),
             ContainsSubstring("per_second"));
  CHECK_THAT(problem_of([](Config& c) { c.shard_prefix = "a b"; }), StartsWith("shard_prefix"));
  CHECK_THAT(problem_of([](Config& c) { c.shard_prefix.assign(65, 'a'); }),
             StartsWith("shard_prefix"));
  CHECK_THAT(problem_of([](Config& c) { c.pass_interval = 0s; }), StartsWith("pass_interval"));
  CHECK_THAT(problem_of([](Config& c) { c.pass_interval = 61s; }), StartsWith("pass_interval"));
  CHECK_THAT(problem_of([](Config& c) { c.max_wait = 999ms; }), StartsWith("max_wait"));
  CHECK_THAT(problem_of([](Config& c) { c.max_wait = 2h; }), StartsWith("max_wait"));
  CHECK_THAT(problem_of([](Config& c) { c.reservation = 1s; }), StartsWith("reservation"));
  CHECK_THAT(problem_of([](Config& c) { c.reservation = 11min; }), StartsWith("reservation"));
  CHECK_THAT(problem_of([](Config& c) { c.assignment_ttl = 14s; }), StartsWith("assignment_ttl"));
  CHECK_THAT(problem_of([](Config& c) { c.assignment_ttl = 2h; }), StartsWith("assignment_ttl"));
  CHECK_THAT(problem_of([](Config& c) { c.max_players = 1; }), StartsWith("max_players"));
  CHECK_THAT(problem_of([](Config& c) { c.max_players = 10'000'001; }), StartsWith("max_players"));
}

TEST_CASE("match status: what is shown is JSON whatever the texts are", "[shard]") {
  const MatchStatus status{
      .state = State::matched, .shard = "a\"\\\n\xff/b", .ticket = "t\"", .expires = {}};
  const auto parsed = nlohmann::json::parse(to_json(status));
  CHECK(parsed.at("shard_id") == "a\"\\\n\xef\xbf\xbd/b");
  CHECK(parsed.at("ticket") == "t\"");
  CHECK(to_json({.state = State::queued, .position = 7, .waited = 3999ms}) ==
        R"({"status":"queued","position":7,"waiting_secs":3})");
}

namespace {

// The parties that passes look at while n players come, of whom `size` at a time are together, and
// then wait for ten seconds.
std::uint64_t examined(std::size_t n, std::size_t size, const MatchMode& how,
                       const std::function<std::int32_t(std::size_t)>& rating) {
  World w{{how}};
  for (std::size_t i = 0; i < n; i += size) {
    Names party;
    for (std::size_t k = 0; k < size; ++k) party.push_back("p" + std::to_string(i + k));
    w.queue(party, "m", rating(i));
  }
  for (int second = 0; second < 10; ++second) w.pass(1s);
  return w.matchmaker->stats().examined;
}

}  // namespace

TEST_CASE("matchmaker: four times the players make a pass about four times as long", "[shard]") {
  const RatingWindow window{.initial = 100, .per_second = 10, .most = 500};
  const auto nothing = [](std::size_t) { return 0; };
  const auto apart = [](std::size_t i) { return static_cast<std::int32_t>(i * 1000); };
  const auto crowded = [](std::size_t i) { return static_cast<std::int32_t>(i * 7919 % 3000); };
  const auto check = [](std::size_t size, const MatchMode& how, const auto& rating) {
    const std::uint64_t few = examined(2'500, size, how, rating);
    const std::uint64_t many = examined(10'000, size, how, rating);
    INFO(few << " and " << many);
    CHECK(few > 0);
    CHECK(many < 5 * few);  // 16 times, if each was compared with each
    CHECK(many < 10'000 * 40);
  };
  check(1, mode("m", 1, 2), nothing);
  check(1, mode("m", 2, 5), nothing);
  check(1, mode("m", 1, 100), nothing);
  check(1, mode("m", 2, 5, window), crowded);
  check(1, mode("m", 1, 2, window), apart);
  check(2, mode("m", 2, 3), nothing);  // pairs do not fill teams of three: nobody is matched
  check(2, mode("m", 2, 3, window), crowded);
  check(2, mode("m", 2, 2, window), apart);
}

TEST_CASE("matchmaker: a pass costs what can have changed", "[shard]") {
  // Ten points apart and a window of none: all wait, each alone, for the window to widen.
  const RatingWindow window{.initial = 0, .per_second = 1, .most = 50};
  World w{{mode("m", 1, 2, window)}};
  for (int i = 0; i < 10'000; ++i) w.queue({"p" + std::to_string(i)}, "m", i * 10);
  w.pass();
  REQUIRE(w.matches.empty());
  const Matchmaker::Stats before = w.matchmaker->stats();
  for (int i = 0; i < 9; ++i) w.pass(1s);
  CHECK(w.matchmaker->stats().examined == before.examined);
  CHECK(w.matchmaker->stats().searches == before.searches);
  w.queue({"one more"}, "m", 50'005);
  w.pass(500ms);
  // Ten are within 50 points on its two sides, and it helps two of them.
  CHECK(w.matchmaker->stats().searches - before.searches <= 3);
  CHECK(w.matchmaker->stats().examined - before.examined <= 30);
  REQUIRE(w.matches.size() == 1);
  CHECK(World::players(w.matches[0]) == Names{"one more", "p5000"});
}

TEST_CASE("matchmaker: who watches hears of each status that becomes another one", "[shard]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{9}));
  CAPTURE(seed);
  SeededEntropy chance{seed};
  const auto some = [&chance](std::uint64_t below) { return chance.next_u64() % below; };
  World w{{mode("m", 2, 2), mode("n", 1, 2)}, {.max_wait = 20s, .assignment_ttl = 30s}};
  w.answer = [&](const Match&) { return some(4) != 0; };
  std::set<std::string> heard;
  w.matchmaker->watch([&](std::string_view player) { heard.emplace(player); });
  const auto shown = [&] {
    std::map<std::string, std::string> all;
    for (int i = 0; i < 10; ++i) {
      MatchStatus status = w.status("p" + std::to_string(i));
      status.position = 0;
      status.waited = 0s;
      all["p" + std::to_string(i)] = to_json(status);
    }
    return all;
  };
  auto before = shown();
  int changes = 0;
  for (int step = 0; step < 600; ++step) {
    const auto player = [&] { return "p" + std::to_string(some(10)); };
    switch (some(5)) {
      case 0:
        w.matchmaker->dequeue(player(), w.now);
        break;
      case 1:
        w.pass(1s * static_cast<int>(some(8)));
        break;
      case 2: {
        const std::string who = player();
        if (const CheckedTicket checked = w.checked(who)) {
          CHECK_FALSE(w.matchmaker->claim(checked.ticket, w.now));
        }
        break;
      }
      default: {
        Names party{player()};
        if (some(3) == 0) party.push_back(player());
        static_cast<void>(w.enqueue(party, some(2) == 0 ? "m" : "n"));
        break;
      }
    }
    const auto after = shown();
    for (const auto& [name, status] : after) {
      if (status == before.at(name)) continue;
      ++changes;
      CAPTURE(name, before.at(name), status);
      CHECK(heard.contains(name));
    }
    heard.clear();
    before = after;
  }
  CHECK(changes > 200);
}
