// SPDX-License-Identifier: MIT
// A page and its room on one port: who opens http://127.0.0.1:8080/ is in a chat with all others
// who have it open. The page is 05_browser.html, read anew each time it is asked for, so that it
// can be changed while the server runs.
//
//   $ build/dev/examples/05_browser 8080
//
// With --self-check a client of muster's plays the browser's part:
//
//   $ build/dev/examples/05_browser --self-check
//   visitor: connected
//   visitor: hears "hello"
//   visitor: connected again
//   visitor: hears "hello"
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/group.hpp>
#include <muster/router.hpp>

#include <deque>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

using muster::time_point;

class Chat final : public muster::Service {
 public:
  explicit Chat(muster::Outbox& outbox) : everybody_(outbox) {}

  void on_open(muster::Connection& visitor, time_point) override {
    everybody_.join(visitor);
    for (const std::string& line : last_) {
      visitor.send({muster::as_bytes(line), muster::MessageKind::text});
    }
  }
  void on_message(muster::Connection&, const muster::Message& message, time_point) override {
    if (message.kind != muster::MessageKind::text) return;  // text has been checked to be UTF-8
    everybody_.broadcast(message);
    last_.emplace_back(muster::as_text(message.bytes));
    if (last_.size() > 20) last_.pop_front();
  }

 private:
  muster::Group everybody_;  // who leaves is out of it by itself
  std::deque<std::string> last_;
};

// Says hello, and comes a second time to see whether that is still there.
class Visitor final : public muster::Service {
 public:
  Visitor(muster::Dialer& dialer, std::string url, asio::io_context& context)
      : dialer_(&dialer), url_(std::move(url)), context_(&context) {
    dialer_->dial({.url = url_}, *this);
  }
  void on_open(muster::Connection& server, time_point) override {
    std::cout << "visitor: connected" << (is_back_ ? " again\n" : "\n");
    if (!is_back_) server.send({muster::as_bytes("hello"), muster::MessageKind::text});
  }
  void on_message(muster::Connection& server, const muster::Message& message, time_point) override {
    std::cout << "visitor: hears \"" << muster::as_text(message.bytes) << "\"\n";
    server.close(muster::CloseReason::finished);
  }
  void on_close(muster::Connection&, const muster::CloseInfo&, time_point) override {
    if (is_back_) return context_->stop();
    is_back_ = true;
    dialer_->dial({.url = url_}, *this);
  }

 private:
  muster::Dialer* dialer_;
  std::string url_;
  asio::io_context* context_;
  bool is_back_ = false;
};

void send_page(const muster::Request&, muster::Decision decision, time_point) {
  std::ifstream file{MUSTER_EXAMPLE_PAGE};  // the build says where it is
  const std::string page{std::istreambuf_iterator<char>{file}, {}};
  if (page.empty()) return decision.respond({.status = 500, .body = muster::as_bytes("no page\n")});
  decision.respond({.content_type = "text/html; charset=utf-8", .body = muster::as_bytes(page)});
}

int main(int argc, char** argv) {
  const std::string_view argument = argc > 1 ? argv[1] : "8080";
  const bool checks_itself = argument == "--self-check";
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  Chat chat{loop.outbox()};
  muster::Router router;
  router.get("/", send_page).route("/chat", chat);
  muster::asio::WebSocketServer::Config config;
  config.max_message = 1000;  // bytes; whoever sends more is closed
  muster::asio::WebSocketServer server{loop, config, entropy, router};
  const std::string port{checks_itself ? "0" : argument};  // 0: any free one
  if (const auto error = server.listen("127.0.0.1:" + port)) {
    std::cerr << "05_browser: " << error.message() << std::endl;
    return 1;
  }
  const std::string address = "127.0.0.1:" + std::to_string(server.port());
  muster::asio::WebSocketClient dialer{loop, {}, entropy};
  std::optional<Visitor> visitor;
  if (checks_itself) {
    visitor.emplace(dialer, "ws://" + address + "/chat", context);
  } else {
    std::cout << "open http://" << address << "/ in two windows" << std::endl;
  }
  context.run();
}
