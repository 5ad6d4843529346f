// SPDX-License-Identifier: MIT
// The bench protocol on stock websocketpp with its Asio transport: one thread, no locks, a
// broadcast is prepared once.

#include <websocketpp/concurrency/none.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/logger/stub.hpp>
#include <websocketpp/processors/hybi13.hpp>
#include <websocketpp/server.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

struct Room;

enum class Part { none, all, others, new_host, host, new_player, player };

/// What a connection knows about itself; websocketpp derives its connection class from it.
struct Membership {
  Room* room = nullptr;
  std::size_t position = 0;
  Part part = Part::none;
  bool is_member = false;
};

struct Config : websocketpp::config::asio {
  using type = Config;
  using base = websocketpp::config::asio;
  using concurrency_type = websocketpp::concurrency::none;
  using request_type = base::request_type;
  using response_type = base::response_type;
  using message_type = base::message_type;
  using con_msg_manager_type = base::con_msg_manager_type;
  using endpoint_msg_manager_type = base::endpoint_msg_manager_type;
  using alog_type = websocketpp::log::stub;
  using elog_type = websocketpp::log::stub;
  using rng_type = base::rng_type;
  using connection_base = Membership;

  struct transport_config : base::transport_config {
    using type = transport_config;
    using concurrency_type = Config::concurrency_type;
    using alog_type = Config::alog_type;
    using elog_type = Config::elog_type;
    using request_type = Config::request_type;
    using response_type = Config::response_type;
    using socket_type = websocketpp::transport::asio::basic_socket::endpoint;
    // One thread: no strand around every handler.
    static bool const enable_multithreading = false;
  };
  using transport_type = websocketpp::transport::asio::endpoint<transport_config>;
};

using Server = websocketpp::server<Config>;
using Connection = Server::connection_ptr;
using MessagePointer = Server::message_ptr;

struct Room {
  std::vector<Connection> members;  // without the host
  Connection host;
};

class Bench {
 public:
  explicit Bench(asio::io_context& context)
      : messages_(std::make_shared<Config::con_msg_manager_type>()),
        encoder_(false, true, messages_, random_) {
    server_.init_asio(&context);
    server_.set_reuse_addr(true);
    server_.set_listen_backlog(4096);
    server_.set_open_handshake_timeout(0);
    // The socket exists only now; options set earlier do not reach accepted sockets
    // (zaphoyd/websocketpp#530).
    server_.set_tcp_post_init_handler([this](websocketpp::connection_hdl handle) {
      std::error_code ignored;
      server_.get_con_from_hdl(handle)->get_raw_socket().set_option(asio::ip::tcp::no_delay(true),
                                                                    ignored);
    });
    server_.set_validate_handler([this](websocketpp::connection_hdl handle) {
      const auto connection = server_.get_con_from_hdl(handle);
      const auto& path = connection->get_resource();
      static constexpr std::pair<const char*, Part> routes[] = {{"/room/", Part::all},
                                                                {"/others/", Part::others},
                                                                {"/host/", Part::new_host},
                                                                {"/play/", Part::new_player}};
      for (const auto& [prefix, part] : routes) {
        if (path.rfind(prefix, 0) != 0) continue;
        connection->part = part;
        // A reference into the table stays valid, whatever else is inserted.
        connection->room = &rooms_[std::strtoull(path.c_str() + std::strlen(prefix), nullptr, 10)];
        return true;
      }
      return path == "/echo";
    });
    server_.set_open_handler([this](websocketpp::connection_hdl handle) {
      const auto connection = server_.get_con_from_hdl(handle);
      if (connection->part == Part::all || connection->part == Part::others) join(connection);
    });
    server_.set_close_handler(
        [this](websocketpp::connection_hdl handle) { leave(*server_.get_con_from_hdl(handle)); });
    server_.set_message_handler([this](websocketpp::connection_hdl handle, MessagePointer message) {
      deliver(server_.get_con_from_hdl(handle), message);
    });
  }

  std::uint16_t listen(std::uint16_t port) {
    server_.listen(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port));
    server_.start_accept();
    websocketpp::lib::asio::error_code error;
    return server_.get_local_endpoint(error).port();
  }

 private:
  static void join(const Connection& connection) {
    auto& members = connection->room->members;
    connection->position = members.size();
    connection->is_member = true;
    members.push_back(connection);
  }

  static void leave(Server::connection_type& connection) {
    Room* const room = connection.room;
    if (room != nullptr && room->host.get() == &connection) room->host.reset();
    if (!connection.is_member) return;
    room->members[connection.position] = room->members.back();
    room->members[connection.position]->position = connection.position;
    room->members.pop_back();
    connection.is_member = false;
  }

  void deliver(const Connection& sender, const MessagePointer& message) {
    Room* const room = sender->room;
    switch (sender->part) {
      case Part::none:
        sender->send(message);
        return;
      case Part::all:
      case Part::others:
      case Part::host:
        return broadcast(*room, message, sender->part == Part::others ? sender.get() : nullptr);
      case Part::new_host:
        room->host = sender;
        sender->part = Part::host;
        sender->send(message);
        return;
      case Part::new_player:
        join(sender);
        sender->part = Part::player;
        sender->send(message);
        [[fallthrough]];
      case Part::player:
        if (room->host != nullptr) room->host->send(message);
        return;
    }
  }

  void broadcast(const Room& room, const MessagePointer& message,
                 const Server::connection_type* except) {
    // A message that is already prepared is queued as it is, so header and payload exist once for
    // all members.
    const auto prepared = messages_->get_message();
    if (encoder_.prepare_data_frame(message, prepared)) return;
    for (const auto& member : room.members) {
      if (member.get() != except) member->send(prepared);
    }
  }

  Server server_;
  Config::rng_type random_;
  Config::con_msg_manager_type::ptr messages_;
  websocketpp::processor::hybi13<Config> encoder_;
  std::unordered_map<std::uint64_t, Room> rooms_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0)
      port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
  }
  // One thread only, so Asio may leave out its locks.
  asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
  Bench bench(context);
  std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(bench.listen(port)));
  std::fflush(stdout);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&context](std::error_code, int) { context.stop(); });
  context.run();
  return 0;
}
