// SPDX-License-Identifier: MIT
// Routes, and the sentences of a listener that cannot listen.
#include "server.hpp"

#include "page.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace relay_program {

namespace {

using muster::as_bytes;
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
                "connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'"},
    HeaderField{"X-Content-Type-Options", "nosniff"},
    HeaderField{"Referrer-Policy", "no-referrer"},
};

muster::asio::Loop::Config loop_config(const Options& options) {
  muster::asio::Loop::Config config;
  config.backend = options.backend;
  return config;
}

}  // namespace

Server::Server(asio::io_context& context, const Options& options)
    : options_(options),
      loop_(context, loop_config(options)),
      relay_(options.relay, loop_.outbox(), entropy_, mac_),
      server_(loop_, options.websocket, entropy_, router_),
      started_(loop_.now()) {
  router_.route("/ws", relay_)
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
      .get("/metrics",
           [this](const Request&, Decision decision, time_point now) {
             const std::string text = prometheus_text(snapshot(now));
             decision.respond({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                               .body = as_bytes(text),
                               .headers = no_store});
           })
      .get("/status.json", [this](const Request&, Decision decision, time_point now) {
        const std::string text = status_json(snapshot(now));
        decision.respond(
            {.content_type = "application/json", .body = as_bytes(text), .headers = no_store});
      });
}

std::string Server::listen() {
  if (options_.backend == Backend::epoll && loop_.backend() != Backend::epoll) {
    return "backend epoll is not available here; \"auto\" and \"portable\" are allowed";
  }
  const std::error_code error = server_.listen(options_.listen);
  if (!error) return {};
  return options_.listen_source + ": cannot listen on " + options_.listen + " (" + error.message() +
         "); allowed is another address of this machine, or port 0 for any free port";
}

std::string Server::host() const { return options_.listen.substr(0, options_.listen.rfind(':')); }

std::string Server::url() const {
  return "http://" + host() + ":" + std::to_string(server_.port());
}

std::string Server::page_url() const {
  std::string name = host();
  if (name == "0.0.0.0") name = "127.0.0.1";
  if (name == "[::]") name = "[::1]";
  return "http://" + name + ":" + std::to_string(server_.port()) + "/";
}

void Server::drain(std::function<void()> done) {
  is_draining_ = true;
  server_.drain(options_.drain_timeout, std::move(done));
}

Snapshot Server::snapshot(time_point now) {
  return {
      .relay = relay_.stats(),
      .websocket = server_.endpoint().stats(),
      .outbox = loop_.outbox().stats(),
      .rooms = relay_.room_count(),
      .members = relay_.member_count(),
      .connections = server_.endpoint().session_count(),
      .uptime = now - started_,
      .backend = loop_.backend() == Backend::epoll ? "epoll" : "portable",
      .is_draining = is_draining_,
  };
}

}  // namespace relay_program
