// SPDX-License-Identifier: MIT
// The log: one JSON object per line, written on a thread of its own.
#pragma once

#include <muster/time.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace relay_program {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

[[nodiscard]] std::string_view name_of(LogLevel level) noexcept;

/// The name of an event or of a field: a literal of small letters, digits and underscores, so that
/// nothing from outside can become one.
class LogKey {
 public:
  template <std::size_t N>
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is a key
  consteval LogKey(const char (&literal)[N]) : text_(literal, N - 1) {
    for (const char c : text_) {
      const bool is_allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
      if (!is_allowed) throw "a key has small letters, digits and underscores";
    }
    if (text_.empty()) throw "a key is not empty";
  }
  [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

 private:
  std::string_view text_;
};

/// What a line says besides time, level and event.
///
/// There is no way to put bytes in, and none for a bare unsigned 64-bit number: in this program
/// that is what a token is. How many of something there are is a `count`.
class LogFields {
 public:
  /// Text from anywhere. Invalid UTF-8 becomes U+FFFD, controls are escaped, and what is longer
  /// than `max_text` bytes is cut.
  LogFields& text(LogKey key, std::string_view value);
  static constexpr std::size_t max_text = 512;

  template <class Number>
  requires std::signed_integral<Number> ||
      (std::unsigned_integral<Number> && sizeof(Number) < sizeof(std::uint64_t) &&
       !std::same_as<Number, bool>)LogFields& number(LogKey key, Number value) {
    return integer(key, static_cast<std::int64_t>(value));
  }
  LogFields& number(LogKey key, double value);  ///< null, if it is not finite
  LogFields& number(LogKey, std::uint64_t) = delete;

  LogFields& count(LogKey key, std::size_t value);
  LogFields& flag(LogKey key, bool value);

  [[nodiscard]] std::string_view json() const noexcept { return json_; }  ///< ",key:value" each

 private:
  LogFields& integer(LogKey key, std::int64_t value);
  void begin(LogKey key);

  std::string json_;
};

/// Writes lines like
///
///     {"ts":"2026-01-31T12:00:00.000Z","level":"info","event":"room_opened","game":"chess"}
///
/// Whoever logs never waits for the disk or for who reads the pipe: what does not fit is dropped,
/// and a line says how many (`log_dropped`). Of one event at most so many lines are written per
/// second; at its end a line says how many more there were (`log_suppressed`).
/// @threads calling it, `is_on`, `stats`, `set_level`, `reopen`: any; all else: the one that made
/// it
class Log {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  struct Config {
    LogLevel level = LogLevel::info;  ///< what is below is not written
    std::string path{};               ///< appended to, made if it is missing; empty: `descriptor`
    int descriptor = 2;               ///< to write to; not closed
    std::size_t max_buffer = 1U << 20U;  ///< bytes that may wait, 4 KiB to 1 GiB; twice in memory
    std::uint32_t max_per_second = 50;   ///< lines of one event, 1 to 1 million; 0: no limit
    Clock clock{};                       ///< any thread calls it; empty: the system's
  };

  struct Stats {
    std::uint64_t written = 0;     ///< lines
    std::uint64_t suppressed = 0;  ///< too many of one event
    std::uint64_t dropped = 0;     ///< too much waited
    std::uint64_t failed = 0;      ///< could not be written, or not until the deadline
  };

  /// @throws std::system_error   the file cannot be opened
  explicit Log(Config config);

  /// As `stop` with a deadline that has passed.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void operator()(LogLevel level, LogKey event, const LogFields& fields = {});

  /// Whether this level is written: ask before fields that cost something.
  [[nodiscard]] bool is_on(LogLevel level) const noexcept;
  void set_level(LogLevel level) noexcept;

  /// Opens the file by its name again, after it was moved away. If that fails the old one is kept.
  void reopen();

  [[nodiscard]] Stats stats() const;

  /// Takes nothing more, and writes what waits. A pipe that nobody reads is waited for until the
  /// deadline; a file on a disk that hangs has none.
  void stop(muster::time_point deadline);

 private:
  class Writer;

  std::unique_ptr<Writer> writer_;
};

}  // namespace relay_program
