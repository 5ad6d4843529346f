// SPDX-License-Identifier: MIT
// Reading what the options name, at the start and again.
#include "shared.hpp"

#include "sqlite_store.hpp"
#ifdef MUSTER_RELAY_POSTGRES
#include "postgres_store.hpp"
#endif

#include <muster/bytes.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace relay_program {

namespace {

using muster::as_bytes;

Log::Config log_config(const Options& options) {
  Log::Config config;
  config.level = options.log_level;
  if (options.log_file != "stderr") config.path = options.log_file;
  return config;
}

// The first line of the file, which is long enough that nobody guesses it.
std::string read_admin_token(const std::string& file) {
  constexpr std::size_t least = 20;
  constexpr std::size_t most = 256;
  std::ifstream input{file};
  std::string token;
  if (!input || !std::getline(input, token)) {
    throw std::runtime_error{file + " cannot be read; a file with a token in its first line is " +
                             "needed"};
  }
  while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) token.pop_back();
  const bool is_printable =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (token.size() < least || token.size() > most || !is_printable) {
    throw std::runtime_error{file + ": the token must be 20 to 256 printable characters without " +
                             "blanks"};
  }
  return token;
}

std::unique_ptr<RecordStore> make_store(const std::string& records) {
  constexpr std::string_view sqlite = "sqlite:";
  if (records.starts_with(sqlite)) {
    SqliteStore::Config config;
    config.path = records.substr(sqlite.size());
    return std::make_unique<SqliteStore>(std::move(config));
  }
#ifdef MUSTER_RELAY_POSTGRES
  PostgresStore::Config config;
  config.connection = records;
  return std::make_unique<PostgresStore>(std::move(config));
#else
  throw std::runtime_error{"this program was built without libpq"};
#endif
}

// Different for each start.
std::string make_run(muster::Entropy& entropy) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::array<std::byte, 16> bytes{};
  entropy.fill(bytes);
  std::string run;
  for (const std::byte byte : bytes) {
    run += hex[std::to_integer<unsigned>(byte) >> 4U];
    run += hex[std::to_integer<unsigned>(byte) & 0xfU];
  }
  return run;
}

}  // namespace

AdminKey::AdminKey(std::string_view token, muster::Mac& mac, muster::Entropy& entropy) {
  entropy.fill(key_);
  tag_ = mac.tag(key_, as_bytes(token));
}

bool AdminKey::matches(std::string_view token, muster::Mac& mac) const noexcept {
  return tag_ && muster::equal_in_constant_time(*tag_, mac.tag(key_, as_bytes(token)));
}

Shared::Shared(const Options& options)
    : options_(options), log_(log_config(options)), limits_(options.relay.addresses, entropy_) {
  if (!options_.admin_token_file.empty()) {
    admin_ = AdminKey{read_admin_token(options_.admin_token_file), mac_, entropy_};
  }
  const auto& signal = options_.signal.server;
  if (signal.require_metrics_auth && signal.metrics_auth_token) {
    metrics_key_ = AdminKey{*signal.metrics_auth_token, mac_, entropy_};
  }
  std::string problem;
  if (!options_.tls_certificate.empty() &&
      tls_.load(options_.tls_certificate, options_.tls_key, problem)) {
    throw std::runtime_error{problem};
  }
  auto content = std::make_shared<Content>();
  content->games = options_.relay.games;
  if (!options_.auth_file.empty() && !content->accounts.load(options_.auth_file, problem)) {
    throw std::runtime_error{problem};
  }
  if (!options_.static_root.empty() && !content->files.load(options_.static_root, problem)) {
    throw std::runtime_error{problem};
  }
  content_ = std::move(content);
  if (!options_.records.empty()) {
    records_.emplace(make_store(options_.records),
                     RelayRun{options_.relay_name, make_run(entropy_)}, RecordWriter::Config{});
  }
}

std::shared_ptr<const Content> Shared::content() {
  const std::lock_guard lock{mutex_};
  return content_;
}

void Shared::subscribe(std::function<void(std::shared_ptr<const Content>)> changed) {
  const std::lock_guard lock{mutex_};
  subscribers_.push_back(std::move(changed));
}

std::vector<std::string> Shared::reload() {
  const std::lock_guard lock{mutex_};  // two at once would mix their files
  std::vector<std::string> problems;
  std::string problem;
  log_.reopen();
  auto content = std::make_shared<Content>(*content_);
  if (auto games = load_games(options_.games_file, problem)) {
    content->games = std::move(*games);
  } else {
    problems.push_back(problem);
  }
  if (Accounts accounts; !options_.auth_file.empty()) {
    if (accounts.load(options_.auth_file, problem)) {
      content->accounts = std::move(accounts);
    } else {
      problems.push_back(problem);
    }
  }
  if (StaticFiles files; !options_.static_root.empty()) {
    if (files.load(options_.static_root, problem)) {
      content->files = std::move(files);
    } else {
      problems.push_back(problem);
    }
  }
  if (!options_.tls_certificate.empty() &&
      tls_.load(options_.tls_certificate, options_.tls_key, problem)) {
    problems.push_back(problem);
  }
  content_ = std::move(content);
  for (const auto& changed : subscribers_) changed(content_);
  for (const std::string& sentence : problems) {
    log_(LogLevel::error, "reload_failed", LogFields{}.text("problem", sentence));
  }
  log_(LogLevel::info, "reloaded",
       LogFields{}.count("games", content_->games.games.size()).count("problems", problems.size()));
  return problems;
}

void Shared::watch_records() {
  if (!records_) return;
  const RecordWriter::Stats stats = records_->stats();
  const bool can_write = stats.is_available || stats.failures == 0;
  if (can_write == std::exchange(can_write_records_, can_write)) return;
  if (can_write) {
    log_(LogLevel::warning, "records_available");
  } else {
    log_(LogLevel::error, "records_unavailable", LogFields{}.text("problem", stats.last_error));
  }
}

bool Shared::stop() {
  const auto deadline = std::chrono::steady_clock::now() + options_.drain_timeout;
  const bool has_ended = !records_ || records_->stop(deadline);
  if (records_) {
    std::uint64_t lost = 0;
    for (const std::uint64_t count : records_->stats().lost) lost += count;
    if (lost != 0) log_(LogLevel::error, "records_lost", LogFields{}.count("count", lost));
  }
  log_(LogLevel::info, "stopped");
  log_.stop(std::chrono::steady_clock::now() + std::chrono::seconds{1});
  return has_ended;
}

}  // namespace relay_program
