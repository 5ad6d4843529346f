// SPDX-License-Identifier: MIT
// What all loops of the program share: options, records, log, limits, certificate, and what a
// reload replaces.
#pragma once

#include "accounts.hpp"
#include "log.hpp"
#include "options.hpp"
#include "record_writer.hpp"
#include "static_files.hpp"

#include <muster/address_limits.hpp>
#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/tls_server_context.hpp>
#include <muster/mac.hpp>
#include <muster/relay/game_config.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay_program {

/// What may change while the program runs. Nobody writes to one that others can see.
struct Content {
  muster::relay::GameConfig games{};
  Accounts accounts{};
  StaticFiles files{};
};

/// The administrator's token, or another one, kept as a tag.
class AdminKey {
 public:
  /// No token is the right one.
  AdminKey() = default;

  AdminKey(std::string_view token, muster::Mac& mac, muster::Entropy& entropy);

  /// Takes a time that does not depend on how much of it is right.
  [[nodiscard]] bool matches(std::string_view token, muster::Mac& mac) const noexcept;

  [[nodiscard]] bool exists() const noexcept { return tag_.has_value(); }

 private:
  std::array<std::byte, 32> key_{};
  std::optional<muster::Mac::Tag> tag_;
};

/// Everything there is one of, however many loops there are.
class Shared {
 public:
  /// Reads what the options name, and starts the threads of log and records.
  /// @throws std::runtime_error   with a sentence for the operator
  explicit Shared(const Options& options);
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] Log& log() noexcept { return log_; }
  [[nodiscard]] muster::AddressLimits& limits() noexcept { return limits_; }
  [[nodiscard]] const AdminKey& admin() const noexcept { return admin_; }

  /// Null: metrics are for everybody.
  [[nodiscard]] const AdminKey* metrics_key() const noexcept {
    return metrics_key_.exists() ? &metrics_key_ : nullptr;
  }

  /// Null: no records are kept.
  [[nodiscard]] RecordWriter* records() noexcept { return records_ ? &*records_ : nullptr; }

  /// Null: no TLS.
  [[nodiscard]] const muster::asio::TlsServerContext* tls() const noexcept {
    return tls_.is_loaded() ? &tls_ : nullptr;
  }

  /// What is served now. Any thread.
  [[nodiscard]] std::shared_ptr<const Content> content();

  /// `changed` is called on the thread of whoever reloads, and posts to its own loop. Before the
  /// loops run.
  void subscribe(std::function<void(std::shared_ptr<const Content>)> changed);

  /// Reads games, accounts, static files and certificate again, and opens the log again. Of what
  /// cannot be read, the old one is kept. Reads the files within the call. Any thread.
  /// @return   one sentence for each of them; empty if all is new
  std::vector<std::string> reload();

  /// Logs when the records cannot be written, and when they can again. About once a second, from
  /// one thread.
  void watch_records();

  /// Writes what waits, of records and log, at most until the drain timeout.
  /// @return   false if a store blocks: the program must end with `std::quick_exit`
  bool stop();

 private:
  const Options options_;
  muster::asio::SystemEntropy entropy_;
  muster::asio::HmacSha256 mac_;
  Log log_;
  muster::AddressLimits limits_;
  AdminKey admin_;
  AdminKey metrics_key_;
  muster::asio::TlsServerContext tls_;
  std::mutex mutex_;  // of the following three
  std::shared_ptr<const Content> content_;
  std::vector<std::function<void(std::shared_ptr<const Content>)>> subscribers_;
  bool can_write_records_ = true;
  std::optional<RecordWriter> records_;
};

}  // namespace relay_program
