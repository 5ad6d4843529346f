// SPDX-License-Identifier: MIT
// Several loops with a server each, in threads or driven by hand, and a service that moves its
// connections.
#pragma once

#include "support/socket_world.hpp"

#include <muster/asio/handover.hpp>
#include <muster/asio/loop_group.hpp>
#include <muster/luggage.hpp>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// What a connection has counted, wherever it is. Counts how many of its kind there are.
struct Tally final : muster::Luggage {
  Tally() { ++alive; }
  ~Tally() override { --alive; }
  std::uint64_t heard = 0;  ///< messages, each of which has its number
  std::uint64_t sent = 0;   ///< numbered too
  static inline std::atomic<int> alive = 0;
};

/// Each message is "number loop filler": the service goes on with it on that loop, wherever it
/// arrived, and answers "number loop" with a number of its own in front, then a filler.
class WanderingService final : public muster::Service {
 public:
  std::vector<WanderingService*> siblings;  ///< by the number of the loop
  std::size_t here = 0;

  void on_open(muster::Connection& connection, muster::time_point) override {
    ++opens;
    keep(connection, std::make_unique<Tally>());
  }
  void on_arrival(muster::Connection& connection, std::unique_ptr<muster::Luggage> luggage,
                  muster::time_point) override {
    ++arrivals;
    keep(connection, std::unique_ptr<Tally>{static_cast<Tally*>(luggage.release())});
  }
  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    if (!connection.is_open()) return;
    const std::string_view text = muster::as_text(message.bytes);
    const auto [number, loop] = parse(text);
    const auto kept = tallies.find(key(connection));
    if (kept == tallies.end()) {
      ++strangers;
      return;
    }
    Tally& tally = *kept->second;
    if (loop != here) {
      // Goes along, behind what was said before.
      say(connection, tally, "on the way");
      auto luggage = std::move(kept->second);
      tallies.erase(kept);
      last_status = connection.move_to(loop, *siblings[loop], std::move(luggage));
      if (last_status != muster::MoveStatus::moving) {
        ++refusals;
        connection.close(muster::CloseReason::refused, 1013, "try again later");
      } else if (when_moving) {
        when_moving(connection);
      }
      return;
    }
    if (number != tally.heard++) ++out_of_order;
    ++messages;
    say(connection, tally, text);
    if (number % 7 == 0) say(connection, tally, std::string(6000, 'f'));
  }
  void on_close(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point) override {
    ++closes;
    code = info.code;
    tallies.erase(key(connection));
  }

  [[nodiscard]] static std::pair<std::uint64_t, std::size_t> parse(std::string_view text) {
    std::uint64_t number = 0;
    std::size_t loop = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (at != text.data() + text.size()) {
      std::from_chars(at + 1, text.data() + text.size(), loop);
    }
    return {number, loop};
  }

  std::function<void(muster::Connection&)> when_moving;
  std::map<std::uint64_t, std::unique_ptr<Tally>> tallies;
  int opens = 0;
  int arrivals = 0;
  int closes = 0;
  int refusals = 0;
  int messages = 0;
  int out_of_order = 0;
  int strangers = 0;  ///< messages before on_open and on_arrival
  std::uint16_t code = 0;
  muster::MoveStatus last_status = muster::MoveStatus::closed;

 private:
  static std::uint64_t key(const muster::Connection& connection) {
    return std::uint64_t{connection.id().index} << 32U | connection.id().generation;
  }
  void keep(muster::Connection& connection, std::unique_ptr<Tally> tally) {
    tallies.insert_or_assign(key(connection), std::move(tally));
  }
  static void say(muster::Connection& connection, Tally& tally, std::string_view text) {
    std::string line = std::to_string(tally.sent++) + ' ';
    line += text;
    connection.send(muster::Message{muster::as_bytes(line), muster::MessageKind::text});
  }
};

/// Whether what a client was told carries all numbers, in order. Counts the echoes too.
inline bool is_unbroken(const RawClient& client, std::uint64_t* echoes = nullptr) {
  std::uint64_t expected = 0;
  std::uint64_t next_echo = 0;
  for (const std::string& message : client.messages()) {
    const std::string_view text = message;
    if (WanderingService::parse(text).first != expected++) return false;
    const std::string_view rest = text.substr(text.find(' ') + 1);
    if (rest.front() == 'o' || rest.front() == 'f') continue;  // on the way; filler
    if (WanderingService::parse(rest).first != next_echo++) return false;
  }
  if (echoes != nullptr) *echoes = next_echo;
  return true;
}

