// SPDX-License-Identifier: MIT
// The benchmark protocol on muster.
//
// `/echo` sends back. `/room/N` sends to everybody in room N, `/others/N` to everybody but the
// sender. `/host/N` and `/play/N` join a room by their first message: it is sent back, and a
// player's goes to the host too; afterwards the host's messages go to all players, and a player's
// to the host.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>

#include <asio/signal_set.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace {

enum class Part : std::uint8_t { all, others, new_host, host, new_player, player };

struct Room;

// What a connection is in its room: its context, so that no connection needs memory of its own.
struct Role {
  Room& room;
  Part part;
};

struct Room {
  Room(muster::Outbox& outbox, muster::FlushWindow window) : members(outbox, window) {}

  Role& role(Part part) { return roles[static_cast<std::size_t>(part)]; }

  muster::Group members;  // without the host
  muster::Connection* host = nullptr;
  std::array<Role, 6> roles{{{*this, Part::all},
                             {*this, Part::others},
                             {*this, Part::new_host},
                             {*this, Part::host},
                             {*this, Part::new_player},
                             {*this, Part::player}}};
};

class BenchService final : public muster::Service {
 public:
  BenchService(muster::Outbox& outbox, muster::FlushWindow window)
      : outbox_(outbox), window_(window) {}

  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point) override {
    static constexpr std::array<std::pair<std::string_view, Part>, 4> routes{
        {{"/room/", Part::all},
         {"/others/", Part::others},
         {"/host/", Part::new_host},
         {"/play/", Part::new_player}}};
    const std::string_view path = request.path;
    if (path == "/echo") {
      decision.accept(*this);
      return;
    }
    for (const auto& [prefix, part] : routes) {
      if (!path.starts_with(prefix)) continue;
      auto& room = rooms_[std::strtoull(path.data() + prefix.size(), nullptr, 10)];
      if (room == nullptr) room = std::make_unique<Room>(outbox_, window_);
      decision.accept(*this, {}, &room->role(part));
      return;
    }
    decision.respond({.status = 404});
  }

  void on_open(muster::Connection& connection, muster::time_point) override {
    const Role* const role = connection.context<Role>();
    if (role != nullptr && (role->part == Part::all || role->part == Part::others))
      role->room.members.join(connection);
  }

  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    const Role* const role = connection.context<Role>();
    if (role == nullptr) {
      connection.send(message);
      return;
    }
    Room& room = role->room;
    switch (role->part) {
      case Part::all:
      case Part::host:
        room.members.broadcast(message);
        break;
      case Part::others:
        room.members.broadcast(message, &connection);
        break;
      case Part::new_host:
        room.host = &connection;
        connection.set_context(&room.role(Part::host));
        connection.send(message);
        break;
      case Part::new_player:
        room.members.join(connection);
        connection.set_context(&room.role(Part::player));
        connection.send(message);
        [[fallthrough]];
      case Part::player:
        if (room.host != nullptr) room.host->send(message);
        break;
    }
  }

  void on_close(muster::Connection& connection, const muster::CloseInfo&,
                muster::time_point) override {
    const Role* const role = connection.context<Role>();
    if (role != nullptr && role->room.host == &connection) role->room.host = nullptr;
  }

 private:
  muster::Outbox& outbox_;
  muster::FlushWindow window_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Room>> rooms_;
};

}  // namespace

// Options: --port N, --lead MS, --tick MS, --portable, --defer.
int main(int argc, char** argv) {
  std::string port = "0";
  muster::FlushWindow window;
  muster::asio::Loop::Config loop_config;
  muster::asio::WebSocketServer::Config config;
  config.max_message = 16 * 1024 * 1024;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--port") port = value;
    if (option == "--lead")
      window = muster::FlushWindow::lead(std::chrono::milliseconds{std::atoi(value)});
    if (option == "--tick")
      window = muster::FlushWindow::tick(std::chrono::milliseconds{std::atoi(value)});
    if (option == "--portable") loop_config.backend = muster::asio::Backend::portable;
    if (option == "--defer") config.defer_accept = true;
  }
  // What the peers do: nothing waits in vain for a slow reader of this machine.
  loop_config.outbox.budget = {.bytes = 64 * 1024 * 1024, .frames = 65'000};

  asio::io_context context{1};
  muster::asio::Loop loop{context, loop_config};
  muster::asio::SystemEntropy entropy;
  BenchService service{loop.outbox(), window};
  muster::asio::WebSocketServer server{loop, config, entropy, service};
  if (const std::error_code error = server.listen("127.0.0.1:" + port)) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
  std::printf("listening on 127.0.0.1:%u\n", unsigned{server.port()});
  std::fflush(stdout);
  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&context](const std::error_code&, int) { context.stop(); });
  context.run();
}
