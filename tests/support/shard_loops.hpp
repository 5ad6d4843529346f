// SPDX-License-Identifier: MIT
// The front ends of shards on several loops, driven by hand in one thread: what is posted and who
// moves is under way for as long as a test likes.
#pragma once

#include <muster/mac.hpp>
#include <muster/placement.hpp>
#include <muster/shard/matchmaker.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"
#include "support/shard_front.hpp"

namespace test {

class ShardLoops final : public PipeCarrier {
 public:
  using Shard = muster::shard::Shard<Recorder>;
  using time_point = muster::time_point;

  /// One loop: its transport, its registry, its front end, and what was posted to it.
  struct OnLoop {
    OnLoop(const muster::shard::Service::Config& config, std::uint64_t seed)
        : entropy(seed), service(config, registry, world.outbox, entropy) {}
    // Nobody answers pings here.
    SessionWorld world{{.ping_interval = muster::duration{0}, .idle_timeout = muster::duration{0}}};
    muster::SeededEntropy entropy;
    muster::shard::Registry registry;
    muster::shard::Service service;
    std::deque<std::function<void(time_point)>> mail;
    bool is_full = false;  ///< nothing can be posted to it, nobody can move there
    bool is_busy = false;  ///< what is posted waits
  };

  /// Somebody who connected, wherever its session is.
  struct Peer {
    End end;
    std::size_t loop = 0;
    std::string got;   ///< all that it was sent
    std::string said;  ///< what it sends while its session is on its way
    bool is_gone = false;

    [[nodiscard]] unsigned status() const {
      return got.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(got.substr(9, 3)));
    }
    [[nodiscard]] std::string body() const {
      const std::size_t head = got.find("\r\n\r\n");
      return head == std::string::npos ? "" : got.substr(head + 4);
    }
    [[nodiscard]] std::string error() const {
      return nlohmann::json::parse(body()).at("error").at("code");
    }
    /// Of the last close frame; 0: none.
    [[nodiscard]] unsigned close_code() const {
      unsigned code = 0;
      for (const Decoded& each : decode(body(), muster::websocket::Role::client, {})) {
        if (each.type == Decoded::Type::close) code = each.code;
      }
      return code;
    }
    [[nodiscard]] std::size_t messages() const {
      std::size_t count = 0;
      for (const Decoded& each : decode(body(), muster::websocket::Role::client, {})) {
        count += each.type == Decoded::Type::message ? 1U : 0U;
      }
      return count;
    }
  };

  explicit ShardLoops(std::size_t count, const muster::shard::Service::Config& config = {})
      : placement({7, 11}, static_cast<std::uint32_t>(count)) {
    std::vector<muster::shard::Service*> services;
    for (std::size_t i = 0; i < count; ++i) {
      OnLoop& on = *loops.emplace_back(std::make_unique<OnLoop>(config, i + 1));
      services.push_back(&on.service);
      on.service.set_authenticator(&tokens);
      on.world.service.when_upgrade = [&on](const muster::Request& request,
                                            muster::Decision& decision) {
        on.service.on_upgrade(request, std::move(decision), on.world.now);
      };
      on.world.service.when_request = [&on](const muster::Request& request,
                                            muster::Decision& decision) {
        on.service.on_request(request, std::move(decision), on.world.now);
      };
    }
    for (std::size_t i = 0; i < count; ++i) {
      loops[i]->service.join_loops(placement, static_cast<std::uint32_t>(i), services,
                                   [this](std::size_t loop, std::function<void(time_point)> call) {
                                     if (loops[loop]->is_full) return false;
                                     loops[loop]->mail.push_back(std::move(call));
                                     return true;
                                   });
    }
  }

  /// Ends the connections while those who are told of it are there.
  ~ShardLoops() {
    for (const auto& on : loops) on->is_busy = false;
    run();
    for (const auto& on : loops) {
      on->world.endpoint.abandon_all();
      on->world.run();
    }
    run();
  }

  /// An id that lives on that loop.
  [[nodiscard]] std::string id_on(std::size_t loop, int number = 0) const {
    for (int i = 0;; ++i) {
      std::string id = "shard-" + std::to_string(i);
      if (placement.of(muster::as_bytes(id)) == loop && number-- == 0) return id;
    }
  }

  Shard& add(std::size_t loop, const std::string& id, const Shard::Config& config = {.hz = 20}) {
    auto made = std::make_unique<Shard>(config, Recorder{}, now());
    Shard& shard = *made;
    REQUIRE(loops[loop]->registry.insert(id, std::move(made), now()));
    return shard;
  }