/// Loops driven by hand in one thread, so that what is under way stays there for as long as a test
/// likes.
struct HandDrivenLoops {
  explicit HandDrivenLoops(std::size_t count, Backend backend,
                           const muster::asio::WebSocketServer::Config& config = {},
                           muster::asio::Loop::Config loop_config = {}) {
    std::vector<muster::asio::Mailbox> mailboxes;
    for (std::size_t i = 0; i < count; ++i) {
      worlds.push_back(std::make_unique<LoopWorld>(backend, loop_config));
      services.push_back(std::make_unique<WanderingService>());
      mailboxes.push_back(worlds[i]->loop.mailbox());
    }
    handover = std::make_unique<muster::asio::Handover>(mailboxes);
    for (std::size_t i = 0; i < count; ++i) {
      for (const auto& service : services) services[i]->siblings.push_back(service.get());
      services[i]->here = i;
      servers.push_back(std::make_unique<muster::asio::WebSocketServer>(
          worlds[i]->loop, config, worlds[i]->entropy, *services[i]));
      servers[i]->join(*handover, i);
      REQUIRE(!servers[i]->listen("127.0.0.1:0"));
    }
  }

  /// A client of that loop's server, whose upgrade was accepted.
  RawClient& open(std::size_t loop, int receive_buffer = 0) {
    RawClient& client =
        *clients.emplace_back(std::make_unique<RawClient>(servers[loop]->port(), receive_buffer));
    client.send(RawClient::upgrade_request());
    REQUIRE(run_until([&] { return client.is_upgraded(); }));
    return client;
  }

  /// One look at a loop.
  void poll(std::size_t loop) {
    worlds[loop]->context.restart();
    worlds[loop]->context.poll();
    for (const auto& client : clients) client->step();
  }

  /// Runs all loops that are there, and the clients.
  template <class Done>
  bool run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      for (std::size_t i = 0; i < worlds.size(); ++i) {
        if (worlds[i] != nullptr) poll(i);
      }
    }
    return true;
  }

  /// Runs one loop only.
  template <class Done>
  bool run_until_on(std::size_t loop, Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      poll(loop);
    }
    return true;
  }

  std::vector<std::unique_ptr<LoopWorld>> worlds;
  std::vector<std::unique_ptr<WanderingService>> services;
  std::unique_ptr<muster::asio::Handover> handover;
  std::vector<std::unique_ptr<muster::asio::WebSocketServer>> servers;
  std::vector<std::unique_ptr<RawClient>> clients;
};

/// Loops in threads of their own, on one port.
struct ThreadedLoops {
  explicit ThreadedLoops(std::size_t count, Backend backend,
                         muster::asio::WebSocketServer::Config config = {})
      : group(count, LoopWorld::with({}, backend)), handover(group.make_handover()) {
    config.reuse_port = true;
    config.close_timeout = std::chrono::milliseconds{100};  // peers that are done answer nothing
    for (std::size_t i = 0; i < count; ++i) {
      services.push_back(std::make_unique<WanderingService>());
      entropies.push_back(std::make_unique<muster::SeededEntropy>(i));
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (const auto& service : services) services[i]->siblings.push_back(service.get());
      services[i]->here = i;
      servers.push_back(std::make_unique<muster::asio::WebSocketServer>(
          group.loop(i), config, *entropies[i], *services[i]));
      servers[i]->join(handover, i);
      REQUIRE(!servers[i]->listen("127.0.0.1:" + std::to_string(port)));
      port = servers[0]->port();
    }
    group.start();
  }

  /// Ends everything in good order.
  void stop() {
    group.stop([this](std::size_t i, std::function<void()> done) {
      servers[i]->drain(std::chrono::seconds{0}, std::move(done));
    });
  }

  /// After `stop`: over all services.
  [[nodiscard]] int sum(int WanderingService::*member) const {
    int total = 0;
    for (const auto& service : services) total += *service.*member;
    return total;
  }

  std::vector<std::unique_ptr<WanderingService>> services;
  std::vector<std::unique_ptr<muster::SeededEntropy>> entropies;
  muster::asio::LoopGroup group;
  muster::asio::Handover handover;
  std::vector<std::unique_ptr<muster::asio::WebSocketServer>> servers;
  std::uint16_t port = 0;
};

}  // namespace test
