// SPDX-License-Identifier: MIT
// Bots, tokens, and what is kept of matches.
#include "accounts.hpp"
#include "lobby_world.hpp"
#include "options.hpp"
#include "replay.hpp"
#include "result_store.hpp"

#include <muster/asio/hmac_sha256.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

using test::Json;
using test::LobbyWorld;
using namespace std::chrono_literals;

namespace {

using lobby_program::Accounts;
using lobby_program::Bot;
using lobby_program::Invocation;
using lobby_program::ResultStore;

// A file of the test's own, which goes with it.
class File {
 public:
  explicit File(const std::string& name)
      : path_((std::filesystem::temp_directory_path() /
               ("muster-" + std::to_string(std::random_device{}()) + name))
                  .string()) {}
  ~File() {
    for (const char* const suffix : {"", "-wal", "-shm"}) {
      std::error_code ignored;
      std::filesystem::remove(path_ + suffix, ignored);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  void write(const std::string& text) const { std::ofstream{path_} << text; }

 private:
  std::string path_;
};

constexpr const char* token = "cz_extbot_0123456789ABCDEFGHIJabcdefghij01";
// printf %s TOKEN | openssl dgst -sha256 -hmac muster
constexpr const char* hash = "226b94f587abec0f9ae1c4d2895efee27b8be0215ef395474c66b3e1bbef50b6";
constexpr const char* id = "8f3a1c2e-0000-4000-8000-000000000001";

Invocation parse(std::initializer_list<std::string> arguments) {
  return lobby_program::parse_options(std::vector<std::string>{arguments});
}

}  // namespace

TEST_CASE("accounts: a file gives bots and what openssl made of their tokens", "[lobby]") {
  muster::asio::HmacSha256 mac;
  Accounts accounts{mac};
  std::string problem;
  const File file{"accounts"};
  file.write(std::string{"# bots\n\n"} + hash + " " + id + " Shark of the Seas\r\n" +
             std::string(64, 'A') + "\t" + id + "  Shark of the Seas\n");
  REQUIRE(accounts.load(file.path(), problem));
  CHECK(accounts.bots().size() == 1);
  CHECK(accounts.bot(id)->name == "Shark of the Seas");
  const auto found = accounts.find(token);
  REQUIRE(found);
  CHECK(found->bot_id == id);
  CHECK(accounts.is_valid(*found));
  CHECK(!accounts.find("cz_extbot_0123456789ABCDEFGHIJabcdefghij02"));

  SECTION("a token that is gone from the file is revoked") {
    file.write(std::string(64, 'A') + " " + id + " Shark of the Seas\n");
    REQUIRE(accounts.load(file.path(), problem));
    CHECK(!accounts.is_valid(*found));
    CHECK(!accounts.find(token));
  }
  SECTION("a line that is wrong changes nothing") {
    const std::string good = std::string(64, '1') + " " + id + " Shark\n";
    for (const std::string& line :
         {std::string{"x"}, std::string(63, '1') + " " + id + " Shark",
          std::string(64, 'g') + " " + id + " Shark", std::string(64, '1') + " " + id,
          std::string(64, '1') + " x Shark", std::string(64, '1') + " " + id + " a\x01",
          std::string(64, '1') + " " + id + " \xff", std::string(64, '1') + " " + id + " Shark",
          std::string(64, '2') + " " + id + " Whale",
          std::string(64, '2') + " " + id + " " + std::string(65, 'x')}) {
      file.write(good + line + "\n");
      problem.clear();
      INFO(line);
      CHECK(!accounts.load(file.path(), problem));
      CHECK(problem.find("line 2") != std::string::npos);
      CHECK(accounts.is_valid(*found));
    }
    CHECK(!accounts.load(file.path() + "none", problem));
  }
}

TEST_CASE("accounts: a new token has the shape that clients know, and is kept as a hash",
          "[lobby]") {
  muster::SeededEntropy entropy{3};
  muster::asio::HmacSha256 mac;
  Accounts accounts{mac};
  std::set<std::string> tokens;
  for (int i = 0; i < 200; ++i) {
    const Bot bot{lobby_program::make_uuid(entropy), "bot"};
    CHECK(lobby_program::is_uuid(bot.id));
    CHECK(bot.id[14] == '4');
    const std::string made = accounts.issue(bot, entropy);
    CHECK(lobby_program::is_token(made));
    CHECK(accounts.find(made)->bot_id == bot.id);
    tokens.insert(made);
  }
  CHECK(tokens.size() == 200);
  for (const char* const text :
       {"", "cz_extbot_", "cz_extbot_0123456789ABCDEFGHIJabcdefghij0",
        "cz_extbot_0123456789ABCDEFGHIJabcdefghij012", "cz_extbot_0123456789ABCDEFGHIJabcdefghij0_",
        "CZ_EXTBOT_0123456789ABCDEFGHIJabcdefghij01"}) {
    CHECK(!lobby_program::is_token(text));
  }
}

TEST_CASE("accounts: a file of tokens is for its owner alone", "[lobby]") {
  const File file{"tokens"};
  file.write("old, and longer than what comes");
  std::filesystem::permissions(file.path(), std::filesystem::perms::all);
  std::string problem;
  REQUIRE(lobby_program::write_secret(file.path(), "secret\n", problem));
  std::ifstream input{file.path()};
  CHECK(std::string{std::istreambuf_iterator<char>{input}, {}} == "secret\n");
#if __has_include(<unistd.h>)
  using std::filesystem::perms;
  CHECK(std::filesystem::status(file.path()).permissions() ==
        (perms::owner_read | perms::owner_write));
#endif
  CHECK(!lobby_program::write_secret(file.path() + "/x", "secret\n", problem));
  CHECK(problem.find("secret") == std::string::npos);
}

TEST_CASE("results: a match is kept with all that its replay needs", "[lobby]") {
  const File file{"results"};
  std::string problem;
  std::vector<std::string> ids;
  {
    ResultStore store;
    REQUIRE(store.open(file.path(), problem));
    LobbyWorld world;
    world.dispatcher.set_store(store);
    lobby_program::TournamentRun::Config config;
    config.bots = 0;
    config.house_bots = 3;
    bool is_over = false;
    world.dispatcher.run(config, [&] { is_over = true; });
    for (int minutes = 0; minutes < 60 && !is_over; ++minutes) world.network.run_for(60s);
    REQUIRE(is_over);
    for (const Json& result : world.dispatcher.results()) ids.push_back(result["id"]);
    CHECK(world.dispatcher.stats().stored == 6);
    CHECK(world.dispatcher.stats().not_stored == 0);
  }
  ResultStore store;
  REQUIRE(store.open(file.path(), problem));
  CHECK(store.count() == 6);
  REQUIRE(ids.size() == 6);
  for (const std::string& match : ids) {
    const auto stored = store.find(match);
    REQUIRE(stored);
    CHECK(stored->status == "completed");
    CHECK(stored->occasion == "tournament");
    CHECK(stored->game == "tic_tac_toe");
    CHECK(stored->players.size() == 2);
    CHECK(stored->started == lobby_program::MatchRecord::from_json(stored->record)->started());
    CHECK(stored->ended > stored->started);
    std::ostringstream out;
    INFO(problem);
    CHECK(lobby_program::print_replay(*stored, out, problem));
    // The last frame that somebody got is the one that was kept.
    const std::string text = out.str();
    const std::size_t at = text.rfind("\"match_end\"");
    REQUIRE(at != std::string::npos);
    const std::size_t begin = text.rfind('\n', at) + 1;
    Json frame = Json::parse(text.substr(begin + 2, text.find('\n', at) - begin - 2));
    CHECK(frame["results"] == stored->end["results"]);
  }
  CHECK(!store.find("8f3a1c2e-0000-4000-8000-000000000001"));

  // What was tampered with does not pass as a replay.
  auto stored = *store.find(ids[0]);
  stored.status = "cancelled";
  std::ostringstream out;
  CHECK(!lobby_program::print_replay(stored, out, problem));
  stored.record = Json::object();
  CHECK(!lobby_program::print_replay(stored, out, problem));
}

TEST_CASE("results: a match is kept once, and a file of another kind is refused", "[lobby]") {
  std::string problem;
  ResultStore store;
  REQUIRE(store.open(":memory:", problem));
  CHECK(store.insert({.id = "a"}));
  CHECK(!store.insert({.id = "a"}));
  CHECK(!store.last_error().empty());
  CHECK(store.count() == 1);

  const File file{"text"};
  file.write(std::string(5000, 'x'));
  ResultStore other;
  CHECK(!other.open(file.path(), problem));
  CHECK(!problem.empty());
}

TEST_CASE("lobby options: what is said is done, and mistakes are sentences", "[lobby]") {
  const auto plain = parse({});
  REQUIRE(plain.options);
  CHECK(plain.options->listen == "127.0.0.1:8001");
  CHECK(!plain.options->tournament);
  CHECK(plain.options->casual.turn_timeout == 30s);

  const auto full = parse({"--tournament", "swiss", "--bots", "3", "--house-bots", "1", "--seed",
                           "9", "--turn", "1500", "--fault", "cut@1:2", "--fault", "http@*",
                           "--duplicate", "replace", "--result-delay", "0", "--until-over"});
  INFO(full.text);
  REQUIRE(full.options);
  CHECK(full.options->tournament->format == lobby_program::TournamentConfig::Format::swiss);
  CHECK(full.options->bots == 3);
  CHECK(full.options->seed == 9);
  CHECK(full.options->match.turn_timeout == 1500ms);
  CHECK(full.options->match.max_result_delay == 0ms);
  CHECK(full.options->faults.size() == 2);
  CHECK(full.options->duplicate == lobby_program::Gateway::Duplicate::replace);
  CHECK(full.options->ends_itself);

  CHECK(parse({"--help"}).status == 0);
  CHECK(parse({"--version"}).text.starts_with("muster-lobby "));
  for (const auto& wrong :
       {parse({"--tournament", "league"}), parse({"--tournament", "swiss", "--bots", "1"}),
        parse({"--until-over"}), parse({"--replay", "x"}), parse({"--fault", "x"}),
        parse({"--faults", "/nowhere/faults"}), parse({"--turn", "1"}), parse({"--stack", "0"}),
        parse({"--backend", "kqueue"}), parse({"--open-accounts", "0"}), parse({"--none"})}) {
    CHECK(wrong.status == 2);
    CHECK(wrong.text.starts_with("muster-lobby: "));
    CHECK(!wrong.options);
  }
}
