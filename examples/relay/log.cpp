// SPDX-License-Identifier: MIT
// Lines, the buffer that they wait in, and the thread that writes it.
#include "log.hpp"

#include <muster/bytes.hpp>
#include <muster/utf8.hpp>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace relay_program {

namespace {

using std::chrono::system_clock;

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_padded(std::string& out, long value, int width) {
  std::string digits = std::to_string(value);
  out.append(static_cast<std::size_t>(std::max(0, width - static_cast<int>(digits.size()))), '0');
  out += digits;
}

void append_escape(std::string& out, unsigned code) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += "\\u";
  for (unsigned shift = 16; shift != 0;) {
    shift -= 4;
    out += hex[(code >> shift) & 0xfU];
  }
}

// A JSON string that a terminal shows as it is: no control is left, of either set, and no separator
// that some readers take for the end of a line.
void append_string(std::string& out, std::string_view text) {
  const bool is_cut = text.size() > LogFields::max_text;
  const std::string valid = muster::replace_invalid_utf8(
      muster::as_bytes(muster::utf8_prefix(text, LogFields::max_text)));
  out += '"';
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto byte = static_cast<unsigned char>(valid[i]);
    const auto next = [&valid, i](std::size_t n) {
      return static_cast<unsigned char>(valid[i + n]);
    };
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += valid[i];
    } else if (byte < 0x20 || byte == 0x7f) {
      append_escape(out, byte);
    } else if (byte == 0xc2 && next(1) < 0xa0) {  // U+0080 to U+009F
      append_escape(out, next(1));
      ++i;
    } else if (byte == 0xe2 && next(1) == 0x80 && (next(2) == 0xa8 || next(2) == 0xa9)) {
      append_escape(out, next(2) == 0xa8 ? 0x2028 : 0x2029);
      i += 2;
    } else {
      out += valid[i];
    }
  }
  if (is_cut) out += "\xe2\x80\xa6";
  out += '"';
}

// RFC 3339, in UTC, with milliseconds.
void append_time(std::string& out, system_clock::time_point time) {
  using std::chrono::floor;
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto second = floor<seconds>(time);
  const std::time_t unix_time = second.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&unix_time, &parts);
  append_padded(out, parts.tm_year + 1900L, 4);
  out += '-';
  append_padded(out, parts.tm_mon + 1L, 2);
  out += '-';
  append_padded(out, parts.tm_mday, 2);
  out += 'T';
  append_padded(out, parts.tm_hour, 2);
  out += ':';
  append_padded(out, parts.tm_min, 2);
  out += ':';
  append_padded(out, parts.tm_sec, 2);
  out += '.';
  append_padded(out, floor<milliseconds>(time - second).count(), 3);
  out += 'Z';
}

int open_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

}  // namespace

std::string_view name_of(LogLevel level) noexcept {
  constexpr std::array<std::string_view, 4> names{"debug", "info", "warning", "error"};
  return names.at(static_cast<std::size_t>(level));
}

void LogFields::begin(LogKey key) { json_.append(",\"").append(key.text()).append("\":"); }

LogFields& LogFields::text(LogKey key, std::string_view value) {
  begin(key);
  append_string(json_, value);
  return *this;
}

LogFields& LogFields::integer(LogKey key, std::int64_t value) {
  begin(key);
  append_number(json_, value);
  return *this;
}

LogFields& LogFields::number(LogKey key, double value) {
  begin(key);
  if (std::isfinite(value)) {
    append_number(json_, value);
  } else {
    json_ += "null";
  }
  return *this;
}

LogFields& LogFields::count(LogKey key, std::size_t value) {
  begin(key);
  append_number(json_, value);
  return *this;
}

LogFields& LogFields::flag(LogKey key, bool value) {
  begin(key);
  json_ += value ? "true" : "false";
  return *this;
}

