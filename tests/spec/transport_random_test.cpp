// SPDX-License-Identifier: MIT
// Random use of the transport interface against a model that knows only the order of sends.
#include "support/catch.hpp"
#include "support/seeds.hpp"
#include "support/wire_connection.hpp"

#include <charconv>
#include <map>
#include <random>
#include <set>

using namespace muster;
using namespace muster::test;

namespace {

// What a connection was sent. The number of a message grows with every send, so a receiver's
// numbers must grow too, and what is missing must be allowed to be missing.
struct Expected {
  std::uint32_t number;
  Delivery delivery;
};

struct Peer {
  ConnectionId id;
  std::shared_ptr<Wire> wire;
  std::vector<Expected> expected;
  int group = -1;
  bool was_behind = false;  // has ever been full
  bool was_lost = false;    // ended without a close
  std::uint32_t discarded_before = 0;
};

// A message says its number and has a length that follows from it. It is a line, so that it can be
// told apart without framing.
std::string content(std::uint32_t number) {
  std::string text = std::to_string(number) + ':';
  static constexpr std::array<std::size_t, 8> sizes{0, 1, 20, 60, 118, 200, 900, 5000};
  text.append(sizes[number * 2654435761U >> 29U], static_cast<char>('a' + number % 26));
  return text + '\n';
}

class Run {
 public:
  Run(std::uint32_t seed, bool tight) : random_(seed), tight_(tight), loop_(config(tight)) {
    static constexpr std::array<FlushWindow, 4> windows{
        FlushWindow{}, FlushWindow::lead(std::chrono::milliseconds{20}),
        FlushWindow::tick(std::chrono::milliseconds{50}), FlushWindow::tick()};
    for (const FlushWindow window : windows) {
      groups_.push_back(std::make_unique<Group>(loop_.outbox, window));
    }
    for (int i = 0; i < 20; ++i) add_peer();
    loop_.service.when_overrun = [this](Connection& connection) {
      lost_ += loop_.service.overruns.back();
      if (below(3) == 0) {
        connection.close(CloseReason::too_slow, 1008);
      }
    };
  }

  std::string run() {
    for (int i = 0; i < 120; ++i) {
      loop_.service.must_be_silent = true;
      act();
      loop_.service.must_be_silent = false;
      if (below(4) == 0) end_pass();
      for (const Peer& peer : peers_) {
        const Connection* const connection = loop_.outbox.find(peer.id);
        if (connection == nullptr) continue;
        if (connection->backlog() > connection->budget().bytes + 5200) return "over the budget";
      }
    }
    // Let everything leave.
    for (Peer& peer : peers_) {
      if (WireConnection* const connection = find(peer)) {
        peer.wire->per_write = unlimited;
        connection->unblock();
      }
    }
    for (const auto& group : groups_) group->tick();
    end_pass();
    end_pass();
    for (const auto& group : groups_) group->tick();
    end_pass();
    for (const Peer& peer : peers_) {
      if (std::string fault = check(peer); !fault.empty()) {
        return "connection " + std::to_string(peer.id.index) + ": " + fault;
      }
    }
    if (loop_.service.upward_calls != 0) return "a service was called from send, close or flush";
    // A service is not told of an overrun once it has closed the connection.
    const std::uint64_t dropped = loop_.outbox.stats().dropped_overrun;
    if (missing_ > dropped || lost_ > dropped) {
      return std::to_string(missing_) + " missing, dropped " + std::to_string(dropped) +
             ", told of " + std::to_string(lost_);
    }
    if (!tight_ && lost_ != 0) return "overrun in spite of a large budget";
    return {};
  }

 private:
  static Outbox::Config config(bool tight) {
    Outbox::Config config;
    if (tight)
      config.budget = {.bytes = 8192, .frames = 24, .reserve_bytes = 1024, .reserve_frames = 4};
    return config;
  }

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  WireConnection* find(const Peer& peer) {
    return static_cast<WireConnection*>(loop_.outbox.find(peer.id));
  }
  void add_peer() {
    WireConnection& connection = loop_.connect(static_cast<Framing>(below(4)));
    peers_.push_back({.id = connection.id(), .wire = connection.wire, .expected = {}});
  }
  Delivery some_delivery() {
    switch (below(4)) {
      case 0:
        return Delivery::latest(below(3));
      case 1:
        return Delivery::volatile_;
      default:
        return Delivery::reliable;
    }
  }

