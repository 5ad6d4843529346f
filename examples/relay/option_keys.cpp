// SPDX-License-Identifier: MIT
// One entry for each key, with its range in the key's own unit.
#include "option_keys.hpp"

#include <muster/websocket/http_head.hpp>

#include <asio/ip/address.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>
#include <type_traits>

namespace relay_program {

namespace {

using muster::duration;
using muster::FlushWindow;
using muster::asio::Backend;
using muster::relay::SlowMember;
using muster::websocket::ProxyProtocol;

std::string in_quotes(std::string_view text) { return "\"" + std::string{text} + "\""; }

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

constexpr std::string_view records_allowed =
    "\"\", \"sqlite:FILE\" with a name relative to this one, or \"postgresql://...\"";
constexpr std::string_view listen_allowed =
    "an IP address and a port, such as 127.0.0.1:8080 or [::1]:0 (0: any free port)";

constexpr std::int64_t max_loops = 64;

const std::vector<std::pair<std::string, Backend>> backends{
    {"auto", Backend::automatic}, {"epoll", Backend::epoll}, {"portable", Backend::portable}};
const std::vector<std::pair<std::string, FlushWindow::Kind>> windows{
    {"end_of_pass", FlushWindow::Kind::end_of_pass},
    {"lead", FlushWindow::Kind::lead},
    {"tick", FlushWindow::Kind::tick}};

const std::vector<std::pair<std::string, ProxyProtocol>> proxy_protocols{
    {"none", ProxyProtocol::none}, {"v1_v2", ProxyProtocol::v1_v2}};
const std::vector<std::pair<std::string, SlowMember>> slow_members{
    {"resync", SlowMember::resync}, {"drop", SlowMember::drop}, {"close", SlowMember::close}};
const std::vector<std::pair<std::string, LogLevel>> log_levels{{"debug", LogLevel::debug},
                                                               {"info", LogLevel::info},
                                                               {"warning", LogLevel::warning},
                                                               {"error", LogLevel::error}};

template <class T>
std::string names_of(const std::vector<std::pair<std::string, T>>& choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i != 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += in_quotes(choices[i].first);
  }
  return out;
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
  if (zero == Zero::means_none && min == "0") {
    allowed += "; 0: none";
  } else if (zero == Zero::means_none) {
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
  examples.reserve(choices.size());
  for (const auto& [known, value] : choices) examples.push_back(in_quotes(known));
  return {{std::move(name), names_of(choices), examples},
          [&choices, member](Options& options, const toml::node& node) {
            const auto value = node.value<std::string>();
            return value && choose(choices, *value, member(options));
          }};
}

template <class Member>
Key yes_or_no(std::string name, Member member) {
  return {{std::move(name), "true or false", {"true", "false"}},
          [member](Options& options, const toml::node& node) {
            const auto value = node.value_exact<bool>();
            if (value) member(options) = *value;
            return value.has_value();
          }};
}

// A text that is not empty, and has no byte that a terminal or a file's name is no place for.
bool is_plain(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(),
                                       [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

template <class Member>
Key file_name(std::string name, const std::string& of, Member member) {
  return {{std::move(name), "the name of " + of + ", relative to this one", {}},
          [member](Options& options, const toml::node& node) {
            const auto value = node.value<std::string>();
            if (!value || !is_plain(*value)) return false;
            member(options) = *value;
            return true;
          }};
}

Key checked_text(std::string name, std::string allowed, std::vector<std::string> examples,
                 bool (*set)(Options&, std::string_view)) {
  return {{std::move(name), std::move(allowed), std::move(examples)},
          [set](Options& options, const toml::node& node) {
            const auto value = node.value<std::string>();
            return value && set(options, *value);
          }};
}

bool set_log(Options& options, std::string_view text) {
  if (!is_plain(text)) return false;
  options.log_file = text;
  return true;
}

bool set_relay_name(Options& options, std::string_view text) {
  if (!is_plain(text) || text.size() > 128) return false;
  options.relay_name = text;
  return true;
}

bool set_cookie(Options& options, std::string_view text) {
  if (!muster::websocket::is_token(text) || text.size() > 128) return false;
  options.auth_cookie = text;
  return true;
}

}  // namespace

const std::vector<Key>& keys() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  static const std::vector<Key> all{
      checked_text("listen", std::string{listen_allowed}, {"\"127.0.0.1:0\""}, set_listen),
      file_name(
          "games", "a game configuration file", [](Options & o) -> auto& { return o.games_file; }),
      whole_number(
          "loops", "", 1, max_loops, [](Options & o) -> auto& { return o.loops; }),
      choice(
          "backend", backends, [](Options & o) -> auto& { return o.backend; }),
      time_span<seconds>(
          "drain_timeout_s", "0.1", "3600", Zero::forbidden,
          [](Options & o) -> auto& { return o.drain_timeout; }),
      file_name(
          "tls_certificate", "a PEM file with the certificate and its chain",
          [](Options & o) -> auto& { return o.tls_certificate; }),
      file_name(
          "tls_key", "a PEM file with the key of the certificate",
          [](Options & o) -> auto& { return o.tls_key; }),
      checked_text("records", std::string{records_allowed}, {"\"\"", "\"sqlite:records.db\""},
                   set_records),
      checked_text("relay_name", "a text of 1 to 128 bytes", {"\"relay-1\""}, set_relay_name),
      file_name(
          "admin_token_file", "a file with the administrator's token",
          [](Options & o) -> auto& { return o.admin_token_file; }),
      file_name(
          "auth_file", "a file with accounts", [](Options & o) -> auto& { return o.auth_file; }),
      checked_text("auth_cookie", "the name of a cookie", {"\"session\""}, set_cookie),
      checked_text("log", "\"stderr\", or the name of a file, relative to this one", {"\"stderr\""},
                   set_log),
      choice(
          "log_level", log_levels, [](Options & o) -> auto& { return o.log_level; }),
      file_name(
          "static_root", "a folder whose files are served",
          [](Options & o) -> auto& { return o.static_root; }),

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
      yes_or_no(
          "accept_gen1", [](Options & o) -> auto& { return o.relay.accept_gen1; }),
      {{"extension", "true or false", {"true", "false"}},
       [](Options& options, const toml::node& node) {
         const auto value = node.value_exact<bool>();
         if (value) options.relay.capabilities = *value ? muster::relay::all_capabilities : 0;
         return value.has_value();
       }},
      whole_number(
          "max_state_caches", "bytes", 0, std::int64_t{64} << 30,
          [](Options & o) -> auto& { return o.relay.max_state_caches; }),

      time_span<seconds>(
          "host_grace_s", "0", "3600", Zero::means_none,
          [](Options & o) -> auto& { return o.relay.rooms.host_grace; }),
      time_span<seconds>(
          "player_grace_s", "0", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.relay.rooms.player_grace; }),
      time_span<seconds>(
          "id_quarantine_s", "0", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.relay.rooms.id_quarantine; }),
      time_span<seconds>(
          "room_idle_s", "0", "2592000", Zero::means_none,
          [](Options & o) -> auto& { return o.relay.rooms.idle; }),
      time_span<seconds>(
          "stall_timeout_s", "1", "3600", Zero::forbidden,
          [](Options & o) -> auto& { return o.relay.rooms.stall_timeout; }),
      whole_number(
          "max_absent_per_address", "", 0, 65535,
          [](Options & o) -> auto& { return o.relay.rooms.max_absent_per_address; }),
      whole_number(
          "max_spectators", "", 0, 65535,
          [](Options & o) -> auto& { return o.relay.rooms.max_spectators; }),
      whole_number(
          "max_away_rpcs", "", 0, 65536,
          [](Options & o) -> auto& { return o.relay.rooms.max_away_rpcs; }),
      whole_number(
          "max_away_bytes", "bytes", 0, 16 << 20,
          [](Options & o) -> auto& { return o.relay.rooms.max_away_bytes; }),
      whole_number(
          "client_messages_per_second", "", 0, 1'000'000,
          [](Options & o) -> auto& { return o.relay.rooms.client_rate.messages_per_second; }),
      whole_number(
          "client_bytes_per_second", "bytes", 0, 0xffffffff,
          [](Options & o) -> auto& { return o.relay.rooms.client_rate.bytes_per_second; }),
      time_span<seconds>(
          "client_burst_s", "0.001", "3600", Zero::forbidden,
          [](Options & o) -> auto& { return o.relay.rooms.client_rate.burst; }),
      whole_number(
          "state_cache", "bytes", 0, 64 << 20,
          [](Options & o) -> auto& { return o.relay.rooms.state_cache; }),
      choice(
          "slow_member", slow_members,
          [](Options & o) -> auto& { return o.relay.rooms.slow_member; }),
      yes_or_no(
          "migrate_host", [](Options & o) -> auto& { return o.relay.rooms.migrate_host; }),
      yes_or_no(
          "end_with_host", [](Options & o) -> auto& { return o.relay.rooms.end_with_host; }),
      yes_or_no(
          "keep_token_of_leaver",
          [](Options & o) -> auto& { return o.relay.rooms.keep_token_of_leaver; }),
      yes_or_no(
          "rotate_tokens", [](Options & o) -> auto& { return o.relay.rooms.rotate_tokens; }),

