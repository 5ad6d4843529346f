// SPDX-License-Identifier: MIT
// What muster-relay's signaling rooms are told by files and by the environment.
#include "options.hpp"
#include "page.hpp"

#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using muster::signal::DesiredTopology;
using relay_program::Invocation;
using relay_program::LogLevel;
using relay_program::Options;
using relay_program::parse_options;
using relay_program::SignalSources;

namespace {

// A folder that is gone after the test.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("muster-signal-options-" + std::to_string(::getpid()) + "-" +
               std::to_string(++count))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = (path_ / name).string();
    std::ofstream{path, std::ios::binary} << text;
    return path;
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  inline static int count = 0;
  std::filesystem::path path_;
};

SignalSources environment(std::vector<std::string> variables) {
  SignalSources sources;
  sources.environment = std::move(variables);
  sources.folder.clear();
  return sources;
}

Invocation invoke(const SignalSources& sources, const std::vector<std::string>& arguments = {}) {
  return parse_options(arguments, &sources);
}

Options accepted(const SignalSources& sources, const std::vector<std::string>& arguments = {}) {
  const Invocation invocation = invoke(sources, arguments);
  INFO(invocation.text);
  REQUIRE(invocation.options);
  return *invocation.options;
}

std::string refused(const SignalSources& sources, const std::vector<std::string>& arguments = {}) {
  const Invocation invocation = invoke(sources, arguments);
  REQUIRE_FALSE(invocation.options);
  CHECK(invocation.status == 1);
  return invocation.text;
}

}  // namespace

TEST_CASE("signal options: without a word everybody may come in, and the relay is as it was",
          "[relay][signal][options]") {
  const Options options = accepted(environment({"HOME=/root", "SIGNAL_FISH_OTHER=1"}));
  CHECK_FALSE(options.signal.is_configured);
  CHECK(options.listen == "127.0.0.1:8080");
  CHECK_FALSE(options.signal.config.require_authentication);
  CHECK(options.signal.config.origins.empty());
  CHECK(options.signal.config.drain_grace == options.drain_timeout);
  CHECK(options.websocket.send_buffer == 0);
}

TEST_CASE("signal options: the page's own game is a mesh, unless another word is said",
          "[relay][signal][options]") {
  const std::string game{relay_program::signal_page_game};
  CHECK(accepted(environment({})).signal.config.game_topologies.at(game) == DesiredTopology::mesh);
  const auto other = accepted(
      environment({"SIGNAL_FISH__SESSION__GAME_TOPOLOGY_MAPPINGS={\"" + game + "\":\"relay\"}"}));
  CHECK(other.signal.config.game_topologies.at(game) == DesiredTopology::relay);
}

TEST_CASE("signal options: with any variable the port is 3536, and all addresses are listened on",
          "[relay][signal][options]") {
  CHECK(accepted(environment({"SIGNAL_FISH__LOGGING__LEVEL=warn"})).listen == "0.0.0.0:3536");
  CHECK(accepted(environment({"SIGNAL_FISH__PORT=4001"})).listen == "0.0.0.0:4001");
  CHECK(accepted(environment({"SIGNAL_FISH__PORT=4001"}), {"--listen", "127.0.0.1:4002"}).listen ==
        "127.0.0.1:4002");
}

TEST_CASE("signal options: later sources win", "[relay][signal][options]") {
  const Folder here;
  const Folder there;
  const Folder other;
  std::istringstream input{R"({"port": 2, "server": {"max_rooms": 2}})"};
  SignalSources sources;
  sources.input = &input;
  sources.folder = here.path();
  sources.program_folder = there.path();
  sources.environment = {
      "SIGNAL_FISH_CONFIG_JSON={\"port\": 1, \"server\": {\"max_rooms\": 1, \"event_buffer_size\": "
      "1}}",
      "SIGNAL_FISH_CONFIG_STDIN=yes",
      "SIGNAL_FISH_CONFIG_PATH=" +
          other.write("other.json", R"({"port": 3, "server": {"max_rooms_per_game": 3}})"),
      "SIGNAL_FISH__SERVER__DEFAULT_MAX_PLAYERS=7",
      "SIGNAL_FISH__SERVER={\"default_max_players\": 6, \"empty_room_timeout\": 6}",
  };
  here.write("config.json", R"({"port": 4})");
  there.write("config.json", R"({"port": 5, "server": {"default_max_players": 5}})");

  const Options options = accepted(sources);
  const auto& config = options.signal.config;
  CHECK(options.signal.server.port == 5);
  CHECK(config.event_buffer_size == 1);
  CHECK(config.max_rooms == 2);
  CHECK(config.max_rooms_per_game == 3);
  CHECK(config.empty_room_timeout == 6s);
  CHECK(config.default_max_players == 7);
}

