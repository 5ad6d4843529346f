// SPDX-License-Identifier: MIT
// Routes, and the sentences of a listener that cannot listen.
#include "server.hpp"

#include "page.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <array>
#include <chrono>
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

constexpr std::array file_headers{HeaderField{"Cache-Control", "no-cache"},
                                  HeaderField{"X-Content-Type-Options", "nosniff"},
                                  HeaderField{"Referrer-Policy", "no-referrer"}};

muster::asio::WebSocketServer::Config listener_config(Shared& shared) {
  muster::asio::WebSocketServer::Config config = shared.options().websocket;
  config.tls = shared.tls();
  config.limits = &shared.limits();
  config.reuse_port = shared.options().loops > 1;
  return config;
}

std::int64_t unix_milliseconds() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

Server::Server(Fleet& fleet, Shared& shared, std::uint32_t index)
    : fleet_(&fleet),
      shared_(&shared),
      index_(index),
      loop_(fleet.group.loop(index)),
      journal_(index, shared.log(), shared.records()),
      authenticator_(loop_.context(), shared.limits(), shared.options().auth_cookie),
      relay_(shared.options().relay, loop_.outbox(), entropy_, mac_, &shared.limits()),
      signal_(shared.options().signal.config, loop_.outbox(), entropy_, mac_, unix_milliseconds(),
              loop_.now(), &shared.limits()),
      matchbox_({}, loop_.outbox(), entropy_),
      routes_(fleet, index, shared, relay_, journal_, mac_),
      server_(loop_, listener_config(shared), entropy_, router_),
      snapshots_(fleet.group, index,
                 [&fleet](std::size_t loop) { return fleet.servers[loop]->snapshot(); }),
      started_(loop_.now()),
      alive_(std::make_shared<Server*>(this)) {
  relay_.set_observer(&journal_);
  if (!shared.options().auth_file.empty()) relay_.set_authenticator(&authenticator_);
  use(shared.content());
  shared.subscribe([&context = loop_.context(),
                    alive = std::weak_ptr{alive_}](std::shared_ptr<const Content> content) {
    asio::post(context, [alive, content = std::move(content)] {
      if (const auto self = alive.lock()) (*self)->use(content);
    });
  });
  add_pages();
  add_signal_pages();
  routes_.add_to(router_);
}

void Server::join(const std::vector<std::unique_ptr<Server>>& servers) {
  std::vector<muster::relay::Service*> relays;
  std::vector<muster::signal::Service*> signals;
  std::vector<muster::signal::Matchbox*> matchboxes;
  for (const auto& server : servers) {
    relays.push_back(&server->relay_);
    signals.push_back(&server->signal_);
    matchboxes.push_back(&server->matchbox_);
  }
  server_.join(fleet_->handover, index_);
  relay_.join_loops(fleet_->placement, index_, std::move(relays));
  signal_.join_loops(fleet_->placement, index_, std::move(signals));
  matchbox_.join_loops(fleet_->placement, index_, std::move(matchboxes));
}

// Asks all loops. Who waits may go meanwhile, and so may this server.
void Server::answer_later(Decision decision,
                          std::function<void(Decision, const Snapshot&)> answer) {
  const std::uint64_t id = next_asked_++;
  asked_.emplace(id, std::move(decision));
  snapshots_.ask([this, id, answer = std::move(answer)](const std::vector<Snapshot>& loops) {
    answer(std::move(asked_.extract(id).mapped()), sum(loops));
  });
}

void Server::use(std::shared_ptr<const Content> content) {
  content_ = std::move(content);
  relay_.set_games(content_->games);
  authenticator_.set_accounts({content_, &content_->accounts});
}

void Server::add_pages() {
  router_.route("/ws", relay_)
      .get("/healthz",
           [this](const Request&, Decision decision, time_point) {
             decision.respond({.status = is_draining_ ? 503U : 200U,
                               .body = as_bytes(is_draining_ ? "draining\n" : "ok\n"),
                               .headers = no_store});
           })
      .get("/status.json", [this](const Request&, Decision decision, time_point) {
        answer_later(std::move(decision), [](Decision asked, const Snapshot& all) {
          const std::string text = status_json(all);
          asked.respond(
              {.content_type = "application/json", .body = as_bytes(text), .headers = no_store});
        });
      });
  if (shared_->options().static_root.empty()) {
    const auto show = [](std::string_view html) {
      return [html](const Request&, Decision decision, time_point) {
        decision.respond({.content_type = "text/html; charset=utf-8",
                          .body = as_bytes(html),
                          .headers = page_headers});
      };
    };
    router_.get("/", show(page())).get("/signal", show(signal_page()));
    return;
  }
  router_.get_below("/", [this](const Request& request, Decision decision, time_point) {
    const StaticFiles::File* const file = content_->files.find(request.path);
    if (file == nullptr) {
      decision.respond({.status = 404, .body = as_bytes("no such file\n")});
    } else {
      decision.respond({.content_type = file->content_type,
                        .body = as_bytes(file->content),
                        .headers = file_headers});
    }
  });
}

std::string Server::listen(const std::string& address) {
  const Options& options = shared_->options();
  if (options.backend == Backend::epoll && loop_.backend() != Backend::epoll) {
    return "backend epoll is not available here; \"auto\" and \"portable\" are allowed";
  }
  const std::error_code error = server_.listen(address);
  if (!error) return {};
  return options.listen_source + ": cannot listen on " + options.listen + " (" + error.message() +
         "); allowed is another address of this machine, or port 0 for any free port";
}

std::string Server::host() const {
  const std::string& listen = shared_->options().listen;
  return listen.substr(0, listen.rfind(':'));
}

std::string Server::url_of(const std::string& host_name) const {
  return (shared_->tls() != nullptr ? "https://" : "http://") + host_name + ":" +
         std::to_string(server_.port());
}

std::string Server::url() const { return url_of(host()); }

std::string Server::page_url() const {
  std::string name = host();
  if (name == "0.0.0.0") name = "127.0.0.1";
  if (name == "[::]") name = "[::1]";
  return url_of(name) + "/";
}

void Server::drain(std::function<void()> done) {
  is_draining_ = true;
  // The signaling rooms end their connections themselves, in their protocol's words.
  constexpr std::chrono::seconds last_words{2};
  const Options& options = shared_->options();
  server_.drain(std::max<muster::duration>(options.drain_timeout,
                                           options.signal.config.drain_grace + last_words),
                std::move(done));
}

Snapshot Server::snapshot() const {
  RecordWriter* const records = shared_->records();
  muster::signal::RoomCensus census;
  signal_.list_rooms([&census](const muster::signal::RoomListing& room) {
    census.add_room(room.game_name, room.players);
    return true;
  });
  return {
      .relay = relay_.stats(),
      .signal = {signal_.stats(), std::move(census)},
      .matchbox = matchbox_.stats(),
      .websocket = server_.endpoint().stats(),
      .outbox = loop_.outbox().stats(),
      .routes = routes_.stats(),
      .log = shared_->log().stats(),
      .records = records != nullptr ? std::optional{records->stats()} : std::nullopt,
      .rooms = relay_.room_count(),
      .members = relay_.member_count(),
      .present = relay_.present_count(),
      .connections = server_.endpoint().session_count(),
      .uptime = loop_.now() - started_,
      .backend = loop_.backend() == Backend::epoll ? "epoll" : "portable",
      .is_draining = is_draining_,
  };
}

}  // namespace relay_program
