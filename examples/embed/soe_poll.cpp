// SPDX-License-Identifier: MIT
// SOE sessions inside a poll(2) loop of one's own: everything that comes goes back.
//
//   $ muster-soe-poll 20260                            (0: any free port; Ctrl-C ends it)
//   listening on 127.0.0.1:20260
//   $ muster-soe-echo --connect 127.0.0.1:20260        (in one more terminal)
#include <muster/soe/multiplexer.hpp>

#include <cstring>
#include <iostream>
#include <random>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

using namespace muster;
using namespace std::chrono_literals;

struct SystemEntropy final : Entropy {
  void fill(mutable_byte_view out) noexcept override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(std::random_device{}());
  }
};

int main(int argc, char** argv) {
  const auto port = static_cast<in_port_t>(argc > 1 ? std::stoi(argv[1]) : 20260);
  sockaddr_in peer{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  socklen_t length = sizeof(peer);
  pollfd polled{::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), POLLIN, 0};
  if (::bind(polled.fd, address, length) != 0) return std::perror("bind"), 1;
  ::getsockname(polled.fd, address, &length);
  std::cout << "listening on 127.0.0.1:" << ntohs(peer.sin_port) << std::endl;
  SystemEntropy entropy;
  time_point now = std::chrono::steady_clock::now();
  soe::Config config;
  config.protocols = {"echo"};
  SoeMultiplexer<> mux{config, entropy, now};
  std::vector<std::byte> room(64 * 1024);
  for (;;) {
    mux.advance(now);
    for (SoeMultiplexer<>::Transmit out; mux.poll_transmit(out);) {
      peer.sin_port = htons(out.to.port);
      std::memcpy(&peer.sin_addr, &out.to.ip[12], 4);  // IPv4 lies at the end of an address
      for (byte_view it : out.datagrams)
        ::sendto(polled.fd, it.data(), it.size(), 0, address, length);
    }
    const auto wait = std::min(mux.next_deadline(), now + 1min) - now;
    ::poll(&polled, 1, static_cast<int>(std::max(wait + 999us, duration{0}) / 1ms));
    now = std::chrono::steady_clock::now();
    for (ssize_t size = 0; size >= 0;) {
      // Only messages have data; nothing is sent in answer to the other events.
      for (soe::Event it; mux.poll_event(it);) mux.enqueue(it.session, it.data, it.channel);
      size = ::recvfrom(polled.fd, room.data(), room.size(), 0, address, &length);
      const Address from = Address::v4(ntohl(peer.sin_addr.s_addr), ntohs(peer.sin_port));
      if (size >= 0) mux.receive(from, {room.data(), static_cast<std::size_t>(size)}, now);
    }
  }
}
