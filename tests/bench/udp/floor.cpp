// SPDX-License-Identifier: MIT
// What the kernel takes for a datagram on loopback, whatever the protocol: the floor of all others.
#include "scenario.hpp"
#include "usage.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace muster_bench {

namespace {

constexpr std::array<std::size_t, 3> sizes{64, 512, 1400};
constexpr std::size_t batch = 64;
constexpr std::size_t max_run_bytes = 65'000;  // of one UDP_SEGMENT call

void require(bool good, const char* what) {
  if (!good) throw Failure(std::string{what} + ": " + std::strerror(errno));
}

class Socket {
 public:
  Socket() : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    require(descriptor_ >= 0, "socket");
    set(SOL_SOCKET, SO_RCVBUF, 4 << 20);
    set(SOL_SOCKET, SO_SNDBUF, 4 << 20);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
            "bind");
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(descriptor_); }

  void set(int level, int option, int value) const {
    require(::setsockopt(descriptor_, level, option, &value, sizeof value) == 0, "setsockopt");
  }
  [[nodiscard]] sockaddr_in address() const {
    sockaddr_in found{};
    socklen_t size = sizeof found;
    require(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&found), &size) == 0,
            "getsockname");
    return found;
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

enum class Way {
  send_each,  // sendto, recvfrom
  connected,  // send on a connected socket, recvfrom
  several,    // sendmmsg, recvmmsg
  segments,   // UDP_SEGMENT, recvmmsg
  whole,      // UDP_SEGMENT, UDP_GRO
};

struct Cost {
  double send = 0;
  double receive = 0;
};

class Floor {
 public:
  Floor(Way way, std::size_t size)
      : way_(way),
        size_(size),
        in_run_(std::min(batch, max_run_bytes / size)),
        to_(receiver_.address()),
        bytes_(batch * size),
        buffers_(batch * 65'536) {
    if (way == Way::whole) receiver_.set(SOL_UDP, UDP_GRO, 1);
    if (way == Way::connected) {
      require(::connect(sender_.descriptor(), reinterpret_cast<sockaddr*>(&to_), sizeof to_) == 0,
              "connect");
    }
    for (std::size_t i = 0; i < batch; ++i) {
      send_parts_[i] = {bytes_.data() + i * size, size};
      send_messages_[i].msg_hdr = {&to_, sizeof to_, &send_parts_[i], 1, nullptr, 0, 0};
      receive_parts_[i] = {buffers_.data() + i * 65'536, 65'536};
      receive_messages_[i].msg_hdr = {nullptr, 0, &receive_parts_[i], 1, nullptr, 0, 0};
    }
  }

  // CPU nanoseconds for each datagram.
  Cost measure(double seconds) {
    Cost sum;
    double datagrams = 0;
    const double end = clock_seconds(CLOCK_MONOTONIC) + seconds;
    const double timer = timer_cost();
    for (bool is_warm = false; clock_seconds(CLOCK_MONOTONIC) < end; is_warm = true) {
      const double start = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
      const std::size_t sent = way_ == Way::segments || way_ == Way::whole ? in_run_ : batch;
      send(sent);
      const double middle = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
      std::size_t received = 0;
      while (received < sent) received += receive();
      const double stop = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
      if (!is_warm) continue;
      sum.send += middle - start - timer;
      sum.receive += stop - middle - timer;
      datagrams += static_cast<double>(sent);
    }
    return {sum.send / datagrams * 1e9, sum.receive / datagrams * 1e9};
  }

