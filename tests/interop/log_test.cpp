// SPDX-License-Identifier: MIT
// The log: one JSON object per line whatever is put in, and nobody waits for it.
#include "log.hpp"

#include <muster/bytes.hpp>
#include <muster/utf8.hpp>

#include <nlohmann/json.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace std::chrono_literals;
using nlohmann::json;
using relay_program::Log;
using relay_program::LogFields;
using relay_program::LogLevel;

namespace {

// A token is a bare std::uint64_t, and a frame is bytes.
template <class Value>
concept IsNumber = requires(LogFields& fields, Value value) {
  fields.number("key", value);
};
template <class Value>
concept IsText = requires(LogFields& fields, Value value) {
  fields.text("key", value);
};
static_assert(IsNumber<int> && IsNumber<std::uint16_t> && IsNumber<std::uint32_t> &&
              IsNumber<std::int64_t> && IsNumber<double>);
static_assert(!IsNumber<std::uint64_t> && !IsNumber<bool> && !IsNumber<unsigned long long>);
static_assert(IsText<std::string> && IsText<const char*>);
static_assert(!IsText<muster::byte_view> && !IsText<std::uint64_t>);

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  // All there is until the writer is closed.
  std::string read() {
    std::string out;
    std::string part(1U << 16U, '\0');
    for (;;) {
      const ssize_t size = ::read(ends_[0], part.data(), part.size());
      if (size <= 0) return out;
      out.append(part, 0, static_cast<std::size_t>(size));
    }
  }
  std::string rest() {
    close_writer();
    return read();
  }

 private:
  int ends_[2] = {-1, -1};
};

std::vector<json> parsed(const std::string& text) {
  std::vector<json> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);
    lines.push_back(json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

muster::time_point in(muster::duration time) { return std::chrono::steady_clock::now() + time; }

// 2026-01-31T12:00:00.007Z, and as much later as it is told.
struct Time {
  std::atomic<std::int64_t> milliseconds{1769860800007};
  Log::Clock clock() {
    return [this] {
      return std::chrono::system_clock::time_point{std::chrono::milliseconds{milliseconds.load()}};
    };
  }
};

void eventually(const std::function<bool()>& is_so) {
  const auto deadline = in(60s);
  while (!is_so()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace

TEST_CASE("log: a line is a JSON object with time, level, event and fields", "[log]") {
  Pipe pipe;
  Time time;
  Log log{{.descriptor = pipe.writer(), .clock = time.clock()}};
  log(LogLevel::info, "room_opened",
      LogFields{}
          .text("game", "chess")
          .number("room", std::int64_t{-7})
          .number("player", std::uint16_t{65535})
          .number("seconds", 0.25)
          .number("nan", std::nan(""))
          .count("members", 3)
          .flag("again", true));
  log(LogLevel::error, "plain");
  log.stop(in(60s));
  const std::string text = pipe.rest();
  CHECK(text ==
        "{\"ts\":\"2026-01-31T12:00:00.007Z\",\"level\":\"info\",\"event\":\"room_opened\","
        "\"game\":\"chess\",\"room\":-7,\"player\":65535,\"seconds\":0.25,\"nan\":null,"
        "\"members\":3,\"again\":true}\n"
        "{\"ts\":\"2026-01-31T12:00:00.007Z\",\"level\":\"error\",\"event\":\"plain\"}\n");
  CHECK(parsed(text).size() == 2);
  CHECK(log.stats().written == 2);
}

TEST_CASE("log: hostile text stays inside its string", "[log]") {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const std::string separators = "a\xe2\x80\xa8\xe2\x80\xa9\xc2\x85\xc2\x9b\x7f\x1b[2J";
  const std::vector<std::string> texts{
      "\",\"level\":\"error\"}\n{\"x\":\"",     every_byte,     separators, "\\\"\\",   "",
      "\xf0\x9f\x8e\xb2 \xc3\xa9 \xe2\x82\xac", "\xf0\x9f\x8e", "\xc2",     "\xe2\x80",
  };
  Pipe pipe;
  Log log{{.descriptor = pipe.writer()}};
  for (const std::string& text : texts) {
    log(LogLevel::info, "hostile", LogFields{}.text("text", text));
  }
  log.stop(in(60s));
  const std::string out = pipe.rest();
  CHECK(muster::is_valid_utf8(muster::as_bytes(out)));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    CHECK((byte == '\n' || (byte >= 0x20 && byte != 0x7f)));
    if (byte == 0xc2) CHECK(static_cast<unsigned char>(out[i + 1]) >= 0xa0);
  }
  CHECK(out.find("\xe2\x80\xa8") == std::string::npos);
  const auto lines = parsed(out);
  REQUIRE(lines.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK(lines[i].size() == 4);
    CHECK(lines[i]["level"] == "info");
    CHECK(lines[i]["text"] == muster::replace_invalid_utf8(muster::as_bytes(texts[i])));
  }
}

TEST_CASE("log: long text is cut between characters", "[log]") {
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "\xe2\x82\xac";
  Pipe pipe;
  Log log{{.descriptor = pipe.writer()}};
  log(LogLevel::info, "long", LogFields{}.text("text", euros));
  log(LogLevel::info, "fits", LogFields{}.text("text", std::string(LogFields::max_text, 'x')));
  log.stop(in(60s));
  const auto lines = parsed(pipe.rest());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["text"] == euros.substr(0, 510) + "\xe2\x80\xa6");
  CHECK(lines[1]["text"] == std::string(LogFields::max_text, 'x'));
}

TEST_CASE("log: what is below the level is not written", "[log]") {
  Pipe pipe;
  Log log{{.level = LogLevel::warning, .descriptor = pipe.writer()}};
  CHECK_FALSE(log.is_on(LogLevel::info));
  CHECK(log.is_on(LogLevel::warning));
  log(LogLevel::info, "no");
  log(LogLevel::warning, "yes");
  log.set_level(LogLevel::debug);
  log(LogLevel::debug, "now");
  log.stop(in(60s));
  log(LogLevel::error, "too_late");
  const auto lines = parsed(pipe.rest());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["event"] == "yes");
  CHECK(lines[1]["event"] == "now");
  CHECK(log.stats().dropped == 1);
}

