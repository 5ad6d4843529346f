// SPDX-License-Identifier: MIT
// The statements, and what they mean for a job.
#include "sql_store.hpp"

#include <muster/bytes.hpp>
#include <muster/utf8.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

namespace relay_program {

namespace {

constexpr std::int64_t schema_version = 1;

// Both databases take any UTF-8 but U+0000, which PostgreSQL has no way to store.
std::string storable(std::string_view text) {
  std::string out = muster::replace_invalid_utf8(muster::as_bytes(text));
  for (std::size_t at = 0; (at = out.find('\0', at)) != std::string::npos;) {
    out.replace(at, 1, "\xef\xbf\xbd");
  }
  return out;
}

std::int64_t number(const std::optional<std::string>& text) {
  std::int64_t value = 0;
  if (text) {
    const char* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ec == std::errc{} && parsed.ptr == end) return value;
  }
  throw StoreError{StoreError::Kind::unavailable, "the database holds text where a number belongs"};
}

std::optional<std::int64_t> optional_number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return number(text);
}

// A column that cannot be null.
std::string text_of(std::optional<std::string>& field) {
  if (!field) {
    throw StoreError{StoreError::Kind::unavailable,
                     "the database holds nothing where text belongs"};
  }
  return std::move(*field);
}

// In the order of RECORD_COLUMNS and PARTICIPANT_COLUMNS.
#define RECORD_COLUMNS                                                 \
  "r.id, r.game_id, r.room_code, r.started_at, r.ended_at, r.result, " \
  "r.rule_variation, r.relay, r.host_user_id, r.closed_at, r.close_reason "
#define PARTICIPANT_COLUMNS                                                  \
  "p.player_id, p.player_generation, p.user_id, p.display_name, p.outcome, " \
  "p.joined_at, p.left_at, p.leave_reason "
constexpr std::size_t record_columns = 11;

template <class Row>
Record record_from(Row& row) {
  return {
      .id = number(row[0]),
      .game_id = text_of(row[1]),
      .room_code = text_of(row[2]),
      .started_at = number(row[3]),
      .ended_at = optional_number(row[4]),
      .result = std::move(row[5]),
      .rule_variation = number(row[6]),
      .relay = text_of(row[7]),
      .host_user_id = std::move(row[8]),
      .closed_at = optional_number(row[9]),
      .close_reason = std::move(row[10]),
  };
}

template <class Row>
Participant participant_from(Row& row, std::size_t at) {
  return {
      .player = {static_cast<std::uint16_t>(number(row[at])),
                 static_cast<std::uint32_t>(number(row[at + 1]))},
      .user_id = std::move(row[at + 2]),
      .display_name = std::move(row[at + 3]),
      .outcome = std::move(row[at + 4]),
      .joined_at = number(row[at + 5]),
      .left_at = optional_number(row[at + 6]),
      .leave_reason = std::move(row[at + 7]),
  };
}

// What is in an index has a largest size in PostgreSQL, 2,704 bytes; so it has one here.
constexpr std::size_t max_key = 512;

std::string key(std::string_view text) {
  std::string out = storable(text);
  if (out.size() > max_key) {
    throw StoreError{StoreError::Kind::rejected, "a name of more than 512 bytes"};
  }
  return out;
}

template <class Value>
Value key_or_null(const std::optional<std::string>& text) {
  if (!text) return std::monostate{};
  return key(*text);
}

template <class Value>
Value text_or_null(const std::optional<std::string>& text) {
  if (!text) return std::monostate{};
  return storable(*text);
}

}  // namespace