  /// Sends a request to that loop; its answer may take `run`.
  Peer& ask(std::size_t loop, const std::string& line, const std::string& token = {},
            bool is_upgrade = false, const std::string& body = {}, const std::string& field = {}) {
    Peer& peer = peers.emplace_back();
    SessionWorld& world = loops[loop]->world;
    peer.loop = loop;
    REQUIRE(world.endpoint.admit({}, now()) == muster::websocket::Admission::admitted);
    peer.end = world.accept();
    peer.end.session->carrier = this;
    std::string head = line + " HTTP/1.1\r\nHost: h\r\n";
    if (is_upgrade) {
      head +=
          "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    }
    if (!token.empty()) head += "Authorization: Bearer " + token + "\r\n";
    if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if (!field.empty()) head += field + "\r\n";
    feed(peer, head + "\r\n" + body);
    return peer;
  }
  Peer& upgrade(std::size_t loop, const std::string& query, const std::string& token = {}) {
    return ask(loop, "GET /?" + query, token, true);
  }
  /// The same, answered.
  Peer& join(std::size_t loop, const std::string& query, const std::string& token = {}) {
    Peer& peer = upgrade(loop, query, token);
    run();
    REQUIRE(peer.status() == 101);
    return peer;
  }

  void feed(Peer& peer, std::string_view bytes) {
    if (is_under_way(peer)) {
      peer.said += bytes;
    } else {
      loops[peer.loop]->world.feed(peer.end, bytes);
    }
    take();
  }
  void say(Peer& peer, const std::string& text) {
    feed(peer, encode(WireFrame{0x81, text}, muster::websocket::Role::server));
  }
  /// Its connection is cut.
  void cut(Peer& peer) {
    peer.is_gone = true;
    if (!is_under_way(peer)) loops[peer.loop]->world.finish(peer.end);
    take();
  }

  /// What was posted to that loop before this.
  void read_mail(std::size_t loop) {
    OnLoop& on = *loops[loop];
    for (auto& call : std::exchange(on.mail, {})) call(on.world.now);
    on.world.run();
    take();
  }

  /// Whoever is under way arrives.
  void deliver() {
    while (!under_way.empty()) {
      Sent sent = std::move(under_way.front());
      under_way.pop_front();
      const std::size_t loop = sent.transit->loop;
      Peer& peer = *std::find_if(peers.begin(), peers.end(),
                                 [&](const Peer& each) { return each.end.pipe == sent.pipe; });
      peer.loop = loop;
      peer.end = loops[loop]->world.arrive(std::move(sent.pipe), *sent.transit, this);
      feed(peer, std::exchange(peer.said, {}));
      if (peer.is_gone) cut(peer);
    }
  }

  /// Until nothing is under way, but to those who are busy.
  void run() {
    const auto has_mail = [](const auto& on) { return !on->mail.empty() && !on->is_busy; };
    while (!under_way.empty() || std::any_of(loops.begin(), loops.end(), has_mail)) {
      for (std::size_t i = 0; i < loops.size(); ++i) {
        if (!loops[i]->is_busy) read_mail(i);
      }
      deliver();
    }
    take();
  }

  /// Lets time pass for all, with a pass at each deadline.
  void wait(muster::duration length) {
    const time_point until = now() + length;
    for (;;) {
      run();
      time_point next = muster::no_deadline;
      for (const auto& on : loops) {
        next = std::min({next, on->service.next_deadline(), on->world.endpoint.next_deadline()});
      }
      if (next > until) break;
      for (const auto& on : loops) {
        on->world.now = std::max(on->world.now, next);
        on->service.advance(on->world.now);
        on->world.endpoint.advance(on->world.now);
        on->world.run();
      }
      take();
    }
    for (const auto& on : loops) on->world.now = until;
  }

  [[nodiscard]] time_point now() const { return loops[0]->world.now; }
  [[nodiscard]] muster::shard::Service& service(std::size_t loop) { return loops[loop]->service; }

  struct Sent {
    std::shared_ptr<Pipe> pipe;
    std::unique_ptr<muster::websocket::Transit> transit;
  };

  muster::Placement placement;
  KnownTokens tokens;
  std::vector<std::unique_ptr<OnLoop>> loops;
  std::list<Peer> peers;
  std::deque<Sent> under_way;

 private:
  muster::MoveStatus reserve(std::size_t loop) override {
    return loops[loop]->is_full ? muster::MoveStatus::full : muster::MoveStatus::moving;
  }
  void give_up(std::size_t) override {}
  bool carry(std::shared_ptr<Pipe>& pipe,
             std::unique_ptr<muster::websocket::Transit>& transit) override {
    under_way.push_back({std::move(pipe), std::move(transit)});
    return true;
  }
  [[nodiscard]] bool is_under_way(const Peer& peer) const {
    return std::any_of(under_way.begin(), under_way.end(),
                       [&](const Sent& sent) { return sent.pipe == peer.end.pipe; });
  }
  void take() {
    for (Peer& peer : peers) peer.got += peer.end.pipe->take();
  }
};

/// A matchmaker whose matches have their shards where the placement says. Outlives the loops.
struct Matches final : muster::shard::MatchHandler {
  void start(ShardLoops& all, muster::shard::Matchmaker::Config config = {
                                  .modes = {{.name = "duel"}, {.name = "pairs", .teams = 2}}}) {
    loops = &all;
    entropy.fill(key);
    signer.emplace(mac, key);
    matchmaker.emplace(config, key, entropy, mac, *this, all.now(), unix_now);
  }
  bool on_match(const muster::shard::Match& match, muster::time_point) override {
    shard = match.shard;
    home = loops->placement.of(muster::as_bytes(match.shard));
    loops->add(home, match.shard, {.hz = 20, .max_subscribers = 2});
    return true;
  }
  std::string ticket_of(std::string_view player) {
    return matchmaker->status(player, loops->now()).ticket;
  }

  static constexpr std::chrono::sys_seconds unix_now{std::chrono::seconds{1'700'000'000}};
  ShardLoops* loops = nullptr;
  muster::SeededEntropy entropy{5};
  muster::WeakMac mac;
  muster::shard::TicketSigner::Key key{};
  std::optional<muster::shard::TicketSigner> signer;
  std::optional<muster::shard::Matchmaker> matchmaker;
  std::string shard;
  std::uint32_t home = 0;
};

}  // namespace test
