// SPDX-License-Identifier: MIT
// The command line with CLI11, the configuration file with toml++, and one sentence per mistake.
#include "options.hpp"

#include <muster/version.hpp>

#include <asio/ip/address.hpp>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace relay_program {

namespace {

using muster::duration;
using muster::FlushWindow;
using muster::asio::Backend;

/// A mistake of the operator; `what()` is the sentence.
struct Mistake : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string in_quotes(std::string_view text) { return "\"" + std::string{text} + "\""; }

// What a stranger wrote, on one line.
std::string printable(std::string_view text) {
  std::string out{text};
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out;
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += between;
    out += part;
  }
  return out;
}

// Single options.

bool is_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failed != std::errc{} || end != digits.data() + digits.size()) return false;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  std::error_code error;
  const auto ip = asio::ip::make_address(std::string{host}, error);
  return !error && ip.is_v6() == bracketed;
}

constexpr std::string_view listen_allowed =
    "an IP address and a port, such as 127.0.0.1:8080 or [::1]:0 (0: any free port)";

const std::vector<std::pair<std::string, Backend>> backends{
    {"auto", Backend::automatic}, {"epoll", Backend::epoll}, {"portable", Backend::portable}};
const std::vector<std::pair<std::string, FlushWindow::Kind>> windows{
    {"end_of_pass", FlushWindow::Kind::end_of_pass},
    {"lead", FlushWindow::Kind::lead},
    {"tick", FlushWindow::Kind::tick}};

template <class T>
std::string names_of(const std::vector<std::pair<std::string, T>>& choices) {
  std::vector<std::string> names;
  for (const auto& [name, value] : choices) names.push_back(in_quotes(name));
  const std::string last = names.back();
  names.pop_back();
  return join(names, ", ") + " or " + last;
}

template <class T>
bool choose(const std::vector<std::pair<std::string, T>>& choices, std::string_view name, T& out) {
  for (const auto& [known, value] : choices) {
    if (known != name) continue;
    out = value;
    return true;
  }
  return false;
}

// The keys of the file.

struct Key {
  KeyInfo info;
  std::function<bool(Options&, const toml::node&)> set;  // false: not what is allowed
};

template <class Member>
Key whole_number(std::string name, std::string_view unit, std::int64_t min, std::int64_t max,
                 Member member) {
  const std::string low = std::to_string(min);
  const std::string high = std::to_string(max);
  std::string allowed = "a whole number";
  if (!unit.empty()) allowed += " of " + std::string{unit};
  allowed += " from " + low + " to " + high;
  return {{std::move(name), allowed, {low, high}},
          [min, max, member](Options& options, const toml::node& node) {
            const auto value = node.value_exact<std::int64_t>();
            if (!value || *value < min || *value > max) return false;
            auto& field = member(options);
            field = static_cast<std::remove_reference_t<decltype(field)>>(*value);
            return true;
          }};
}

enum class Zero : std::uint8_t { forbidden, means_none };

// `Unit` is the unit of the key's name; `min` and `max` are counted in it.
template <class Unit, class Member>
Key time_span(std::string name, const std::string& min, const std::string& max, Zero zero,
              Member member) {
  using Count = std::chrono::duration<double, typename Unit::period>;
  const std::string unit = std::is_same_v<Unit, std::chrono::seconds> ? "seconds" : "milliseconds";
  std::string allowed = "a number of " + unit + " from " + min + " to " + max;
  std::vector<std::string> examples{min, max};
  if (zero == Zero::means_none) {
    allowed += ", or 0 for none";
    examples.emplace_back("0");
  }
  return {{std::move(name), allowed, examples},
          [low = std::stod(min), high = std::stod(max), zero, member](Options& options,
                                                                      const toml::node& node) {
            if (!node.is_number()) return false;
            const double count = node.value<double>().value_or(-1);
            const bool is_none = count == 0 && zero == Zero::means_none;
            if (!is_none && !(count >= low && count <= high)) return false;
            member(options) = std::chrono::duration_cast<duration>(Count{count});
            return true;
          }};
}

template <class T, class Member>
Key choice(std::string name, const std::vector<std::pair<std::string, T>>& choices, Member member) {
  std::vector<std::string> examples;
  for (const auto& [known, value] : choices) examples.push_back(in_quotes(known));
  return {{std::move(name), names_of(choices), examples},
          [&choices, member](Options& options, const toml::node& node) {
            const auto value = node.value<std::string>();
            return value && choose(choices, *value, member(options));
          }};
}

