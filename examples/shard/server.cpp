// SPDX-License-Identifier: MIT
// Shards, routes, and the sentences of a listener that cannot listen.
#include "server.hpp"

#include "../prometheus_reply.hpp"
#include "arena.hpp"
#include "page.hpp"

#include <muster/shard/error_body.hpp>
#include <muster/shard/shard.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>

namespace shard_program {

namespace {

using muster::as_bytes;
using muster::Decision;
using muster::HeaderField;
using muster::Request;
using muster::time_point;
using muster::asio::Backend;
using muster::shard::AnyShard;
using muster::shard::Guests;

constexpr std::array no_store{HeaderField{"Cache-Control", "no-store"}};

// The page loads nothing, and talks only to where it came from.
constexpr std::array page_headers{
    HeaderField{"Cache-Control", "no-cache"},
    HeaderField{"Content-Security-Policy",
                "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                "connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'"},
    HeaderField{"X-Content-Type-Options", "nosniff"},
    HeaderField{"Referrer-Policy", "no-referrer"},
};

constexpr muster::duration drain_timeout = std::chrono::seconds{5};

AnyShard::Config shard_config(const Options& options) {
  AnyShard::Config config;
  config.hz = options.hz;
  config.max_subscribers = options.players;
  // A page sends one with each tick, and some more when it catches up.
  config.input_rate.messages_per_second = std::max(120U, 2 * options.hz);
  // A newcomer is told of everybody at once.
  config.max_events = 64 * 1024 + 256U * options.players;
  config.idle_timeout = muster::duration{0};  // the shards are there to be joined
  config.guests = Guests::numbered;
  if (!options.accounts_file.empty()) config.guests = Guests::refused;
  if (options.guests) config.guests = Guests::named;
  return config;
}

muster::asio::WebSocketServer::Config listener_config(const Options& options,
                                                      const muster::shard::Service::Config& shard,
                                                      muster::AddressLimits& limits) {
  muster::asio::WebSocketServer::Config config;
  config.max_connections_per_address = options.connections_per_address;
  config.limits = &limits;
  config.refusal_body = muster::shard::error_body(muster::shard::ErrorCode::rate_limited,
                                                  "too many connections from this address");
  config.refusal_type = "application/json";
  config.measures_round_trips = true;
  config.trusted_proxies = options.trusted_proxies;
  if (!config.trusted_proxies.empty()) {
    config.proxy_protocol = muster::websocket::ProxyProtocol::v1_v2;
  }
  config.max_message = shard.max_message;
  config.write_timeout = std::chrono::seconds{20};  // till then a shard looks after its subscribers
  config.origins = options.origins;
  config.reuse_port = options.loops > 1;
  return config;
}

}  // namespace

void Accounts::authenticate(std::string_view token, const Request&,
                            muster::shard::Authentication authentication, time_point now) {
  const auto user = token.empty() ? std::nullopt : accounts_.find(token, mac_);
  if (!user) return authentication.is({}, now);
  authentication.is({.user = std::string{*user}, .is_admin = *user == admin_}, now);
}

Server::Server(const Options& options, Fleet& fleet, std::uint32_t index)
    : options_(options),
      fleet_(fleet),
      index_(index),
      loop_(fleet.group.loop(index)),
      accounts_(options.admin),
      service_({}, registry_, loop_.outbox(), entropy_),
      server_(loop_, listener_config(options, {}, fleet.limits), entropy_, *this),
      snapshots_(fleet.group, index,
                 [&fleet](std::size_t loop) { return fleet.servers[loop]->snapshot(); }),
      started_(loop_.now()) {
  registry_.set_stopwatch(&stopwatch_);
  add_pages();
}

void Server::join(const std::vector<muster::shard::Service*>& services) {
  server_.join(fleet_.handover, index_);
  service_.join_loops(fleet_.placement, index_, services, fleet_.group.make_post());
}

Snapshot Server::snapshot() const {
  return {.shards = snapshot_of(registry_),
          .ticks = registry_.tick_times(),
          .service = service_.stats(),
          .websocket = server_.endpoint().stats(),
          .handshakes_refused = server_.endpoint().handshakes_refused(),
          .outbox = loop_.outbox().stats(),
          .connections = server_.endpoint().session_count(),
          .uptime = loop_.now() - started_};
}

// Asks all loops. Who waits may go meanwhile, and so may this server.
void Server::answer_later(Decision decision,
                          std::function<void(Decision, const Snapshot&)> answer) {
  const std::uint64_t id = next_asked_++;
  asked_.emplace(id, std::move(decision));
  snapshots_.ask([this, id, answer = std::move(answer)](std::vector<Snapshot> loops) {
    answer(std::move(asked_.extract(id).mapped()), sum(std::move(loops)));
  });
}

void Server::add_pages() {
  router_
      .get("/",
           [](const Request&, Decision decision, time_point) {
             decision.respond({.content_type = "text/html; charset=utf-8",
                               .body = as_bytes(page()),
                               .headers = page_headers});
           })
      .get("/shards",
           [this](const Request&, Decision decision, time_point) {
             answer_later(std::move(decision), [](Decision asked, const Snapshot& all) {
               const std::string text = shards_json(all);
               asked.respond({.content_type = "application/json",
                              .body = as_bytes(text),
                              .headers = no_store});
             });
           })
      .get("/healthz",
           [this](const Request&, Decision decision, time_point) {
             decision.respond({.status = is_draining_ ? 503U : 200U,
                               .body = as_bytes(is_draining_ ? "draining\n" : "ok\n"),
                               .headers = no_store});
           })
      .get("/metrics", [this](const Request&, Decision decision, time_point) {
        show_metrics(std::move(decision));
      });
}

void Server::show_metrics(Decision decision) {
  answer_later(std::move(decision), [this](Decision asked, const Snapshot& all) {
    examples::reply_to_prometheus(std::move(asked), prometheus_text(all), options_.cors_origin);
  });
}

void Server::on_request(const Request& request, Decision decision, time_point now) {
  if (request.path.starts_with("/api/")) {
    service_.on_request(request, std::move(decision), now);
  } else {
    router_.on_request(request, std::move(decision), now);
  }
}

void Server::on_drain(time_point now) {
  is_draining_ = true;
  service_.on_drain(now);
}

std::string Server::make_shards() {
  const AnyShard::Config config = shard_config(options_);
  std::string problem;
  if (AnyShard::validate(config, problem)) return problem;
  const time_point now = loop_.now();
  for (const std::string& id : options_.shards) {
    if (fleet_.placement.of(as_bytes(id)) != index_) continue;
    // A player who replaces itself is there twice until the old connection is gone.
    Arena arena{entropy_.next_u64(), static_cast<std::uint16_t>(2 * options_.players)};
    auto shard = std::make_unique<muster::shard::Shard<Arena>>(config, std::move(arena), now);
    if (const auto inserted = registry_.insert(id, std::move(shard), now); !inserted) {
      return "shard " + id + " cannot be made: " + std::error_code{inserted.error()}.message();
    }
  }
  return {};
}

std::string Server::start(const std::string& address) {
  if (!options_.accounts_file.empty()) {
    std::string problem;
    if (!accounts_.load(options_.accounts_file, problem)) return problem;
    service_.set_authenticator(&accounts_);
  }
  if (options_.backend == Backend::epoll && loop_.backend() != Backend::epoll) {
    return "backend epoll is not available here; \"auto\" and \"portable\" are allowed";
  }
  if (std::string problem = make_shards(); !problem.empty()) return problem;
  const std::error_code error = server_.listen(address);
  if (!error) return {};
  return "--listen: cannot listen on " + options_.listen + " (" + error.message() +
         "); allowed is another address of this machine, or port 0 for any free port";
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

void Server::drain(std::function<void()> done) { server_.drain(drain_timeout, std::move(done)); }

}  // namespace shard_program
