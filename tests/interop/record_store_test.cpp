// SPDX-License-Identifier: MIT
// Record stores: the same test body for SQLite and PostgreSQL, and what only one of them has.
#include "record_store_contract.hpp"
#include "sqlite_store.hpp"

#include "support/catch.hpp"

#ifdef MUSTER_RELAY_POSTGRES
#include "postgres_server.hpp"
#include "postgres_store.hpp"
#endif

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

using namespace records_test;
using namespace std::chrono_literals;
using relay_program::SqliteStore;

namespace {

// A folder that is gone after the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "muster-records-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

// SQLite without the store.
class Database {
 public:
  explicit Database(const std::string& path) {
    REQUIRE(sqlite3_open(path.c_str(), &database_) == SQLITE_OK);
  }
  ~Database() { sqlite3_close(database_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::vector<std::string> operator()(const std::string& statements) {
    std::vector<std::string> rows;
    char* error = nullptr;
    const int code = sqlite3_exec(
        database_, statements.c_str(),
        [](void* out, int count, char** values, char**) {
          std::string row;
          for (int i = 0; i < count; ++i) {
            row += (values[i] != nullptr ? std::string{values[i]} : "NULL") + "|";
          }
          static_cast<std::vector<std::string>*>(out)->push_back(row);
          return 0;
        },
        &rows, &error);
    const std::string text = error != nullptr ? error : "";
    sqlite3_free(error);
    INFO(statements << ": " << text);
    REQUIRE(code == SQLITE_OK);
    return rows;
  }

 private:
  sqlite3* database_ = nullptr;
};

// The block behind the heading in the document.
std::string documented_schema(const std::string& heading) {
  std::ifstream file{MUSTER_SOURCE_DIR "/docs/records.md"};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const std::size_t section = text.find("### " + heading + "\n");
  REQUIRE(section != std::string::npos);
  const std::size_t begin = text.find("```sql\n", section);
  REQUIRE(begin != std::string::npos);
  const std::size_t end = text.find("```", begin + 7);
  REQUIRE(end != std::string::npos);
  return text.substr(begin + 7, end - begin - 7);
}

// What `call` throws; a store that does not throw fails the test.
template <class Call>
StoreError thrown_by(Call call) {
  try {
    call();
  } catch (const StoreError& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return StoreError{StoreError::Kind::unavailable, ""};
}

const RelayRun run_1{"relay-a", "run-1"};

// Root may write whatever its mode is, so the test is somebody else for a while.
class Unprivileged {
 public:
  Unprivileged() : is_root_(::geteuid() == 0) {
    if (is_root_) REQUIRE(::seteuid(65534) == 0);
  }
  ~Unprivileged() {
    if (is_root_ && ::seteuid(0) != 0) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  bool is_root_;
};

}  // namespace

TEST_CASE("records in SQLite", "[records][sqlite]") {
  const Folder folder;
  check_record_store([path = folder / "records.db"] {
    return std::make_unique<SqliteStore>(SqliteStore::Config{.path = path});
  });
}

TEST_CASE("records in SQLite: the schema is the one in the document", "[records][sqlite]") {
  const Folder folder;
  SqliteStore{{.path = folder / "made.db"}}.open(run_1);
  const std::string statements = documented_schema("SQLite");
  Database{folder / "documented.db"}(statements);
  const std::string list =
      "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name";
  Database made{folder / "made.db"};
  CHECK(made(list).size() >= 8);
  CHECK(made(list) == Database{folder / "documented.db"}(list));
  CHECK(made("SELECT version FROM schema_version") == std::vector<std::string>{"1|"});
  CHECK(made("PRAGMA journal_mode") == std::vector<std::string>{"wal|"});
}

TEST_CASE("records in SQLite: tables of another version are left alone", "[records][sqlite]") {
  const Folder folder;
  const std::string path = folder / "records.db";
  SqliteStore{{.path = path}}.open(run_1);
  Database{path}("UPDATE schema_version SET version = 2");
  SqliteStore store{{.path = path}};
  CHECK_THAT(thrown_by([&] { store.open(run_1); }).what(), ContainsSubstring("another version"));
  CHECK_FALSE(store.is_open());
  Database{path}("UPDATE schema_version SET version = 1");
  store.open(run_1);
  CHECK(store.is_open());

  // Tables that somebody else made are not taken over.
  Database{folder / "foreign.db"}("CREATE TABLE game_records (id INTEGER)");
  SqliteStore foreign{{.path = folder / "foreign.db"}};
  CHECK_THAT(thrown_by([&] { foreign.open(run_1); }).what(), ContainsSubstring("already exists"));
  CHECK(Database{folder / "foreign.db"}("SELECT name FROM sqlite_master").size() == 1);
}

TEST_CASE("records in SQLite: files that are no use", "[records][sqlite]") {
  const Folder folder;
  std::ofstream{folder / "text.db"} << std::string(5000, 'x');
  for (const std::string& path : {folder / "missing/records.db", folder / "", folder / "text.db"}) {
    SqliteStore store{{.path = path}};
    const StoreError error = thrown_by([&] { store.open(run_1); });
    CHECK(error.kind() == StoreError::Kind::unavailable);
    CHECK_THAT(error.what(), StartsWith(path + ": "));
    CHECK_FALSE(store.is_open());
  }
  // What was missing may come.
  SqliteStore store{{.path = folder / "later/records.db"}};
  thrown_by([&] { store.open(run_1); });
  std::filesystem::create_directory(folder / "later");
  store.open(run_1);
  CHECK(apply_one(store, opened(1)) == Effect::Kind::written);
}

TEST_CASE("records in SQLite: a file that may not be written", "[records][sqlite]") {
  const Folder folder;
  const std::string path = folder / "records.db";
  SqliteStore{{.path = path}}.open(run_1);
  std::filesystem::permissions(path, std::filesystem::perms{0444});
  std::filesystem::permissions(folder / "", std::filesystem::perms{0555});
  {
    const Unprivileged nobody;
    SqliteStore store{{.path = path}};
    CHECK(thrown_by([&] { store.open(run_1); }).kind() == StoreError::Kind::unavailable);
    CHECK_FALSE(store.is_open());
  }
  std::filesystem::permissions(folder / "", std::filesystem::perms{0755});
  std::filesystem::permissions(path, std::filesystem::perms{0644});
  SqliteStore store{{.path = path}};
  store.open(run_1);
  CHECK(apply_one(store, opened(1)) == Effect::Kind::written);
}

TEST_CASE("records in SQLite: a full disk loses only what did not fit", "[records][sqlite]") {
  const Folder folder;
  const std::string path = folder / "records.db";
  SqliteStore store{{.path = path, .max_size = 128U << 10U}};
  store.open(run_1);
  const std::string large(8'000, 'x');
  std::size_t written = 0;
  std::optional<StoreError> error;
  while (!error && written < 1000) {
    const auto room = static_cast<std::int64_t>(written);
    try {
      store.apply(std::vector<Job>{opened(room), GameResult{room, 1, large, {}}});
      ++written;
    } catch (const StoreError& full) {
      error = full;
    }
  }
  REQUIRE(error);
  CHECK(error->kind() == StoreError::Kind::unavailable);
  CHECK_THAT(error->what(), ContainsSubstring("full"));
  CHECK(written > 3);
  CHECK(store.is_open());
  CHECK(store.list({.limit = 100}).size() == written);  // both jobs of the last one, or none

  // Once there is room again, the same store goes on.
  Database{path}("PRAGMA foreign_keys = ON; DELETE FROM game_records WHERE id > 1");
  CHECK(apply_one(store, opened(5000)) == Effect::Kind::written);
}

TEST_CASE("records in SQLite: another process that writes is waited for", "[records][sqlite]") {
  const Folder folder;
  const std::string path = folder / "records.db";
  SqliteStore store{{.path = path, .busy_timeout = 10ms}};
  store.open(run_1);
  Database other{path};
  other("BEGIN IMMEDIATE");
  const StoreError error = thrown_by([&] { apply_one(store, opened(1)); });
  CHECK(error.kind() == StoreError::Kind::unavailable);
  CHECK_THAT(error.what(), ContainsSubstring("locked"));
  CHECK(store.is_open());
  CHECK(store.list({}).empty());  // reading goes on
  other("COMMIT");
  CHECK(apply_one(store, opened(1)) == Effect::Kind::written);
}

#ifdef MUSTER_RELAY_POSTGRES

using relay_program::PostgresStore;

namespace {

// The line that CTest looks for to call a test skipped.
bool is_skipped() {
  if (!PostgresServer::binaries().empty()) return false;
  std::cout << "skipped: /usr/lib/postgresql/*/bin has no initdb and postgres; "
               "the package is postgresql"
            << std::endl;
  return true;
}

}  // namespace

TEST_CASE("records in PostgreSQL", "[records][postgres]") {
  if (is_skipped()) return;
  check_record_store([where = PostgresServer::instance().fresh()] {
    return std::make_unique<PostgresStore>(PostgresStore::Config{.connection = where});
  });
}

TEST_CASE("records in PostgreSQL: the schema is the one in the document", "[records][postgres]") {
  if (is_skipped()) return;
  PostgresServer& server = PostgresServer::instance();
  const std::string made = server.fresh();
  PostgresStore{{.connection = made}}.open(run_1);
  const std::string documented = server.fresh();
  PostgresServer::query(documented, documented_schema("PostgreSQL"));
  const std::string columns =
      "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, is_identity, "
      "identity_generation, column_default FROM information_schema.columns "
      "WHERE table_schema = current_schema ORDER BY 1, 2";
  const std::string constraints =
      "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
      "WHERE connamespace = current_schema::regnamespace ORDER BY 1::text, 2";
  const std::string indexes =
      "SELECT tablename, indexname, replace(indexdef, current_schema || '.', '') FROM pg_indexes "
      "WHERE schemaname = current_schema ORDER BY 1, 2";
  CHECK(PostgresServer::query(made, columns).size() == 24);
  CHECK(PostgresServer::query(made, constraints).size() == 5);
  CHECK(PostgresServer::query(made, indexes).size() == 6);
  for (const std::string& query : {columns, constraints, indexes}) {
    CHECK(PostgresServer::query(made, query) == PostgresServer::query(documented, query));
  }
}

TEST_CASE("records in PostgreSQL: relays that start together make the tables once",
          "[records][postgres]") {
  if (is_skipped()) return;
  const std::string where = PostgresServer::instance().fresh();
  std::vector<std::thread> relays;
  std::atomic<int> open = 0;
  for (int i = 0; i < 6; ++i) {
    relays.emplace_back([&where, &open, i] {
      PostgresStore store{{.connection = where}};
      store.open({"relay-" + std::to_string(i), "run"});
      if (store.is_open()) ++open;
    });
  }
  for (std::thread& relay : relays) relay.join();
  CHECK(open == 6);
  CHECK(PostgresServer::query(where, "SELECT version FROM schema_version") ==
        PostgresServer::Rows{{"1"}});
}

TEST_CASE("records in PostgreSQL: a server that restarts is connected to again",
          "[records][postgres]") {
  if (is_skipped()) return;
  PostgresServer& server = PostgresServer::instance();
  PostgresStore store{{.connection = server.fresh()}};
  store.open(run_1);
  CHECK(apply_one(store, opened(1)) == Effect::Kind::written);
  server.stop();
  CHECK(thrown_by([&] { apply_one(store, opened(2)); }).kind() == StoreError::Kind::unavailable);
  CHECK_FALSE(store.is_open());
  CHECK(thrown_by([&] { store.open(run_1); }).kind() == StoreError::Kind::unavailable);
  server.start();
  store.open(run_1);
  CHECK(apply_one(store, opened(2)) == Effect::Kind::written);
  CHECK(store.list({}).size() == 2);
}

TEST_CASE("records in PostgreSQL: a server that does not answer is given up",
          "[records][postgres]") {
  if (is_skipped()) return;
  const std::string where = PostgresServer::instance().fresh();
  PostgresStore store{{.connection = where, .timeout = 200ms}};
  PostgresStore{{.connection = where}}.open(run_1);
  store.open(run_1);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> other{PQconnectdb(where.c_str()), &PQfinish};
  PQclear(PQexec(other.get(), "BEGIN; LOCK TABLE game_records IN ACCESS EXCLUSIVE MODE"));
  const StoreError error = thrown_by([&] { apply_one(store, opened(1)); });
  CHECK(error.kind() == StoreError::Kind::unavailable);
  CHECK_THAT(error.what(), ContainsSubstring("does not answer"));
  CHECK_FALSE(store.is_open());
  PQclear(PQexec(other.get(), "COMMIT"));
  PostgresStore patient{{.connection = where}};
  patient.open(run_1);
  CHECK(apply_one(patient, opened(1)) == Effect::Kind::written);
}

TEST_CASE("records in PostgreSQL: a text that the encoding lacks is rejected",
          "[records][postgres]") {
  if (is_skipped()) return;
  PostgresServer& server = PostgresServer::instance();
  server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
  PostgresStore store{{.connection = server.connection("dbname=latin")}};
  store.open(run_1);
  CHECK(apply_one(store, opened(1, "\xc3\xa9")) == Effect::Kind::written);
  const StoreError error = thrown_by([&] { apply_one(store, opened(2, "\xf0\x9f\x8e\xb2")); });
  CHECK(error.kind() == StoreError::Kind::rejected);
  CHECK(store.is_open());
  CHECK(only_record(store).room_code == "\xc3\xa9");
}

TEST_CASE("records in PostgreSQL: connections that are no use", "[records][postgres]") {
  if (is_skipped()) return;
  PostgresServer& server = PostgresServer::instance();
  for (const std::string& where : {std::string{"nonsense"}, std::string{"host=/nowhere"},
                                   server.connection("dbname=nowhere")}) {
    PostgresStore store{{.connection = where}};
    const StoreError error = thrown_by([&] { store.open(run_1); });
    CHECK(error.kind() == StoreError::Kind::unavailable);
    CHECK(std::string{error.what()}.find('\n') == std::string::npos);
    CHECK(std::string{error.what()}.size() > 10);
    CHECK_FALSE(store.is_open());
  }
}

#endif
