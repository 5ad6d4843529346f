// SPDX-License-Identifier: MIT
// What every record store must do, whatever database is behind it.
#pragma once

#include "records.hpp"

#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace records_test {

using relay_program::Effect;
using relay_program::GameResult;
using relay_program::Job;
using relay_program::Participant;
using relay_program::PlayerJoined;
using relay_program::PlayerLeft;
using relay_program::Record;
using relay_program::RecordStore;
using relay_program::RelayRun;
using relay_program::RoomClosed;
using relay_program::RoomOpened;
using relay_program::StoreError;

/// Makes stores that are not open yet; all those of one function use one database.
using MakeStore = std::function<std::unique_ptr<RecordStore>()>;

inline Effect::Kind apply_one(RecordStore& store, const Job& job, std::int64_t* id = nullptr) {
  const std::vector<Effect> effects = store.apply(std::vector<Job>{job});
  REQUIRE(effects.size() == 1);
  if (id != nullptr) *id = effects[0].record_id;
  return effects[0].kind;
}

inline Record only_record(RecordStore& store) {
  const std::vector<Record> all = store.list({});
  REQUIRE(all.size() == 1);
  const auto record = store.find(all[0].id);
  REQUIRE(record);
  return *record;
}

inline RoomOpened opened(std::int64_t room, const std::string& code = "room-42") {
  return {.room = room, .at = 1000, .game_id = "chess", .room_code = code, .rule_variation = 65535};
}

