// SPDX-License-Identifier: MIT
// The bench protocol on Boost.Beast: one thread, shared immutable messages, a write queue per
// session.

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

// The concrete executor instead of the type-erased one: no allocation and no virtual call per
// handler.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
// No compression, so the stream needs no state for it.
using Stream = websocket::stream<Socket, false>;
using Request = http::request<http::empty_body>;

struct Message {
  std::vector<unsigned char> bytes;
  bool is_binary;
};
using SharedMessage = std::shared_ptr<const Message>;

class Session;

struct Room {
  std::vector<Session*> members;  // without the host
  Session* host = nullptr;
};
enum class Part { none, all, others, new_host, host, new_player, player };
using Rooms = std::unordered_map<std::uint64_t, Room>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Socket&& socket, Rooms& rooms) : stream_(std::move(socket)), rooms_(rooms) {}

  ~Session() { leave(); }

  void start() {
    auto request = std::make_shared<Request>();
    http::async_read(stream_.next_layer(), buffer_, *request,
                     [self = shared_from_this(), request](beast::error_code error, std::size_t) {
                       if (!error) self->upgrade(request);
                     });
  }

  void send(const SharedMessage& message) {
    queue_.push_back(message);
    if (queue_.size() == 1) write();
  }

 private:
  void upgrade(const std::shared_ptr<Request>& request) {
    static constexpr std::pair<const char*, Part> routes[] = {{"/room/", Part::all},
                                                              {"/others/", Part::others},
                                                              {"/host/", Part::new_host},
                                                              {"/play/", Part::new_player}};
    const std::string path(request->target());
    for (const auto& [prefix, part] : routes) {
      if (path.rfind(prefix, 0) != 0) continue;
      part_ = part;
      // A reference into the table stays valid, whatever else is inserted.
      room_ = &rooms_[std::strtoull(path.c_str() + std::strlen(prefix), nullptr, 10)];
    }
    if (part_ == Part::none && path != "/echo") return;
    stream_.set_option(websocket::stream_base::timeout{websocket::stream_base::none(),
                                                       websocket::stream_base::none(), false});
    stream_.auto_fragment(false);
    stream_.async_accept(*request, [self = shared_from_this(), request](beast::error_code error) {
      if (error) return;
      if (self->part_ == Part::all || self->part_ == Part::others) self->join();
      self->read();
    });
  }

  void join() {
    position_ = room_->members.size();
    room_->members.push_back(this);
    is_member_ = true;
  }

  void leave() {
    if (room_ != nullptr && room_->host == this) room_->host = nullptr;
    if (!is_member_) return;
    auto& members = room_->members;
    members[position_] = members.back();
    members[position_]->position_ = position_;
    members.pop_back();
    is_member_ = false;
  }

  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) return self->leave();
      self->deliver();
      self->read();
    });
  }

  void deliver() {
    const auto data = static_cast<const unsigned char*>(buffer_.data().data());
    const auto message = std::make_shared<const Message>(
        Message{{data, data + buffer_.size()}, stream_.got_binary()});
    buffer_.consume(buffer_.size());
    switch (part_) {
      case Part::none:
        return send(message);
      case Part::all:
      case Part::host:
        for (auto* member : room_->members) member->send(message);
        return;
      case Part::others:
        for (auto* member : room_->members) {
          if (member != this) member->send(message);
        }
        return;
      case Part::new_host:
        room_->host = this;
        part_ = Part::host;
        return send(message);
      case Part::new_player:
        join();
        part_ = Part::player;
        send(message);
        [[fallthrough]];
      case Part::player:
        if (room_->host != nullptr) room_->host->send(message);
        return;
    }
  }

  void write() {
    const auto& message = *queue_.front();
    stream_.binary(message.is_binary);
    stream_.async_write(asio::buffer(message.bytes),
                        [self = shared_from_this()](beast::error_code error, std::size_t) {
                          if (error) return;
                          self->queue_.pop_front();
                          if (!self->queue_.empty()) self->write();
                        });
  }

  Stream stream_;
  Rooms& rooms_;
  beast::flat_buffer buffer_;
  std::deque<SharedMessage> queue_;
  Room* room_ = nullptr;
  Part part_ = Part::none;
  std::size_t position_ = 0;
  bool is_member_ = false;
};

void accept_next(Acceptor& acceptor, Rooms& rooms) {
  acceptor.async_accept([&acceptor, &rooms](beast::error_code error, Socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      beast::error_code ignored;
      socket.set_option(asio::ip::tcp::no_delay(true), ignored);
      std::make_shared<Session>(std::move(socket), rooms)->start();
    }
    accept_next(acceptor, rooms);
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0)
      port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
  }
  // Declared before the context: sessions that die with the context still leave their rooms.
  Rooms rooms;
  // One thread only, so Asio may leave out its locks.
  asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  Acceptor acceptor(context);
  const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
  acceptor.open(endpoint.protocol());
  acceptor.set_option(asio::socket_base::reuse_address(true));
  acceptor.bind(endpoint);
  acceptor.listen(4096);
  std::printf("listening on 127.0.0.1:%u\n",
              static_cast<unsigned>(acceptor.local_endpoint().port()));
  std::fflush(stdout);
  accept_next(acceptor, rooms);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&context](beast::error_code, int) { context.stop(); });
  context.run();
  return 0;
}
