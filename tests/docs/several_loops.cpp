#include <muster/asio/loop_group.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/group.hpp>
#include <muster/placement.hpp>

#include <asio/signal_set.hpp>

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

// A chat: the first message of a connection names its room.
struct Chat final : muster::Service {
  Chat(muster::Outbox& o, const muster::Placement& p, std::uint32_t i)
      : outbox(o), placement(p), here(i) {}

  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    if (connection.group() != nullptr) {
      connection.group()->broadcast(message);
      return;
    }
    const std::uint32_t home = placement.of(message.bytes);
    if (home != here) {  // goes there, and this message is heard again there
      if (connection.move_to(home, *siblings[home]) != muster::MoveStatus::moving) {
        connection.close(muster::CloseReason::refused, 1013, "try again later");
      }
      return;
    }
    auto& room = rooms[std::string{muster::as_text(message.bytes)}];
    if (room == nullptr) room = std::make_unique<muster::Group>(outbox);
    room->join(connection);
  }

  // In place of on_open. What a service knows of the connection would be in the luggage.
  void on_arrival(muster::Connection&, std::unique_ptr<muster::Luggage>,
                  muster::time_point) override {}

  muster::Outbox& outbox;
  const muster::Placement placement;
  const std::uint32_t here;
  std::vector<Chat*> siblings;  // only their addresses are used here
  std::map<std::string, std::unique_ptr<muster::Group>> rooms;
};

int main() {
  constexpr std::uint32_t count = 4;
  muster::asio::LoopGroup group{count};
  const muster::asio::Handover handover = group.make_handover();
  muster::asio::WebSocketServer::Config config;
  config.reuse_port = true;  // each loop accepts for itself

  struct OnLoop {
    OnLoop(muster::asio::Loop& loop, const muster::asio::WebSocketServer::Config& config,
           const muster::Placement& placement, std::uint32_t here)
        : chat(loop.outbox(), placement, here), server(loop, config, entropy, chat) {}
    muster::asio::SystemEntropy entropy;
    Chat chat;
    muster::asio::WebSocketServer server;
  };
  muster::asio::SystemEntropy entropy;
  const muster::Placement placement{entropy, count};  // one seed for all
  std::vector<std::unique_ptr<OnLoop>> loops;
  std::vector<Chat*> chats;
  for (std::uint32_t i = 0; i < count; ++i) {
    loops.push_back(std::make_unique<OnLoop>(group.loop(i), config, placement, i));
    chats.push_back(&loops[i]->chat);
    loops[i]->server.join(handover, i);
    if (loops[i]->server.listen("127.0.0.1:8080")) return 1;
  }
  for (Chat* const chat : chats) chat->siblings = chats;

  group.start();
  asio::io_context context{1};
  asio::signal_set signals{context, SIGINT, SIGTERM};
  signals.async_wait([](const std::error_code&, int) {});
  context.run();
  group.stop([&loops](std::size_t i, std::function<void()> done) {
    loops[i]->server.drain(std::chrono::seconds{5}, std::move(done));
  });
}
