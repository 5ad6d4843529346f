// SPDX-License-Identifier: MIT
// matchbox's protocol: the recorded messages, rooms by path, rooms of N, and the host of a room.
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <muster/memory/network.hpp>
#include <muster/signal/matchbox.hpp>

#include <nlohmann/json.hpp>

#include <deque>
#include <set>
#include <string>

using namespace test;
using muster::signal::Matchbox;
using nlohmann::json;

namespace {

class MatchboxPeer final : public muster::Service {
 public:
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point) override {
    heard.push_back(json::parse(muster::as_text(message.bytes)));
  }
  void on_close(muster::Connection&, const muster::CloseInfo& info, muster::time_point) override {
    connection = nullptr;
    code = info.code;
  }
  void send(std::string_view text) {
    connection->send({muster::as_bytes(text), muster::MessageKind::text});
  }
  [[nodiscard]] std::string id() const { return heard.at(0).at("IdAssigned"); }

  muster::Connection* connection = nullptr;
  std::vector<json> heard;
  int code = 0;
};

struct MatchboxWorld {
  explicit MatchboxWorld(const Matchbox::Config& config = {})
      : service(config, network.outbox(), entropy) {
    std::string problem;
    REQUIRE_FALSE(Matchbox::validate(config, problem));
    network.add(service);
  }
  MatchboxWorld(const MatchboxWorld&) = delete;
  MatchboxWorld& operator=(const MatchboxWorld&) = delete;
  ~MatchboxWorld() { network.remove(service); }

  MatchboxPeer& connect(std::string_view path, std::string_view query = {}) {
    MatchboxPeer& peer = peers.emplace_back();
    muster::Request request;
    request.path = path;
    request.query = query;
    peer.connection = &network.connect(peer, service, request);
    network.run_until_quiet();
    return peer;
  }
  void settle() { network.run_until_quiet(); }

  muster::memory::Network network;
  muster::SeededEntropy entropy{5};
  Matchbox service;
  std::deque<MatchboxPeer> peers;
};

// The members of a recorded message, with the identifiers of this run.
std::string with(std::string text, const std::string& recorded, const std::string& now) {
  for (auto at = text.find(recorded); at != std::string::npos; at = text.find(recorded)) {
    text.replace(at, recorded.size(), now);
  }
  return text;
}

}  // namespace

TEST_CASE("matchbox: peers hear of newcomers and exchange the recorded messages", "[signal]") {
  const json vectors = load_vectors("signal_vectors.json");
  const std::string recorded_a = vectors["meta"]["fixtures"]["A"];
  const std::string recorded_b = vectors["meta"]["fixtures"]["B"];
  MatchboxWorld world;
  MatchboxPeer& a = world.connect("/matchbox/lobby");
  MatchboxPeer& b = world.connect("/matchbox/lobby");
  MatchboxPeer& elsewhere = world.connect("/matchbox/other");
  CHECK(a.heard == std::vector<json>{{{"IdAssigned", a.id()}}, {{"NewPeer", b.id()}}});
  CHECK(b.heard == std::vector<json>{{{"IdAssigned", b.id()}}});
  std::size_t sent = 0;
  for (const json& message : vectors["matchbox"]) {
    if (message["dir"] != "c2s") continue;
    // Recorded is what one of the two sends to the other.
    const std::string text = message["json_text"];
    for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      from->send(with(with(text, recorded_a, to->id()), recorded_b, to->id()));
    }
    ++sent;
  }
  CHECK(sent >= 2);
  world.settle();
  CHECK(world.service.stats().malformed == 0);
  REQUIRE(b.heard.size() > 1);
  CHECK(b.heard.back()["Signal"]["sender"] == a.id());
  CHECK(elsewhere.heard.size() == 1);
  b.connection->close(muster::CloseReason::finished);
  world.settle();
  CHECK(a.heard.back() == json{{"PeerLeft", b.id()}});
}

