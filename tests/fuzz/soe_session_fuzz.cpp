// SPDX-License-Identifier: MIT
// Drives a client and a server of the SOE protocol by a list of actions: messages, and what a
// network does to the datagrams between the two. Both are honest, so every reliable message must
// arrive once, in order and unchanged, events must come in order, and neither may find the other
// faulty.
//
// Input: the configuration of the two ends, then actions, each a byte and what it needs.
#include "support/soe_fuzz.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace muster;
using namespace test;
using namespace std::chrono_literals;
using soe::Channel;
using soe::SessionId;
using Kind = SoeEvent::Kind;

constexpr unsigned up = 0;
constexpr unsigned down = 1;

/// What was sent on one connection of the client; of reliable messages, those that have not
/// arrived.
struct Conversation {
  std::array<std::array<std::deque<std::string>, 4>, 2> reliable;
  std::array<std::set<std::string>, 2> unreliable;
  std::array<unsigned long, 2> ordered{};  // the number of the last one that arrived
};

class World {
 public:
  World(const soe::Config& client_config, const soe::Config& server_config)
      : client_(client_config, Address::v4(0x0A000001, 5000), 1),
        server_(server_config, Address::v4(0x0A000002, 6000), 2) {
    connect();
  }

  void act(FuzzInput& input) {
    const unsigned action = input.byte();
    const unsigned way = action >> 7U;
    switch (action % 16) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const unsigned where = input.byte();
        return enqueue(way, where, (action % 16 == 3 ? 16U : 1U) * input.byte());
      }
      case 4:
      case 5:
        return deliver(way, 1 + (action >> 4U) % 8);
      case 6:
        if (!links_[way].empty()) links_[way].pop_front();
        return;
      case 7:
        if (!links_[way].empty()) links_[way].push_back(links_[way].front());
        return;
      case 8:  // overtaken by all others
        if (!links_[way].empty()) {
          links_[way].push_back(std::move(links_[way].front()));
          links_[way].pop_front();
        }
        return;
      case 9:
        return damage(way, input.two());
      case 10:
      case 11:
        return pass(1ms * (1U << (action >> 4U) % 8) / 4);
      case 12:
        return pass(1ms * (200U << (action >> 4U) % 8));
      case 13:
        return end(way, (action >> 4U) % 8);
      case 14:
        return connect();
      default:  // another port
        if ((action >> 4U) % 4 == 0) client_.address.port ^= 1U;
        return deliver(way, 100);
    }
  }

  /// The network works again: what was taken arrives, if its session lives.
  void heal() {
    for (int i = 0; i < 400 && !is_quiet(); ++i) {
      deliver(up, 1000);
      deliver(down, 1000);
      pass(i < 300 ? 10ms : 500ms);
    }
    const bool is_whole = client_.mux.is_open(at_client_) && server_.mux.is_open(at_server_) &&
                          bound_[key(at_server_)] == current();
    if (is_whole) {
      require(client_.mux.stats(at_client_).queued_bytes == 0);
      require(server_.mux.stats(at_server_).queued_bytes == 0);
      for (const auto& direction : conversations_.back().reliable) {
        for (const auto& channel : direction) require(channel.empty());
      }
      require(!is_blocked_[up] && !is_blocked_[down]);
    }
    (void)client_.mux.terminate(at_client_, soe::DisconnectReason::application, client_.now);
    pass(1ms);
    deliver(up, 1000);
    pass(200s);
    require(client_order_.open_count() == 0 && client_.mux.session_count() == 0);
    require(server_order_.open_count() == 0 && server_.mux.session_count() == 0);
    require(server_.mux.half_open_count() == 0);
    server_.events.clear();
    server_.sent.clear();
    require(takes_large_message(server_));
  }

 private:
  struct Flying {
    Address from;
    std::size_t conversation;
    Bytes bytes;
  };

  static std::uint64_t key(SessionId id) { return std::uint64_t{id.index} << 32U | id.generation; }
  [[nodiscard]] std::size_t current() const { return conversations_.size() - 1; }

  void connect() {
    const auto session = client_.mux.connect(server_.address, "game", client_.now);
    if (!session) return;
    conversations_.emplace_back();
    at_client_ = *session;
    is_blocked_[up] = false;
    client_order_.asked(*session);
    flush();
  }

  void end(unsigned way, unsigned how) {
    SoeEnd& from = way == up ? client_ : server_;
    const SessionId session = way == up ? at_client_ : at_server_;
    // Seldom at once.
    if (how == 0) {
      (void)from.mux.terminate(session, soe::DisconnectReason::application, from.now);
    } else if (how < 3) {
      (void)from.mux.close(session, soe::DisconnectReason::application, from.now);
    }
    flush();
  }

  void enqueue(unsigned way, unsigned where, std::size_t size) {
    const auto channel = static_cast<Channel>(where % 6);
    const bool is_reliable = channel < Channel::unreliable;
    SoeEnd& from = way == up ? client_ : server_;
    const SessionId session = way == up ? at_client_ : at_server_;
    if (!from.mux.is_open(session)) return;
    Conversation& words = conversations_[way == up ? current() : bound_.at(key(session))];
    // A larger one would go by a reliable channel, or not at all.
    if (!is_reliable) size = std::min<std::size_t>(size, 300);
    std::string message(size, static_cast<char>(where));
    if (channel == Channel::ordered || where >= 128) {  // else it begins with anything, or is empty
      message += '#' + std::to_string(++count_);
    }
    const soe::EnqueueStatus status = from.mux.enqueue(session, as_bytes(message), channel);
    if (status == soe::EnqueueStatus::over_budget && is_reliable) is_blocked_[way] = true;
    if (status != soe::EnqueueStatus::queued || message.empty()) return;
    if (is_reliable) {
      words.reliable[way][where % 6].push_back(message);
    } else {
      words.unreliable[way].insert(message);
    }
  }

  void deliver(unsigned way, std::size_t most) {
    SoeEnd& to = way == up ? server_ : client_;
    std::vector<SoeEnd::Sent> batch;
    std::size_t conversation = 0;
    while (most-- != 0 && !links_[way].empty()) {
      Flying flying = std::move(links_[way].front());
      links_[way].pop_front();
      // What is for the port that the client had is lost.
      if (way == down && flying.from != client_.address) continue;
      if (!batch.empty() && flying.conversation != conversation) {
        receive(to, std::exchange(batch, {}), conversation);
      }
      conversation = flying.conversation;
      batch.push_back({way == up ? flying.from : server_.address, std::move(flying.bytes)});
    }
    if (!batch.empty()) receive(to, std::move(batch), conversation);
    flush();
  }

  void receive(SoeEnd& to, std::vector<SoeEnd::Sent> batch, std::size_t conversation) {
    to.receive(std::move(batch));
    take(conversation);
  }

  void damage(unsigned way, unsigned bit) {
    if (links_[way].empty()) return;
    Bytes& bytes = links_[way].front().bytes;
    // Handshakes have no checksum. What a forged one does is another target's.
    if (bytes.size() < 8 ||
        (bytes[0] == std::byte{0} && soe::is_contextless(SoePeer::two(bytes)))) {
      return;
    }
    bytes[bit / 8 % bytes.size()] ^= std::byte{1} << bit % 8;
  }

  void pass(duration length) {
    const time_point until = client_.now + length;
    for (SoeEnd* const end : {&client_, &server_}) {
      end->run_for(until - end->now);
      take(current());
    }
    flush();
  }

  void flush() {
    for (SoeEnd* const end : {&client_, &server_}) {
      end->advance();
      const unsigned way = end == &client_ ? up : down;
      for (SoeEnd::Sent& each : end->take_sent()) {
        require(each.bytes.size() <= end->mux.config().udp_length);
        if (way == up) require(each.to == server_.address);
        // Of a server's datagrams `from` is the address that they are for.
        links_[way].push_back(
            {way == up ? client_.address : each.to, current(), std::move(each.bytes)});
      }
    }
    take(current());
  }

  void take(std::size_t conversation) {
    for (const SoeEvent& event : client_.take_events()) {
      require(client_order_.accepts(event));
      if (event.kind == Kind::writable) is_blocked_[up] = false;
      if (event.kind == Kind::closed) check_reason(event.reason);
      if (event.kind == Kind::data) arrived(conversations_.back(), down, event);
    }
    for (const SoeEvent& event : server_.take_events()) {
      require(server_order_.accepts(event));
      if (event.kind == Kind::opened) {
        at_server_ = event.session;
        bound_[key(event.session)] = conversation;
        is_blocked_[down] = false;
      }
      if (event.kind == Kind::writable) is_blocked_[down] = false;
      if (event.kind == Kind::closed) check_reason(event.reason);
      if (event.kind == Kind::data) {
        arrived(conversations_[bound_.at(key(event.session))], up, event);
      }
    }
  }

  static void check_reason(soe::DisconnectReason reason) {
    require(reason != soe::DisconnectReason::corrupt_packet &&
            reason != soe::DisconnectReason::protocol_mismatch &&
            reason != soe::DisconnectReason::connecting_to_self &&
            reason != soe::DisconnectReason::connection_refused);
  }

  static void arrived(Conversation& words, unsigned way, const SoeEvent& event) {
    if (event.channel < Channel::unreliable) {
      auto& waiting = words.reliable[way][static_cast<unsigned>(event.channel)];
      require(!waiting.empty() && waiting.front() == event.data);
      waiting.pop_front();
      return;
    }
    require(words.unreliable[way].count(event.data) == 1);
    if (event.channel == Channel::ordered) {
      const unsigned long number = std::stoul(event.data.substr(event.data.rfind('#') + 1));
      require(number > words.ordered[way]);
      words.ordered[way] = number;
    }
  }

  [[nodiscard]] bool is_quiet() const {
    return links_[up].empty() && links_[down].empty() &&
           client_.mux.stats(at_client_).queued_bytes == 0 &&
           server_.mux.stats(at_server_).queued_bytes == 0;
  }

  SoeEnd client_;
  SoeEnd server_;
  std::array<std::deque<Flying>, 2> links_;
  std::vector<Conversation> conversations_;
  std::map<std::uint64_t, std::size_t> bound_;  // a server's session to its conversation
  SessionId at_client_{};
  SessionId at_server_{};
  SoeEventOrder client_order_;
  SoeEventOrder server_order_;
  std::array<bool, 2> is_blocked_{};
  std::uint32_t count_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input{std::as_bytes(std::span{data, size})};
  const unsigned client_bits = input.byte();
  const unsigned server_bits = input.byte();
  // What both must agree on is the server's.
  constexpr unsigned shared = 4 + 8 + 32;
  soe::Config client = fuzz_config((client_bits & ~shared) | (server_bits & shared));
  soe::Config server = fuzz_config(server_bits);
  server.crc_length = 4;  // no damage of a bit may pass
  // For all that can be under way: a budget that is full can only be waited out.
  client.reassembly_budget = server.reassembly_budget = 2 << 20;
  // What one may send the other has to take.
  client.send_window = server.send_window = 196;
  World world{client, server};
  while (!input.is_empty()) world.act(input);
  world.heal();
  return 0;
}
