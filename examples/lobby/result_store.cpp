// SPDX-License-Identifier: MIT
// One table.
#include "result_store.hpp"

#include <muster/ascii.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <utility>

namespace lobby_program {

namespace {

constexpr int schema_version = 1;
constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS matches (
  id TEXT PRIMARY KEY,
  occasion TEXT NOT NULL,
  game TEXT NOT NULL,
  status TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER NOT NULL,
  players TEXT NOT NULL,
  seed TEXT NOT NULL,
  rules TEXT NOT NULL,
  config TEXT NOT NULL,
  end_frame TEXT NOT NULL,
  record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS matches_ended ON matches (ended_ms);
)";

// A statement for one use.
class Statement {
 public:
  Statement(sqlite3* database, const char* text) {
    sqlite3_prepare_v2(database, text, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  [[nodiscard]] bool is_good() const noexcept { return statement_ != nullptr; }

  // Parameters in order.
  void bind(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
  }
  void bind(std::int64_t number) { sqlite3_bind_int64(statement_, ++bound_, number); }

  [[nodiscard]] int step() { return sqlite3_step(statement_); }

  [[nodiscard]] std::string text(int column) const {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  [[nodiscard]] std::int64_t number(int column) const {
    return sqlite3_column_int64(statement_, column);
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json parse(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json{} : json;
}

Seed parse_seed(std::string_view text) {
  Seed seed{};
  if (text.size() != 2 * seed.size()) return seed;
  for (std::size_t i = 0; i < seed.size(); ++i) {
    const int high = muster::hex_digit(text[2 * i]);
    const int low = muster::hex_digit(text[2 * i + 1]);
    if (high >= 0 && low >= 0) seed[i] = static_cast<std::byte>(high * 16 + low);
  }
  return seed;
}

WallTime wall_time(std::int64_t milliseconds) {
  return WallTime{std::chrono::milliseconds{milliseconds}};
}

}  // namespace

ResultStore::ResultStore() = default;
ResultStore::~ResultStore() = default;

void ResultStore::Close::operator()(sqlite3* database) const noexcept { sqlite3_close(database); }

bool ResultStore::fail() {
  error_ = database_ == nullptr ? "out of memory" : sqlite3_errmsg(database_.get());
  return false;
}

bool ResultStore::open(const std::string& path, std::string& problem) {
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(opened);
  const auto execute = [&](const char* statements) {
    return sqlite3_exec(database_.get(), statements, nullptr, nullptr, nullptr) == SQLITE_OK;
  };
  bool is_good = code == SQLITE_OK && execute(
                                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                                          "PRAGMA trusted_schema = OFF");
  int found = 0;
  if (is_good) {
    Statement version{database_.get(), "PRAGMA user_version"};
    if (version.is_good() && version.step() == SQLITE_ROW) {
      found = static_cast<int>(version.number(0));
    }
  }
  if (is_good && found > schema_version) {
    problem = path + ": these results were written by a newer muster-lobby";
    return false;
  }
  is_good = is_good && execute(schema) &&
            execute(("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
  if (!is_good) {
    fail();
    problem = path + ": " + error_;
  }
  return is_good;
}

bool ResultStore::insert(const StoredMatch& match) {
  Statement insert{database_.get(),
                   "INSERT INTO matches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  if (!insert.is_good()) return fail();
  Json players = Json::array();
  for (const StoredMatch::Player& player : match.players) {
    players.push_back({{"bot_id", player.bot_id},
                       {"name", player.name},
                       {"participant_id", player.participant_id}});
  }
  insert.bind(match.id);
  insert.bind(match.occasion);
  insert.bind(match.game);
  insert.bind(match.status);
  insert.bind(match.started.time_since_epoch().count());
  insert.bind(match.ended.time_since_epoch().count());
  insert.bind(dump(players));
  insert.bind(hex(match.seed));
  insert.bind(dump(match.rules));
  insert.bind(dump(match.config));
  insert.bind(dump(match.end));
  insert.bind(dump(match.record));
  return insert.step() == SQLITE_DONE || fail();
}

std::optional<StoredMatch> ResultStore::find(std::string_view id) {
  Statement select{database_.get(),
                   "SELECT id, occasion, game, status, started_ms, ended_ms, players, seed, rules, "
                   "config, end_frame, record FROM matches WHERE id = ?"};
  if (!select.is_good()) {
    fail();
    return std::nullopt;
  }
  select.bind(id);
  if (select.step() != SQLITE_ROW) return std::nullopt;
  StoredMatch match;
  match.id = select.text(0);
  match.occasion = select.text(1);
  match.game = select.text(2);
  match.status = select.text(3);
  match.started = wall_time(select.number(4));
  match.ended = wall_time(select.number(5));
  for (const Json& player : parse(select.text(6))) {
    match.players.push_back(
        {player.value("bot_id", ""), player.value("name", ""), player.value("participant_id", "")});
  }
  match.seed = parse_seed(select.text(7));
  match.rules = parse(select.text(8));
  match.config = parse(select.text(9));
  match.end = parse(select.text(10));
  match.record = parse(select.text(11));
  return match;
}

std::uint64_t ResultStore::count() {
  Statement select{database_.get(), "SELECT count(*) FROM matches"};
  if (!select.is_good() || select.step() != SQLITE_ROW) return 0;
  return static_cast<std::uint64_t>(select.number(0));
}

}  // namespace lobby_program