 private:
  static double timer_cost() {
    const double start = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < 1000; ++i) clock_seconds(CLOCK_THREAD_CPUTIME_ID);
    return (clock_seconds(CLOCK_THREAD_CPUTIME_ID) - start) / 1000;
  }

  void send(std::size_t count) {
    const int socket = sender_.descriptor();
    switch (way_) {
      case Way::send_each:
        for (std::size_t i = 0; i < count; ++i) {
          require(::sendto(socket, send_parts_[i].iov_base, size_, 0,
                           reinterpret_cast<sockaddr*>(&to_), sizeof to_) > 0,
                  "sendto");
        }
        break;
      case Way::connected:
        for (std::size_t i = 0; i < count; ++i) {
          require(::send(socket, send_parts_[i].iov_base, size_, 0) > 0, "send");
        }
        break;
      case Way::several:
        require(::sendmmsg(socket, send_messages_.data(), static_cast<unsigned>(count), 0) ==
                    static_cast<int>(count),
                "sendmmsg");
        break;
      case Way::segments:
      case Way::whole: {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
        msghdr message{&to_,           sizeof to_, send_parts_.data(), count, control.data(),
                       control.size(), 0};
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto segment = static_cast<std::uint16_t>(size_);
        std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
        require(::sendmsg(socket, &message, 0) > 0, "sendmsg with UDP_SEGMENT");
        break;
      }
    }
  }

  std::size_t receive() {
    const int socket = receiver_.descriptor();
    switch (way_) {
      case Way::send_each:
      case Way::connected: {
        sockaddr_in from{};
        socklen_t from_size = sizeof from;
        require(::recvfrom(socket, buffers_.data(), 65'536, 0, reinterpret_cast<sockaddr*>(&from),
                           &from_size) > 0,
                "recvfrom");
        return 1;
      }
      case Way::several:
      case Way::segments: {
        const int count = ::recvmmsg(socket, receive_messages_.data(), batch, 0, nullptr);
        require(count > 0, "recvmmsg");
        return static_cast<std::size_t>(count);
      }
      case Way::whole: {
        sockaddr_in from{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{&from, sizeof from, receive_parts_.data(), 1, control.data(), control.size(),
                       0};
        const ssize_t size = ::recvmsg(socket, &message, 0);
        require(size > 0, "recvmsg with UDP_GRO");
        return static_cast<std::size_t>(size) / size_;
      }
    }
    return 0;
  }

  Way way_;
  std::size_t size_;
  std::size_t in_run_;
  Socket sender_;
  Socket receiver_;
  sockaddr_in to_;
  std::vector<std::byte> bytes_;
  std::vector<std::byte> buffers_;
  std::array<iovec, batch> send_parts_{};
  std::array<iovec, batch> receive_parts_{};
  std::array<mmsghdr, batch> send_messages_{};
  std::array<mmsghdr, batch> receive_messages_{};
};

// GB/s of a copy of 64 KiB, within the cache.
double copy_rate(double seconds) {
  std::vector<std::byte> from(64 * 1024, std::byte{1});
  std::vector<std::byte> to(from.size());
  double bytes = 0;
  const double start = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
  double now = start;
  while (now < start + seconds) {
    for (int i = 0; i < 100; ++i) {
      from[static_cast<std::size_t>(i)] = static_cast<std::byte>(i);
      std::memcpy(to.data(), from.data(), from.size());
      asm volatile("" : : "r"(to.data()) : "memory");  // the copy is not left out
    }
    bytes += 100 * static_cast<double>(from.size());
    now = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
  }
  return bytes / (now - start) / 1e9;
}

}  // namespace

std::vector<Scenario> floor_scenarios(const Settings& settings) {
  Scenario calls{"floor", "System calls on loopback, CPU ns for each datagram", {}, 2, false};
  for (const std::size_t size : sizes) {
    calls.columns.push_back({"send " + std::to_string(size) + " B"});
    calls.columns.push_back({"receive " + std::to_string(size) + " B"});
  }
  const double seconds = settings.seconds / 2;
  const auto add = [&](const char* name, Way way) {
    calls.rows.push_back({name, [=](std::uint64_t) {
                            std::vector<double> values;
                            for (const std::size_t size : sizes) {
                              const Cost cost = Floor{way, size}.measure(seconds);
                              values.push_back(cost.send);
                              values.push_back(cost.receive);
                            }
                            return values;
                          }});
  };
  add("sendto, recvfrom", Way::send_each);
  add("send when connected, recvfrom", Way::connected);
  add("sendmmsg, recvmmsg", Way::several);
  add("UDP_SEGMENT, recvmmsg", Way::segments);
  add("UDP_SEGMENT, UDP_GRO", Way::whole);
  Scenario memory{"copy", "Copies of 64 KiB", {{"GB/s", 1}}, 0, false};
  memory.rows.push_back(
      {"memcpy", [=](std::uint64_t) { return std::vector<double>{copy_rate(seconds)}; }});
  return {calls, memory};
}

}  // namespace muster_bench
