// SPDX-License-Identifier: MIT
// recvmmsg in, sendmmsg out.
#include "socket_port.hpp"

#include "peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace muster_bench {

namespace {

constexpr std::size_t batch = 32;
constexpr std::size_t buffer_size = 65'536;
constexpr std::size_t max_run = 64;  // what the kernel takes as segments of one call

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// What a batch is received into.
struct Buffers {
  struct alignas(cmsghdr) Control {
    std::array<char, CMSG_SPACE(sizeof(int))> bytes;
  };

  Buffers() : bytes(std::make_unique_for_overwrite<std::byte[]>(batch * buffer_size)) {
    for (std::size_t i = 0; i < batch; ++i) parts[i] = {bytes.get() + i * buffer_size, buffer_size};
  }

  std::unique_ptr<std::byte[]> bytes;
  std::array<sockaddr_in, batch> from{};
  std::array<Control, batch> controls{};
  std::array<iovec, batch> parts{};
  std::array<mmsghdr, batch> messages{};
  std::array<Port::Run, batch> runs{};
};

// What a batch is sent from.
struct Outbox {
  static constexpr std::size_t size = 64;
  struct alignas(cmsghdr) Control {
    std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> bytes;
  };

  void add(std::size_t at, const muster::Address* to, std::span<const muster::byte_view> run) {
    msghdr& message = messages[at].msg_hdr;
    message = {};
    if (to != nullptr) {
      addresses[at] = loopback(to->port);
      message.msg_name = &addresses[at];
      message.msg_namelen = sizeof addresses[at];
    }
    for (std::size_t i = 0; i < run.size(); ++i) {
      parts[at][i] = {const_cast<std::byte*>(run[i].data()), run[i].size()};
    }
    message.msg_iov = parts[at].data();
    message.msg_iovlen = run.size();
    if (run.size() == 1) return;
    message.msg_control = controls[at].bytes.data();
    message.msg_controllen = controls[at].bytes.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto segment = static_cast<std::uint16_t>(run[0].size());
    std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
  }

  std::array<mmsghdr, size> messages{};
  std::array<sockaddr_in, size> addresses{};
  std::array<Control, size> controls{};
  std::array<std::array<iovec, max_run>, size> parts{};
};

// One for all ports, since one is flushed before another sends.
Outbox& outbox() {
  static Outbox that;
  return that;
}

std::size_t segment_of(msghdr& message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_GRO) continue;
    int segment = 0;
    std::memcpy(&segment, CMSG_DATA(header), sizeof segment);
    return static_cast<std::size_t>(segment);
  }
  return 0;
}

}  // namespace

SocketPort::SocketPort(const Offload& offload, std::uint16_t server_port)
    : offload_(offload),
      is_connected_(server_port != 0),
      descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  const int size = 4 << 20;
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  const int on = 1;
  sockaddr_in address = loopback(0);
  socklen_t address_size = sizeof address;
  bool good =
      !offload.coalesces || ::setsockopt(descriptor_, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
  good = good && ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), address_size) == 0 &&
         ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &address_size) == 0;
  udp_port_ = ntohs(address.sin_port);
  if (is_connected_) {
    address = loopback(server_port);
    good = good && ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), address_size) == 0;
  }
  if (!good) throw Failure(std::string{"UDP socket: "} + std::strerror(errno));
}

SocketPort::~SocketPort() { ::close(descriptor_); }

std::span<Port::Run> SocketPort::receive(muster::time_point) {
  static Buffers buffers;
  for (std::size_t i = 0; i < batch; ++i) {
    buffers.messages[i].msg_hdr = {&buffers.from[i],
                                   sizeof buffers.from[i],
                                   &buffers.parts[i],
                                   1,
                                   offload_.coalesces ? buffers.controls[i].bytes.data() : nullptr,
                                   offload_.coalesces ? sizeof buffers.controls[i] : 0,
                                   0};
  }
  const int count = ::recvmmsg(descriptor_, buffers.messages.data(), batch, 0, nullptr);
  if (count <= 0) return {};
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const sockaddr_in& from = buffers.from[i];
    buffers.runs[i] = {
        muster::Address::v4(ntohl(from.sin_addr.s_addr), ntohs(from.sin_port)),
        {static_cast<std::byte*>(buffers.parts[i].iov_base), buffers.messages[i].msg_len},
        offload_.coalesces ? segment_of(buffers.messages[i].msg_hdr) : 0};
  }
  return std::span{buffers.runs}.first(static_cast<std::size_t>(count));
}

void SocketPort::send(const muster::Address& to, std::span<const muster::byte_view> datagrams,
                      muster::time_point) {
  const std::size_t at_once = offload_.segments ? max_run : 1;
  while (!datagrams.empty()) {
    const auto run = datagrams.first(std::min(at_once, datagrams.size()));
    datagrams = datagrams.subspan(run.size());
    if (waiting_ == Outbox::size) flush();
    outbox().add(waiting_++, is_connected_ ? nullptr : &to, run);
    sent_.datagrams += run.size();
    for (const muster::byte_view datagram : run) sent_.bytes += datagram.size();
  }
}

void SocketPort::flush() {
  for (std::size_t at = 0; at < waiting_;) {
    const int count = ::sendmmsg(descriptor_, outbox().messages.data() + at,
                                 static_cast<unsigned>(waiting_ - at), 0);
    // A full buffer loses the datagrams, as ENet does it too.
    if (count < 0 && errno != EAGAIN && errno != ENOBUFS) {
      throw Failure(std::string{"sendmmsg: "} + std::strerror(errno));
    }
    at += count > 0 ? static_cast<std::size_t>(count) : 1;
  }
  waiting_ = 0;
}

}  // namespace muster_bench
