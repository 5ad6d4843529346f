// SPDX-License-Identifier: MIT
// Writes a capture of two multiplexers that talk over a bad network, for the dissector's test.
//
//     muster-soe-capture FILE plain|encrypted|packed
//
// Says what was sent, one message per line: the channel's number, and the bytes in hexadecimal.
#include <muster/entropy.hpp>
#include <muster/memory/datagram_link.hpp>
#include <muster/soe/multiplexer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using muster::Address;
using muster::SoeMultiplexer;
using muster::time_point;
using muster::soe::Channel;
using muster::soe::Config;

// A file of IPv4 packets without an Ethernet in front.
class Pcap {
 public:
  explicit Pcap(const char* name) : file_(name, std::ios::binary) {
    for (const std::uint32_t word : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, 228U}) host(word);
  }

  void add(const Address& from, const Address& to, muster::byte_view datagram, time_point at) {
    const auto size = static_cast<std::uint32_t>(datagram.size());
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch());
    host(static_cast<std::uint32_t>(micros.count() / 1'000'000));
    host(static_cast<std::uint32_t>(micros.count() % 1'000'000));
    host(size + 28);
    host(size + 28);
    net(0x4500);
    net(size + 28);
    for (const unsigned word : {0U, 0U, 0x4011U, 0U}) net(word);  // UDP, no checksum
    for (const Address& end : {from, to}) {
      for (std::size_t i = 12; i < 16; ++i) file_.put(static_cast<char>(end.ip[i]));
    }
    net(from.port);
    net(to.port);
    net(size + 8);
    net(0);
    file_.write(muster::as_text(datagram).data(), static_cast<std::streamsize>(size));
  }

 private:
  void host(std::uint32_t word) { file_.write(reinterpret_cast<const char*>(&word), 4); }
  void net(unsigned word) {
    file_.put(static_cast<char>(word >> 8U));
    file_.put(static_cast<char>(word & 0xffU));
  }
  std::ofstream file_;
};

// One end, and its way to the other.
struct End {
  End(const Config& config, std::uint64_t seed, const Address& own)
      : address(own),
        entropy(seed),
        mux(config, entropy, time_point{1h}),
        link({.seed = seed, .loss = 0.1, .duplicate = 0.05, .delay = 20ms, .jitter = 5ms}) {}
  Address address;
  muster::SeededEntropy entropy;
  SoeMultiplexer<> mux;
  muster::memory::DatagramLink link;  // to the other end
  std::size_t received = 0;
};

Config config_of(std::string_view mode) {
  Config config;
  if (mode == "packed") {
    config = Config::for_own_ends();
    config.compression = true;
    config.compress_from = 64;
    config.net_status_interval = 100ms;
  }
  if (mode == "encrypted") config.encryption_key.assign(16, std::byte{7});
  config.protocols = {"Game_1"};
  return config;
}

void say(Channel channel, muster::byte_view message) {
  std::printf("%u ", static_cast<unsigned>(channel));
  for (const std::byte byte : message) std::printf("%02x", std::to_integer<unsigned>(byte));
  std::printf("\n");
}

class World {
 public:
  World(const char* name, const Config& config)
      : pcap_(name),
        client_(config, 1, Address::v4(0x0a000001, 47001)),
        server_(config, 2, Address::v4(0x0a000002, 20260)) {
    session_ = *client_.mux.connect(server_.address, "Game_1", now_);
    run(1s);
  }

  [[nodiscard]] bool is_open() const { return client_.mux.is_open(session_); }

  void send(std::string_view message, Channel channel = Channel::reliable0) {
    say(channel, muster::as_bytes(message));
    client_.mux.enqueue(session_, muster::as_bytes(message), channel);
  }

  void close() {
    client_.mux.close(session_, muster::soe::DisconnectReason::application, now_);
    run(10s);
  }

  void run(muster::duration length) {
    const time_point end = now_ + length;
    while (true) {
      flush(client_, server_);
      flush(server_, client_);
      const time_point next =
          std::min({client_.mux.next_deadline(), server_.mux.next_deadline(),
                    client_.link.next_delivery(), server_.link.next_delivery()});
      if (next >= end) break;
      now_ = std::max(now_, next);
      deliver(client_, server_);
      deliver(server_, client_);
    }
    now_ = end;
  }

  [[nodiscard]] std::size_t received() const { return server_.received; }

 private:
  void flush(End& from, End& to) {
    from.mux.advance(now_);
    poll_events(from);
    for (SoeMultiplexer<>::Transmit out; from.mux.poll_transmit(out);) {
      for (const muster::byte_view datagram : out.datagrams) {
        pcap_.add(from.address, to.address, datagram, now_);
        from.link.send(datagram, now_);
      }
    }
  }

  void deliver(End& from, End& to) {
    while (const auto datagram = from.link.receive(now_)) {
      to.mux.receive(from.address, *datagram, now_);
      poll_events(to);
    }
  }

  static void poll_events(End& end) {
    for (muster::soe::Event event; end.mux.poll_event(event);) {
      end.received += event.kind == muster::soe::Event::Kind::data ? 1 : 0;
    }
  }

  Pcap pcap_;
  time_point now_{1h};
  End client_;
  End server_;
  muster::soe::SessionId session_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  World world{argv[1], config_of(argv[2])};
  if (!world.is_open()) return 1;
  constexpr std::array channels{Channel::reliable0, Channel::reliable1, Channel::reliable2,
                                Channel::reliable3, Channel::ordered,   Channel::unreliable};
  for (int round = 0; round < 10; ++round) {
    for (const Channel channel : channels) {
      const std::string name = std::to_string(static_cast<int>(channel));
      world.send("round " + std::to_string(round) + " on " + name, channel);
    }
    world.send("again");
    world.run(100ms);
  }
  using namespace std::string_literals;
  world.send("\0\x19 looks like a bundle"s);
  world.send("\0begins with zero"s);
  world.send("\0in clear"s, Channel::unreliable);
  world.send(std::string(5000, 'x'), Channel::reliable1);
  world.run(2s);
  const bool all_reliable_came = world.received() >= 10 * 5 + 3;
  world.close();
  return all_reliable_came ? 0 : 1;
}