  void act() {
    Peer& peer = peers_[below(static_cast<std::uint32_t>(peers_.size()))];
    WireConnection* const connection = find(peer);
    if (connection == nullptr) {
      if (below(4) == 0) add_peer();
      return;
    }
    switch (below(16)) {
      case 0:
      case 1:
      case 2:
        send(peer, *connection);
        break;
      case 3:
      case 4:
      case 5:
      case 6:
      case 7:
        broadcast(below(4));
        break;
      case 8:
      case 9:
      case 10: {
        const std::uint32_t to = below(4);
        groups_[to]->join(*connection);
        if (connection->is_open()) peer.group = static_cast<int>(to);
        break;
      }
      case 11:
        if (connection->group() != nullptr) connection->group()->leave(*connection);
        peer.group = -1;
        break;
      case 12:
        peer.was_behind = true;
        if (below(2) == 0) {
          connection->block();
        } else {
          peer.wire->room = below(3000);
          peer.wire->per_write = 1 + below(500);
        }
        break;
      case 13:
        if (!peer.was_behind) break;
        connection->unblock(below(3) == 0 ? below(2000) : unlimited);
        if (below(2) == 0) peer.wire->per_write = unlimited;
        break;
      case 14:
        rare(peer, *connection);
        break;
      case 15:
        groups_[below(4)]->tick();
        break;
      default:
        break;
    }
  }

  void rare(Peer& peer, WireConnection& connection) {
    switch (below(6)) {
      case 0: {
        const bool was_open = connection.is_open();
        const std::uint32_t number = ++number_;
        connection.close(CloseReason::kicked, 4000, "bye", text(content(number)));
        // Only a small one is sure to fit into the reserve.
        if (was_open && loop_.outbox.stats().lost_last_words == lost_words_) {
          peer.expected.push_back({number, Delivery::reliable});
        }
        lost_words_ = loop_.outbox.stats().lost_last_words;
        peer.group = -1;
        break;
      }
      case 1:
        peer.was_lost = true;
        peer.group = -1;
        connection.lose();
        break;
      case 2:
        if (peer.wire->framing != Framing::messages) connection.send_control(as_bytes(pong(peer)));
        break;
      case 3: {
        const std::uint32_t from = below(4);
        const std::uint32_t to = below(4);
        groups_[from]->move_all_to(*groups_[to]);
        for (Peer& other : peers_) {
          if (other.group == static_cast<int>(from)) other.group = static_cast<int>(to);
        }
        break;
      }
      case 4: {
        const std::uint32_t which = below(4);
        groups_[which] = std::make_unique<Group>(loop_.outbox);
        for (Peer& other : peers_) {
          if (other.group == static_cast<int>(which)) other.group = -1;
        }
        break;
      }
      default:
        if (connection.is_open()) {
          connection.discard_queue();
          peer.discarded_before = number_ + 1;
        }
    }
  }

  static std::string pong(const Peer& peer) {
    if (peer.wire->framing == Framing::none) return ":\n";
    if (peer.wire->framing == Framing::client) return std::string{"\x8a\x82\0\0\0\0hi", 8};
    return std::string{"\x8a\x02hi", 4};
  }

  void send(Peer& peer, WireConnection& connection) {
    const Delivery delivery = some_delivery();
    const std::uint32_t number = ++number_;
    const std::string bytes = content(number);
    const Urgency urgency = below(4) == 0 ? Urgency::urgent : Urgency::normal;
    const SendStatus status = below(2) == 0
                                  ? connection.send(text(bytes), delivery, urgency)
                                  : connection.send(Frame{text(bytes)}, delivery, urgency);
    if (status == SendStatus::queued) peer.expected.push_back({number, delivery});
  }

