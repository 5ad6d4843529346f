// SPDX-License-Identifier: MIT
// The command line, with CLI11.
#include "options.hpp"

#include "../command_line.hpp"

#include "message.hpp"

#include <muster/version.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace soe_echo {

namespace {

using muster::soe::Channel;

constexpr std::size_t max_size = 16 << 20;

// What fits into the smallest usual datagram, with a checksum and an escape.
constexpr std::size_t max_unreliable_size = 480;

constexpr std::pair<const char*, Channel> channel_names[] = {
    {"reliable0", Channel::reliable0},   {"reliable1", Channel::reliable1},
    {"reliable2", Channel::reliable2},   {"reliable3", Channel::reliable3},
    {"unreliable", Channel::unreliable}, {"ordered", Channel::ordered}};

std::optional<Channel> parse_channel(const std::string& name) {
  for (const auto& [known, channel] : channel_names) {
    if (name == known) return channel;
  }
  return std::nullopt;
}

std::optional<std::vector<std::byte>> parse_key(const std::string& text) {
  if (text.empty() || text.size() % 2 != 0 || text.size() > 512) return std::nullopt;
  std::vector<std::byte> key;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    unsigned value = 0;
    const char* const first = text.data() + at;
    const auto [end, error] = std::from_chars(first, first + 2, value, 16);
    if (error != std::errc{} || end != first + 2) return std::nullopt;
    key.push_back(static_cast<std::byte>(value));
  }
  return key;
}

}  // namespace