// Both databases can tell the type of each parameter from what it is compared with or put into.
namespace sql {

constexpr Statement read_version{0, "SELECT version FROM schema_version"};
constexpr Statement write_version{1, "INSERT INTO schema_version (version) VALUES ($1)"};

constexpr Statement record_of_room{2,
                                   "SELECT id, ended_at FROM game_records "
                                   "WHERE relay = $1 AND relay_run = $2 AND room_instance = $3"};
constexpr Statement open_record{
    3,
    "INSERT INTO game_records (game_id, room_code, started_at, rule_variation, relay, relay_run, "
    "room_instance, host_user_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
    "ON CONFLICT (relay, relay_run, room_instance) DO NOTHING RETURNING id"};
constexpr Statement return_participant{
    4,
    "UPDATE game_participants SET left_at = NULL, leave_reason = NULL "
    "WHERE game_record_id = $1 AND player_id = $2 AND player_generation = $3 "
    "AND left_at IS NOT NULL RETURNING id"};
constexpr Statement has_participant{
    5,
    "SELECT id FROM game_participants "
    "WHERE game_record_id = $1 AND player_id = $2 AND player_generation = $3"};
constexpr Statement add_participant{
    6,
    "INSERT INTO game_participants (game_record_id, player_id, player_generation, user_id, "
    "display_name, joined_at) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (game_record_id, player_id, player_generation) DO NOTHING RETURNING id"};
constexpr Statement leave{7,
                          "UPDATE game_participants SET left_at = $1, leave_reason = $2 "
                          "WHERE game_record_id = $3 AND player_id = $4 AND player_generation = $5 "
                          "AND left_at IS NULL RETURNING id"};
constexpr Statement close_record{
    8,
    "UPDATE game_records SET closed_at = $1, ended_at = COALESCE(ended_at, $1), "
    "close_reason = $2 WHERE id = $3 AND closed_at IS NULL RETURNING id"};
constexpr Statement close_participants{
    9,
    "UPDATE game_participants SET left_at = $1, leave_reason = 'room closed' "
    "WHERE game_record_id = $2 AND left_at IS NULL RETURNING id"};
constexpr Statement write_result{
    10,
    "UPDATE game_records SET result = $1, ended_at = COALESCE(ended_at, $2) "
    "WHERE id = $3 AND result IS NULL RETURNING id"};
constexpr Statement write_outcome{
    11,
    "UPDATE game_participants SET outcome = $1 WHERE game_record_id = $2 AND player_id = $3 "
    "AND player_generation = (SELECT MAX(player_generation) FROM game_participants "
    "WHERE game_record_id = $2 AND player_id = $3) RETURNING id"};
constexpr Statement close_stale_participants{
    12,
    "UPDATE game_participants SET left_at = $1, leave_reason = 'relay restarted' "
    "WHERE left_at IS NULL AND game_record_id IN (SELECT id FROM game_records "
    "WHERE relay = $2 AND relay_run <> $3 AND closed_at IS NULL) RETURNING id"};
constexpr Statement close_stale_records{
    13,
    "UPDATE game_records SET closed_at = $1, ended_at = COALESCE(ended_at, $1), "
    "close_reason = 'relay restarted' "
    "WHERE relay = $2 AND relay_run <> $3 AND closed_at IS NULL RETURNING id"};

constexpr Statement find_record{14, "SELECT " RECORD_COLUMNS "FROM game_records r WHERE r.id = $1"};
constexpr Statement find_participants{15, "SELECT " PARTICIPANT_COLUMNS
                                          "FROM game_participants p WHERE p.game_record_id = $1 "
                                          "ORDER BY p.player_id, p.player_generation"};
constexpr Statement list_newest{
    16, "SELECT " RECORD_COLUMNS "FROM game_records r WHERE r.id < $1 ORDER BY r.id DESC LIMIT $2"};
constexpr Statement list_of_user{
    17, "SELECT " RECORD_COLUMNS ", " PARTICIPANT_COLUMNS
        "FROM game_records r JOIN game_participants p ON p.game_record_id = r.id "
        "WHERE p.user_id = $1 AND r.id IN (SELECT DISTINCT game_record_id FROM game_participants "
        "WHERE user_id = $1 AND game_record_id < $2 ORDER BY game_record_id DESC LIMIT $3) "
        "ORDER BY r.id DESC, p.player_id, p.player_generation"};

}  // namespace sql

// Undone unless committed.
class SqlStore::Transaction {
 public:
  explicit Transaction(SqlStore& store) : store_(&store) { store.begin(); }
  ~Transaction() {
    if (store_ != nullptr) store_->rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    store_->commit();
    store_ = nullptr;
  }

 private:
  SqlStore* store_;
};

SqlStore::Rows SqlStore::query(const Statement& statement, std::initializer_list<Value> values) {
  return run(statement, {values.begin(), values.size()});
}

void SqlStore::open(const RelayRun& self) {
  if (is_open()) return;
  is_ready_ = false;
  self_ = {key(self.relay), key(self.run)};
  try {
    if (!is_connected()) connect();
    make_schema();
  } catch (const StoreError&) {
    disconnect();
    throw;
  }
  is_ready_ = true;
}

void SqlStore::make_schema() {
  Transaction transaction{*this};
  if (!has_schema()) {
    execute(schema());
    query(sql::write_version, {schema_version});
  }
  const Rows versions = query(sql::read_version, {});
  if (versions.size() != 1 || number(versions.front().front()) != schema_version) {
    throw StoreError{StoreError::Kind::unavailable,
                     "the tables are of another version of muster-relay; this one knows version " +
                         std::to_string(schema_version)};
  }
  transaction.commit();
}

std::vector<Effect> SqlStore::apply(std::span<const Job> jobs) {
  std::vector<Effect> effects;
  effects.reserve(jobs.size());
  Transaction transaction{*this};
  for (const Job& job : jobs) {
    effects.push_back(std::visit([this](const auto& j) { return do_job(j); }, job));
  }
  transaction.commit();
  return effects;
}

