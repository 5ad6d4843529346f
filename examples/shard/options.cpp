// SPDX-License-Identifier: MIT
// The command line, with CLI11.
#include "options.hpp"

#include "../command_line.hpp"

#include <muster/shard/id.hpp>
#include <muster/version.hpp>

#include <set>
#include <utility>

namespace shard_program {

namespace {

using muster::asio::Backend;

constexpr std::size_t max_shards = 1000;

constexpr std::pair<const char*, Backend> backends[] = {
    {"auto", Backend::automatic}, {"epoll", Backend::epoll}, {"portable", Backend::portable}};

}  // namespace

Invocation parse_options(std::span<const std::string> arguments) {
  Options options;
  std::vector<std::string> shards;
  std::vector<std::string> proxies;
  std::string backend;
  CLI::App app{"Runs a small arena game in one or many shards, and serves a page to play it.",
               "muster-shard"};
  app.add_option("--listen", options.listen, "Where to listen (port 0: any free)")
      ->type_name("ADDR:PORT")
      ->capture_default_str();
  app.add_option("--shard", shards, "A shard of this id (default arena); several: say it again")
      ->type_name("ID")
      ->allow_extra_args(false);
  app.add_option("--hz", options.hz, "Ticks per second of each, 20 to 128")
      ->type_name("N")
      ->check(CLI::Range(20, 128).description(""))
      ->capture_default_str();
  app.add_option("--players", options.players, "Players that each takes, 1 to 1000")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  app.add_option("--connections-per-address", options.connections_per_address,
                 "Connections of one address at once, 1 to 2^30")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30).description(""))
      ->capture_default_str();
  app.add_option("--connections-per-second", options.connections_per_second,
                 "New connections of one address in a second, up to 1000; 0: no limit")
      ->type_name("N")
      ->check(CLI::Range(0, 1000).description(""))
      ->capture_default_str();
  app.add_flag("--guests", options.guests, "Who has no account chooses its id itself");
  app.add_option("--accounts", options.accounts_file,
                 "Who has which token; without --guests, nobody else may play")
      ->type_name("FILE");
  app.add_option("--admin", options.admin, "The account that may join as anybody and list shards")
      ->type_name("USER");
  app.add_option("--origin", options.origins,
                 "A page that may connect, such as https://game.example (default all);\n"
                 "several: say it again")
      ->type_name("ORIGIN")
      ->allow_extra_args(false);
  app.add_option("--cors-origin", options.cors_origin,
                 "A page elsewhere that may read /metrics, such as https://status.example")
      ->type_name("ORIGIN");
  app.add_option("--trusted-proxy", proxies,
                 "A proxy that says whose connections it passes on, by the PROXY protocol: an\n"
                 "address or a network; nobody else may connect then; several: say it again")
      ->type_name("SUBNET")
      ->allow_extra_args(false);
  app.add_option("--loops", options.loops, "Loops, each with a thread of its own, 1 to 64")
      ->type_name("N")
      ->check(CLI::Range(1, 64).description(""))
      ->capture_default_str();
  app.add_option("--backend", backend, "auto, epoll or portable (default auto)")->type_name("NAME");
  app.set_version_flag("--version", "muster-shard " MUSTER_VERSION_STRING);
  app.footer(
      "Without --accounts and --guests, everybody may play and is given an id. The file of\n"
      "accounts has lines of 64 hex digits, a blank and a user; the digits are what\n"
      "  printf %s TOKEN | openssl dgst -sha256 -hmac muster\n"
      "prints.\n"
      "SIGTERM or SIGINT drains: players are told, and the program ends with status 0. A second\n"
      "one ends it at once with status 1.");

  const auto mistake = [](const std::string& sentence) {
    return Invocation{.status = 2, .text = "muster-shard: " + sentence};
  };
  if (auto ended = examples::read_command_line<Invocation>(app, arguments)) return *ended;
  if (!shards.empty()) options.shards = std::move(shards);
  if (options.shards.size() > max_shards) return mistake("--shard may be said 1000 times");
  std::set<std::string_view> known;
  for (const std::string& id : options.shards) {
    if (!muster::shard::is_valid_id(id)) {
      return mistake("--shard must be 1 to 128 bytes of UTF-8 without control characters");
    }
    if (!known.insert(id).second) return mistake("--shard " + id + " is there twice");
  }
  for (const std::string& proxy : proxies) {
    const auto subnet = muster::Subnet::parse(proxy);
    if (!subnet) return mistake("--trusted-proxy must be like 10.0.0.1, 10.0.0.0/8 or ::1");
    options.trusted_proxies.push_back(*subnet);
  }
  if (!options.admin.empty() && options.accounts_file.empty()) {
    return mistake("--admin names an account, and needs --accounts");
  }
  for (const auto& [name, value] : backends) {
    if (backend == name) options.backend = value;
    if (backend == name || backend.empty()) return {.options = options};
  }
  return mistake("--backend must be auto, epoll or portable");
}

}  // namespace shard_program
