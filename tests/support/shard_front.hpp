// SPDX-License-Identifier: MIT
// The front end of shards behind WebSocket sessions whose peers write their bytes by hand.
#pragma once

#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"
#include "support/vectors.hpp"

namespace test {

/// A game whose inputs are any JSON values; its state is the list of them, in order.
struct Recorder {
  using Input = std::string;
  static std::optional<std::string> decode(muster::byte_view bytes, muster::shard::Format) {
    std::string text{muster::as_text(bytes)};
    if (text == "\"wrong type\"") return std::nullopt;
    return text;
  }
  void apply(const muster::shard::Subscriber& from, const std::string& input) {
    inputs.push_back({from.id, input});
  }
  void step(muster::duration) {}
  void encode(const muster::shard::View&, std::vector<std::byte>& out) const {
    const std::string text = std::to_string(inputs.size());
    const muster::byte_view bytes = muster::as_bytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  struct Noted {
    std::string from;
    std::string input;
  };
  std::vector<Noted> inputs;
};

/// The sessions that the vectors name.
struct KnownTokens final : muster::shard::Authenticator {
  void authenticate(std::string_view token, const muster::Request&,
                    muster::shard::Authentication authentication, muster::time_point now) override {
    const auto found = tokens.find(std::string{token});
    authentication.is(found == tokens.end() ? muster::shard::Identity{} : found->second, now);
  }
  [[nodiscard]] bool is_valid(std::uint64_t session, muster::time_point) override {
    ++asked;
    return session != revoked;
  }
  std::map<std::string, muster::shard::Identity> tokens{{"tok-alice", {"alice", false, 1}},
                                                        {"tok-bob", {"bob", false, 2}},
                                                        {"a/b+c=", {"b64", false, 3}},
                                                        {"t \u00e9", {"space", false, 4}},
                                                        {"admin", {"", true, 5}}};
  std::uint64_t revoked = 0;
  int asked = 0;
};

/// The shards that the vectors name, and the front end.
class ShardFront {
 public:
  using Shard = muster::shard::Shard<Recorder>;

  explicit ShardFront(const muster::shard::Service::Config& config = {})
      : service(config, registry, world.outbox, entropy) {
    service.set_authenticator(&tokens);
    const auto guests = muster::shard::Guests::named;
    add("m1", {.hz = 20});
    add("open", {.hz = 20, .guests = guests});
    add("full", {.hz = 20, .max_subscribers = 1, .guests = guests});
    add("stopped", {.hz = 20, .guests = guests}).end(muster::shard::Ending::stopped, world.now);
    add("a b", {.hz = 20, .guests = guests});
    add("\u00e9", {.hz = 20, .guests = guests});
    world.service.when_upgrade = [this](const muster::Request& request,
                                        muster::Decision& decision) {
      service.on_upgrade(request, std::move(decision), world.now);
    };
    world.service.when_request = [this](const muster::Request& request,
                                        muster::Decision& decision) {
      service.on_request(request, std::move(decision), world.now);
    };
  }

  /// Ends the connections while those who are told of it are there.
  ~ShardFront() {
    world.endpoint.abandon_all();
    world.run();
  }
  ShardFront(const ShardFront&) = delete;
  ShardFront& operator=(const ShardFront&) = delete;

  Shard& add(const std::string& id, const Shard::Config& config) {
    auto made = std::make_unique<Shard>(config, Recorder{}, world.now);
    Shard& shard = *made;
    static_cast<void>(registry.insert(id, std::move(made), world.now));
    return shard;
  }
  Shard& shard(std::string_view id) { return static_cast<Shard&>(*registry.find(id)); }

  /// Sends a request head, and what follows it in the same read.
  End request(std::string_view line, std::vector<std::pair<std::string, std::string>> fields,
              bool is_upgrade = true, std::string_view then = {}) {
    std::string head{line};
    head += "\r\nHost: 127.0.0.1:4324\r\n";
    const auto has = [&](std::string_view name) {
      return std::any_of(fields.begin(), fields.end(),
                         [&](const auto& field) { return field.first == name; });
    };
    if (is_upgrade) {
      head += "Upgrade: websocket\r\nConnection: Upgrade\r\n";
      if (!has("Sec-WebSocket-Version")) head += "Sec-WebSocket-Version: 13\r\n";
      if (!has("Sec-WebSocket-Key")) head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    }
    for (const auto& [name, value] : fields) {
      if (!value.empty()) head += name + ": " + value + "\r\n";
    }
    head += "\r\n";
    End end = world.admits(remote) ? world.accept(remote) : world.refuse(remote);
    world.feed(end, head + std::string{then});
    return end;
  }

  /// A connection that is open; its answer has been taken.
  End join(const std::string& query, const std::string& token = {}) {
    End end = request("GET /?" + query + " HTTP/1.1", {{"Authorization", bearer(token)}});
    const std::string answer = end.pipe->take();
    REQUIRE(answer.starts_with("HTTP/1.1 101"));
    return end;
  }
  static std::string bearer(const std::string& token) {
    return token.empty() ? "" : "Bearer " + token;
  }

  /// Sends one text message.
  void say(End& end, const std::string& text) {
    world.feed(end, encode({0x81, text}, muster::websocket::Role::server));
  }

  /// Lets time pass, with a pass at each deadline of shards and sessions.
  void wait(muster::duration length) {
    const muster::time_point until = world.now + length;
    for (;;) {
      const muster::time_point next =
          std::min(service.next_deadline(), world.endpoint.next_deadline());
      if (next > until) break;
      world.now = std::max(world.now, next);
      service.advance(world.now);
      world.endpoint.advance(world.now);
      world.run();
    }
    world.now = until;
  }

  // Nobody answers pings here.
  SessionWorld world{{.max_connections_per_address = 64,
                      .ping_interval = muster::duration{0},
                      .idle_timeout = muster::duration{0}}};
  muster::Address remote = muster::Address::v4(0xc0000201, 1);  ///< of all who come
  muster::SeededEntropy entropy{7};
  muster::shard::Registry registry;
  KnownTokens tokens;
  muster::shard::Service service;
};

}  // namespace test
