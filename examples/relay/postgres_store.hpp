// SPDX-License-Identifier: MIT
// Records in a PostgreSQL database, which several relays may share.
#pragma once

#include "sql_store.hpp"

#include <bitset>
#include <chrono>
#include <span>
#include <string>
#include <utility>

struct pg_conn;
struct pg_result;

namespace relay_program {

/// Records in PostgreSQL 12 or newer, over one connection that `open` makes again when it is lost.
///
/// The database's encoding should be UTF8: a text that it cannot represent is rejected.
class PostgresStore final : public SqlStore {
 public:
  struct Config {
    /// libpq's: "host=... dbname=...", "postgresql://...", "service=...". What it leaves out comes
    /// from libpq's environment variables and files; a password is best left out.
    std::string connection{};

    /// How long a statement may take, 10 ms to 10 min; then the connection is given up.
    std::chrono::milliseconds timeout = std::chrono::seconds{10};
  };

  explicit PostgresStore(Config config) : config_(std::move(config)) {}
  ~PostgresStore() override { disconnect(); }
  PostgresStore(const PostgresStore&) = delete;
  PostgresStore& operator=(const PostgresStore&) = delete;

 private:
  void connect() override;
  void disconnect() noexcept override;
  [[nodiscard]] bool is_connected() const noexcept override;
  void execute(const char* statements) override;
  Rows run(const Statement& statement, std::span<const Value> values) override;
  void begin() override { execute("BEGIN"); }
  void commit() override { execute("COMMIT"); }
  void rollback() noexcept override;
  bool has_schema() override;
  [[nodiscard]] const char* schema() const noexcept override;

  void wait_until_answered();
  Rows finish(bool is_sent);
  [[noreturn]] void fail(const pg_result* result);

  Config config_;
  pg_conn* connection_ = nullptr;
  std::bitset<statement_count> prepared_;
};

}  // namespace relay_program
