// SPDX-License-Identifier: MIT
// ENet's functions for sockets and time, in front of those in its library.
//
// The program's symbols come before those of a shared library, also for the library's own calls. So
// its protocol runs unchanged on what stands here. A socket that is no port, and the clock as long
// as nobody sets it, are passed on to the library's functions.
#include "enet_seam.hpp"

#include "memory_ports.hpp"

#include <dlfcn.h>
#include <enet/enet.h>

#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <vector>

namespace muster_bench::enet_seam {

namespace {

// Sockets in memory have numbers that no descriptor reaches.
constexpr ENetSocket first_socket = 1 << 24;

struct Socket {
  Port* port;
  std::span<Port::Run> arrived{};
};

Port* next_port = nullptr;
std::vector<Socket> sockets;
bool has_own_clock = false;
muster::time_point clock_now;

Socket* find(ENetSocket socket) {
  return socket < first_socket ? nullptr
                               : &sockets[static_cast<std::size_t>(socket - first_socket)];
}

// The library's function of that name.
template <class Function>
Function* library(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void use_port(Port* port) { next_port = port; }

void set_time(muster::time_point now) {
  has_own_clock = true;
  clock_now = now;
}

}  // namespace muster_bench::enet_seam

namespace seam = muster_bench::enet_seam;

extern "C" {

enet_uint32 enet_time_get(void) {
  if (!seam::has_own_clock) {
    static auto* const real = seam::library<enet_uint32()>("enet_time_get");
    return real();
  }
  return static_cast<enet_uint32>(
      std::chrono::floor<std::chrono::milliseconds>(seam::clock_now.time_since_epoch()).count());
}

// The library takes the time of day; so that runs in memory repeat, they have none.
enet_uint32 enet_host_random_seed(void) {
  static auto* const real = seam::library<enet_uint32()>("enet_host_random_seed");
  return seam::has_own_clock ? 1 : real();
}

ENetSocket enet_socket_create(ENetSocketType type) {
  if (seam::next_port == nullptr) {
    static auto* const real = seam::library<ENetSocket(ENetSocketType)>("enet_socket_create");
    return real(type);
  }
  seam::sockets.push_back({seam::next_port});
  seam::next_port = nullptr;
  return seam::first_socket + static_cast<ENetSocket>(seam::sockets.size() - 1);
}

void enet_socket_destroy(ENetSocket socket) {
  static auto* const real = seam::library<void(ENetSocket)>("enet_socket_destroy");
  if (seam::find(socket) == nullptr) real(socket);
}

int enet_socket_bind(ENetSocket socket, const ENetAddress* address) {
  static auto* const real = seam::library<int(ENetSocket, const ENetAddress*)>("enet_socket_bind");
  return seam::find(socket) == nullptr ? real(socket, address) : 0;
}

int enet_socket_get_address(ENetSocket socket, ENetAddress* address) {
  static auto* const real = seam::library<int(ENetSocket, ENetAddress*)>("enet_socket_get_address");
  if (seam::find(socket) == nullptr) return real(socket, address);
  *address = {ENET_HOST_TO_NET_32(0x7f000001), muster_bench::memory_address().port};
  return 0;
}

int enet_socket_set_option(ENetSocket socket, ENetSocketOption option, int value) {
  static auto* const real =
      seam::library<int(ENetSocket, ENetSocketOption, int)>("enet_socket_set_option");
  return seam::find(socket) == nullptr ? real(socket, option, value) : 0;
}

int enet_socket_wait(ENetSocket socket, enet_uint32* condition, enet_uint32 timeout) {
  static auto* const real =
      seam::library<int(ENetSocket, enet_uint32*, enet_uint32)>("enet_socket_wait");
  if (seam::find(socket) == nullptr) return real(socket, condition, timeout);
  *condition = ENET_SOCKET_WAIT_NONE;
  return 0;
}

int enet_socket_send(ENetSocket socket, const ENetAddress* address, const ENetBuffer* buffers,
                     std::size_t count) {
  seam::Socket* const ours = seam::find(socket);
  if (ours == nullptr) {
    static auto* const real =
        seam::library<int(ENetSocket, const ENetAddress*, const ENetBuffer*, std::size_t)>(
            "enet_socket_send");
    return real(socket, address, buffers, count);
  }
  std::array<std::byte, ENET_PROTOCOL_MAXIMUM_MTU> datagram;
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(datagram.data() + size, buffers[i].data, buffers[i].dataLength);
    size += buffers[i].dataLength;
  }
  const muster::byte_view one{datagram.data(), size};
  ours->port->send(muster_bench::memory_address(), std::span{&one, 1}, seam::clock_now);
  return static_cast<int>(size);
}

int enet_socket_receive(ENetSocket socket, ENetAddress* address, ENetBuffer* buffers,
                        std::size_t count) {
  seam::Socket* const ours = seam::find(socket);
  if (ours == nullptr) {
    static auto* const real =
        seam::library<int(ENetSocket, ENetAddress*, ENetBuffer*, std::size_t)>(
            "enet_socket_receive");
    return real(socket, address, buffers, count);
  }
  if (ours->arrived.empty()) ours->arrived = ours->port->receive(seam::clock_now);
  if (ours->arrived.empty()) return 0;
  const muster::mutable_byte_view bytes = ours->arrived.front().bytes;
  ours->arrived = ours->arrived.subspan(1);
  if (count != 1 || buffers[0].dataLength < bytes.size()) return -1;
  std::memcpy(buffers[0].data, bytes.data(), bytes.size());
  if (address != nullptr) {
    *address = {ENET_HOST_TO_NET_32(0x7f000001), muster_bench::memory_address().port};
  }
  return static_cast<int>(bytes.size());
}

}  // extern "C"