std::optional<SqlStore::Found> SqlStore::record_of(std::int64_t room) {
  const Rows rows = query(sql::record_of_room, {self_.relay, self_.run, room});
  if (rows.empty()) return std::nullopt;
  return Found{number(rows[0][0]), rows[0][1].has_value()};
}

Effect SqlStore::do_job(const RoomOpened& job) {
  const Rows rows =
      query(sql::open_record, {storable(job.game_id), storable(job.room_code), job.at,
                               std::int64_t{job.rule_variation}, self_.relay, self_.run, job.room,
                               key_or_null<Value>(job.host_user_id)});
  if (!rows.empty()) return {Effect::Kind::written, number(rows[0][0])};
  const auto record = record_of(job.room);
  return {Effect::Kind::unchanged, record ? record->id : 0};
}

Effect SqlStore::do_job(const PlayerJoined& job) {
  const auto record = record_of(job.room);
  if (!record) return {Effect::Kind::no_record};
  const std::int64_t id = job.player.id;
  const std::int64_t generation = job.player.generation;
  if (!query(sql::return_participant, {record->id, id, generation}).empty()) {
    return {Effect::Kind::written, record->id};
  }
  // Who comes after the game was in the room, but has not played.
  if (record->is_ended) return {Effect::Kind::unchanged, record->id};
  const Rows added =
      query(sql::add_participant, {record->id, id, generation, key_or_null<Value>(job.user_id),
                                   text_or_null<Value>(job.display_name), job.at});
  return {added.empty() ? Effect::Kind::unchanged : Effect::Kind::written, record->id};
}

Effect SqlStore::do_job(const PlayerLeft& job) {
  const auto record = record_of(job.room);
  if (!record) return {Effect::Kind::no_record};
  const std::int64_t id = job.player.id;
  const std::int64_t generation = job.player.generation;
  if (!query(sql::leave, {job.at, storable(job.reason), record->id, id, generation}).empty()) {
    return {Effect::Kind::written, record->id};
  }
  // Who came after the game has no row, and that is in order.
  const bool is_known =
      record->is_ended || !query(sql::has_participant, {record->id, id, generation}).empty();
  return {is_known ? Effect::Kind::unchanged : Effect::Kind::no_record, record->id};
}

Effect SqlStore::do_job(const RoomClosed& job) {
  const auto record = record_of(job.room);
  if (!record) return {Effect::Kind::no_record};
  if (query(sql::close_record, {job.at, storable(job.reason), record->id}).empty()) {
    return {Effect::Kind::unchanged, record->id};
  }
  query(sql::close_participants, {job.at, record->id});
  return {Effect::Kind::written, record->id};
}

Effect SqlStore::do_job(const GameResult& job) {
  const auto record = record_of(job.room);
  if (!record) return {Effect::Kind::no_record};
  if (query(sql::write_result, {storable(job.result), job.at, record->id}).empty()) {
    return {Effect::Kind::unchanged, record->id};
  }
  for (const auto& [player, outcome] : job.outcomes) {
    query(sql::write_outcome, {storable(outcome), record->id, std::int64_t{player}});
  }
  return {Effect::Kind::written, record->id};
}

std::size_t SqlStore::close_stale(UnixSeconds now) {
  Transaction transaction{*this};
  query(sql::close_stale_participants, {now, self_.relay, self_.run});
  const std::size_t closed = query(sql::close_stale_records, {now, self_.relay, self_.run}).size();
  transaction.commit();
  return closed;
}

std::optional<Record> SqlStore::find(std::int64_t id) {
  Rows rows = query(sql::find_record, {id});
  if (rows.empty()) return std::nullopt;
  Record record = record_from(rows.front());
  for (Row& row : query(sql::find_participants, {id})) {
    record.participants.push_back(participant_from(row, 0));
  }
  return record;
}

std::vector<Record> SqlStore::list(const RecordPage& page) {
  constexpr std::size_t largest_page = 100;
  const auto limit =
      static_cast<std::int64_t>(std::clamp<std::size_t>(page.limit, 1, largest_page));
  const std::int64_t before = page.before.value_or(std::numeric_limits<std::int64_t>::max());
  Rows rows = page.user_id ? query(sql::list_of_user, {storable(*page.user_id), before, limit})
                           : query(sql::list_newest, {before, limit});
  std::vector<Record> records;
  for (Row& row : rows) {
    const std::int64_t id = number(row[0]);
    if (records.empty() || records.back().id != id) records.push_back(record_from(row));
    if (page.user_id) {
      records.back().participants.push_back(participant_from(row, record_columns));
    }
  }
  return records;
}

}  // namespace relay_program
