// SPDX-License-Identifier: MIT
// Wiring, accounts, and the sentences of a listener that cannot listen.
#include "server.hpp"

#include "../prometheus_reply.hpp"
#include "metrics.hpp"
#include "page.hpp"

#include <muster/websocket/session.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

namespace lobby_program {

namespace {

using muster::as_bytes;
using muster::Connection;
using muster::Decision;
using muster::HeaderField;
using muster::Request;
using muster::time_point;
using muster::asio::Backend;

constexpr std::array no_store{HeaderField{"Cache-Control", "no-store"}};

// The page loads nothing, and talks only to where it came from.
constexpr std::array page_headers{
    HeaderField{"Cache-Control", "no-cache"},
    HeaderField{"Content-Security-Policy",
                "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"},
    HeaderField{"X-Content-Type-Options", "nosniff"},
    HeaderField{"Referrer-Policy", "no-referrer"},
};

constexpr muster::duration drain_timeout = std::chrono::seconds{5};

WallTime wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// The services have limits of their own, and close codes for what is above them.
muster::asio::WebSocketServer::Config listener_config() {
  muster::asio::WebSocketServer::Config config;
  config.max_message = 64 * 1024;
  return config;
}

Dispatcher::Config dispatcher_config(const Options& options) {
  Dispatcher::Config config;
  config.game = options.game;
  config.rules.holdem = options.holdem;
  config.match = options.match;
  config.casual = options.casual;
  config.matches_per_token = options.matches_per_token;
  config.house_delay = std::chrono::milliseconds{options.house_delay_ms};
  return config;
}

TournamentRun::Config run_config(const Options& options, muster::Entropy& entropy) {
  TournamentRun::Config config;
  config.tournament = *options.tournament;
  config.bots = options.bots;
  config.house_bots = options.house_bots;
  config.matches_at_once = options.matches_at_once;
  config.patience = std::chrono::seconds{options.patience_s};
  if (!options.seed) {
    entropy.fill(config.seed);
    return config;
  }
  for (std::size_t i = 0; i < sizeof(*options.seed); ++i) {
    config.seed[i] = static_cast<std::byte>(*options.seed >> (8 * i));
  }
  return config;
}

}  // namespace

Server::Server(const Options& options, muster::asio::Loop& loop)
    : options_(options),
      loop_(loop),
      clock_(loop.now(), wall_now()),
      accounts_(mac_),
      connects_({.max_rooms = 0,
                 .failed_tokens_per_minute = options.connects_per_minute,
                 .empty_rooms_per_minute = 0},
                entropy_),
      wire_(make_wire()),
      lobby_({}, accounts_, connects_, *wire_, clock_),
      matches_(
          {},
          [rules = GameRules{options.holdem}](std::string_view name) {
            return make_game(name, rules);
          },
          *wire_, entropy_, clock_),
      dispatcher_(dispatcher_config(options), accounts_, lobby_, matches_, entropy_, clock_),
      gateway_({.duplicate = options.duplicate, .is_strict = options.is_strict}, accounts_,
               matches_, connects_, *wire_, clock_),
      api_(accounts_, lobby_, matches_, dispatcher_, entropy_, clock_),
      server_(loop, listener_config(), entropy_, *this),
      started_(loop.now()) {
  add_pages();
}

Server::~Server() = default;

std::unique_ptr<Wire> Server::make_wire() {
  if (options_.faults.empty()) return std::make_unique<Wire>();
  Faults::Hooks hooks;
  hooks.now = [this] { return loop_.now(); };
  // The connections of this listener are WebSocket sessions.
  hooks.cut = [](Connection& connection) {
    static_cast<muster::websocket::Session&>(connection).broke();
  };
  hooks.evict = [this](const std::string& bot_id) { lobby_.evict(bot_id, loop_.now()); };
  hooks.revoke = [this](const std::string& bot_id) { accounts_.revoke(bot_id); };
  auto faults = std::make_unique<Faults>(options_.faults, loop_.outbox(), std::move(hooks));
  faults_ = faults.get();
  return faults;
}

void Server::add_pages() {
  api_.add_to(router_);
  router_
      .get("/",
           [](const Request&, Decision decision, time_point) {
             decision.respond({.content_type = "text/html; charset=utf-8",
                               .body = as_bytes(page()),
                               .headers = page_headers});
           })
      .get("/healthz",
           [this](const Request&, Decision decision, time_point) {
             decision.respond({.status = is_draining_ ? 503U : 200U,
                               .body = as_bytes(is_draining_ ? "draining\n" : "ok\n"),
                               .headers = no_store});
           })
      .get("/metrics", [this](const Request&, Decision decision, time_point) {
        examples::reply_to_prometheus(std::move(decision), metrics(), options_.cors_origin);
      });
}

std::string Server::metrics() const {
  return prometheus_text({.lobby = lobby_.stats(),
                          .gateway = gateway_.stats(),
                          .dispatcher = dispatcher_.stats(),
                          .api = api_.stats(),
                          .websocket = server_.endpoint().stats(),
                          .online = lobby_.online_count(),
                          .seats = gateway_.connection_count(),
                          .running = matches_.running(),
                          .started = matches_.started(),
                          .connections = server_.endpoint().session_count(),
                          .uptime = loop_.now() - started_});
}

std::string Server::make_accounts() {
  std::string problem;
  if (!options_.accounts_file.empty() && !accounts_.load(options_.accounts_file, problem)) {
    return problem;
  }
  for (std::size_t number = 1; number <= options_.open_accounts; ++number) {
    const Bot bot{make_uuid(entropy_), "bot-" + std::to_string(number)};
    const std::string token = accounts_.issue(bot, entropy_);
    tokens_ += bot.id + ' ' + token + ' ' + bot.name + '\n';
  }
  if (tokens_.empty() || options_.tokens_file.empty()) return {};
  if (!write_secret(options_.tokens_file, tokens_, problem)) return problem;
  tokens_.clear();
  return {};
}

std::string Server::start() {
  if (std::string problem = make_accounts(); !problem.empty()) return problem;
  if (!options_.results_file.empty()) {
    std::string problem;
    if (!store_.open(options_.results_file, problem)) return problem;
    dispatcher_.set_store(store_);
  }
  if (options_.tournament) {
    dispatcher_.run(run_config(options_, entropy_), [this] {
      if (on_over_) on_over_();
    });
  }
  if (options_.backend == Backend::epoll && loop_.backend() != Backend::epoll) {
    return "backend epoll is not available here; \"auto\" and \"portable\" are allowed";
  }
  const std::error_code error = server_.listen(options_.listen);
  if (!error) return {};
  return "--listen: cannot listen on " + options_.listen + " (" + error.message() +
         "); allowed is another address of this machine, or port 0 for any free port";
}

std::string Server::reload() {
  std::string problem;
  if (options_.accounts_file.empty()) return "there is no file of accounts";
  // Bots that were made at the start are in no file, and would be lost.
  if (options_.open_accounts != 0) return "accounts are not read again with --open-accounts";
  if (!accounts_.load(options_.accounts_file, problem)) return problem;
  lobby_.check_tokens(loop_.now());
  loop_.wake();
  return {};
}

void Server::on_upgrade(const Request& request, Decision decision, time_point now) {
  if (is_draining_) {
    decision.respond({.status = 503, .body = as_bytes("draining\n"), .headers = no_store});
  } else if (request.path.starts_with(Lobby::path_prefix)) {
    lobby_.on_upgrade(request, std::move(decision), now);
  } else if (request.path.starts_with(Gateway::path_prefix) ||
             request.path.starts_with(Gateway::direct_prefix)) {
    gateway_.on_upgrade(request, std::move(decision), now);
  } else {
    router_.on_upgrade(request, std::move(decision), now);
  }
}

void Server::on_drain(time_point now) {
  dispatcher_.stop();
  matches_.fail_all("the server goes away", now);
  gateway_.on_drain(now);
  lobby_.on_drain(now);
}

void Server::advance(time_point now) {
  lobby_.advance(now);
  gateway_.advance(now);
  matches_.advance(now);
  dispatcher_.advance(now);
  if (faults_ != nullptr) faults_->advance(now);
}

time_point Server::next_deadline() const noexcept {
  return std::min({lobby_.next_deadline(), gateway_.next_deadline(), matches_.next_deadline(),
                   dispatcher_.next_deadline(),
                   faults_ != nullptr ? faults_->next_deadline() : muster::no_deadline});
}

std::string Server::host() const { return options_.listen.substr(0, options_.listen.rfind(':')); }

std::string Server::url_of(const std::string& host_name) const {
  return "http://" + host_name + ":" + std::to_string(server_.port());
}

std::string Server::page_url() const {
  std::string name = host();
  if (name == "0.0.0.0") name = "127.0.0.1";
  if (name == "[::]") name = "[::1]";
  return url_of(name) + "/";
}

void Server::drain(std::function<void()> done) {
  is_draining_ = true;
  server_.drain(drain_timeout, std::move(done));
}

}  // namespace lobby_program