/// What those who log share with the thread that writes. All but what is said to be the thread's
/// own is guarded by `mutex_`, which nobody holds while writing.
class Log::Writer {
 public:
  explicit Writer(Config config) : config_(std::move(config)), level_(config_.level) {
    if (!config_.clock) config_.clock = [] { return system_clock::now(); };
    descriptor_ = config_.descriptor;
    if (!config_.path.empty()) {
      descriptor_ = open_file(config_.path);
      if (descriptor_ < 0) throw std::system_error{errno, std::generic_category(), config_.path};
    }
    thread_ = std::thread{[this] { run(); }};
  }
  ~Writer() {
    stop(std::chrono::steady_clock::now());
    if (!config_.path.empty()) ::close(descriptor_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add(LogLevel level, LogKey event, const LogFields& fields) {
    const auto now = config_.clock();
    const std::string text = line(now, level, event.text(), fields);
    const std::lock_guard lock{mutex_};
    if (stop_at_) {
      ++stats_.dropped;
      return;
    }
    if (!admit(event.text(), second_of(now), now)) return;
    append(text);
  }

  [[nodiscard]] bool is_on(LogLevel level) const noexcept { return level >= level_.load(); }
  void set_level(LogLevel level) noexcept { level_.store(level); }

  void reopen() {
    const std::lock_guard lock{mutex_};
    wants_reopen_ = !config_.path.empty();
    wake_.notify_one();
  }

  Stats stats() {
    const std::lock_guard lock{mutex_};
    return stats_;
  }

  void stop(muster::time_point deadline) {
    {
      const std::lock_guard lock{mutex_};
      if (!stop_at_) stop_at_ = deadline;
      wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  using Second = std::chrono::time_point<system_clock, std::chrono::seconds>;

  // An event in the second in which it was last seen.
  struct Window {
    Second second{};
    std::uint32_t lines = 0;
    std::uint64_t suppressed = 0;
  };

  static Second second_of(system_clock::time_point now) {
    return std::chrono::floor<std::chrono::seconds>(now);
  }

  static std::string line(system_clock::time_point now, LogLevel level, std::string_view event,
                          const LogFields& fields) {
    std::string out = "{\"ts\":\"";
    append_time(out, now);
    out.append("\",\"level\":\"").append(name_of(level)).append("\",\"event\":\"").append(event);
    out.append("\"").append(fields.json()).append("}\n");
    return out;
  }

  bool admit(std::string_view event, Second second, system_clock::time_point now) {
    if (config_.max_per_second == 0) return true;
    Window& window = windows_[event];  // events are literals: there are only so many
    if (window.second != second) {
      report(event, window, now);
      window = {.second = second};
    }
    if (window.lines < config_.max_per_second) {
      ++window.lines;
      return true;
    }
    if (++window.suppressed == 1) wake_.notify_one();  // to report it, if nothing follows
    ++stats_.suppressed;
    return false;
  }

  void report(std::string_view event, Window& window, system_clock::time_point now) {
    if (window.suppressed == 0) return;
    append(line(now, LogLevel::warning, "log_suppressed",
                LogFields{}.text("of", event).count("count", window.suppressed)));
    window.suppressed = 0;
  }

  /// Reports what is over. @return whether there is more to report later
  bool report_all(bool is_last) {
    const auto now = config_.clock();
    bool has_more = false;
    for (auto& [event, window] : windows_) {
      if (is_last || window.second != second_of(now)) report(event, window, now);
      has_more = has_more || window.suppressed != 0;
    }
    return has_more;
  }

  void append(const std::string& text) {
    if (waiting_.size() + text.size() > config_.max_buffer) {
      ++stats_.dropped;
      ++dropped_;
      return;
    }
    if (waiting_.empty()) wake_.notify_one();
    waiting_ += text;
  }

  void run() {
    // A reader that has gone is an error of a write, not the end of the program.
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);

    std::unique_lock lock{mutex_};
    for (;;) {
      const bool is_last = stop_at_.has_value();
      const bool has_more = report_all(is_last);
      if (wants_reopen_) {
        wants_reopen_ = false;
        if (const int fresh = open_file(config_.path); fresh >= 0) {
          ::close(std::exchange(descriptor_, fresh));
          is_inside_ = false;
        }
      }
      if (!waiting_.empty() || dropped_ != 0) {
        std::string text = std::exchange(waiting_, {});
        if (const std::uint64_t dropped = std::exchange(dropped_, 0); dropped != 0) {
          text += line(config_.clock(), LogLevel::warning, "log_dropped",
                       LogFields{}.count("count", dropped));
        }
        write(lock, text);
        continue;
      }
      if (is_last) return;
      if (has_more) {
        constexpr auto a_while = std::chrono::milliseconds{200};
        wake_.wait_for(lock, a_while);
      } else {
        wake_.wait(lock);
      }
    }
  }

  /// Writes in pieces that a pipe which says it is ready takes without blocking.
  void write(std::unique_lock<std::mutex>& lock, std::string_view text) {
    constexpr std::size_t piece = 4096;
    const auto lines = [](std::string_view part) {
      return static_cast<std::uint64_t>(std::count(part.begin(), part.end(), '\n'));
    };
    while (!text.empty()) {
      const auto stop_at = stop_at_;
      lock.unlock();
      bool has_failed = false;
      std::size_t size = 0;
      if (is_ready()) {
        // A line that could not be finished is ended before the next one begins.
        std::string_view next = text.substr(0, piece);
        if (is_inside_ && was_interrupted_) next = "\n";
        const ssize_t result = ::write(descriptor_, next.data(), next.size());
        has_failed = result < 0 && errno != EINTR && errno != EAGAIN;
        if (result > 0) {
          size = was_interrupted_ && is_inside_ ? 0 : static_cast<std::size_t>(result);
          is_inside_ = next[static_cast<std::size_t>(result) - 1] != '\n';
          was_interrupted_ = false;
        }
      } else {
        has_failed = stop_at && std::chrono::steady_clock::now() >= *stop_at;
      }
      lock.lock();
      stats_.written += lines(text.substr(0, size));
      text.remove_prefix(size);
      if (has_failed) {
        stats_.failed += lines(text);
        was_interrupted_ = true;
        return;
      }
    }
  }

  [[nodiscard]] bool is_ready() const {
    constexpr int a_while_ms = 50;
    pollfd file{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    return ::poll(&file, 1, a_while_ms) > 0;
  }

  Config config_;
  std::atomic<LogLevel> level_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string waiting_;
  std::map<std::string_view, Window> windows_;
  std::uint64_t dropped_ = 0;  ///< since it was last reported
  Stats stats_;
  std::optional<muster::time_point> stop_at_;
  bool wants_reopen_ = false;

  // The thread's own.
  int descriptor_ = -1;
  bool is_inside_ = false;        ///< the last byte written was no line break
  bool was_interrupted_ = false;  ///< what should have followed was given up

  std::thread thread_;
};

Log::Log(Config config) : writer_(std::make_unique<Writer>(std::move(config))) {}

Log::~Log() = default;

void Log::operator()(LogLevel level, LogKey event, const LogFields& fields) {
  if (is_on(level)) writer_->add(level, event, fields);
}

bool Log::is_on(LogLevel level) const noexcept { return writer_->is_on(level); }

void Log::set_level(LogLevel level) noexcept { writer_->set_level(level); }

void Log::reopen() { writer_->reopen(); }

Log::Stats Log::stats() const { return writer_->stats(); }

void Log::stop(muster::time_point deadline) { writer_->stop(deadline); }

}  // namespace relay_program
