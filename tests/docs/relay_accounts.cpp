#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/authenticator.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/observer.hpp>
#include <muster/relay/service.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace relay = muster::relay;
using muster::time_point;
using namespace std::chrono_literals;

// Asks elsewhere to whom a session belongs, and lets nobody wait for the answer but its owner.
class Accounts final : public relay::Authenticator {
 public:
  using LookUp = std::function<void(std::uint64_t ticket, std::string session)>;
  explicit Accounts(LookUp look_up) : look_up_(std::move(look_up)) {}

  void authenticate(const muster::Request& request, relay::Admission admission,
                    time_point) override {
    auto session = request.query_value("session");
    if (!session) return admission.refuse(401, "log in first\n");
    waiting_.emplace(++last_ticket_, std::move(admission));
    look_up_(last_ticket_, *std::move(session));
  }

  // On the loop: a thread that has looked it up says so with `Loop::post`.
  void found(std::uint64_t ticket, std::string_view user) {
    auto entry = waiting_.extract(ticket);
    if (entry.empty()) return;
    if (user.empty()) return entry.mapped().refuse(403, "nobody knows you\n");
    entry.mapped().admit(user);
  }

 private:
  LookUp look_up_;
  std::uint64_t last_ticket_ = 0;
  std::map<std::uint64_t, relay::Admission> waiting_;
};

// Writes down who opened which room. It must not block: what takes time is for another thread.
struct Journal final : relay::Observer {
  void on_room_opened(const relay::RoomFacts& room, const relay::PlayerInfo* host,
                      time_point) override {
    const std::string name{room.room_id};
    const std::string user{host == nullptr ? "the server" : host->user};
    std::printf("%s was opened by %s\n", name.c_str(), user.c_str());
  }
  void on_room_closed(const relay::RoomFacts& room, relay::Ending why, time_point) override {
    const std::string name{room.room_id};
    const std::string reason{rule_of(why).name};
    std::printf("%s has ended: %s\n", name.c_str(), reason.c_str());
  }
};

struct Quiet final : relay::Host::Handler {
  void on_created(const relay::HandshakeResponse&, bool, time_point) override {}
  void on_arrival(std::uint16_t, time_point) override {}
  void on_departure(std::uint16_t, time_point) override {}
  void on_rpc(std::uint16_t, muster::byte_view, time_point) override {}
  std::vector<std::byte> full_state() override { return {}; }
  void on_end(relay::Parting, std::string_view, time_point) override {}
};

int main() {
  muster::memory::Network network;
  muster::SeededEntropy entropy{1};
  muster::WeakMac mac;
  relay::Service::Config config;
  config.games.games = {{"chess", {2}}};
  relay::Service service{config, network.outbox(), entropy, mac};
  network.add(service);

  std::vector<std::uint64_t> asked;
  Accounts accounts{[&asked](std::uint64_t ticket, const std::string&) {
    asked.push_back(ticket);  // here a database would be asked
  }};
  Journal journal;
  service.set_authenticator(&accounts);
  service.set_observer(&journal);

  muster::memory::Dialer dialer{network};
  (void)dialer.listen("ws://relay.test/ws", service);
  Quiet handler;
  relay::Host host{
      {.url = "ws://relay.test/ws?session=77", .game_id = "chess", .room_id = "table 1"},
      dialer,
      network.outbox(),
      entropy,
      handler};
  network.add(host);
  (void)host.start(network.now());
  network.run_for(1s);
  for (const std::uint64_t ticket : asked) accounts.found(ticket, "ann");
  network.run_for(1s);
  host.terminate(network.now());
  network.run_for(1s);
}