// What the file says beside the options themselves.
constexpr std::string_view games_key = "games";

const std::vector<Key>& keys() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  static const std::vector<Key> all{
      {{"listen", std::string{listen_allowed}, {"\"127.0.0.1:0\""}},
       [](Options& options, const toml::node& node) {
         const auto value = node.value<std::string>();
         if (!value || !is_listen_address(*value)) return false;
         options.listen = *value;
         return true;
       }},
      {{std::string{games_key}, "the name of a game configuration file, relative to this one", {}},
       [](Options&, const toml::node& node) { return node.is_string(); }},
      choice(
          "backend", backends, [](Options & o) -> auto& { return o.backend; }),
      time_span<seconds>(
          "drain_timeout_s", "0.1", "3600", Zero::forbidden,
          [](Options & o) -> auto& { return o.drain_timeout; }),

      time_span<milliseconds>(
          "join_timeout_ms", "100", "600000", Zero::forbidden,
          [](Options & o) -> auto& { return o.relay.join_timeout; }),
      whole_number(
          "max_join_request", "bytes", 64, 65536,
          [](Options & o) -> auto& { return o.relay.max_join_request; }),
      whole_number(
          "max_id_size", "bytes", 1, 1024,
          [](Options & o) -> auto& { return o.relay.max_id_size; }),
      whole_number(
          "max_host_message", "bytes", 1024, 64 << 20,
          [](Options & o) -> auto& { return o.relay.max_host_message; }),
      whole_number(
          "max_client_message", "bytes", 64, 64 << 20,
          [](Options & o) -> auto& { return o.relay.max_client_message; }),
      whole_number(
          "max_rooms", "", 1, 10'000'000, [](Options & o) -> auto& { return o.relay.max_rooms; }),
      whole_number(
          "host_budget_bytes", "bytes", 4096, std::int64_t{1} << 31,
          [](Options & o) -> auto& { return o.relay.host_budget.bytes; }),
      whole_number(
          "host_budget_frames", "", 8, 65000,
          [](Options & o) -> auto& { return o.relay.host_budget.frames; }),
      whole_number(
          "client_budget_bytes", "bytes", 4096, std::int64_t{1} << 31,
          [](Options & o) -> auto& { return o.relay.client_budget.bytes; }),
      whole_number(
          "client_budget_frames", "", 8, 65000,
          [](Options & o) -> auto& { return o.relay.client_budget.frames; }),
      choice(
          "window", windows, [](Options & o) -> auto& { return o.relay.rooms.window.kind; }),
      time_span<milliseconds>(
          "window_ms", "1", "1000", Zero::forbidden,
          [](Options & o) -> auto& { return o.relay.rooms.window.length; }),

      whole_number(
          "max_message", "bytes", 125, 1 << 30,
          [](Options & o) -> auto& { return o.websocket.max_message; }),
      whole_number(
          "max_head", "bytes", 512, 65536,
          [](Options & o) -> auto& { return o.websocket.max_head; }),
      whole_number(
          "max_body", "bytes", 0, 1 << 20,
          [](Options & o) -> auto& { return o.websocket.max_body; }),
      whole_number(
          "max_connections", "", 1, 1 << 30,
          [](Options & o) -> auto& { return o.websocket.max_connections; }),
      whole_number(
          "max_connections_per_address", "", 1, 1 << 30,
          [](Options & o) -> auto& { return o.websocket.max_connections_per_address; }),
      time_span<milliseconds>(
          "upgrade_timeout_ms", "100", "600000", Zero::forbidden,
          [](Options & o) -> auto& { return o.websocket.upgrade_timeout; }),
      time_span<seconds>(
          "ping_interval_s", "0.1", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.websocket.ping_interval; }),
      time_span<seconds>(
          "idle_timeout_s", "0.1", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.websocket.idle_timeout; }),
      time_span<milliseconds>(
          "close_timeout_ms", "10", "60000", Zero::forbidden,
          [](Options & o) -> auto& { return o.websocket.close_timeout; }),
      whole_number(
          "backlog", "connections", 1, 65535,
          [](Options & o) -> auto& { return o.websocket.backlog; }),
      {{"origins",
        "a list of texts such as [\"https://game.example\"]",
        {"[]", "[\"https://game.example\"]"}},
       [](Options& options, const toml::node& node) {
         const toml::array* const list = node.as_array();
         if (list == nullptr) return false;
         options.websocket.origins.clear();
         for (const toml::node& item : *list) {
           const auto origin = item.value<std::string>();
           if (!origin || origin->empty()) return false;
           options.websocket.origins.push_back(*origin);
         }
         return true;
       }},
  };
  return all;
}

