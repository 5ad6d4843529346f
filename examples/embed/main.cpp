// SPDX-License-Identifier: MIT
// A chat room inside a poll(2) loop of one's own: no Asio, and no socket code but what is in here.
//
//   $ muster-embed 8090                                (0: any free port; Ctrl-C ends it)
//   listening on ws://127.0.0.1:8090/
//   $ python3 -m websockets ws://127.0.0.1:8090/       (in two more terminals)
//   < 1 is here                                        (< 2 is here)
//   > hello
//   < 1: hello                                         (< 1: hello)
#include <muster/room/room.hpp>
#include <muster/websocket/session.hpp>

#include <csignal>
#include <iostream>
#include <list>
#include <random>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace muster;
using namespace std::chrono_literals;

struct Chat final : Service {  // what the room does
  explicit Chat(Outbox& outbox) : room(1, {.first_id = 1}, outbox, this) {}
  void on_open(Connection& who, time_point now) override {
    if (!room.next_id(now, 100)) return who.close(CloseReason::refused, 1013, "the room is full");
    room.admit(who, now);
    room.audience(0).join(who);
    tell(who, " is here");
  }
  void on_message(Connection& who, const Message& message, time_point) override {
    if (message.kind == MessageKind::text) tell(who, ": ", message.bytes);
  }
  void on_close(Connection& who, const CloseInfo&, time_point now) override {
    if (who.context<Room::Member>() == nullptr) return;  // it never got in
    tell(who, " has left");
    room.remove(*who.context<Room::Member>(), now);
  }
  void tell(const Connection& who, const char* what, byte_view text = {}) {
    const std::string front = std::to_string(who.context<Room::Member>()->id) + what;
    room.audience(0).broadcast(std::array{as_bytes(front), text}, MessageKind::text);
  }
  Room room;
};

class Peer final : public websocket::Session {  // a session's bytes: in with recv, out with send
 public:
  Peer(websocket::Endpoint& endpoint, int fd) : Session(endpoint, Framing::server), fd_(fd) {}
  pollfd interest() const { return {fd_, static_cast<short>(is_blocked() ? POLLOUT : POLLIN), 0}; }
  void ready(short what, mutable_byte_view buffer, time_point now) {
    if ((what & POLLOUT) != 0) return writable();  // who does not read is not read from
    if (what == 0) return;
    const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) return receive(buffer.first(static_cast<std::size_t>(size)), now);
    if (size == 0) return receive_end(now);
    if (errno != EAGAIN) broke();
  }

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override {
    std::ptrdiff_t sum = 0;
    for (const byte_view piece : pieces) {  // sendmsg(2) takes them all in one call
      const ssize_t size = ::send(fd_, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0) return errno == EAGAIN ? sum : (broke(), -1);
      sum += size;
      if (size < std::ssize(piece)) break;
    }
    return sum;
  }
  void half_close() noexcept override { ::shutdown(fd_, SHUT_WR); }
  void destroy() noexcept override { ::close(std::exchange(fd_, -1)); }
  int fd_;
};

struct SystemEntropy final : Entropy {
  void fill(mutable_byte_view out) noexcept override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(std::random_device{}());
  }
};

int main(int argc, char** argv) {
  static const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const auto port = static_cast<in_port_t>(argc > 1 ? std::stoi(argv[1]) : 8090);
  sockaddr_in at{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  socklen_t size = sizeof(at);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0) return std::perror("bind"), 1;
  if (::listen(listener, 64) != 0) return std::perror("listen"), 1;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  std::cout << "listening on ws://127.0.0.1:" << ntohs(at.sin_port) << '/' << std::endl;
  std::signal(SIGINT, [](int) { ::shutdown(listener, SHUT_RDWR); });  // poll says POLLHUP

  Outbox outbox;
  bool dirty = false;
  outbox.on_dirty([&dirty] { dirty = true; });
  Chat chat{outbox};
  SystemEntropy entropy;
  time_point now = std::chrono::steady_clock::now();
  websocket::Endpoint endpoint{{}, outbox, entropy, &chat, now};
  std::list<Peer> peers;
  std::vector<std::byte> buffer(64 * 1024);
  for (bool stop = false; !stop || !peers.empty();) {
    const short accepting = peers.size() < 1000 ? POLLIN : 0;  // others wait in the backlog
    std::vector<pollfd> polled{{stop ? -1 : listener, accepting, 0}};
    for (const Peer& peer : peers) polled.push_back(peer.interest());
    const auto wait = std::min(endpoint.next_deadline() - now, duration{1min}) / 1ms;
    ::poll(polled.data(), polled.size(), static_cast<int>(wait) + 1);
    now = std::chrono::steady_clock::now();
    std::size_t i = 0;
    for (Peer& peer : peers) peer.ready(polled[++i].revents, buffer, now);
    const int fd = polled[0].revents == POLLIN ? ::accept(listener, nullptr, nullptr) : -1;
    if (fd >= 0) peers.emplace_back(endpoint, fd).start(now);
    if ((polled[0].revents & POLLHUP) != 0) endpoint.close_all(), stop = true;
    endpoint.advance(now);
    while (std::exchange(dirty, false)) outbox.run(now);
    std::erase_if(peers, [](const Peer& peer) { return peer.interest().fd < 0; });
  }
}