TEST_CASE("log: an event that repeats is suppressed for the rest of its second", "[log]") {
  Pipe pipe;
  Time time;
  Log log{{.descriptor = pipe.writer(), .max_per_second = 3, .clock = time.clock()}};
  for (int i = 0; i < 10; ++i) log(LogLevel::info, "often", LogFields{}.number("i", i));
  log(LogLevel::info, "rare");
  CHECK(log.stats().suppressed == 7);

  // Nothing follows, and still it is said.
  eventually([&] { return log.stats().written == 4; });
  time.milliseconds += 1000;
  eventually([&] { return log.stats().written == 5; });

  // Something follows.
  for (int i = 0; i < 5; ++i) log(LogLevel::info, "often", LogFields{}.number("i", i));
  time.milliseconds += 5000;
  log(LogLevel::info, "often");
  // The program ends.
  for (int i = 0; i < 10; ++i) log(LogLevel::info, "last");
  log.stop(in(60s));

  std::vector<std::string> events;
  std::size_t suppressed = 0;
  for (const json& line : parsed(pipe.rest())) {
    events.push_back(line["event"]);
    if (line["event"] == "log_suppressed") {
      CHECK(line["level"] == "warning");
      suppressed += line["count"].get<std::size_t>();
      events.back() += " " + line["of"].get<std::string>() + " " + line["count"].dump();
    }
  }
  CHECK(events == std::vector<std::string>{"often", "often", "often", "rare",
                                           "log_suppressed often 7", "often", "often", "often",
                                           "log_suppressed often 2", "often", "last", "last",
                                           "last", "log_suppressed last 7"});
  CHECK(suppressed == log.stats().suppressed);
}