Invocation parse_options(std::span<const std::string> arguments) {
  Options options;
  std::string listen;
  std::string connect;
  std::string key;
  std::vector<std::string> channels;
  bool is_bulk = false;
  bool own_ends = false;
  CLI::App app{"Sends messages over SOE to a server that sends them back, and checks each.",
               "muster-soe-echo"};
  CLI::Option* const listen_option =
      app.add_option("--listen", listen, "Be the server, at this UDP address (port 0: any)")
          ->type_name("ADDRESS:PORT");
  CLI::Option* const connect_option =
      app.add_option("--connect", connect, "Be the client of this server")
          ->type_name("ADDRESS:PORT");
  CLI::Option* const loss_option =
      app.add_option("--loss", options.loss,
                     "Both ends in one process; this share of datagrams gets lost, 0 to 0.9")
          ->type_name("SHARE")
          ->check(CLI::Range(0.0, 0.9).description(""));
  CLI::Option* const rtt_option =
      app.add_option("--rtt", options.round_trip_milliseconds,
                     "Both ends in one process; there and back takes so long, 0 to 10000")
          ->type_name("MS")
          ->check(CLI::Range(0.0, 10'000.0).description(""))
          ->capture_default_str();
  CLI::Option* const seed_option =
      app.add_option("--seed", options.seed, "What is lost of the datagrams; the same for the same")
          ->type_name("N")
          ->capture_default_str();
  CLI::Option* const fast_option = app.add_flag(
      "--fast", options.is_fast, "Both ends in one process; do not wait for the clock");
  app.add_option("--protocol", options.protocol, "The application's name that both ends agree on")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--key", key, "Encrypt with this RC4 key, at both ends the same")
      ->type_name("HEX");
  app.add_flag("--own-ends", own_ends,
               "Larger datagrams, bundles and a measured pace, for two ends of muster;\n"
               "without it, what every peer of the protocol understands");
  app.add_option("--size", options.size, "Bytes of each message, 1 to 16777216")
      ->type_name("BYTES")
      ->check(CLI::Range(std::size_t{1}, max_size).description(""))
      ->capture_default_str();
  CLI::Option* const rate_option =
      app.add_option("--rate", options.rate, "Messages per second and session, 0.1 to 100000")
          ->type_name("HZ")
          ->check(CLI::Range(0.1, 100'000.0).description(""))
          ->capture_default_str();
  app.add_flag("--bulk", is_bulk, "As fast as possible, with at most 1 MiB on the way");
  CLI::Option* const count_option =
      app.add_option("--count", options.count, "Messages of each session (default: no bound)")
          ->type_name("N")
          ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32U).description(""));
  CLI::Option* const seconds_option =
      app.add_option("--seconds", options.seconds,
                     "How long; 0, and default with --count: no bound")
          ->type_name("S")
          ->check(CLI::Range(0.0, 1e6).description(""))
          ->capture_default_str();
  app.add_option("--sessions", options.sessions, "Sessions, each from a port of its own, 1 to 1000")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  app.add_option("--channel", channels,
                 "reliable0 (default) to reliable3, unreliable or ordered; several: in turn")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.set_version_flag("--version", "muster-soe-echo " MUSTER_VERSION_STRING);
  app.footer(
      "One of --listen, --connect, and --loss or --rtt says what to be. SIGINT or SIGTERM ends it\n"
      "early, with the summary; a second one at once.\n"
      "Status of a client: 0 every message came back as it was and in order, or, of channels that\n"
      "may lose some, every one that came back, and at least one did; 1 it was not so; 2 a "
      "mistake\n"
      "in the command line.");

  const auto mistake = [](const std::string& sentence) {
    return Invocation{.status = 2, .text = "muster-soe-echo: " + sentence};
  };
  if (auto ended = examples::read_command_line<Invocation>(app, arguments)) return *ended;

  const std::size_t link_words =
      loss_option->count() + rtt_option->count() + seed_option->count() + fast_option->count();
  if (listen_option->count() != 0 && connect_option->count() != 0) {
    return mistake("--listen and --connect are for two processes");
  }
  if (listen_option->count() + connect_option->count() != 0 && link_words != 0) {
    return mistake("--loss, --rtt, --seed and --fast are for both ends in one process");
  }
  if (is_bulk && rate_option->count() != 0) return mistake("--bulk has no --rate");
  if (listen_option->count() != 0) {
    options.mode = Options::Mode::server;
    options.address = listen;
  } else if (connect_option->count() != 0) {
    options.mode = Options::Mode::client;
    options.address = connect;
  } else if (loss_option->count() == 0 && rtt_option->count() == 0) {
    return mistake("--listen, --connect, --loss or --rtt must say what to be; see --help");
  }
  if (is_bulk) options.rate = 0;
  if (count_option->count() != 0 && seconds_option->count() == 0) options.seconds = 0;
  if (options.count == 0 && options.seconds == 0) {
    return mistake("--seconds must not be 0 without --count");
  }
  if (options.protocol.size() > 32 || options.protocol.find('\0') != std::string::npos) {
    return mistake("--protocol must have at most 32 bytes");
  }

  if (!channels.empty()) options.channels.clear();
  for (const std::string& name : channels) {
    const auto channel = parse_channel(name);
    if (!channel) return mistake("--channel must be reliable0 to 3, unreliable or ordered");
    options.channels.push_back(*channel);
  }
  const bool is_reliable =
      std::all_of(options.channels.begin(), options.channels.end(),
                  [](Channel channel) { return channel < Channel::unreliable; });
  if (!is_reliable && is_bulk) return mistake("--bulk is for reliable channels alone");
  if (!is_reliable && (options.size < min_numbered_size || options.size > max_unreliable_size)) {
    return mistake("--size must be 6 to 480 on unreliable and ordered channels");
  }

  options.config = own_ends ? muster::soe::Config::for_own_ends() : muster::soe::Config{};
  options.config.protocols = {options.protocol};
  if (!key.empty()) {
    const auto bytes = parse_key(key);
    if (!bytes) return mistake("--key must be 1 to 256 bytes, as pairs of hexadecimal digits");
    options.config.encryption_key = *bytes;
  }
  options.config.max_message = max_size;
  options.config.send_budget = 4 * max_size;
  options.config.requests_per_second_per_host = 0;  // many sessions from one host are the purpose
  options.config.explains_refusal = true;           // whoever names another protocol hears so
  options.config.connect_timeout = std::chrono::seconds{5};
  return {.options = options};
}

}  // namespace soe_echo
