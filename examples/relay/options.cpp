// SPDX-License-Identifier: MIT
// The command line with CLI11, the configuration file with toml++, and one sentence per mistake.
#include "options.hpp"

#include "option_keys.hpp"
#include "page.hpp"

#include <muster/version.hpp>

#include <toml++/toml.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace relay_program {

namespace {

using muster::duration;
using muster::FlushWindow;
using muster::signal::ConfigDocument;

/// A mistake of the operator; `what()` is the sentence.
struct Mistake : std::runtime_error {
  using std::runtime_error::runtime_error;
  int status = 2;
};

/// One in what the signaling rooms are told.
struct SignalMistake : Mistake {
  explicit SignalMistake(const std::string& sentence) : Mistake(sentence) { status = 1; }
};

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

  /// A name that the file says is relative to its own folder.
  void resolve(std::string_view key, std::string& name) const {
    if (has(key)) name = (std::filesystem::path{name_}.parent_path() / name).string();
  }

 private:
  std::string name_;
  toml::table table_;
};

LogLevel log_level_of(std::string_view word) {
  if (word == "error") return LogLevel::error;
  if (word == "warn") return LogLevel::warning;
  if (word == "info") return LogLevel::info;
  return LogLevel::debug;
}

// What the signaling rooms' configuration says of the whole program, where neither the command line
// nor the file has said it.
void take_signal(Options& options, const File& file) {
  const auto& server = options.signal.server;
  auto& websocket = options.websocket;
  const Options defaults;
  options.signal.config.game_topologies.try_emplace(std::string{signal_page_game},
                                                    muster::signal::DesiredTopology::mesh);
  if (!options.signal.is_configured) {
    // Who drains the relay does not wait for longer than it asked for.
    auto& config = options.signal.config;
    config.drain_grace = options.drain_timeout;
    if (file.has("max_message")) {
      constexpr std::size_t least = 1024;
      config.max_message_size =
          std::clamp(websocket.max_message / 2, least, config.max_message_size);
      config.max_signal_bytes = std::min(config.max_signal_bytes, config.max_message_size);
      config.max_connection_info_bytes =
          std::min(config.max_connection_info_bytes, config.max_message_size);
    }
    return;
  }
  if (server.client_auth != muster::signal::ServerSettings::ClientAuth::none) {
    throw SignalMistake{
        "security.transport.tls.client_auth must be \"none\": this program does not ask its "
        "clients "
        "for certificates"};
  }
  if (!file.has("listen") && options.listen == defaults.listen) {
    options.listen = "0.0.0.0:" + std::to_string(server.port);
    options.listen_source = "port of the signaling rooms";
  }
  if (server.tls_enabled && options.tls_certificate.empty() && options.tls_key.empty()) {
    options.tls_certificate = *server.certificate_path;
    options.tls_key = *server.private_key_path;
  }
  if (server.log_level && !file.has("log_level") && options.log_level == defaults.log_level) {
    options.log_level = log_level_of(*server.log_level);
  }
  if (server.log_directory && server.enable_file_logging && options.log_file == "stderr") {
    options.log_file =
        (std::filesystem::path{*server.log_directory} / server.log_filename).string();
  }
  if (!file.has("upgrade_timeout_ms")) websocket.upgrade_timeout = server.upgrade_timeout;
  websocket.send_buffer = static_cast<int>(server.socket_send_buffer_bytes);

  // The rooms refuse in their own words, which the listener must let them say.
  const std::uint32_t most = options.signal.config.max_connections_per_address;
  constexpr std::uint32_t no_limit = 1U << 30U;
  constexpr std::uint32_t spare = 8;
  if (!file.has("max_connections_per_address")) {
    websocket.max_connections_per_address = std::max<std::size_t>(
        websocket.max_connections_per_address, most == 0 ? no_limit : most + spare);
  }
  auto& per_second = options.relay.addresses.connections_per_second;
  if (!file.has("connections_per_second")) {
    per_second = most == 0 ? 0 : std::clamp<std::uint32_t>(most, per_second, 1000);
  }
}

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

  take_signal(options, file);
  // A message above the rooms' own limit is answered, and ends the connection only at twice of it.
  const std::size_t largest =
      std::max({relay.max_join_request, relay.max_host_message, relay.max_client_message,
                2 * options.signal.config.max_message_size});
  if (!file.has("max_message")) {
    websocket.max_message = largest;
  } else if (websocket.max_message < largest) {
    throw Mistake{
        file.where("max_message") + "max_message must be at least " + std::to_string(largest) +
        ", the largest of max_host_message, max_client_message, max_join_request and twice "
        "security.max_message_size"};
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
  // Half of a host's is for messages.
  settle_budget(relay.host_budget, "host_budget_bytes", 2 * relay.max_client_message + 64,
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

  // Until then a room looks after those who are slow.
  if (!file.has("write_timeout_s")) websocket.write_timeout = relay.rooms.stall_timeout;

  const bool has_proxies = !websocket.trusted_proxies.empty();
  if (has_proxies == (websocket.proxy_protocol == muster::websocket::ProxyProtocol::none)) {
    throw Mistake{file.where(has_proxies ? "trusted_proxies" : "proxy_protocol") +
                  "proxy_protocol and trusted_proxies are needed together"};
  }

  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    const bool has_key = options.tls_certificate.empty();
    throw Mistake{file.where(has_key ? "tls_key" : "tls_certificate") +
                  "tls_certificate and tls_key are needed together"};
  }
#ifndef MUSTER_RELAY_POSTGRES
  if (options.records.starts_with("postgres")) {
    throw Mistake{file.where("records") +
                  "records in PostgreSQL need a program that was built where libpq is; "
                  "\"sqlite:FILE\" is always possible"};
  }
#endif

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
      "\nThe signaling rooms take the variables SIGNAL_FISH__SECTION__KEY and the JSON documents "
      "of\n"
      "their reference server; with one of them set the port is 3536 by default.\n"
      "\nSIGHUP reads the games, the certificate, the accounts and the static files again, and\n"
      "opens the log file again.\n"
      "SIGTERM or SIGINT drains: members are told, and the program ends with status 0.\n"
      "A second one ends it at once with status 1.";
  return out;
}