  void broadcast(std::uint32_t group) {
    const Delivery delivery = some_delivery();
    const std::uint32_t number = ++number_;
    const Connection* except = nullptr;
    const Peer* excepted = nullptr;
    if (below(2) == 0) {
      excepted = &peers_[below(static_cast<std::uint32_t>(peers_.size()))];
      except = loop_.outbox.find(excepted->id);
    }
    const std::string bytes = content(number);
    if (groups_[group]->broadcast(text(bytes), except, delivery) != SendStatus::queued) return;
    for (Peer& peer : peers_) {
      if (peer.group == static_cast<int>(group) && (&peer != excepted || except == nullptr)) {
        peer.expected.push_back({number, delivery});
      }
    }
  }

  void end_pass() {
    loop_.service.must_be_silent = true;
    loop_.now += std::chrono::milliseconds{below(15)};
    loop_.outbox.flush(loop_.now);
    loop_.service.must_be_silent = false;
    loop_.outbox.dispatch(loop_.now);
    for (Peer& peer : peers_) {
      const Connection* const connection = loop_.outbox.find(peer.id);
      if (connection == nullptr || !connection->is_open()) peer.group = -1;
    }
  }

  std::string check(const Peer& peer) {
    std::vector<std::uint32_t> got;
    for (const std::string& payload : peer.wire->payloads()) {
      std::uint32_t number = 0;
      std::from_chars(payload.data(), payload.data() + payload.size(), number);
      if (payload != content(number)) return "corrupt: " + payload.substr(0, 40);
      if (!got.empty() && number <= got.back()) {
        return "order: " + std::to_string(number) + " after " + std::to_string(got.back());
      }
      got.push_back(number);
    }
    const std::ptrdiff_t closes = loop_.service.closes(peer.id);
    const bool gone = loop_.outbox.find(peer.id) == nullptr;
    if (closes != (gone ? 1 : 0)) return "on_close " + std::to_string(closes) + " times";
    if (!peer.was_lost && peer.wire->framing != Framing::messages && !peer.wire->is_whole()) {
      return "ends in the middle of a message";
    }
    auto next = got.begin();
    std::set<std::uint32_t> later_keys;
    std::vector<const Expected*> missing;
    for (const Expected& entry : peer.expected) {
      if (next != got.end() && *next == entry.number) {
        ++next;
      } else {
        missing.push_back(&entry);
      }
    }
    if (next != got.end()) return "not for it: " + std::to_string(*next);
    if (peer.was_lost) return {};
    for (const Expected* entry : missing) {
      if (entry->number < peer.discarded_before) continue;
      if (entry->delivery.delivery == Delivery::Class::volatile_) {
        if (!peer.was_behind && !tight_) return "volatile dropped without need";
        continue;
      }
      if (entry->delivery.delivery == Delivery::Class::latest &&
          std::any_of(peer.expected.begin(), peer.expected.end(), [&](const Expected& other) {
            return other.number > entry->number &&
                   other.delivery.delivery == Delivery::Class::latest &&
                   other.delivery.key == entry->delivery.key;
          })) {
        continue;
      }
      if (!tight_) return "missing: " + std::to_string(entry->number);
      ++missing_;
    }
    return {};
  }

  std::mt19937 random_;
  bool tight_;
  Loop loop_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Peer> peers_;
  std::uint32_t number_ = 0;
  std::uint64_t lost_words_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t missing_ = 0;
};

void run_seeds(std::uint32_t first, std::uint32_t count, bool tight) {
  const auto end = first + static_cast<std::uint32_t>(::test::share_of(count));
  for (std::uint32_t seed = first; seed < end; ++seed) {
    const std::string fault = Run{seed, tight}.run();
    if (!fault.empty()) {
      INFO("seed " << seed << ": " << fault);
      REQUIRE(fault.empty());
    }
  }
}

}  // namespace

TEST_CASE("transport: random use keeps every connection's order and loses nothing reliable",
          "[transport][random]") {
  run_seeds(1, 2000, false);
}

TEST_CASE("transport: random use under tight budgets loses only what services are told of",
          "[transport][random]") {
  run_seeds(1, 2000, true);
}
