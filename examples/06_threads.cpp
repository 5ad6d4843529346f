// SPDX-License-Identifier: MIT
// All cores: four loops on a port, each on a thread of its own. A room lives on one loop, which its
// name decides, and a guest who asks for it on another one moves there. So each room is touched by
// one thread only, and nothing needs a lock.
//
//   $ build/dev/examples/06_threads
//   64 guests met in 16 rooms on 4 loops
#include <muster/asio/loop_group.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/group.hpp>
#include <muster/placement.hpp>

#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

using muster::time_point;
constexpr std::uint32_t loop_count = 4;  // a server takes std::thread::hardware_concurrency()
constexpr std::size_t room_count = 16;
constexpr std::size_t room_size = 4;

// The rooms of one loop. The first message of a guest is the name of the room that it wants.
struct Rooms final : muster::Service {
  Rooms(muster::Outbox& o, const muster::Placement& p, std::uint32_t i)
      : outbox(o), placement(p), here(i) {}

  void on_message(muster::Connection& guest, const muster::Message& name, time_point) override {
    const std::uint32_t home = placement.of(name.bytes);
    if (home != here) {  // it moves after this pass, and this message is heard again there
      if (guest.move_to(home, *of_loop[home]) == muster::MoveStatus::moving) return;
      return guest.close(muster::CloseReason::refused, 1013, "try again later");
    }
    auto& room = rooms[std::string{muster::as_text(name.bytes)}];
    if (room == nullptr) room = std::make_unique<muster::Group>(outbox);
    room->join(guest);
    if (room->size() == room_size) room->broadcast({muster::as_bytes("all are here")});
  }
  // Called there in place of on_open.
  void on_arrival(muster::Connection&, std::unique_ptr<muster::Luggage>, time_point) override {}

  muster::Outbox& outbox;
  const muster::Placement& placement;
  const std::uint32_t here;
  std::vector<Rooms*> of_loop;  // for their addresses: they belong to other threads
  std::map<std::string, std::unique_ptr<muster::Group>> rooms;
};

// All guests: each asks for a room, and leaves when it is told that nobody is missing there.
struct Guests final : muster::Service {
  explicit Guests(asio::io_context& on) : context(on) {}
  void on_open(muster::Connection& server, time_point) override {
    server.send({muster::as_bytes("room " + std::to_string(come++ % room_count))});
  }
  void on_message(muster::Connection& server, const muster::Message&, time_point) override {
    ++met;
    server.close(muster::CloseReason::finished);
  }
  void on_close(muster::Connection&, const muster::CloseInfo&, time_point) override {
    if (++gone == room_count * room_size) context.stop();
  }
  asio::io_context& context;
  std::size_t come = 0, met = 0, gone = 0;
};

struct OnLoop {  // whatever is needed once for each loop
  OnLoop(muster::asio::Loop& loop, const muster::asio::WebSocketServer::Config& config,
         const muster::Placement& placement, std::uint32_t i)
      : rooms(loop.outbox(), placement, i), server(loop, config, entropy, rooms) {}
  muster::asio::SystemEntropy entropy;
  Rooms rooms;
  muster::asio::WebSocketServer server;
};

int main() {
  muster::asio::SystemEntropy entropy;
  const muster::Placement placement{entropy, loop_count};
  muster::asio::LoopGroup group{loop_count};
  const muster::asio::Handover handover = group.make_handover();
  muster::asio::WebSocketServer::Config config;
  config.reuse_port = true;  // each loop accepts for itself
  std::vector<std::unique_ptr<OnLoop>> loops;
  std::vector<Rooms*> of_loop;
  for (std::uint32_t i = 0; i < loop_count; ++i) {
    loops.push_back(std::make_unique<OnLoop>(group.loop(i), config, placement, i));
    loops[i]->server.join(handover, i);
    of_loop.push_back(&loops[i]->rooms);
    const auto port = loops[0]->server.port();  // 0, any free one, for the first of them
    if (loops[i]->server.listen("127.0.0.1:" + std::to_string(port))) return 1;
  }
  for (const auto& it : loops) it->rooms.of_loop = of_loop;
  group.start();

  // The guests have a loop of their own, on this thread.
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  Guests guests{context};
  muster::asio::WebSocketClient dialer{loop, {}, entropy};
  const std::string url = "ws://127.0.0.1:" + std::to_string(loops[0]->server.port()) + "/";
  for (std::size_t i = 0; i < room_count * room_size; ++i) dialer.dial({.url = url}, guests);
  context.run();

  group.stop([&loops](std::size_t i, std::function<void()> done) {
    loops[i]->server.drain(std::chrono::seconds{5}, std::move(done));
  });
  std::cout << guests.met << " guests met in " << room_count << " rooms on " << loop_count
            << " loops\n";
}
