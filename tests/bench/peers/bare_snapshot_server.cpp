// SPDX-License-Identifier: MIT
// What a snapshot to many sockets costs at least: one encoding, and one write(2) for each; or one
// send(2), which is a little cheaper on Linux.
//
// It knows no library and no rules: every request is upgraded with the one answer to the load
// generator's key, and what arrives afterwards is thrown away. epoll tells only of new
// connections, of their requests and of their ends. A socket that is full misses the snapshot.
// At its end it prints one line of JSON.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../payload.hpp"
#include "../server_probe.hpp"

namespace {

using Bytes = std::vector<unsigned char>;

volatile std::sig_atomic_t is_over = 0;

constexpr std::string_view answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

class Server {
 public:
  Server(std::uint16_t port, std::size_t size, bool does_send)
      : size_(size), does_send_(does_send) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (::bind(listener_, generic, length) != 0 || ::listen(listener_, 1024) != 0 ||
        ::getsockname(listener_, generic, &length) != 0 || !watch(listener_)) {
      std::perror("muster-bench-bare");
      std::exit(1);
    }
    std::printf("listening on 127.0.0.1:%u\n", unsigned{ntohs(address.sin_port)});
    std::fflush(stdout);
  }

  void run(std::uint64_t period_ns) {
    std::array<epoll_event, 256> events;
    auto next = muster_bench::now_ns();
    while (is_over == 0) {
      const auto now = muster_bench::now_ns();
      if (now >= next) {
        tick();
        next += period_ns;
        continue;
      }
      const auto left = next - now;
      const timespec timeout{static_cast<time_t>(left / 1'000'000'000u),
                             static_cast<long>(left % 1'000'000'000u)};
      const int ready =
          ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_all();
        } else {
          read(fd);
        }
      }
    }
  }

  void print() const {
    std::printf("{\"ticks\":%llu,\"frames_sent\":%llu,\"frames_conflated\":%llu}\n",
                static_cast<unsigned long long>(ticks_), static_cast<unsigned long long>(sent_),
                static_cast<unsigned long long>(missed_));
  }

 private:
  struct Peer {
    int fd;
    Bytes rest;  // of a snapshot that the kernel took in part
  };

  bool watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.fd = fd;
    return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (watch(fd)) {
        requests_[fd].clear();
      } else {
        ::close(fd);
      }
    }
  }

  void read(int fd) {
    std::array<char, 4096> bytes;
    const auto count = ::read(fd, bytes.data(), bytes.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return forget(fd);
    const auto request = requests_.find(fd);
    if (request == requests_.end()) return;
    request->second.append(bytes.data(), static_cast<std::size_t>(count));
    if (request->second.find("\r\n\r\n") == std::string::npos) return;
    requests_.erase(request);
    if (::write(fd, answer.data(), answer.size()) != static_cast<ssize_t>(answer.size()))
      return forget(fd);
    peers_.push_back({fd, {}});
  }

  void forget(int fd) {
    requests_.erase(fd);
    const auto peer =
        std::find_if(peers_.begin(), peers_.end(), [fd](const Peer& p) { return p.fd == fd; });
    if (peer != peers_.end()) peers_.erase(peer);
    ::close(fd);
  }

  /// A whole snapshot of version 2 of the shard protocol in one WebSocket message.
  void encode() {
    Bytes head{0x01};
    for (auto left = ticks_; left != 0; left >>= 7)
      head.push_back(static_cast<unsigned char>((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
    const auto payload = head.size() + size_;
    frame_.assign(1, 0x82);
    if (payload < 126) {
      frame_.push_back(static_cast<unsigned char>(payload));
    } else {
      const int bytes = payload < 65536 ? 2 : 8;
      frame_.push_back(bytes == 2 ? 126 : 127);
      for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        frame_.push_back(static_cast<unsigned char>(std::uint64_t{payload} >> shift));
    }
    frame_.insert(frame_.end(), head.begin(), head.end());
    const auto at = frame_.size();
    frame_.resize(at + size_);
    muster_bench::write_payload(frame_.data() + at, size_,
                                {muster_bench::payload_magic, 0, ticks_, muster_bench::now_ns()});
  }

  ssize_t put(int fd, const Bytes& bytes) const {
    return does_send_ ? ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                      : ::write(fd, bytes.data(), bytes.size());
  }

  void tick() {
    ++ticks_;
    if (peers_.empty()) return;
    encode();
    for (Peer& peer : peers_) {
      if (!peer.rest.empty()) {
        const auto count = put(peer.fd, peer.rest);
        if (count > 0) peer.rest.erase(peer.rest.begin(), peer.rest.begin() + count);
      }
      const auto count = peer.rest.empty() ? put(peer.fd, frame_) : -1;
      if (count <= 0) {
        ++missed_;
        continue;
      }
      ++sent_;
      peer.rest.assign(frame_.begin() + count, frame_.end());
    }
  }

  std::size_t size_;
  bool does_send_;
  int listener_ = -1;
  int epoll_ = -1;
  std::uint64_t ticks_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t missed_ = 0;
  Bytes frame_;
  std::vector<Peer> peers_;
  std::unordered_map<int, std::string> requests_;  // not upgraded yet
};

}  // namespace

// Options: --port N, --hz N, --size N, --call write or send.
int main(int argc, char** argv) {
  unsigned long port = 0;
  unsigned long hz = 20;
  unsigned long size = 64;
  bool does_send = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const auto number = std::strtoul(argv[i + 1], nullptr, 10);
    if (option == "--port") port = number;
    if (option == "--call") does_send = std::string_view{argv[i + 1]} == "send";
    if (option == "--hz") hz = std::clamp(number, 1UL, 1000UL);
    if (option == "--size") size = std::max<unsigned long>(number, muster_bench::min_payload_size);
  }
  struct sigaction stop {};
  stop.sa_handler = [](int) { is_over = 1; };
  ::sigaction(SIGTERM, &stop, nullptr);
  ::sigaction(SIGINT, &stop, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  Server server(static_cast<std::uint16_t>(port), size, does_send);
  server.run(1'000'000'000u / hz);
  server.print();
}