// Files.

std::string read_file(const std::string& name) {
  const auto unreadable = [&name](const std::string& why) {
    return Mistake{printable(name) + " cannot be read: " + why + "; a readable file is needed"};
  };
  std::error_code error;
  if (std::filesystem::is_directory(name, error)) throw unreadable("it is a directory");
  errno = 0;
  std::ifstream file{name, std::ios::binary};
  if (!file) throw unreadable(std::strerror(errno != 0 ? errno : EIO));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) throw unreadable(std::strerror(EIO));
  return std::move(text).str();
}

std::string at_line(const std::string& file, const toml::source_region& source) {
  return printable(file) + ", line " + std::to_string(source.begin.line) + ": ";
}

// Reads the file into the options, and checks what concerns more than one key.
class File {
 public:
  File(const std::string& name, Options& options) : name_(name) {
    try {
      table_ = toml::parse(read_file(name), name);
    } catch (const toml::parse_error& error) {
      throw Mistake{at_line(name, error.source()) +
                    "this is not TOML: " + printable(error.description())};
    }
    for (const auto& [key_text, node] : table_) {
      const std::string key{key_text.str()};
      const auto known = std::find_if(keys().begin(), keys().end(),
                                      [&key](const Key& k) { return k.info.name == key; });
      if (known == keys().end()) {
        std::vector<std::string> names;
        for (const Key& k : keys()) names.push_back(k.info.name);
        throw Mistake{at_line(name, node.source()) + "there is no key " + printable(key) +
                      "; allowed are " + join(names, ", ")};
      }
      if (!known->set(options, node)) {
        throw Mistake{at_line(name, node.source()) + key + " must be " + known->info.allowed};
      }
    }
    if (has("listen")) options.listen_source = where("listen") + "listen";
  }
  File() = default;

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }

  /// The file and the line of a key, in front of a sentence; without a file, nothing.
  [[nodiscard]] std::string where(std::string_view key) const {
    const toml::node* const node = table_.get(key);
    return node != nullptr ? at_line(name_, node->source()) : std::string{};
  }

  [[nodiscard]] std::optional<std::string> games() const {
    const auto name = table_[games_key].value<std::string>();
    if (!name) return std::nullopt;
    return (std::filesystem::path{name_}.parent_path() / *name).string();
  }

 private:
  std::string name_;
  toml::table table_;
};

// What one key says must go with what another says, or with its default.
void settle(Options& options, const File& file) {
  auto& relay = options.relay;
  auto& websocket = options.websocket;

  const bool has_window = relay.rooms.window.kind != FlushWindow::Kind::end_of_pass;
  if (has_window && !file.has("window_ms")) {
    throw Mistake{file.where("window") +
                  "this window needs window_ms, a number of milliseconds from 1 to 1000"};
  }
  if (!has_window && file.has("window_ms")) {
    throw Mistake{file.where("window_ms") +
                  "window_ms is allowed only with window = \"lead\" or \"tick\""};
  }

  const std::size_t largest =
      std::max({relay.max_join_request, relay.max_host_message, relay.max_client_message});
  if (!file.has("max_message")) {
    websocket.max_message = largest;
  } else if (websocket.max_message < largest) {
    throw Mistake{file.where("max_message") + "max_message must be at least " +
                  std::to_string(largest) +
                  ", the largest of max_host_message, max_client_message and max_join_request"};
  }

  // A budget that cannot take a message of the allowed size would close whoever is sent one.
  const auto settle_budget = [&file](muster::Budget& budget, std::string_view key,
                                     std::size_t message, std::string_view message_key) {
    constexpr std::size_t framing = 64;
    const std::size_t least = message + framing + budget.reserve_bytes;
    if (!file.has(key)) {
      budget.bytes = static_cast<std::uint32_t>(std::max<std::size_t>(budget.bytes, 2 * least));
    } else if (budget.bytes < least) {
      throw Mistake{file.where(key) + std::string{key} + " must be at least " +
                    std::to_string(least) + ", to take a message of " + std::string{message_key}};
    }
  };
  settle_budget(relay.client_budget, "client_budget_bytes", relay.max_host_message,
                "max_host_message");
  settle_budget(relay.host_budget, "host_budget_bytes", relay.max_client_message,
                "max_client_message");

  const auto shrink_reserve = [](muster::Budget& budget) {
    budget.reserve_bytes = std::min(budget.reserve_bytes, budget.bytes / 2);
    budget.reserve_frames = std::min(budget.reserve_frames, budget.frames / 2);
  };
  shrink_reserve(relay.client_budget);
  shrink_reserve(relay.host_budget);

  if (websocket.idle_timeout != duration{0} && websocket.ping_interval >= websocket.idle_timeout) {
    const bool ping = file.has("ping_interval_s");
    throw Mistake{file.where(ping ? "ping_interval_s" : "idle_timeout_s") +
                  "ping_interval_s must be less than idle_timeout_s"};
  }

  // The library has the last word; the ranges above are meant to be its own.
  std::string problem;
  if (muster::relay::Service::validate(relay, problem) ||
      muster::websocket::validate(websocket, problem)) {
    throw Mistake{problem};
  }
}

