// SPDX-License-Identifier: MIT
// ENet as a contestant, with its own defaults: datagrams of 1400 bytes, no checksum.
#include "enet_seam.hpp"
#include "peer.hpp"

#include <enet/enet.h>

#include <chrono>

namespace muster_bench {

namespace {

class EnetEnd final : public End {
 public:
  // A server.
  EnetEnd(const Place& place, std::uint32_t max_sessions, muster::time_point now)
      : EnetEnd(place, max_sessions, true, now) {}

  // A client.
  EnetEnd(const Place& place, muster::time_point now) : EnetEnd(place, 1, false, now) {
    ENetAddress address{ENET_HOST_TO_NET_32(0x7f000001),
                        memory_ ? std::uint16_t{9} : place.udp_port};
    if (enet_host_connect(host_, &address, 1, 0) == nullptr) throw Failure("enet_host_connect");
  }

  ~EnetEnd() override { enet_host_destroy(host_); }

  std::uint32_t open_sessions() const override { return static_cast<std::uint32_t>(peers_.size()); }

  bool send(std::uint32_t session, muster::byte_view message) override {
    ENetPacket* const packet =
        enet_packet_create(message.data(), message.size(), ENET_PACKET_FLAG_RELIABLE);
    if (packet == nullptr || enet_peer_send(peers_[session], 0, packet) != 0) {
      throw Failure("enet_peer_send");
    }
    return true;
  }

  void step(muster::time_point now, Receiver& receiver) override {
    set_time(now);
    ENetEvent event;
    for (;;) {
      const int result = enet_host_service(host_, &event, 0);
      if (result < 0) throw Failure("enet_host_service");
      if (result == 0) break;
      handle(event, receiver);
    }
    count_sent();
  }

  void flush(muster::time_point now) override {
    set_time(now);
    enet_host_flush(host_);
    count_sent();
  }

  // ENet does not say when it has something to do, and looks at its clock of milliseconds.
  muster::time_point next_deadline(muster::time_point now) const override {
    return std::chrono::floor<std::chrono::milliseconds>(now) + std::chrono::milliseconds{1};
  }

  Traffic sent() const override { return sent_; }
  int descriptor() const override { return host_->socket; }
  std::uint16_t udp_port() const override { return host_->address.port; }

 private:
  EnetEnd(const Place& place, std::uint32_t max_sessions, bool is_server, muster::time_point now)
      : memory_(place.memory != nullptr) {
    set_time(now);
    enet_seam::use_port(place.memory);
    ENetAddress address{ENET_HOST_TO_NET_32(0x7f000001), 0};
    host_ = enet_host_create(is_server ? &address : nullptr, max_sessions, 1, 0, 0);
    if (host_ == nullptr) throw Failure("enet_host_create");
    peers_.reserve(max_sessions);
  }

  void set_time(muster::time_point now) {
    if (memory_) enet_seam::set_time(now);
  }

  void handle(const ENetEvent& event, Receiver& receiver) {
    switch (event.type) {
      case ENET_EVENT_TYPE_CONNECT:
        event.peer->data = reinterpret_cast<void*>(peers_.size());
        peers_.push_back(event.peer);
        break;
      case ENET_EVENT_TYPE_RECEIVE:
        receiver.on_message(
            static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(event.peer->data)),
            std::as_bytes(std::span{event.packet->data, event.packet->dataLength}));
        enet_packet_destroy(event.packet);
        break;
      case ENET_EVENT_TYPE_DISCONNECT:
        throw Failure("ENet ended a session");
      case ENET_EVENT_TYPE_NONE:
        break;
    }
  }

  // ENet's own counters have 32 bits and are there to be taken.
  void count_sent() {
    sent_.datagrams += host_->totalSentPackets;
    sent_.bytes += host_->totalSentData;
    host_->totalSentPackets = host_->totalSentData = 0;
  }

  bool memory_;
  ENetHost* host_ = nullptr;
  std::vector<ENetPeer*> peers_;
  Traffic sent_;
};

}  // namespace

std::vector<Contestant> enet_contestants() {
  static const bool is_ready = enet_initialize() == 0;
  if (!is_ready) throw Failure("enet_initialize");
  return {{"enet", in_all,
           [](const Place& place, std::uint32_t max_sessions, muster::time_point now) {
             return std::make_unique<EnetEnd>(place, max_sessions, now);
           },
           [](const Place& place, muster::time_point now) {
             return std::make_unique<EnetEnd>(place, now);
           }}};
}

}  // namespace muster_bench