TEST_CASE("matchbox: what is no message is ignored, and what is for nobody is dropped",
          "[signal]") {
  MatchboxWorld world;
  MatchboxPeer& a = world.connect("/matchbox/");
  MatchboxPeer& b = world.connect("/matchbox/world");  // an empty name is this one
  for (const char* const text :
       {"", "1", "[]", "{}", R"("Keepalive")", R"({"Signal":1})", R"({"Signal":{"data":1}})",
        R"({"Signal":{"receiver":"x","data":1}})"}) {
    a.send(text);
  }
  a.send(R"({"Signal":{"receiver":"00000000-0000-4000-8000-000000000000","data":1}})");
  a.send(R"("KeepAlive")");
  a.send(json{{"Signal", {{"receiver", b.id()}, {"data", {{"Offer", "v=0"}}}}}}.dump());
  world.settle();
  CHECK(world.service.stats().malformed == 8);
  CHECK(world.service.stats().undeliverable == 1);
  REQUIRE(b.heard.size() == 2);
  CHECK(b.heard[1] == json{{"Signal", {{"sender", a.id()}, {"data", {{"Offer", "v=0"}}}}}});
  CHECK(world.connect("/matchbox/a/b").code == 400);
  CHECK(world.connect("/matchboxes").code == 400);
  CHECK(world.connect("/matchbox/a", "next=0").code == 400);
}

TEST_CASE("matchbox: rooms of N are filled one after the other", "[signal]") {
  MatchboxWorld world;
  std::vector<MatchboxPeer*> peers;
  for (int i = 0; i < 5; ++i) peers.push_back(&world.connect("/matchbox/duel", "next=2"));
  CHECK(world.service.room_count() == 3);
  CHECK(peers[0]->heard.size() == 2);
  CHECK(peers[1]->heard.size() == 1);
  CHECK(peers[2]->heard.size() == 2);
  CHECK(peers[4]->heard.size() == 1);
  for (MatchboxPeer* const peer : peers) peer->connection->close(muster::CloseReason::finished);
  world.settle();
  CHECK(world.service.room_count() == 0);
  CHECK(world.service.peer_count() == 0);
}

TEST_CASE("matchbox: the first of a client-server room is its host", "[signal]") {
  Matchbox::Config config;
  config.topology = Matchbox::Topology::client_server;
  MatchboxWorld world{config};
  MatchboxPeer& host = world.connect("/matchbox/game");
  MatchboxPeer& a = world.connect("/matchbox/game");
  MatchboxPeer& b = world.connect("/matchbox/game");
  CHECK(host.heard.size() == 3);
  CHECK(a.heard.size() == 1);
  a.send(json{{"Signal", {{"receiver", b.id()}, {"data", 1}}}}.dump());
  a.send(json{{"Signal", {{"receiver", host.id()}, {"data", 2}}}}.dump());
  world.settle();
  CHECK(b.heard.size() == 1);
  CHECK(host.heard.back() == json{{"Signal", {{"sender", a.id()}, {"data", 2}}}});
  host.connection->close(muster::CloseReason::finished);
  world.settle();
  CHECK(a.heard.back() == json{{"PeerLeft", host.id()}});
}

TEST_CASE("matchbox: a room and its peers have bounds", "[signal]") {
  Matchbox::Config config;
  config.max_peers = 2;
  config.rate.messages_per_second = 1;
  MatchboxWorld world{config};
  MatchboxPeer& a = world.connect("/matchbox/game");
  MatchboxPeer& b = world.connect("/matchbox/game");
  CHECK(world.connect("/matchbox/game").code == 1013);
  for (int i = 0; i < 5; ++i) {
    a.send(json{{"Signal", {{"receiver", b.id()}, {"data", i}}}}.dump());
  }
  world.settle();
  CHECK(b.heard.size() == 3);  // of a burst of two seconds
  CHECK(world.service.stats().limited == 3);
}
