// SPDX-License-Identifier: MIT
// What of a room's life reaches the records.
#include "journal.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <variant>
#include <vector>

using namespace relay_program;
using muster::relay::Departure;
using muster::relay::Ending;
using muster::relay::PlayerInfo;
using muster::relay::RoomFacts;

namespace {

constexpr muster::time_point now{};

// Keeps the jobs that it was given.
class Keeping final : public RecordStore {
 public:
  explicit Keeping(std::vector<Job>& jobs) : jobs_(&jobs) {}
  void open(const RelayRun&) override {}
  [[nodiscard]] bool is_open() const noexcept override { return true; }
  std::vector<Effect> apply(std::span<const Job> jobs) override {
    jobs_->insert(jobs_->end(), jobs.begin(), jobs.end());
    return std::vector<Effect>(jobs.size());
  }
  std::size_t close_stale(UnixSeconds) override { return 0; }
  std::optional<Record> find(std::int64_t) override { return std::nullopt; }
  std::vector<Record> list(const RecordPage&) override { return {}; }

 private:
  std::vector<Job>* jobs_;
};

// One line per job: its kind, room, player and generation.
std::vector<std::string> told(std::uint32_t loop, const std::function<void(Journal&)>& what) {
  std::vector<Job> jobs;
  Log log{{.level = LogLevel::error}};
  RecordWriter writer{std::make_unique<Keeping>(jobs), {}, {}};
  Journal journal{loop, log, &writer};
  what(journal);
  REQUIRE(writer.stop(std::chrono::steady_clock::now() + std::chrono::minutes{1}));
  std::vector<std::string> lines;
  for (const Job& job : jobs) {
    std::string line{job_kind_name(job.index())};
    line += " " + std::to_string(room_of(job));
    const auto add = [&line](const PlayerKey& player) {
      line += " " + std::to_string(player.id) + "." + std::to_string(player.generation);
    };
    if (const auto* const joined = std::get_if<PlayerJoined>(&job)) {
      add(joined->player);
      line += " " + joined->user_id.value_or("-");
    } else if (const auto* const left = std::get_if<PlayerLeft>(&job)) {
      add(left->player);
      line += " " + left->reason;
    } else if (const auto* const closed = std::get_if<RoomClosed>(&job)) {
      line += " " + closed->reason;
    }
    lines.push_back(line);
  }
  return lines;
}

const RoomFacts room{.instance = 5, .game_id = "demo", .room_id = "a"};

}  // namespace

TEST_CASE("journal: a number that is given out again is another player", "[relay][journal]") {
  const auto lines = told(0, [](Journal& journal) {
    const PlayerInfo host{.id = 0, .user = "alice"};
    journal.on_room_opened(room, &host, now);
    journal.on_joined(room, {.id = 2, .user = "bob"}, now);
    journal.on_departed(room, {.id = 2}, Departure::away, now);
    journal.on_back(room, {.id = 2, .user = "bob"}, now);
    journal.on_departed(room, {.id = 2}, Departure::left, now);
    journal.on_joined(room, {.id = 2}, now);
    journal.on_departed(room, {.id = 2}, Departure::away, now);
    journal.on_departed(room, {.id = 2}, Departure::expired, now);
    journal.on_joined(room, {.id = 2}, now);
    journal.on_departed(room, {.id = 2}, Departure::kicked, now);
    journal.on_room_closed(room, Ending::room_idle, now);
  });
  CHECK(lines == std::vector<std::string>{"opened 5", "joined 5 0.0 alice", "joined 5 2.0 bob",
                                          "left 5 2.0 lost", "joined 5 2.0 bob", "left 5 2.0 left",
                                          "joined 5 2.1 -", "left 5 2.1 lost", "joined 5 2.2 -",
                                          "left 5 2.2 kicked", "closed 5 room_idle"});
}

TEST_CASE("journal: a host comes back as itself, or is another", "[relay][journal]") {
  const auto lines = told(0, [](Journal& journal) {
    const PlayerInfo host{.id = 0};
    journal.on_room_opened(room, &host, now);
    journal.on_host_away(room, now);
    journal.on_host_back(room, false, now);
    journal.on_host_away(room, now);
    journal.on_host_back(room, true, now);
  });
  CHECK(lines == std::vector<std::string>{"opened 5", "joined 5 0.0 -", "left 5 0.0 lost",
                                          "joined 5 0.0 -", "left 5 0.0 lost", "joined 5 0.1 -"});
}

TEST_CASE("journal: spectators are no players, and loops have rooms of their own",
          "[relay][journal]") {
  const auto lines = told(3, [](Journal& journal) {
    journal.on_room_opened(room, nullptr, now);
    journal.on_joined(room, {.id = 9, .is_spectator = true}, now);
    journal.on_departed(room, {.id = 9, .is_spectator = true}, Departure::left, now);
    journal.on_joined(room, {.id = 1}, now);
  });
  const std::string instance = std::to_string((std::int64_t{3} << 48) + 5);
  CHECK(lines == std::vector<std::string>{"opened " + instance, "joined " + instance + " 1.0 -"});
}
