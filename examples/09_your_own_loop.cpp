// SPDX-License-Identifier: MIT
// A loop of one's own: two UDP sockets and poll(2), without Asio. The program moves datagrams and
// tells the time; the sessions say when they are due next. embed/soe_poll.cpp is the server alone,
// for others to play with; embed/main.cpp is for WebSockets.
//
//   $ build/dev/examples/09_your_own_loop
//   client: the session is open
//   client: "hello" came back
//   client: closed: application
#include <muster/soe/multiplexer.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <random>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using muster::time_point;
using muster::soe::Event;
using Kind = Event::Kind;

struct SystemEntropy final : muster::Entropy {
  void fill(muster::mutable_byte_view out) noexcept override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(std::random_device{}());
  }
};

// A socket, and the sessions on it.
struct End {
  End(const muster::soe::Config& config, muster::Entropy& entropy, time_point now)
      : mux(config, entropy, now), buffer(64 * 1024) {}
  End(const End&) = delete;
  ~End() { ::close(fd); }

  bool bind() {  // to any free port
    sockaddr_in at{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
    socklen_t size = sizeof(at);
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    if (::bind(fd, address, size) != 0 || ::getsockname(fd, address, &size) != 0) return false;
    local = muster::Address::v4(INADDR_LOOPBACK, ntohs(at.sin_port));
    return true;
  }

  // Takes what has arrived, tells what came of it, and sends what may leave.
  template <class OnEvent>
  void turn(time_point now, OnEvent on_event) {
    sockaddr_in peer{};
    auto* const address = reinterpret_cast<sockaddr*>(&peer);
    socklen_t length = sizeof(peer);
    Event event;
    for (int i = 0; i < 100; ++i) {  // more waits for the next turn
      const ssize_t size = ::recvfrom(fd, buffer.data(), buffer.size(), 0, address, &length);
      if (size < 0) break;
      const auto from = muster::Address::v4(ntohl(peer.sin_addr.s_addr), ntohs(peer.sin_port));
      mux.receive(from, {buffer.data(), static_cast<std::size_t>(size)}, now);
      while (mux.poll_event(event)) on_event(event);
    }
    mux.advance(now);
    while (mux.poll_event(event)) on_event(event);
    for (muster::SoeMultiplexer<>::Transmit out; mux.poll_transmit(out);) {
      peer = {AF_INET, htons(out.to.port), {}, {}};
      std::memcpy(&peer.sin_addr, &out.to.ip[12], 4);  // IPv4 lies at the end of an address
      for (const muster::byte_view it : out.datagrams)
        ::sendto(fd, it.data(), it.size(), 0, address, length);  // what fails counts as lost
    }
  }

  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  muster::SoeMultiplexer<> mux;
  muster::Address local;
  std::vector<std::byte> buffer;
};

int main() {
  muster::soe::Config config;
  config.protocols = {"echo"};
  SystemEntropy entropy;
  time_point now = std::chrono::steady_clock::now();
  End server{config, entropy, now};
  End client{config, entropy, now};
  if (!server.bind() || !client.bind()) return std::perror("bind"), 1;
  if (!client.mux.connect(server.local, "echo", now)) return 1;
  for (bool is_over = false; !is_over;) {
    server.turn(now, [&](const Event& event) {
      if (event.kind == Kind::data) server.mux.enqueue(event.session, event.data, event.channel);
    });
    client.turn(now, [&](const Event& event) {
      if (event.kind == Kind::opened) {
        std::cout << "client: the session is open\n";
        client.mux.enqueue(event.session, muster::as_bytes("hello"));
      } else if (event.kind == Kind::data) {
        std::cout << "client: \"" << muster::as_text(event.data) << "\" came back\n";
        client.mux.close(event.session, muster::soe::DisconnectReason::application, now);
      } else if (event.kind == Kind::closed) {
        std::cout << "client: closed: " << to_string(event.reason) << '\n';
        is_over = true;
      }
    });
    const auto next = std::min({server.mux.next_deadline(), client.mux.next_deadline(), now + 1h});
    const auto wait = std::max(next - now + 999us, muster::duration{0}) / 1ms;  // rounded up
    pollfd polled[] = {{server.fd, POLLIN, 0}, {client.fd, POLLIN, 0}};
    ::poll(polled, 2, static_cast<int>(wait));
    now = std::chrono::steady_clock::now();
  }
}