      whole_number(
          "rooms_per_address", "", 0, 65535,
          [](Options & o) -> auto& { return o.relay.addresses.max_rooms; }),
      whole_number(
          "failed_tokens_per_minute", "", 0, 1000,
          [](Options & o) -> auto& { return o.relay.addresses.failed_tokens_per_minute; }),
      whole_number(
          "empty_rooms_per_minute", "", 0, 1000,
          [](Options & o) -> auto& { return o.relay.addresses.empty_rooms_per_minute; }),
      whole_number(
          "connections_per_second", "", 0, 1000,
          [](Options & o) -> auto& { return o.relay.addresses.connections_per_second; }),
      time_span<seconds>(
          "connection_burst_s", "1", "30", Zero::forbidden,
          [](Options & o) -> auto& { return o.relay.addresses.connection_burst; }),
      {{"address_slots", "a power of two from 64 to 16777216", {"64", "16777216"}},
       [](Options& options, const toml::node& node) {
         const auto value = node.value_exact<std::int64_t>();
         if (!value || *value < 64 || *value > 1 << 24 || (*value & (*value - 1)) != 0)
           return false;
         options.relay.addresses.slots = static_cast<std::size_t>(*value);
         return true;
       }},

      whole_number(
          "max_message", "bytes", 125, 1 << 30,
          [](Options & o) -> auto& { return o.websocket.max_message; }),
      whole_number(
          "max_head", "bytes", 512, 65536,
          [](Options & o) -> auto& { return o.websocket.max_head; }),
      whole_number(
          "max_header_fields", "", 16, 128,
          [](Options & o) -> auto& { return o.websocket.max_header_fields; }),
      whole_number(
          "max_body", "bytes", 0, 1 << 20,
          [](Options & o) -> auto& { return o.websocket.max_body; }),
      whole_number(
          "max_connections", "", 1, 1 << 30,
          [](Options & o) -> auto& { return o.websocket.max_connections; }),
      whole_number(
          "max_connections_per_address", "", 1, 1 << 30,
          [](Options & o) -> auto& { return o.websocket.max_connections_per_address; }),
      whole_number(
          "trusted_proxy_hops", "", 0, 16,
          [](Options & o) -> auto& { return o.websocket.trusted_proxy_hops; }),
      choice(
          "proxy_protocol", proxy_protocols,
          [](Options & o) -> auto& { return o.websocket.proxy_protocol; }),
      {{"trusted_proxies",
        "a list of networks and addresses such as [\"10.0.0.0/8\", \"::1\"]",
        {"[]", "[\"10.0.0.0/8\", \"::1\"]"}},
       [](Options& options, const toml::node& node) {
         const toml::array* const list = node.as_array();
         if (list == nullptr) return false;
         options.websocket.trusted_proxies.clear();
         for (const toml::node& item : *list) {
           const auto subnet = muster::Subnet::parse(item.value<std::string>().value_or(""));
           if (!subnet) return false;
           options.websocket.trusted_proxies.push_back(*subnet);
         }
         return true;
       }},
      time_span<milliseconds>(
          "upgrade_timeout_ms", "100", "600000", Zero::forbidden,
          [](Options & o) -> auto& { return o.websocket.upgrade_timeout; }),
      time_span<seconds>(
          "ping_interval_s", "0.1", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.websocket.ping_interval; }),
      time_span<seconds>(
          "idle_timeout_s", "0.1", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.websocket.idle_timeout; }),
      time_span<seconds>(
          "write_timeout_s", "0.1", "86400", Zero::means_none,
          [](Options & o) -> auto& { return o.websocket.write_timeout; }),
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

