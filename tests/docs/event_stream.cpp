#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/router.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;

// Tells every reader each second what the score is.
class Score final : public muster::Service {
 public:
  explicit Score(muster::Outbox& outbox) : readers_(outbox) {}

  void on_open(muster::Connection& reader, muster::time_point) override { readers_.join(reader); }
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}

  void advance(muster::time_point now) override {
    next_ = now + 1s;
    const std::string event = "id: " + std::to_string(++score_) + "\ndata: the score\n\n";
    // A reader that is behind gets the newest one.
    readers_.broadcast({muster::as_bytes(event)}, nullptr, muster::Delivery::latest(1));
  }
  [[nodiscard]] muster::time_point next_deadline() const noexcept override { return next_; }

 private:
  muster::Group readers_;
  muster::time_point next_{};
  int score_ = 0;
};

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  Score score{loop.outbox()};
  loop.add(score);  // its deadlines: the router knows only the services of its routes
  muster::Router router;
  router.get("/score", [&](const muster::Request&, muster::Decision decision, muster::time_point) {
    decision.accept_stream(score);
  });
  muster::asio::WebSocketServer server{loop, {}, entropy, router};
  if (server.listen("127.0.0.1:8080")) return 1;
  context.run();
}
