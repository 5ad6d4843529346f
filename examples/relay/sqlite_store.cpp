// SPDX-License-Identifier: MIT
// SQLite's calls, and which of its errors pass.
#include "sqlite_store.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace relay_program {

namespace {

StoreError::Kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return StoreError::Kind::rejected;
    default:
      return StoreError::Kind::unavailable;
  }
}

// A full disk and a lock pass by themselves; after anything else the file is opened afresh.
bool breaks_connection(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_FULL:
    case SQLITE_INTERRUPT:
    case SQLITE_NOMEM:
      return false;
    default:
      return kind_of(code) == StoreError::Kind::unavailable;
  }
}

// Whatever way a statement ended, it can be run again.
class Reset {
 public:
  explicit Reset(sqlite3_stmt* statement) : statement_(statement) {}
  ~Reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

const char* SqliteStore::schema() const noexcept {
  return R"(
CREATE TABLE schema_version (
  version INTEGER NOT NULL
);
CREATE TABLE game_records (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  game_id TEXT NOT NULL,
  room_code TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  result TEXT,
  rule_variation INTEGER NOT NULL,
  relay TEXT NOT NULL,
  relay_run TEXT NOT NULL,
  room_instance INTEGER NOT NULL,
  host_user_id TEXT,
  closed_at INTEGER,
  close_reason TEXT,
  UNIQUE (relay, relay_run, room_instance)
);
CREATE INDEX game_records_open ON game_records (relay) WHERE closed_at IS NULL;
CREATE TABLE game_participants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  game_record_id INTEGER NOT NULL REFERENCES game_records (id) ON DELETE CASCADE,
  user_id TEXT,
  player_id INTEGER NOT NULL,
  outcome TEXT,
  player_generation INTEGER NOT NULL,
  display_name TEXT,
  joined_at INTEGER NOT NULL,
  left_at INTEGER,
  leave_reason TEXT,
  UNIQUE (game_record_id, player_id, player_generation)
);
CREATE INDEX game_participants_user ON game_participants (user_id, game_record_id)
  WHERE user_id IS NOT NULL;
)";
}

void SqliteStore::connect() {
  is_broken_ = false;
  // One thread at a time uses it, so it needs no mutex of its own.
  const int code = sqlite3_open_v2(
      config_.path.c_str(), &database_,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  if (code != SQLITE_OK) fail(code);
  sqlite3_busy_timeout(database_, static_cast<int>(config_.busy_timeout.count()));
  execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
      "PRAGMA trusted_schema = OFF");
  if (config_.max_size == 0) return;
  constexpr std::uint64_t page_size = 4096;
  constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
  const std::uint64_t pages =
      std::min(std::max<std::uint64_t>(config_.max_size / page_size, 1), most);
  // A pragma takes no parameter; this is a number.
  execute(("PRAGMA max_page_count = " + std::to_string(pages)).c_str());
}

void SqliteStore::disconnect() noexcept {
  for (sqlite3_stmt*& statement : statements_) {
    sqlite3_finalize(statement);
    statement = nullptr;
  }
  sqlite3_close(database_);
  database_ = nullptr;
}

void SqliteStore::fail(int code) {
  const std::string text = database_ != nullptr ? sqlite3_errmsg(database_) : sqlite3_errstr(code);
  if (breaks_connection(code)) is_broken_ = true;
  const bool in_transaction = database_ != nullptr && sqlite3_get_autocommit(database_) == 0;
  if (is_broken_ && !in_transaction) disconnect();
  throw StoreError{kind_of(code), config_.path + ": " + text};
}

void SqliteStore::execute(const char* statements) {
  const int code = sqlite3_exec(database_, statements, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

void SqliteStore::rollback() noexcept {
  // Some errors have ended it already.
  if (database_ != nullptr && sqlite3_get_autocommit(database_) == 0) {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  if (is_broken_) disconnect();
}

bool SqliteStore::has_schema() {
  return !run({statement_count - 1, "SELECT name FROM sqlite_master WHERE name = 'schema_version'"},
              {})
              .empty();
}

sqlite3_stmt* SqliteStore::prepared(const Statement& statement) {
  sqlite3_stmt*& slot = statements_.at(statement.index);
  if (slot == nullptr) {
    const int code = sqlite3_prepare_v3(database_, statement.text, -1, SQLITE_PREPARE_PERSISTENT,
                                        &slot, nullptr);
    if (code != SQLITE_OK) fail(code);
  }
  return slot;
}

SqlStore::Rows SqliteStore::run(const Statement& statement, std::span<const Value> values) {
  sqlite3_stmt* const query = prepared(statement);
  int code = SQLITE_OK;
  Rows rows;
  {
    const Reset reset{query};
    for (std::size_t i = 0; i < values.size() && code == SQLITE_OK; ++i) {
      // "$1" is a name to SQLite: its number says nothing, where it occurs first does.
      const int at = sqlite3_bind_parameter_index(query, ("$" + std::to_string(i + 1)).c_str());
      if (const auto* const number = std::get_if<std::int64_t>(&values[i])) {
        code = sqlite3_bind_int64(query, at, *number);
      } else if (const auto* const text = std::get_if<std::string>(&values[i])) {
        // The text outlives the call, and its end is not looked for.
        code =
            sqlite3_bind_text64(query, at, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
      } else {
        code = sqlite3_bind_null(query, at);
      }
    }
    if (code == SQLITE_OK) {
      const int columns = sqlite3_column_count(query);
      while ((code = sqlite3_step(query)) == SQLITE_ROW) {
        Row& row = rows.emplace_back();
        for (int column = 0; column < columns; ++column) {
          const auto* const text =
              reinterpret_cast<const char*>(sqlite3_column_text(query, column));
          const int size = sqlite3_column_bytes(query, column);
          auto& field = row.emplace_back();
          if (text != nullptr) field.emplace(text, static_cast<std::size_t>(size));
        }
      }
      if (code == SQLITE_DONE) code = SQLITE_OK;
    }
  }
  if (code != SQLITE_OK) fail(code);
  return rows;
}

}  // namespace relay_program