/// The body of a test case; `make` begins with an empty database.
inline void check_record_store(const MakeStore& make) {
  using Kind = Effect::Kind;
  const RelayRun run{"relay-a", "run-1"};
  const auto store = make();
  CHECK_FALSE(store->is_open());
  store->open(run);
  CHECK(store->is_open());
  store->open(run);  // nothing to do
  std::int64_t id = 0;

  SECTION("a room's life is one record") {
    CHECK(store->list({}).empty());
    RoomOpened job = opened(7);
    job.host_user_id = "u-host";
    CHECK(apply_one(*store, job, &id) == Kind::written);
    CHECK(id > 0);
    Record record = only_record(*store);
    CHECK(record.id == id);
    CHECK(record.game_id == "chess");
    CHECK(record.room_code == "room-42");
    CHECK(record.started_at == 1000);
    CHECK(record.rule_variation == 65535);
    CHECK(record.relay == "relay-a");
    CHECK(record.host_user_id == "u-host");
    CHECK_FALSE(record.ended_at);
    CHECK_FALSE(record.closed_at);
    CHECK_FALSE(record.close_reason);
    CHECK_FALSE(record.result);
    CHECK(record.participants.empty());

    CHECK(apply_one(*store, PlayerJoined{7, 1001, {0, 0}, "u-host", "Ann"}) == Kind::written);
    CHECK(apply_one(*store, PlayerJoined{7, 1002, {65435, 4000000000}, {}, {}}) == Kind::written);
    CHECK(apply_one(*store, PlayerLeft{7, 1003, {65435, 4000000000}, "kicked"}) == Kind::written);
    CHECK(apply_one(*store, RoomClosed{7, 1009, "host left"}) == Kind::written);
    record = only_record(*store);
    CHECK(record.ended_at == 1009);
    CHECK(record.closed_at == 1009);
    CHECK(record.close_reason == "host left");
    REQUIRE(record.participants.size() == 2);
    const Participant& host = record.participants[0];
    CHECK(host.player.id == 0);
    CHECK(host.user_id == "u-host");
    CHECK(host.display_name == "Ann");
    CHECK(host.joined_at == 1001);
    CHECK(host.left_at == 1009);
    CHECK(host.leave_reason == "room closed");
    CHECK_FALSE(host.outcome);
    const Participant& guest = record.participants[1];
    CHECK(guest.player.id == 65435);
    CHECK(guest.player.generation == 4000000000);
    CHECK_FALSE(guest.user_id);
    CHECK_FALSE(guest.display_name);
    CHECK(guest.left_at == 1003);
    CHECK(guest.leave_reason == "kicked");
    CHECK_FALSE(store->find(id + 1));
  }

  SECTION("what is told twice is written once") {
    const std::vector<Job> jobs{
        opened(7),
        PlayerJoined{7, 1001, {1, 0}, "u-1", "Ann"},
        PlayerLeft{7, 1002, {1, 0}, "lost"},
        GameResult{7, 1003, "{}", {{1, "win"}}},
        RoomClosed{7, 1004, "empty"},
    };
    for (const Effect& effect : store->apply(jobs)) CHECK(effect.kind == Kind::written);
    const Record first = only_record(*store);
    store->apply(jobs);
    const Record second = only_record(*store);
    CHECK(second.id == first.id);
    CHECK(second.ended_at == 1003);
    CHECK(second.closed_at == 1004);
    REQUIRE(second.participants.size() == 1);
    CHECK(second.participants[0].left_at == 1002);
    CHECK(second.participants[0].leave_reason == "lost");
    CHECK(second.participants[0].outcome == "win");
  }

  SECTION("who returns is the same participant, and keeps the account that joined") {
    store->apply(std::vector<Job>{opened(7), PlayerJoined{7, 1001, {1, 0}, "u-1", "Ann"}});
    CHECK(apply_one(*store, PlayerJoined{7, 1002, {1, 0}, "u-1", "Ann"}) == Kind::unchanged);
    CHECK(apply_one(*store, PlayerLeft{7, 1003, {1, 0}, "lost"}) == Kind::written);
    CHECK(apply_one(*store, PlayerLeft{7, 1004, {1, 0}, "left"}) == Kind::unchanged);
    CHECK(apply_one(*store, PlayerJoined{7, 1005, {1, 0}, "u-2", {}}) == Kind::written);
    const Record record = only_record(*store);
    REQUIRE(record.participants.size() == 1);
    CHECK(record.participants[0].user_id == "u-1");
    CHECK(record.participants[0].display_name == "Ann");
    CHECK(record.participants[0].joined_at == 1001);
    CHECK_FALSE(record.participants[0].left_at);
    CHECK_FALSE(record.participants[0].leave_reason);
  }

  SECTION("an id that is given out again is another participant, and the outcome is theirs") {
    store->apply(std::vector<Job>{
        opened(7), PlayerJoined{7, 1001, {1, 0}, "u-1", {}}, PlayerLeft{7, 1002, {1, 0}, "left"},
        PlayerJoined{7, 1003, {1, 1}, "u-2", {}}, GameResult{7, 1004, "{}", {{1, "win"}}}});
    const Record record = only_record(*store);
    REQUIRE(record.participants.size() == 2);
    CHECK(record.participants[0].user_id == "u-1");
    CHECK_FALSE(record.participants[0].outcome);
    CHECK(record.participants[1].user_id == "u-2");
    CHECK(record.participants[1].outcome == "win");
  }

  SECTION("the first result holds, and ends the game but not the room") {
    store->apply(std::vector<Job>{opened(7), PlayerJoined{7, 1001, {0, 0}, {}, {}},
                                  PlayerJoined{7, 1001, {1, 0}, {}, {}}});
    const GameResult first{7, 1002, R"({"score": [3, 1]})", {{0, "win"}, {1, "loss"}, {9, "win"}}};
    CHECK(apply_one(*store, first, &id) == Kind::written);
    std::int64_t again = 0;
    CHECK(apply_one(*store, GameResult{7, 1003, "{}", {{0, "loss"}}}, &again) == Kind::unchanged);
    CHECK(again == id);
    CHECK(apply_one(*store, PlayerJoined{7, 1004, {2, 0}, "late", {}}) == Kind::unchanged);
    CHECK(apply_one(*store, PlayerLeft{7, 1005, {2, 0}, "left"}) == Kind::unchanged);
    CHECK(apply_one(*store, RoomClosed{7, 1006, "empty"}) == Kind::written);
    CHECK(apply_one(*store, RoomClosed{7, 1007, "again"}) == Kind::unchanged);
    const Record record = only_record(*store);
    CHECK(record.result == R"({"score": [3, 1]})");
    CHECK(record.ended_at == 1002);
    CHECK(record.closed_at == 1006);
    CHECK(record.close_reason == "empty");
    REQUIRE(record.participants.size() == 2);
    CHECK(record.participants[0].outcome == "win");
    CHECK(record.participants[1].outcome == "loss");
    CHECK(record.participants[1].left_at == 1006);
  }

  SECTION("what is about nothing that was written says so") {
    CHECK(apply_one(*store, PlayerJoined{7, 1, {1, 0}, {}, {}}) == Kind::no_record);
    CHECK(apply_one(*store, PlayerLeft{7, 1, {1, 0}, "left"}) == Kind::no_record);
    CHECK(apply_one(*store, RoomClosed{7, 1, "empty"}) == Kind::no_record);
    CHECK(apply_one(*store, GameResult{7, 1, "{}", {}}) == Kind::no_record);
    CHECK(apply_one(*store, opened(7)) == Kind::written);
    CHECK(apply_one(*store, PlayerLeft{7, 1, {1, 0}, "left"}) == Kind::no_record);
    CHECK(apply_one(*store, opened(7, "other"), &id) == Kind::unchanged);
    CHECK(only_record(*store).id == id);
    CHECK(only_record(*store).room_code == "room-42");
  }

  SECTION("relay 12 #26: a restart closes what this relay left open, and nothing else") {
    store->apply(std::vector<Job>{opened(1, "open"), PlayerJoined{1, 1001, {1, 0}, {}, {}},
                                  opened(2, "closed"), RoomClosed{2, 1002, "empty"},
                                  opened(3, "with result"), GameResult{3, 1003, "{}", {}}});
    const auto other = make();
    other->open({"relay-b", "run-1"});
    other->apply(std::vector<Job>{opened(1, "of another relay")});

    const auto restarted = make();
    restarted->open({"relay-a", "run-2"});
    restarted->apply(std::vector<Job>{opened(1, "of this run")});
    CHECK(restarted->close_stale(5000) == 2);
    CHECK(restarted->close_stale(6000) == 0);
    const std::vector<Record> all = restarted->list({});
    REQUIRE(all.size() == 5);  // newest first
    CHECK(all[0].room_code == "of this run");
    CHECK_FALSE(all[0].closed_at);
    CHECK(all[1].room_code == "of another relay");
    CHECK_FALSE(all[1].closed_at);
    CHECK(all[2].room_code == "with result");
    CHECK(all[2].ended_at == 1003);
    CHECK(all[2].closed_at == 5000);
    CHECK(all[3].close_reason == "empty");
    CHECK(all[3].closed_at == 1002);
    CHECK(all[4].room_code == "open");
    CHECK(all[4].ended_at == 5000);
    CHECK(all[4].closed_at == 5000);
    CHECK(all[4].close_reason == "relay restarted");
    const auto stale = restarted->find(all[4].id);
    REQUIRE(stale);
    REQUIRE(stale->participants.size() == 1);
    CHECK(stale->participants[0].left_at == 5000);
    CHECK(stale->participants[0].leave_reason == "relay restarted");
  }

  SECTION("texts are values, whatever is in them") {
    using namespace std::string_literals;
    const std::string replacement = "\xef\xbf\xbd";
    const std::vector<std::pair<std::string, std::string>> texts{
        {"'; DROP TABLE game_records; --", "'; DROP TABLE game_records; --"},
        {"\"$1\" ?1 %s \\x00 {} \\", "\"$1\" ?1 %s \\x00 {} \\"},
        {"", ""},
        {"a\0b\0"s, "a" + replacement + "b" + replacement},
        {"\xff\xfe\xc3", replacement + replacement + replacement},
        {"\xed\xa0\x80", replacement + replacement + replacement},
        {"\xf0\x9f\x8e\xb2 \xc3\xa9\r\n\t\x01\x7f", "\xf0\x9f\x8e\xb2 \xc3\xa9\r\n\t\x01\x7f"},
        {std::string(128, '\''), std::string(128, '\'')},
        {std::string(512, '\\'), std::string(512, '\\')},
    };
    std::int64_t room = 0;
    for (const auto& [in, out] : texts) {
      INFO(out.substr(0, 200));
      ++room;
      RoomOpened job{room, 1, in, in, 0, in};
      REQUIRE(apply_one(*store, job, &id) == Kind::written);
      CHECK(apply_one(*store, PlayerJoined{room, 1, {1, 0}, in, in}) == Kind::written);
      CHECK(apply_one(*store, PlayerLeft{room, 1, {1, 0}, in}) == Kind::written);
      CHECK(apply_one(*store, GameResult{room, 1, in, {{1, in}}}) == Kind::written);
      CHECK(apply_one(*store, RoomClosed{room, 1, in}) == Kind::written);
      const auto record = store->find(id);
      REQUIRE(record);
      CHECK(record->game_id == out);
      CHECK(record->room_code == out);
      CHECK(record->host_user_id == out);
      CHECK(record->result == out);
      CHECK(record->close_reason == out);
      REQUIRE(record->participants.size() == 1);
      CHECK(record->participants[0].user_id == out);
      CHECK(record->participants[0].display_name == out);
      CHECK(record->participants[0].leave_reason == out);
      CHECK(record->participants[0].outcome == out);
    }
    CHECK(store->list({}).size() == texts.size());
    // A user is found by what was stored for them.
    const auto of_user = store->list({.user_id = "a\0b\0"s});
    REQUIRE(of_user.size() == 1);
    CHECK(of_user[0].room_code == "a" + replacement + "b" + replacement);
  }

  SECTION("large texts, but no large keys") {
    const std::string large(1U << 20U, 'x');
    const std::string key(513, 'u');
    CHECK(apply_one(*store, RoomOpened{1, 1, large, large, 0, {}}) == Kind::written);
    CHECK(apply_one(*store, PlayerJoined{1, 1, {1, 0}, {}, large}) == Kind::written);
    CHECK(apply_one(*store, GameResult{1, 1, large, {{1, large}}}) == Kind::written);
    CHECK(only_record(*store).result == large);
    const std::vector<Job> with_bad_one{opened(2), PlayerJoined{2, 1, {1, 0}, key, {}},
                                        RoomClosed{2, 1, "empty"}};
    StoreError::Kind kind = StoreError::Kind::unavailable;
    try {
      store->apply(with_bad_one);
      FAIL("a user id of 513 bytes was taken");
    } catch (const StoreError& error) {
      kind = error.kind();
    }
    CHECK(kind == StoreError::Kind::rejected);
    CHECK(store->is_open());
    CHECK(store->list({}).size() == 1);  // all or nothing
    CHECK(apply_one(*store, opened(2)) == Kind::written);
  }

  SECTION("the relay's own name is a value too") {
    const auto named = make();
    named->open({"o'hara\xff", "run \"1\""});
    CHECK(apply_one(*named, opened(1)) == Kind::written);
    CHECK(apply_one(*named, RoomClosed{1, 2, "empty"}) == Kind::written);
    CHECK(only_record(*named).relay == "o'hara\xef\xbf\xbd");
  }

  SECTION("pages, newest first") {
    std::vector<Job> jobs;
    for (std::int64_t room = 1; room <= 250; ++room) {
      jobs.emplace_back(opened(room, std::to_string(room)));
      jobs.emplace_back(PlayerJoined{room, 1001, {1, 0}, room % 2 == 0 ? "even" : "odd", {}});
      jobs.emplace_back(PlayerJoined{room, 1001, {2, 0}, "all", {}});
      jobs.emplace_back(PlayerJoined{room, 1001, {3, 0}, "all", {}});
    }
    store->apply(jobs);
    std::vector<std::string> seen;
    std::optional<std::int64_t> before;
    for (;;) {
      const auto page = store->list({.before = before, .limit = 100});
      CHECK(page.size() <= 100);
      for (const Record& record : page) {
        CHECK(record.participants.empty());
        seen.push_back(record.room_code);
      }
      if (page.size() < 100) break;
      before = page.back().id;
    }
    REQUIRE(seen.size() == 250);
    CHECK(seen.front() == "250");
    CHECK(seen.back() == "1");
    CHECK(store->list({.limit = 0}).size() == 1);
    CHECK(store->list({.limit = 1000}).size() == 100);
    CHECK(store->list({}).size() == 20);

    const auto even = store->list({.limit = 3, .user_id = "even"});
    REQUIRE(even.size() == 3);
    CHECK(even[0].room_code == "250");
    CHECK(even[1].room_code == "248");
    REQUIRE(even[2].participants.size() == 1);
    CHECK(even[2].participants[0].user_id == "even");
    const auto next = store->list({.before = even[2].id, .limit = 3, .user_id = "even"});
    REQUIRE(next.size() == 3);
    CHECK(next[0].room_code == "244");
    const auto twice = store->list({.limit = 2, .user_id = "all"});
    REQUIRE(twice.size() == 2);
    CHECK(twice[0].participants.size() == 2);
    CHECK(store->list({.user_id = "nobody"}).empty());
  }

  SECTION("nothing is lost when the program ends and begins again") {
    store->apply(std::vector<Job>{opened(1), PlayerJoined{1, 1001, {1, 0}, {}, {}}});
    const auto again = make();
    again->open(run);
    CHECK(only_record(*again).participants.size() == 1);
    CHECK(apply_one(*again, RoomClosed{1, 1002, "empty"}) == Kind::written);
    CHECK(only_record(*store).close_reason == "empty");
  }
}

}  // namespace records_test