// Where the file says something relative to itself.
void resolve_names(Options& options, const File& file) {
  file.resolve("games", options.games_file);
  file.resolve("tls_certificate", options.tls_certificate);
  file.resolve("tls_key", options.tls_key);
  file.resolve("admin_token_file", options.admin_token_file);
  file.resolve("auth_file", options.auth_file);
  file.resolve("static_root", options.static_root);
  if (options.log_file != "stderr") file.resolve("log", options.log_file);
  constexpr std::string_view sqlite = "sqlite:";
  if (options.records.starts_with(sqlite)) {
    std::string name = options.records.substr(sqlite.size());
    file.resolve("records", name);
    options.records = std::string{sqlite} + name;
  }
}

// An option of the command line, and the key that it stands for.
struct Flag {
  const CLI::Option* option;
  std::string_view key;
  bool (*set)(Options&, std::string_view);
};

Options read_options(const std::string& config, const std::vector<Flag>& flags,
                     const SignalSources* signal) {
  Options options;
  std::string problem;
  auto rooms =
      read_signal_options(signal != nullptr ? *signal : SignalSources{.folder = {}}, problem);
  if (!rooms) throw SignalMistake{printable(problem)};
  options.signal = std::move(*rooms);
  File file;
  if (!config.empty()) file = File{config, options};
  resolve_names(options, file);
  for (const Flag& flag : flags) {
    if (flag.option->count() == 0) continue;
    if (!flag.set(options, flag.option->as<std::string>())) {
      throw Mistake{flag.option->get_name() + " must be " + allowed_by(flag.key)};
    }
    if (flag.key == "listen") options.listen_source = "--listen";
  }
  settle(options, file);
  options.relay.games =
      options.games_file.empty() ? built_in_games() : read_games(options.games_file);
  return options;
}

