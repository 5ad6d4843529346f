// SPDX-License-Identifier: MIT
// Stopping without breaking anything off: on SIGTERM the server takes nobody in any more, everybody
// who is there hears a last word, and the program ends when they are gone. It sends the signal to
// itself when three players are there.
//
//   $ build/dev/examples/08_drain
//   server: 3 players are here
//   server: SIGTERM
//   server: nobody is left
//   ann: "your game is saved", then 1001, a restart
//   bob: "your game is saved", then 1001, a restart
//   eve: "your game is saved", then 1001, a restart
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/group.hpp>

#include <asio/signal_set.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

using muster::time_point;

class Game final : public muster::Service {
 public:
  explicit Game(muster::Outbox& outbox) : players_(outbox) {}

  void on_open(muster::Connection& player, time_point) override {
    players_.join(player);
    if (players_.size() < 3) return;
    std::cout << "server: " << players_.size() << " players are here" << std::endl;
    std::raise(SIGTERM);
  }
  void on_message(muster::Connection&, const muster::Message&, time_point) override {}

  // Last words have a part of each budget for themselves, so even a slow player hears them.
  void on_drain(time_point) override {
    for (std::size_t i = players_.size(); i > 0; --i) {  // who is closed is no member any more
      players_.member(i - 1).close(muster::CloseReason::draining, 1001, "a restart",
                                   {muster::as_bytes("your game is saved")});
    }
  }

 private:
  muster::Group players_;
};

struct Player final : muster::Service {
  explicit Player(const char* its_name) : name(its_name) {}
  void on_message(muster::Connection&, const muster::Message& message, time_point) override {
    last_word = muster::as_text(message.bytes);
  }
  void on_close(muster::Connection&, const muster::CloseInfo& info, time_point) override {
    end = std::to_string(info.code) + ", " + std::string{info.text};
  }
  const char* name;
  std::string last_word, end;
};

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  Game game{loop.outbox()};
  muster::asio::WebSocketServer server{loop, {}, entropy, game};
  if (const auto error = server.listen("127.0.0.1:0")) {
    std::cerr << "08_drain: " << error.message() << std::endl;
    return 1;
  }

  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    std::cout << "server: SIGTERM" << std::endl;
    // Whoever is still there after five seconds is closed.
    server.drain(std::chrono::seconds{5}, [&] {
      std::cout << "server: nobody is left" << std::endl;
      context.stop();
    });
  });

  std::array players{Player{"ann"}, Player{"bob"}, Player{"eve"}};
  {
    muster::asio::WebSocketClient dialer{loop, {}, entropy};
    for (Player& player : players) {
      dialer.dial({.url = "ws://127.0.0.1:" + std::to_string(server.port()) + "/"}, player);
    }
    context.run();
  }  // the dialer's end tells players what they have not heard yet
  for (const Player& player : players) {
    std::cout << player.name << ": \"" << player.last_word << "\", then " << player.end << '\n';
  }
}
