// SPDX-License-Identifier: MIT
// The options of muster-relay: what is accepted, and the sentence for what is not.
#include "options.hpp"

#include "support/catch.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using muster::FlushWindow;
using muster::asio::Backend;
using relay_program::configuration_keys;
using relay_program::Invocation;
using relay_program::Options;
using relay_program::parse_options;

namespace {

// A file that is gone after the test.
class File {
 public:
  explicit File(const std::string& text, const std::string& name = "relay.toml")
      : folder_(std::filesystem::temp_directory_path() /
                ("muster-options-" + std::to_string(::getpid()) + "-" + std::to_string(++count))) {
    std::filesystem::create_directory(folder_);
    path_ = (folder_ / name).string();
    std::ofstream{path_, std::ios::binary} << text;
  }
  ~File() { std::filesystem::remove_all(folder_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::filesystem::path folder() const { return folder_; }

 private:
  inline static int count = 0;
  std::filesystem::path folder_;
  std::string path_;
};

Options accepted(const std::vector<std::string>& arguments) {
  const Invocation invocation = parse_options(arguments);
  INFO(invocation.text);
  REQUIRE(invocation.options);
  return *invocation.options;
}

Options configured(const std::string& text) {
  const File file{text};
  return accepted({"--config", file.path()});
}

std::string refusal(const std::vector<std::string>& arguments) {
  const Invocation invocation = parse_options(arguments);
  CHECK_FALSE(invocation.options);
  CHECK(invocation.status == 2);
  CHECK(invocation.text.find('\n') == std::string::npos);
  CHECK_THAT(invocation.text, StartsWith("muster-relay: "));
  return invocation.text;
}

std::string misconfigured(const std::string& text) {
  const File file{text};
  std::string sentence = refusal({"--config", file.path()});
  CHECK_THAT(sentence, ContainsSubstring(file.path()));
  return sentence;
}

}  // namespace

TEST_CASE("relay options: defaults", "[relay][options]") {
  const Options options = accepted({});
  CHECK(options.listen == "127.0.0.1:8080");
  CHECK(options.backend == Backend::automatic);
  CHECK(options.relay.games.find("trictrac")->max_players == 10);
  CHECK(options.relay.games.find("tic-tac-toe")->max_players == 2);
  CHECK(options.relay.games.find("cursors")->max_players == 0);
  CHECK(options.relay.games.find("demo")->max_players == 0);
  CHECK(options.websocket.max_message == options.relay.max_host_message);
  CHECK(options.relay.client_budget.bytes > options.relay.max_host_message);
  CHECK(options.websocket.max_connections_per_address == 64);
  CHECK(options.websocket.write_timeout == 20s);
  CHECK(options.relay.addresses.connections_per_second == 20);
  CHECK(options.relay.addresses.connection_burst == 4s);
  CHECK(options.records.empty());
  CHECK(options.admin_token_file.empty());
  CHECK(options.static_root.empty());
  CHECK(options.log_file == "stderr");
}

TEST_CASE("relay options: what lies just outside of a range is refused", "[relay][options]") {
  for (const char* const text : {"host_grace_s = 3600.1",
                                 "player_grace_s = 86401",
                                 "id_quarantine_s = 86401",
                                 "room_idle_s = 2592001",
                                 "stall_timeout_s = 0.9",
                                 "stall_timeout_s = 3601",
                                 "max_spectators = 65536",
                                 "max_away_rpcs = 65537",
                                 "max_away_bytes = 16777217",
                                 "client_messages_per_second = 1000001",
                                 "client_bytes_per_second = 4294967296",
                                 "client_burst_s = 0",
                                 "client_burst_s = 3601",
                                 "state_cache = 67108865",
                                 "max_state_caches = 68719476737",
                                 "slow_member = 'wait'",
                                 "migrate_host = 1",
                                 "extension = 'yes'",
                                 "rooms_per_address = 65536",
                                 "failed_tokens_per_minute = 1001",
                                 "empty_rooms_per_minute = 1001",
                                 "connections_per_second = 1001",
                                 "connection_burst_s = 0",
                                 "connection_burst_s = 30.1",
                                 "address_slots = 100",
                                 "address_slots = 32",
                                 "address_slots = 33554432",
                                 "max_header_fields = 15",
                                 "max_header_fields = 129",
                                 "trusted_proxy_hops = 17",
                                 "proxy_protocol = 'v1'",
                                 "trusted_proxies = '10.0.0.0/8'",
                                 "trusted_proxies = ['10.0.0.1/8']",
                                 "trusted_proxies = ['10.0.0.0/8', 7]",
                                 "host_grace_s = -1",
                                 "records = 'mysql://x'",
                                 "records = 'sqlite:'",
                                 "relay_name = ''",
                                 "auth_cookie = 'a b'",
                                 "log_level = 'loud'",
                                 "log = ''",
                                 "tls_key = ''"}) {
    INFO(text);
    const std::string key{text, std::string_view{text}.find(' ')};
    CHECK_THAT(misconfigured(text), ContainsSubstring("line 1: " + key + " must be "));
  }
  CHECK_THAT(misconfigured("tls_key = 'k'"), ContainsSubstring("needed together"));
  CHECK_THAT(misconfigured("\nproxy_protocol = 'v1_v2'"),
             ContainsSubstring("line 2: proxy_protocol and trusted_proxies are needed together"));
  CHECK_THAT(misconfigured("trusted_proxies = ['::1']"),
             ContainsSubstring("line 1: proxy_protocol and trusted_proxies are needed together"));
}

TEST_CASE("relay options: flags for records, log, certificate and administrator",
          "[relay][options]") {
  const File file{"records = 'sqlite:a.db'\nlog_level = 'error'\n"};
  const Options options = accepted({"--config", file.path(), "--records", "sqlite:b.db",
                                    "--log-level", "info", "--log", "c.log", "--tls-certificate",
                                    "d.pem", "--tls-key", "e.pem", "--admin-token-file", "f"});
  CHECK(options.records == "sqlite:b.db");  // relative to where the program runs
  CHECK(options.log_level == relay_program::LogLevel::info);
  CHECK(options.log_file == "c.log");
  CHECK(options.tls_certificate == "d.pem");
  CHECK(options.tls_key == "e.pem");
  CHECK(options.admin_token_file == "f");
  CHECK_THAT(refusal({"--records", "b.db"}), ContainsSubstring("--records must be "));
  CHECK_THAT(refusal({"--log-level", "loud"}), ContainsSubstring("--log-level must be \"debug\""));
  CHECK_THAT(refusal({"--tls-key", "e.pem"}), ContainsSubstring("needed together"));
}

TEST_CASE("relay options: help and version end with status 0", "[relay][options]") {
  const Invocation help = parse_options(std::vector<std::string>{"--help"});
  CHECK_FALSE(help.options);
  CHECK(help.status == 0);
  for (const auto& key : configuration_keys()) CHECK_THAT(help.text, ContainsSubstring(key.name));
  const Invocation version = parse_options(std::vector<std::string>{"--version"});
  CHECK_FALSE(version.options);
  CHECK(version.status == 0);
  CHECK_THAT(version.text, StartsWith("muster-relay 0."));
}

TEST_CASE("relay options: the file sets every field", "[relay][options]") {
  const Options options = configured(R"(
listen = "[::1]:0"
backend = "portable"
drain_timeout_s = 0.5
join_timeout_ms = 1500
max_join_request = 100
max_id_size = 20
max_host_message = 2000
max_client_message = 300
max_rooms = 4
host_budget_bytes = 5000
host_budget_frames = 60
client_budget_bytes = 7000
client_budget_frames = 80
window = "lead"
window_ms = 2.5
max_message = 4096
max_head = 1000
max_header_fields = 20
max_body = 0
max_connections = 10
max_connections_per_address = 5
upgrade_timeout_ms = 250
ping_interval_s = 1
idle_timeout_s = 2.5
write_timeout_s = 1.5
close_timeout_ms = 50
backlog = 7
origins = ["https://a.example", "https://b.example"]
accept_gen1 = true
extension = false
max_state_caches = 11
host_grace_s = 1
player_grace_s = 2
id_quarantine_s = 3
room_idle_s = 4
stall_timeout_s = 5
max_spectators = 6
max_absent_per_address = 26
max_away_rpcs = 7
max_away_bytes = 8
client_messages_per_second = 9
client_bytes_per_second = 10
client_burst_s = 0.5
state_cache = 12
slow_member = "drop"
migrate_host = true
end_with_host = false
keep_token_of_leaver = true
rotate_tokens = true
rooms_per_address = 13
failed_tokens_per_minute = 14
empty_rooms_per_minute = 15
connections_per_second = 16
connection_burst_s = 1.5
address_slots = 128
trusted_proxy_hops = 2
proxy_protocol = "v1_v2"
trusted_proxies = ["10.0.0.0/8", "2001:db8::1"]
tls_certificate = "cert.pem"
tls_key = "/keys/key.pem"
records = "sqlite:records.db"
relay_name = "relay-1"
admin_token_file = "admin.token"
auth_file = "accounts"
auth_cookie = "sid"
static_root = "site"
log = "relay.log"
log_level = "debug"
)");
  CHECK(options.listen == "[::1]:0");
  CHECK_THAT(options.listen_source, EndsWith("relay.toml, line 2: listen"));
  CHECK(options.backend == Backend::portable);
  CHECK(options.drain_timeout == 500ms);
  CHECK(options.relay.join_timeout == 1500ms);
  CHECK(options.relay.max_join_request == 100);
  CHECK(options.relay.max_id_size == 20);
  CHECK(options.relay.max_host_message == 2000);
  CHECK(options.relay.max_client_message == 300);
  CHECK(options.relay.max_rooms == 4);
  CHECK(options.relay.host_budget.bytes == 5000);
  CHECK(options.relay.host_budget.frames == 60);
  CHECK(options.relay.client_budget.bytes == 7000);
  CHECK(options.relay.client_budget.frames == 80);
  CHECK(options.relay.rooms.window.kind == FlushWindow::Kind::lead);
  CHECK(options.relay.rooms.window.length == 2500us);
  CHECK(options.websocket.max_message == 4096);
  CHECK(options.websocket.max_head == 1000);
  CHECK(options.websocket.max_header_fields == 20);
  CHECK(options.websocket.max_body == 0);
  CHECK(options.websocket.max_connections == 10);
  CHECK(options.websocket.max_connections_per_address == 5);
  CHECK(options.websocket.upgrade_timeout == 250ms);
  CHECK(options.websocket.ping_interval == 1s);
  CHECK(options.websocket.idle_timeout == 2500ms);
  CHECK(options.websocket.write_timeout == 1500ms);
  CHECK(options.websocket.close_timeout == 50ms);
  CHECK(options.websocket.backlog == 7);
  CHECK(options.websocket.trusted_proxy_hops == 2);
  CHECK(options.websocket.proxy_protocol == muster::websocket::ProxyProtocol::v1_v2);
  CHECK(options.websocket.trusted_proxies ==
        std::vector{*muster::Subnet::parse("10.0.0.0/8"), *muster::Subnet::parse("2001:db8::1")});
  CHECK(options.relay.accept_gen1);
  CHECK(options.relay.capabilities == 0);
  CHECK(options.relay.max_state_caches == 11);
  CHECK(options.relay.rooms.host_grace == 1s);
  CHECK(options.relay.rooms.player_grace == 2s);
  CHECK(options.relay.rooms.id_quarantine == 3s);
  CHECK(options.relay.rooms.idle == 4s);
  CHECK(options.relay.rooms.stall_timeout == 5s);
  CHECK(options.relay.rooms.max_spectators == 6);
  CHECK(options.relay.rooms.max_absent_per_address == 26);
  CHECK(options.relay.rooms.max_away_rpcs == 7);
  CHECK(options.relay.rooms.max_away_bytes == 8);
  CHECK(options.relay.rooms.client_rate.messages_per_second == 9);
  CHECK(options.relay.rooms.client_rate.bytes_per_second == 10);
  CHECK(options.relay.rooms.client_rate.burst == 500ms);
  CHECK(options.relay.rooms.state_cache == 12);
  CHECK(options.relay.rooms.slow_member == muster::relay::SlowMember::drop);
  CHECK(options.relay.rooms.migrate_host);
  CHECK_FALSE(options.relay.rooms.end_with_host);
  CHECK(options.relay.rooms.keep_token_of_leaver);
  CHECK(options.relay.rooms.rotate_tokens);
  CHECK(options.relay.addresses.max_rooms == 13);
  CHECK(options.relay.addresses.failed_tokens_per_minute == 14);
  CHECK(options.relay.addresses.empty_rooms_per_minute == 15);
  CHECK(options.relay.addresses.connections_per_second == 16);
  CHECK(options.relay.addresses.connection_burst == 1500ms);
  CHECK(options.relay.addresses.slots == 128);
  CHECK_THAT(options.tls_certificate, EndsWith("/cert.pem"));
  CHECK(options.tls_certificate != "cert.pem");
  CHECK(options.tls_key == "/keys/key.pem");
  CHECK_THAT(options.records, StartsWith("sqlite:/"));
  CHECK_THAT(options.records, EndsWith("/records.db"));
  CHECK(options.relay_name == "relay-1");
  CHECK_THAT(options.admin_token_file, EndsWith("/admin.token"));
  CHECK_THAT(options.auth_file, EndsWith("/accounts"));
  CHECK(options.auth_cookie == "sid");
  CHECK_THAT(options.static_root, EndsWith("/site"));
  CHECK_THAT(options.log_file, EndsWith("/relay.log"));
  CHECK(options.log_level == relay_program::LogLevel::debug);
  CHECK(options.websocket.origins ==
        std::vector<std::string>{"https://a.example", "https://b.example"});
}

TEST_CASE("relay options: the library accepts both ends of every range", "[relay][options]") {
  for (const auto& key : configuration_keys()) {
    for (const std::string& value : key.examples) {
      std::string text = key.name + " = " + value + "\n";
      // What goes together with it.
      if (value == "\"lead\"" || value == "\"tick\"") text += "window_ms = 5\n";
      if (key.name == "window_ms") text += "window = \"tick\"\n";
      if (key.name == "max_message" && value == "125") {
        continue;  // below the least of max_host_message, so it is never allowed
      }
      if (key.name == "client_budget_bytes") text += "max_host_message = 1024\n";
      if (key.name == "host_budget_bytes") text += "max_client_message = 64\n";
      if (key.name == "ping_interval_s" && value != "0") text += "idle_timeout_s = 0\n";
      if (key.name == "idle_timeout_s") text += "ping_interval_s = 0\n";
      if (value == "\"v1_v2\"") text += "trusted_proxies = [\"10.0.0.0/8\"]\n";
      if (key.name == "trusted_proxies" && value != "[]") text += "proxy_protocol = \"v1_v2\"\n";
      INFO(text);
      configured(text);
    }
  }
}

TEST_CASE("relay options: limits that depend on each other", "[relay][options]") {
  const Options large = configured("max_host_message = 33554432\nmax_client_message = 8388608\n");
  CHECK(large.websocket.max_message == 33554432);
  CHECK(large.relay.client_budget.bytes > 33554432);
  CHECK(large.relay.host_budget.bytes > 8388608);
  CHECK_THAT(misconfigured("max_message = 1000"),
             ContainsSubstring("line 1: max_message must be at least 1048576"));
  CHECK_THAT(misconfigured("client_budget_bytes = 5000"),
             ContainsSubstring("line 1: client_budget_bytes must be at least 1049664"));
  CHECK_THAT(misconfigured("host_budget_bytes = 5000"),
             ContainsSubstring("to take a message of max_client_message"));
  CHECK_THAT(misconfigured("\nidle_timeout_s = 5"),
             ContainsSubstring("line 2: ping_interval_s must be less than idle_timeout_s"));
  CHECK_THAT(misconfigured("window = 'tick'"), ContainsSubstring("needs window_ms"));
  CHECK_THAT(misconfigured("window_ms = 5"), ContainsSubstring("allowed only with window"));
}

TEST_CASE("relay options: a mistake names the file, the line, the key and what is allowed",
          "[relay][options]") {
  CHECK_THAT(misconfigured("\n\nmax_rooms = 0"),
             EndsWith("line 3: max_rooms must be a whole number from 1 to 10000000"));
  for (const char* const value :
       {"10000001", "-1", "1.5", "true", "'5'", "[5]", "{}", "9223372036854775807"}) {
    CHECK_THAT(misconfigured(std::string{"max_rooms = "} + value),
               EndsWith("max_rooms must be a whole number from 1 to 10000000"));
  }
  for (const char* const value : {"99", "600001", "nan", "inf", "-inf", "'1'", "1979-05-27"}) {
    CHECK_THAT(misconfigured(std::string{"join_timeout_ms = "} + value),
               EndsWith("join_timeout_ms must be a number of milliseconds from 100 to 600000"));
  }
  CHECK_THAT(misconfigured("ping_interval_s = 0.01"), EndsWith("or 0 for none"));
  CHECK_THAT(misconfigured("backend = 'kqueue'"),
             EndsWith("backend must be \"auto\", \"epoll\" or \"portable\""));
  CHECK_THAT(misconfigured("window = 3"),
             EndsWith("window must be \"end_of_pass\", \"lead\" or \"tick\""));
  CHECK_THAT(misconfigured("origins = ['a', 5]"), ContainsSubstring("origins must be a list"));
  CHECK_THAT(misconfigured("origins = ['']"), ContainsSubstring("origins must be a list"));
  CHECK_THAT(misconfigured("games = 5"), ContainsSubstring("games must be the name of"));
  const std::string unknown = misconfigured("[relay]\nmax_rooms = 5");
  CHECK_THAT(unknown, ContainsSubstring("there is no key relay; allowed are listen, games, "));
  CHECK_THAT(misconfigured("\"a\\nb\" = 5"), ContainsSubstring("there is no key a?b;"));
  CHECK_THAT(misconfigured("max_rooms = 1\nmax_rooms = 2"),
             ContainsSubstring("line 2: this is not TOML: "));
  CHECK_THAT(misconfigured(std::string{"listen = \"\0\"", 12}), ContainsSubstring("not TOML"));
}

TEST_CASE("relay options: where it may listen", "[relay][options]") {
  for (const char* const good : {"127.0.0.1:0", "0.0.0.0:65535", "[::1]:80", "[::]:0"}) {
    CHECK(accepted({"--listen", good}).listen == good);
  }
  for (const char* const bad :
       {"", "8080", ":8080", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:80x", "::1:80", "[127.0.0.1]:80", "[]:80", "[::1]"}) {
    INFO(bad);
    CHECK_THAT(refusal({"--listen", bad}), ContainsSubstring("listen"));
    CHECK_THAT(misconfigured("listen = '" + std::string{bad} + "'"),
               ContainsSubstring("line 1: listen must be an IP address and a port"));
  }
}

TEST_CASE("relay options: the command line overrides the file", "[relay][options]") {
  const File file{"listen = '127.0.0.1:1'\nbackend = 'epoll'\ngames = 'missing.json'\n"};
  const File games{R"([{"name": "go", "max_players": 3}])", "games.json"};
  const Options options = accepted({"--config", file.path(), "--listen", "127.0.0.1:2", "--backend",
                                    "portable", "--games", games.path()});
  CHECK(options.listen == "127.0.0.1:2");
  CHECK(options.listen_source == "--listen");
  CHECK(options.backend == Backend::portable);
  CHECK(options.relay.games.find("go")->max_players == 3);
  CHECK(options.relay.games.find("demo") == nullptr);
}

TEST_CASE("relay options: games beside the configuration file", "[relay][options]") {
  const File file{"games = 'games.json'\n"};
  CHECK_THAT(refusal({"--config", file.path()}), ContainsSubstring("games.json cannot be read"));
  std::ofstream{file.folder() / "games.json"} << R"([{"name": "go", "max_players": 3}])";
  CHECK(accepted({"--config", file.path()}).relay.games.find("go")->max_players == 3);
  std::ofstream{file.folder() / "games.json"} << R"([{"name": "go"}])";
  const std::string sentence = refusal({"--config", file.path()});
  CHECK_THAT(sentence, ContainsSubstring("games.json: "));
  CHECK_THAT(sentence, ContainsSubstring("max_players"));
}

TEST_CASE("relay options: files and arguments that are no use", "[relay][options]") {
  CHECK_THAT(refusal({"--config", "/nowhere/relay.toml"}),
             ContainsSubstring("/nowhere/relay.toml cannot be read: No such file"));
  CHECK_THAT(refusal({"--config", "/"}), ContainsSubstring("/ cannot be read: it is a directory"));
  CHECK_THAT(refusal({"--games", "/nowhere/g.json"}), ContainsSubstring("cannot be read"));
  CHECK_THAT(refusal({"--backend", "Epoll"}), ContainsSubstring("--backend must be \"auto\""));
  CHECK_THAT(refusal({"--config"}), ContainsSubstring("--config"));
  CHECK_THAT(refusal({"--config", ""}), ContainsSubstring("--config"));
  CHECK_THAT(refusal({"--frobnicate"}), ContainsSubstring("--frobnicate"));
  CHECK_THAT(refusal({"stray"}), ContainsSubstring("stray"));
  CHECK_THAT(refusal({"--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2"}),
             ContainsSubstring("--listen"));
}
