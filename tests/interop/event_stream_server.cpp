// SPDX-License-Identifier: MIT
// A server of event streams for a test's clients, and a page that reads them.
//
// usage: event_stream_server BACKEND
// Prints its port, and "closed REASON" for each stream that ended; ends with its standard input.
// /page has a reader, /bye ends every stream. /events counts on from Last-Event-ID, an event each
// 10 ms; each fifth ends the response, each tenth is in two lines.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/router.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iostream>
#include <map>
#include <string>

#include <unistd.h>

namespace {

using namespace std::chrono_literals;

constexpr std::string_view page =
    "<!doctype html><meta charset=utf-8><title>events</title><script>\n"
    "window.seen = []; window.opened = 0;\n"
    "const source = new EventSource('/events');\n"
    "source.onopen = () => { window.opened++; };\n"
    "source.onmessage = (event) => { window.seen.push([event.lastEventId, event.data]); };\n"
    "</script>";

class Counter final : public muster::Service {
 public:
  void stream(const muster::Request& request, muster::Decision decision) {
    const std::string_view last = request.header("Last-Event-ID").value_or("0");
    int id = 0;
    std::from_chars(last.data(), last.data() + last.size(), id);
    starts_at_ = id;
    decision.accept_stream(*this);
  }

  void on_open(muster::Connection& connection, muster::time_point now) override {
    next_[&connection] = starts_at_ + 1;
    deadline_ = std::min(deadline_, now + 10ms);
  }
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
  void on_close(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point) override {
    next_.erase(&connection);
    std::cout << "closed " << muster::to_string(info.reason) << std::endl;
  }

  void close_all() {
    for (const auto& [connection, id] : next_) connection->close(muster::CloseReason::finished);
  }

  void advance(muster::time_point now) override {
    for (auto& [connection, id] : next_) {
      if (!connection->is_open()) continue;
      const std::string number = std::to_string(id);
      std::string event = "id: " + number + "\ndata: tick " + number + "\n";
      if (id % 10 == 0) event += "data: \xc3\xa9\n";
      event += '\n';
      connection->send({muster::as_bytes(event), muster::MessageKind::text});
      // A reader is to come back at once.
      if (id % 5 == 0) {
        connection->close(muster::CloseReason::finished, 0, {},
                          {muster::as_bytes("retry: 10\n\n"), muster::MessageKind::text});
      }
      ++id;
    }
    deadline_ = next_.empty() ? muster::no_deadline : now + 10ms;
  }
  [[nodiscard]] muster::time_point next_deadline() const noexcept override { return deadline_; }

 private:
  std::map<muster::Connection*, int> next_;
  int starts_at_ = 0;  // of the stream that is being accepted
  muster::time_point deadline_ = muster::no_deadline;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  asio::io_context context{1};
  muster::asio::Loop::Config loop_config;
  loop_config.backend = std::string{argv[1]} == "portable" ? muster::asio::Backend::portable
                                                           : muster::asio::Backend::epoll;
  muster::asio::Loop loop{context, loop_config};
  muster::asio::SystemEntropy entropy;
  Counter counter;
  muster::Router router;
  using muster::Decision;
  using muster::Request;
  using muster::time_point;
  router
      .route("/ws", counter)  // so that the counter's deadlines are looked at
      .get("/events", [&](const Request& request, Decision decision,
                          time_point) { counter.stream(request, std::move(decision)); })
      .get("/page",
           [](const Request&, Decision decision, time_point) {
             decision.respond(
                 {.content_type = "text/html; charset=utf-8", .body = muster::as_bytes(page)});
           })
      .get("/bye", [&](const Request&, Decision decision, time_point) {
        counter.close_all();
        decision.respond({.body = muster::as_bytes("bye\n")});
      });
  muster::asio::WebSocketServer server{loop, {}, entropy, router};
  if (server.listen("127.0.0.1:0")) return 1;
  std::cout << server.port() << std::endl;

  asio::posix::stream_descriptor input{context, ::dup(STDIN_FILENO)};
  char byte = 0;
  input.async_read_some(asio::buffer(&byte, 1),
                        [&](const std::error_code&, std::size_t) { context.stop(); });
  context.run();
  return 0;
}