muster::relay::GameConfig built_in_games() {
  muster::relay::GameConfig games;
  games.games = {{"cursors", {}}, {"demo", {}}, {"tic-tac-toe", {2}}, {"trictrac", {10}}};
  return games;
}

muster::relay::GameConfig read_games(const std::string& name) {
  std::string problem;
  auto games = muster::relay::parse_game_config(read_file(name), problem);
  if (!games) throw Mistake{printable(name) + ": " + problem};
  return std::move(games).value();
}

std::string footer() {
  std::string out = "Keys of the configuration file (TOML), and what each may be:\n";
  for (const Key& key : keys()) {
    const std::size_t width = 28;
    out += "  " + key.info.name + std::string(width - key.info.name.size(), ' ') +
           key.info.allowed + "\n";
  }
  out +=
      "\nSIGTERM or SIGINT drains: members are told, and the program ends with status 0.\n"
      "A second one ends it at once with status 1.";
  return out;
}

Options read_options(const std::string& config, const CLI::Option& listen, const CLI::Option& games,
                     const CLI::Option& backend) {
  Options options;
  options.relay.games = built_in_games();
  File file;
  if (!config.empty()) file = File{config, options};
  if (listen.count() > 0) {
    options.listen = listen.as<std::string>();
    options.listen_source = "--listen";
    if (!is_listen_address(options.listen)) {
      throw Mistake{"--listen must be " + std::string{listen_allowed}};
    }
  }
  if (backend.count() > 0 && !choose(backends, backend.as<std::string>(), options.backend)) {
    throw Mistake{"--backend must be " + names_of(backends)};
  }
  settle(options, file);
  if (games.count() > 0) {
    options.relay.games = read_games(games.as<std::string>());
  } else if (const auto name = file.games()) {
    options.relay.games = read_games(*name);
  }
  return options;
}

}  // namespace

std::vector<KeyInfo> configuration_keys() {
  std::vector<KeyInfo> all;
  for (const Key& key : keys()) all.push_back(key.info);
  return all;
}

Invocation parse_options(std::span<const std::string> arguments) {
  CLI::App app{
      "Relays between a host and its players over WebSockets, and serves a page to try it.",
      "muster-relay"};
  std::string config;
  std::string text;
  const CLI::Option* const listen =
      app.add_option("--listen", text, "Where to listen (default 127.0.0.1:8080; port 0: any free)")
          ->type_name("ADDR:PORT");
  app.add_option("--config", config, "Read this configuration file")->type_name("FILE");
  const CLI::Option* const games =
      app.add_option("--games", text, "Serve the games of this GameConfig.json")->type_name("FILE");
  const CLI::Option* const backend =
      app.add_option("--backend", text, "auto, epoll or portable (default auto)")
          ->type_name("NAME");
  app.set_version_flag("--version", "muster-relay " MUSTER_VERSION_STRING);
  app.footer(footer);

  const auto mistake = [](const std::string& sentence) {
    return Invocation{.status = 2, .text = "muster-relay: " + sentence};
  };
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>{arguments.rbegin(), arguments.rend()});
    if (app.count("--config") > 0 && config.empty()) {
      throw Mistake{"--config must be the name of a TOML file"};
    }
    return {.options = read_options(config, *listen, *games, *backend)};
  } catch (const CLI::CallForHelp&) {
    std::string help = app.help();
    while (!help.empty() && help.back() == '\n') help.pop_back();
    return {.text = help};
  } catch (const CLI::CallForVersion& version) {
    return {.text = version.what()};
  } catch (const CLI::ParseError& error) {
    return mistake(printable(error.what()) + "; --help says what is allowed");
  } catch (const Mistake& error) {
    return mistake(error.what());
  }
}

}  // namespace relay_program