bool set_listen(Options& options, std::string_view text) {
  if (!is_listen_address(text)) return false;
  options.listen = text;
  return true;
}

bool set_backend(Options& options, std::string_view text) {
  return choose(backends, text, options.backend);
}

bool set_loops(Options& options, std::string_view text) {
  std::uint32_t loops = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), loops);
  if (failed != std::errc{} || end != text.data() + text.size()) return false;
  if (loops < 1 || loops > max_loops) return false;
  options.loops = loops;
  return true;
}

bool set_records(Options& options, std::string_view text) {
  constexpr std::string_view sqlite = "sqlite:";
  const bool is_file = text.starts_with(sqlite) && is_plain(text.substr(sqlite.size()));
  const bool is_server =
      is_plain(text) && (text.starts_with("postgresql://") || text.starts_with("postgres://"));
  if (!text.empty() && !is_file && !is_server) return false;
  options.records = text;
  return true;
}

bool set_log_level(Options& options, std::string_view text) {
  return choose(log_levels, text, options.log_level);
}

std::string allowed_by(std::string_view key) {
  for (const Key& known : keys()) {
    if (known.info.name == key) return known.info.allowed;
  }
  return {};
}

std::vector<KeyInfo> configuration_keys() {
  std::vector<KeyInfo> all;
  for (const Key& key : keys()) all.push_back(key.info);
  return all;
}

}  // namespace relay_program