TEST_CASE("log: a pipe that nobody reads blocks nobody", "[log]") {
  Pipe pipe;
  Log log{{.descriptor = pipe.writer(), .max_buffer = 64U << 10U, .max_per_second = 0}};
  // Far more than pipe and buffer take, while nobody reads.
  constexpr int lines_logged = 20'000;
  const std::string filler(100, 'x');
  for (int i = 0; i < lines_logged; ++i) {
    log(LogLevel::info, "line", LogFields{}.number("i", i).text("filler", filler));
  }
  CHECK(log.stats().dropped > 10'000);
  std::string text;
  std::thread reader{[&] { text = pipe.read(); }};
  log.stop(in(60s));
  pipe.close_writer();
  reader.join();
  int lines = 0;
  std::uint64_t dropped = 0;
  int last = -1;
  for (const json& line : parsed(text)) {
    if (line["event"] == "log_dropped") {
      dropped += line["count"].get<std::uint64_t>();
      continue;
    }
    CHECK(line["i"] > last);
    last = line["i"];
    ++lines;
  }
  CHECK(dropped == log.stats().dropped);
  CHECK(lines + static_cast<int>(dropped) == lines_logged);
  CHECK(log.stats().failed == 0);
}

TEST_CASE("log: a pipe that nobody reads does not hold up the end", "[log]") {
  Pipe pipe;
  Log log{{.descriptor = pipe.writer(), .max_per_second = 0}};
  for (int i = 0; i < 5'000; ++i) {
    log(LogLevel::info, "line", LogFields{}.text("filler", std::string(100, 'x')));
  }
  log.stop(in(10ms));
  const Log::Stats stats = log.stats();
  CHECK(stats.failed > 0);
  CHECK(stats.written + stats.failed + stats.dropped == 5'000);
}

TEST_CASE("log: a reader that has gone is not the end of the program", "[log]") {
  Pipe pipe;
  pipe.close_reader();
  Log log{{.descriptor = pipe.writer()}};
  log(LogLevel::info, "unheard");
  eventually([&] { return log.stats().failed == 1; });
  log(LogLevel::info, "unheard");
  log.stop(in(60s));
  CHECK(log.stats().failed == 2);
  CHECK(log.stats().written == 0);
}

TEST_CASE("log: a file is appended to, and opened again after it was moved", "[log]") {
  std::string folder = (std::filesystem::temp_directory_path() / "muster-log-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/relay.log";
  const auto lines_of = [](const std::string& name) {
    std::ifstream file{name};
    return parsed({std::istreambuf_iterator<char>{file}, {}});
  };
  std::ofstream{path} << "{\"event\":\"before\"}\n";
  {
    Log log{{.path = path}};
    log(LogLevel::info, "first");
    eventually([&] { return log.stats().written == 1; });
    std::filesystem::rename(path, path + ".1");
    log.reopen();
    eventually([&] { return std::filesystem::exists(path); });
    log(LogLevel::info, "second");
  }
  REQUIRE(lines_of(path + ".1").size() == 2);
  CHECK(lines_of(path + ".1")[1]["event"] == "first");
  REQUIRE(lines_of(path).size() == 1);
  CHECK(lines_of(path)[0]["event"] == "second");
  CHECK_THROWS_AS((Log{{.path = folder + "/missing/relay.log"}}), std::system_error);
  std::filesystem::remove_all(folder);
}

TEST_CASE("log: lines of several threads stay whole", "[log]") {
  std::string folder = (std::filesystem::temp_directory_path() / "muster-log-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/relay.log";
  {
    Log log{{.path = path, .max_buffer = 16U << 20U, .max_per_second = 0}};
    std::vector<std::thread> loops;
    for (int loop = 0; loop < 4; ++loop) {
      loops.emplace_back([&log, loop] {
        for (int i = 0; i < 1000; ++i) {
          log(LogLevel::info, "line", LogFields{}.number("loop", loop).number("i", i));
        }
      });
    }
    for (std::thread& loop : loops) loop.join();
    log.stop(in(60s));
    CHECK(log.stats().written == 4000);
  }
  std::ifstream file{path};
  std::vector<int> next(4);
  for (const json& line : parsed({std::istreambuf_iterator<char>{file}, {}})) {
    CHECK(line["i"] == next.at(line["loop"].get<std::size_t>())++);
  }
  CHECK(next == std::vector<int>(4, 1000));
  std::filesystem::remove_all(folder);
}