TEST_CASE("signal options: standard input is read only if a variable says so",
          "[relay][signal][options]") {
  std::istringstream input{R"({"port": 2})"};
  for (const char* const word : {"SIGNAL_FISH_CONFIG_STDIN=0", "SIGNAL_FISH_CONFIG_STDIN="}) {
    SignalSources sources = environment({word});
    sources.input = &input;
    CHECK_FALSE(accepted(sources).signal.is_configured);
  }
  SignalSources sources = environment({"SIGNAL_FISH_CONFIG_STDIN=maybe"});
  sources.input = &input;
  CHECK(refused(sources) ==
        "muster-relay: SIGNAL_FISH_CONFIG_STDIN must be 1, true or yes, or 0, false or no");
}

TEST_CASE("signal options: a mistake names its source, and the key's path",
          "[relay][signal][options]") {
  const Folder folder;
  SignalSources sources = environment({});
  sources.folder = folder.path();
  const std::string file = folder.write("config.json", "{\n\"port\": 1,\n}");
  CHECK(refused(sources) == "muster-relay: " + file + ": line 3 is not JSON");
  folder.write("config.json", R"({"prot": 1})");
  CHECK(refused(sources) ==
        "muster-relay: the signaling rooms' configuration (" + file + "): prot is an unknown key");
  CHECK(
      refused(environment({"SIGNAL_FISH__PORT=x"})) ==
      "muster-relay: the signaling rooms' configuration (SIGNAL_FISH__PORT): port must be a whole "
      "number from 1 to 65535");
  const std::string missing = refused(environment({"SIGNAL_FISH_CONFIG_PATH=/no/such/file"}));
  CHECK(missing.starts_with("muster-relay: /no/such/file cannot be read: "));
  CHECK(refused(environment({"SIGNAL_FISH__A-B=1"})).starts_with("muster-relay: SIGNAL_FISH__"));
  CHECK(refused(environment({"SIGNAL_FISH__SECURITY__TRANSPORT__TLS__CLIENT_AUTH=optional"}))
            .find("client_auth must be \"none\"") != std::string::npos);
}

TEST_CASE("signal options: what the document says of the program is heard, unless it was told",
          "[relay][signal][options]") {
  const std::vector<std::string> variables{
      "SIGNAL_FISH__LOGGING__LEVEL=warn",
      "SIGNAL_FISH__LOGGING__DIR=/var/log/signal",
      "SIGNAL_FISH__SECURITY__TRANSPORT__TLS__ENABLED=true",
      "SIGNAL_FISH__SECURITY__TRANSPORT__TLS__CERTIFICATE_PATH=c.pem",
      "SIGNAL_FISH__SECURITY__TRANSPORT__TLS__PRIVATE_KEY_PATH=k.pem",
      "SIGNAL_FISH__SECURITY__MAX_CONNECTIONS_PER_IP=500",
      "SIGNAL_FISH__SECURITY__MAX_MESSAGE_SIZE=2097152",
  };
  const Options options = accepted(environment(variables));
  CHECK(options.log_level == LogLevel::warning);
  CHECK(options.log_file == "/var/log/signal/server.log");
  CHECK(options.tls_certificate == "c.pem");
  CHECK(options.tls_key == "k.pem");
  CHECK(options.websocket.send_buffer == 65536);
  // The rooms answer what is above their limits; the listener must not do so before.
  CHECK(options.websocket.max_connections_per_address > 500);
  CHECK(options.relay.addresses.connections_per_second == 500);
  CHECK(options.websocket.max_message == 2 * 2097152);

  const Options told =
      accepted(environment(variables), {"--log-level", "debug", "--log", "x.log",
                                        "--tls-certificate", "d.pem", "--tls-key", "l.pem"});
  CHECK(told.log_level == LogLevel::debug);
  CHECK(told.log_file == "x.log");
  CHECK(told.tls_certificate == "d.pem");
  CHECK(told.tls_key == "l.pem");
}

TEST_CASE("signal options: the configuration is validated and printed without a start",
          "[relay][signal][options]") {
  const SignalSources good =
      environment({"SIGNAL_FISH__PORT=4001", "SIGNAL_FISH__SECURITY__METRICS_AUTH_TOKEN=s3cret"});
  for (const char* const flag : {"-c", "--validate-config"}) {
    const Invocation validated = invoke(good, {flag});
    CHECK_FALSE(validated.options);
    CHECK(validated.status == 0);
    CHECK(validated.text == "the configuration can be used");
    CHECK_FALSE(refused(environment({"SIGNAL_FISH__PORT=x"}), {flag}).empty());
    CHECK_FALSE(refused(good, {flag, "--listen", "nowhere"}).empty());
  }
  const Invocation printed = invoke(good, {"--print-config"});
  CHECK_FALSE(printed.options);
  CHECK(printed.status == 0);
  CHECK(printed.text.find("\"port\": 4001") != std::string::npos);
  CHECK(printed.text.find("s3cret") == std::string::npos);
  CHECK(invoke(good, {"-c", "--print-config"}).status == 2);
}
