// SPDX-License-Identifier: MIT
// A record store in SQL that SQLite and PostgreSQL both understand; they differ in how it is run.
#pragma once

#include "records.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace relay_program {

/// A statement that is prepared at its first use, and stays so while the connection lasts.
struct Statement {
  std::size_t index;  ///< below `statement_count`; the last one is a subclass's own
  const char* text;   ///< parameters are $1, $2, ...
};
inline constexpr std::size_t statement_count = 19;

/// All of a record store but the connection.
///
/// Values reach the database as parameters only; no statement is ever put together from them.
class SqlStore : public RecordStore {
 public:
  void open(const RelayRun& self) final;
  [[nodiscard]] bool is_open() const noexcept final { return is_ready_ && is_connected(); }
  std::vector<Effect> apply(std::span<const Job> jobs) final;
  std::size_t close_stale(UnixSeconds now) final;
  std::optional<Record> find(std::int64_t id) final;
  std::vector<Record> list(const RecordPage& page) final;

 protected:
  using Value = std::variant<std::monostate, std::int64_t, std::string>;
  using Row = std::vector<std::optional<std::string>>;
  using Rows = std::vector<Row>;

  virtual void connect() = 0;
  virtual void disconnect() noexcept = 0;
  [[nodiscard]] virtual bool is_connected() const noexcept = 0;

  /// Runs statements whose rows nobody wants, separated by semicolons.
  virtual void execute(const char* statements) = 0;

  virtual Rows run(const Statement& statement, std::span<const Value> values) = 0;

  /// Begins a transaction that is going to write.
  virtual void begin() = 0;
  virtual void commit() = 0;

  /// Ends the transaction without effect, if there is one. Called after an error.
  virtual void rollback() noexcept = 0;

  /// Whether there is a table `schema_version`; nobody else is making one until the transaction
  /// ends.
  virtual bool has_schema() = 0;

  /// Statements that make tables and indexes.
  [[nodiscard]] virtual const char* schema() const noexcept = 0;

 private:
  class Transaction;

  Rows query(const Statement& statement, std::initializer_list<Value> values);
  void make_schema();

  struct Found {
    std::int64_t id;
    bool is_ended;
  };
  [[nodiscard]] std::optional<Found> record_of(std::int64_t room);

  [[nodiscard]] Effect do_job(const RoomOpened& job);
  [[nodiscard]] Effect do_job(const PlayerJoined& job);
  [[nodiscard]] Effect do_job(const PlayerLeft& job);
  [[nodiscard]] Effect do_job(const RoomClosed& job);
  [[nodiscard]] Effect do_job(const GameResult& job);

  RelayRun self_;
  bool is_ready_ = false;
};

}  // namespace relay_program
