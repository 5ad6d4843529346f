#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/group.hpp>
#include <muster/service.hpp>

#include <chrono>

class Chat final : public muster::Service {
 public:
  explicit Chat(muster::Outbox& outbox) : everybody_(outbox) {}

  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point) override {
    if (request.path != "/chat") return decision.respond({.status = 404});
    decision.accept(*this);
  }
  void on_open(muster::Connection& connection, muster::time_point) override {
    everybody_.join(connection);
  }
  void on_message(muster::Connection& from, const muster::Message& message,
                  muster::time_point) override {
    everybody_.broadcast(message, &from);  // encoded once, whatever the number of members
  }

 private:
  muster::Group everybody_;
};

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  Chat chat{loop.outbox()};
  muster::asio::WebSocketServer server{loop, {}, entropy, chat};
  if (server.listen("127.0.0.1:8080")) return 1;
  context.run();
}