// A flag whose value is the name of a file.
template <std::string Options::*Name>
bool set_name(Options& options, std::string_view text) {
  options.*Name = text;
  return !text.empty();
}

}  // namespace

std::optional<muster::relay::GameConfig> load_games(const std::string& file, std::string& problem) {
  if (file.empty()) return built_in_games();
  try {
    return read_games(file);
  } catch (const Mistake& mistake) {
    problem = mistake.what();
    return std::nullopt;
  }
}

Invocation parse_options(std::span<const std::string> arguments, const SignalSources* signal) {
  CLI::App app{
      "Relays between a host and its players over WebSockets, and serves a page to try it.",
      "muster-relay"};
  std::string config;
  std::string text;
  app.add_option("--config", config, "Read this configuration file")->type_name("FILE");
  std::vector<Flag> flags;
  const auto flag = [&](const char* name, const char* type, const char* help, std::string_view key,
                        bool (*set)(Options&, std::string_view)) {
    flags.push_back({app.add_option(name, text, help)->type_name(type), key, set});
  };
  flag("--listen", "ADDR:PORT", "Where to listen (default 127.0.0.1:8080; port 0: any free)",
       "listen", set_listen);
  flag("--games", "FILE", "Serve the games of this GameConfig.json", "games",
       set_name<&Options::games_file>);
  flag("--backend", "NAME", "auto, epoll or portable (default auto)", "backend", set_backend);
  flag("--loops", "N", "Loops, each with a thread of its own, 1 to 64 (default 1)", "loops",
       set_loops);
  flag("--tls-certificate", "FILE", "Speak TLS with this certificate", "tls_certificate",
       set_name<&Options::tls_certificate>);
  flag("--tls-key", "FILE", "The certificate's key", "tls_key", set_name<&Options::tls_key>);
  flag("--records", "WHERE", "Keep game records: sqlite:FILE or postgresql://... (default none)",
       "records", set_records);
  flag("--admin-token-file", "FILE", "Offer the administrator's routes to who has this token",
       "admin_token_file", set_name<&Options::admin_token_file>);
  flag("--log", "FILE", "Write the log there (default stderr)", "log",
       set_name<&Options::log_file>);
  flag("--log-level", "LEVEL", "debug, info, warning or error (default warning)", "log_level",
       set_log_level);
  bool validates = false;
  bool prints = false;
  CLI::Option* const validate_flag = app.add_flag("-c,--validate-config", validates,
                                                  "Only say whether the configuration can be used");
  app.add_flag("--print-config", prints, "Only print what the signaling rooms are told, as JSON")
      ->excludes(validate_flag);
  app.set_version_flag("--version", "muster-relay " MUSTER_VERSION_STRING);
  app.footer(footer);

  const auto mistake = [](const std::string& sentence, int status = 2) {
    return Invocation{.status = status, .text = "muster-relay: " + sentence};
  };
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>{arguments.rbegin(), arguments.rend()});
    if (app.count("--config") > 0 && config.empty()) {
      throw Mistake{"--config must be the name of a TOML file"};
    }
    Options options = read_options(config, flags, signal);
    if (validates) return {.text = "the configuration can be used"};
    if (prints) {
      std::string printed = ConfigDocument::print(options.signal.config, options.signal.server);
      printed.pop_back();
      return {.text = std::move(printed)};
    }
    return {.options = std::move(options)};
  } catch (const CLI::CallForHelp&) {
    std::string help = app.help();
    while (!help.empty() && help.back() == '\n') help.pop_back();
    return {.text = help};
  } catch (const CLI::CallForVersion& version) {
    return {.text = version.what()};
  } catch (const CLI::ParseError& error) {
    return mistake(printable(error.what()) + "; --help says what is allowed");
  } catch (const Mistake& error) {
    return mistake(error.what(), validates ? 1 : error.status);
  }
}

}  // namespace relay_program
