// SPDX-License-Identifier: MIT
// Records in a file, or in a database of their own in memory.
#pragma once

#include "sql_store.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace relay_program {

/// Records in a SQLite file, with a write-ahead log; each transaction is on the disk when it ends.
///
/// Several processes on one machine may use one file. A network file system is no place for it.
class SqliteStore final : public SqlStore {
 public:
  struct Config {
    std::string path{};  ///< made if it is missing; its folder is not. ":memory:" for tests

    /// How long to wait for another process that writes, 0 to 1 min.
    std::chrono::milliseconds busy_timeout = std::chrono::seconds{5};

    /// The largest the file may grow to, in bytes; 0: no limit. Rounded down to whole pages.
    std::uint64_t max_size = 0;
  };

  explicit SqliteStore(Config config) : config_(std::move(config)) {}
  ~SqliteStore() override { disconnect(); }
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

 private:
  void connect() override;
  void disconnect() noexcept override;
  [[nodiscard]] bool is_connected() const noexcept override { return database_ != nullptr; }
  void execute(const char* statements) override;
  Rows run(const Statement& statement, std::span<const Value> values) override;
  void begin() override { execute("BEGIN IMMEDIATE"); }
  void commit() override { execute("COMMIT"); }
  void rollback() noexcept override;
  bool has_schema() override;
  [[nodiscard]] const char* schema() const noexcept override;

  [[noreturn]] void fail(int code);
  sqlite3_stmt* prepared(const Statement& statement);

  Config config_;
  sqlite3* database_ = nullptr;
  bool is_broken_ = false;  ///< to be closed once the transaction is over
  std::array<sqlite3_stmt*, statement_count> statements_{};
};

}  // namespace relay_program
