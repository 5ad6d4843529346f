// SPDX-License-Identifier: MIT
// The options of muster-shard: what is accepted, and the sentence for what is not.
#include "options.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using muster::asio::Backend;
using shard_program::Invocation;
using shard_program::Options;
using shard_program::parse_options;

namespace {

Options accepted(const std::vector<std::string>& arguments) {
  const Invocation invocation = parse_options(arguments);
  INFO(invocation.text);
  REQUIRE(invocation.options);
  return *invocation.options;
}

std::string refusal(const std::vector<std::string>& arguments) {
  const Invocation invocation = parse_options(arguments);
  REQUIRE_FALSE(invocation.options);
  CHECK(invocation.status == 2);
  CHECK(invocation.text.starts_with("muster-shard: "));
  CHECK(invocation.text.find('\n') == std::string::npos);
  return invocation.text;
}

}  // namespace

TEST_CASE("shard options: without any there is one shard for everybody", "[shard][options]") {
  const Options options = accepted({});
  CHECK(options.listen == "127.0.0.1:4324");
  CHECK(options.shards == std::vector<std::string>{"arena"});
  CHECK(options.hz == 30);
  CHECK(options.players == 256);
  CHECK(options.connections_per_address == 64);
  CHECK(options.connections_per_second == 20);
  CHECK_FALSE(options.guests);
  CHECK(options.loops == 1);
  CHECK(options.backend == Backend::automatic);
}

TEST_CASE("shard options: each is taken over", "[shard][options]") {
  const Options options = accepted({"--listen",
                                    "[::1]:0",
                                    "--shard",
                                    "north",
                                    "--shard",
                                    "sud é",
                                    "--hz",
                                    "128",
                                    "--players",
                                    "1000",
                                    "--connections-per-address",
                                    "1073741824",
                                    "--connections-per-second",
                                    "0",
                                    "--guests",
                                    "--accounts",
                                    "who.txt",
                                    "--admin",
                                    "ann",
                                    "--origin",
                                    "https://a.example",
                                    "--origin",
                                    "https://b.example",
                                    "--cors-origin",
                                    "https://c.example",
                                    "--trusted-proxy",
                                    "10.0.0.0/8",
                                    "--trusted-proxy",
                                    "::1",
                                    "--loops",
                                    "4",
                                    "--backend",
                                    "portable"});
  CHECK(options.listen == "[::1]:0");
  CHECK(options.shards == std::vector<std::string>{"north", "sud é"});
  CHECK(options.hz == 128);
  CHECK(options.players == 1000);
  CHECK(options.connections_per_address == 1073741824);
  CHECK(options.connections_per_second == 0);
  CHECK(options.guests);
  CHECK(options.accounts_file == "who.txt");
  CHECK(options.admin == "ann");
  CHECK(options.origins == std::vector<std::string>{"https://a.example", "https://b.example"});
  CHECK(options.cors_origin == "https://c.example");
  CHECK(options.trusted_proxies ==
        std::vector{*muster::Subnet::parse("10.0.0.0/8"), *muster::Subnet::parse("::1")});
  CHECK(options.loops == 4);
  CHECK(options.backend == Backend::portable);
}

TEST_CASE("shard options: help and version are no mistakes", "[shard][options]") {
  for (const char* const argument : {"--help", "--version"}) {
    const Invocation invocation = parse_options(std::vector<std::string>{argument});
    CHECK_FALSE(invocation.options);
    CHECK(invocation.status == 0);
    CHECK_FALSE(invocation.text.empty());
    CHECK(invocation.text.back() != '\n');
  }
}

TEST_CASE("shard options: a mistake is one sentence", "[shard][options]") {
  CHECK(refusal({"--hz", "19"}).find("--hz") != std::string::npos);
  CHECK(refusal({"--hz", "129"}).find("--hz") != std::string::npos);
  CHECK(refusal({"--players", "0"}).find("--players") != std::string::npos);
  CHECK(refusal({"--connections-per-address", "0"}).find("--connections-per-address") !=
        std::string::npos);
  CHECK(refusal({"--connections-per-second", "1001"}).find("--connections-per-second") !=
        std::string::npos);
  CHECK(refusal({"--trusted-proxy", "10.0.0.1/8"}).find("--trusted-proxy must be") !=
        std::string::npos);
  CHECK(refusal({"--shard", ""}).find("--shard must be") != std::string::npos);
  CHECK(refusal({"--shard", "a\tb"}).find("--shard must be") != std::string::npos);
  CHECK(refusal({"--shard", "a", "--shard", "a"}).find("--shard a is there twice") !=
        std::string::npos);
  CHECK(refusal({"--admin", "ann"}).find("--accounts") != std::string::npos);
  CHECK(refusal({"--backend", "windows"}).find("--backend must be") != std::string::npos);
  CHECK(refusal({"--loops", "65"}).find("--loops") != std::string::npos);
  CHECK(refusal({"arena"}).find("arena") != std::string::npos);
}
