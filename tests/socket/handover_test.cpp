// SPDX-License-Identifier: MIT
// Connections that move between the servers of several loops: step by step in one thread, and under
// load in several.
#include "support/loops_world.hpp"

#include <atomic>
#include <random>
#include <stdexcept>
#include <thread>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::HandDrivenLoops;
using test::is_unbroken;
using test::RawClient;
using test::Tally;
using test::ThreadedLoops;

namespace {

std::string numbered(std::uint64_t number, std::size_t loop, std::size_t filler = 0) {
  return RawClient::frame(
      std::to_string(number) + ' ' + std::to_string(loop) + ' ' + std::string(filler, '.'), 0x81);
}

std::uint64_t echoes(const RawClient& client) {
  std::uint64_t count = 0;
  return is_unbroken(client, &count) ? count : 0;
}

}  // namespace

TEST_CASE("socket handover: a connection goes where its messages say, and the peer sees one server",
          "[handover]") {
  HandDrivenLoops loops{3, each_backend()};
  RawClient& client = loops.open(0);
  const std::size_t route[] = {0, 1, 2, 0, 2, 1, 1, 0};
  std::uint64_t number = 0;
  for (const std::size_t loop : route) {
    client.send(numbered(number++, loop));
    REQUIRE(loops.run_until([&] { return echoes(client) == number; }));
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(loops.servers[i]->endpoint().session_count() == (i == loop ? 1 : 0));
    }
  }
  // The same at once, and in one piece.
  std::string all;
  for (const std::size_t loop : route) all += numbered(number++, loop, 3000);
  client.send(all);
  REQUIRE(loops.run_until([&] { return echoes(client) == number; }));
  CHECK(is_unbroken(client));
  CHECK(loops.services[0]->opens == 1);
  client.send(RawClient::close_frame());
  REQUIRE(loops.run_until([&] { return client.is_at_end(); }));
  CHECK(client.close_code() == 1000);
  CHECK(loops.services[0]->closes == 1);
  CHECK(loops.services[1]->closes + loops.services[2]->closes == 0);
  CHECK(Tally::alive == 0);
}

TEST_CASE("socket handover: to the own loop is a move like any other", "[handover]") {
  HandDrivenLoops loops{1, each_backend()};
  RawClient& client = loops.open(0);
  loops.services[0]->here = 1;  // so that it sends itself what is for loop 0
  loops.services[0]->when_moving = [&](Connection&) { loops.services[0]->here = 0; };
  client.send(numbered(0, 0) + numbered(1, 0));
  REQUIRE(loops.run_until([&] { return echoes(client) == 2; }));
  CHECK(loops.services[0]->arrivals == 1);
  CHECK(is_unbroken(client));
  CHECK(loops.servers[0]->endpoint().session_count() == 1);
}

TEST_CASE("socket handover: input that nobody has read yet is read on the other loop",
          "[handover]") {
  muster::asio::Loop::Config loop_config;
  loop_config.pass_bytes = 64 * 1024;
  HandDrivenLoops loops{2, each_backend(), {}, loop_config};
  RawClient& client = loops.open(0);
  // Many times what one pass reads; where it was cut shows in no answer.
  std::uint64_t number = 0;
  for (int i = 0; i < 200; ++i) {
    client.output += numbered(number, (number / 20) % 2, 5000);
    ++number;
  }
  REQUIRE(loops.run_until([&] { return echoes(client) == number; }));
  CHECK(is_unbroken(client));
  CHECK(loops.services[0]->arrivals + loops.services[1]->arrivals == 9);
}

TEST_CASE("socket handover: what a slow peer has not taken goes along, in order", "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0, 4096);
  client.is_reading = false;
  std::uint64_t number = 0;
  for (int i = 0; i < 600; ++i) {
    client.output += numbered(number, (number / 30) % 2);
    ++number;
  }
  REQUIRE(loops.run_until(
      [&] { return loops.services[0]->messages + loops.services[1]->messages == 600; }));
  CHECK(loops.services[0]->arrivals + loops.services[1]->arrivals == 19);
  client.is_reading = true;
  REQUIRE(loops.run_until([&] { return echoes(client) == number; }));
  CHECK(is_unbroken(client));
}

TEST_CASE("socket handover: one that dies on the way ends there, once", "[handover]") {
  const bool by_reset = GENERATE(true, false);
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0);
  client.send(numbered(0, 1));
  REQUIRE(
      loops.run_until_on(0, [&] { return loops.servers[0]->endpoint().stats().departures == 1; }));
  CHECK(loops.servers[0]->endpoint().session_count() == 0);
  if (by_reset) {
    client.reset();
  } else {
    client.half_close();
  }
  REQUIRE(loops.run_until([&] { return loops.services[1]->closes == 1; }));
  CHECK(loops.services[1]->arrivals == 1);
  CHECK(loops.services[1]->messages == 1);
  REQUIRE(loops.run_until([&] { return loops.servers[1]->endpoint().session_count() == 0; }));
  CHECK(loops.services[0]->closes == 0);
  CHECK(Tally::alive == 0);
}

TEST_CASE("socket handover: a full mailbox refuses at once", "[handover]") {
  muster::asio::Loop::Config loop_config;
  loop_config.mailbox_capacity = 2;
  HandDrivenLoops loops{2, each_backend(), {}, loop_config};
  RawClient& first = loops.open(0);
  RawClient& second = loops.open(0);
  RawClient& third = loops.open(0);
  // Two are on their way, and nobody looks into the mailbox.
  first.send(numbered(0, 1));
  second.send(numbered(0, 1));
  REQUIRE(
      loops.run_until_on(0, [&] { return loops.servers[0]->endpoint().stats().departures == 2; }));
  CHECK(loops.worlds[1]->loop.post([] {}) == muster::asio::PostStatus::full);
  third.send(numbered(0, 1));
  REQUIRE(loops.run_until_on(0, [&] { return third.close_code() != 0; }));
  CHECK(third.close_code() == 1013);
  CHECK(loops.services[0]->last_status == MoveStatus::full);
  REQUIRE(loops.run_until([&] { return echoes(first) == 1 && echoes(second) == 1; }));
  RawClient& fourth = loops.open(0);
  fourth.send(numbered(0, 1));
  REQUIRE(loops.run_until([&] { return echoes(fourth) == 1; }));
}

TEST_CASE("socket handover: a limit there closes with 1013, and is not lost silently",
          "[handover]") {
  muster::asio::WebSocketServer::Config config;
  config.max_connections_per_address = 1;
  HandDrivenLoops loops{2, each_backend(), config};
  RawClient& there = loops.open(1);
  RawClient& client = loops.open(0);
  client.send(numbered(0, 1));
  REQUIRE(loops.run_until([&] { return client.close_code() != 0; }));
  CHECK(client.close_code() == 1013);
  CHECK(loops.services[1]->arrivals == 0);
  client.send(RawClient::close_frame(1013));
  REQUIRE(loops.run_until([&] { return loops.services[1]->closes == 1; }));
  CHECK(loops.services[0]->closes == 0);
  CHECK(loops.services[1]->code == 1013);
  CHECK(!there.is_at_end());
  // Neither loop has lost count.
  RawClient& next = loops.open(0);
  there.close();
  REQUIRE(loops.run_until([&] { return loops.services[1]->closes == 2; }));
  next.send(numbered(0, 1));
  REQUIRE(loops.run_until([&] { return echoes(next) == 1; }));
}

TEST_CASE("socket handover: a server that drains takes nobody in, and waits for who is on the way",
          "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& under_way = loops.open(0);
  RawClient& late = loops.open(0);
  under_way.send(numbered(0, 1));
  REQUIRE(
      loops.run_until_on(0, [&] { return loops.servers[0]->endpoint().stats().departures == 1; }));
  bool is_done = false;
  loops.servers[1]->drain(30s, [&] { is_done = true; });
  late.send(numbered(0, 1));
  REQUIRE(loops.run_until_on(0, [&] { return late.close_code() != 0; }));
  CHECK(late.close_code() == 1013);
  CHECK(loops.services[0]->last_status == MoveStatus::stopped);
  CHECK(!is_done);
  REQUIRE(loops.run_until([&] { return under_way.close_code() != 0; }));
  CHECK(under_way.close_code() == 1013);
  CHECK(!is_done);
  under_way.send(RawClient::close_frame(1013));
  REQUIRE(loops.run_until([&] { return is_done; }));
  CHECK(loops.services[1]->arrivals == 0);
  CHECK(loops.services[1]->closes == 1);
  // And who drains gives nobody away.
  RawClient& last = loops.open(0);
  loops.servers[0]->drain(30s, [] {});
  last.send(numbered(0, 1));
  REQUIRE(loops.run_until([&] { return last.close_code() != 0; }));
  CHECK(loops.services[0]->last_status == MoveStatus::stopped);
}

TEST_CASE("socket handover: a server that drains waits for a place that is given back",
          "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0);
  bool is_done = false;
  bool was_done = true;
  loops.services[0]->when_moving = [&](Connection& connection) {
    loops.servers[1]->drain(30s, [&] { is_done = true; });
    loops.poll(1);
    was_done = is_done;
    connection.close(CloseReason::kicked, 4000);  // so it stays
  };
  client.send(numbered(0, 1));
  REQUIRE(loops.run_until([&] { return client.close_code() == 4000 && is_done; }));
  CHECK(!was_done);
  // What lay unread when it was to leave is still read: the answer to the Close.
  client.send(RawClient::close_frame(4000));
  REQUIRE(loops.run_until([&] { return client.is_at_end(); }));
  CHECK(loops.services[0]->closes == 1);
  CHECK(loops.services[1]->closes == 0);
  CHECK(Tally::alive == 0);
}

TEST_CASE("socket handover: a server that goes while somebody is about to leave for it",
          "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0);
  bool with_loop = GENERATE(true, false);
  loops.services[0]->when_moving = [&](Connection&) {
    loops.servers[1].reset();
    if (with_loop) loops.worlds[1].reset();
  };
  client.send(numbered(0, 1) + numbered(1, 1));
  REQUIRE(loops.run_until_on(0, [&] { return client.close_code() != 0; }));
  CHECK(client.close_code() == 1013);
  client.send(RawClient::close_frame(1013));
  REQUIRE(loops.run_until_on(0, [&] { return loops.services[0]->closes == 1; }));
  CHECK(loops.services[1]->closes == 0);
  CHECK(Tally::alive == 0);
  // From now on it is refused at once.
  loops.services[0]->when_moving = nullptr;
  RawClient& next = loops.open(0);
  next.send(numbered(0, 1));
  REQUIRE(loops.run_until_on(0, [&] { return next.close_code() == 1013; }));
  CHECK(loops.services[0]->last_status == MoveStatus::stopped);
}

TEST_CASE("socket handover: who is in the mailbox of a server that goes ends there, once",
          "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0);
  RawClient& other = loops.open(0);
  client.send(numbered(0, 1));
  REQUIRE(
      loops.run_until_on(0, [&] { return loops.servers[0]->endpoint().stats().departures == 1; }));
  int ran = 0;
  loops.worlds[1]->loop.post([&] { ++ran; });  // what others posted stays where it is
  CHECK(Tally::alive == 2);
  loops.servers[1].reset();
  CHECK(loops.services[1]->closes == 1);
  CHECK(loops.services[1]->arrivals == 0);
  CHECK(ran == 0);
  CHECK(Tally::alive == 1);
  REQUIRE(loops.run_until([&] { return client.is_at_end() && ran == 1; }));
  CHECK(loops.services[0]->closes == 0);
  other.send(numbered(0, 0));
  REQUIRE(loops.run_until([&] { return echoes(other) == 1; }));
}

TEST_CASE("socket handover: what a service throws on arrival ends that one connection",
          "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0);
  loops.services[1]->here = 7;  // so that it wants to move it on to where nobody is
  loops.services[1]->siblings.clear();
  struct Thrower final : Service {
    void on_message(Connection&, const Message&, time_point) override {}
    void on_arrival(Connection&, std::unique_ptr<Luggage>, time_point) override {
      throw std::runtime_error{"arrival"};
    }
    void on_close(Connection&, const CloseInfo& info, time_point) override {
      ++closes;
      reason = info.reason;
    }
    int closes = 0;
    CloseReason reason = CloseReason::none;
  } thrower;
  Connection* const connection = loops.worlds[0]->loop.outbox().find({0, 1});
  REQUIRE(connection != nullptr);
  REQUIRE(connection->move_to(1, thrower) == MoveStatus::moving);
  CHECK_THROWS_WITH(loops.run_until([&] { return client.is_at_end(); }), "arrival");
  REQUIRE(loops.run_until([&] { return client.is_at_end(); }));
  CHECK(thrower.closes == 1);
  CHECK(thrower.reason == CloseReason::internal_error);
  CHECK(loops.servers[1]->endpoint().session_count() == 0);
}

TEST_CASE("socket handover: without a handover, or to a loop that is not there, nothing moves",
          "[handover]") {
  HandDrivenLoops loops{2, each_backend()};
  RawClient& client = loops.open(0);
  Connection* const connection = loops.worlds[0]->loop.outbox().find({0, 1});
  REQUIRE(connection != nullptr);
  CHECK(connection->move_to(2, *loops.services[1]) == MoveStatus::not_movable);
  test::ServerWorld alone{each_backend()};
  alone.open();
  CHECK(alone.last().move_to(0, alone.service) == MoveStatus::not_movable);
  client.send(numbered(0, 0));
  REQUIRE(loops.run_until([&] { return echoes(client) == 1; }));
}

namespace {

// A peer that sends numbered messages, each of which names a loop at random.
struct Wanderer {
  std::unique_ptr<RawClient> client;
  std::mt19937_64 random;
  std::uint64_t sent = 0;
  std::uint64_t last = 0;  // how many it sends
  bool dies = false;       // in place of waiting for its answers
  bool is_over = false;

  void open(std::uint16_t port, int receive_buffer = 0) {
    client = std::make_unique<RawClient>(port, receive_buffer);
    client->send(RawClient::upgrade_request());
  }

  void step(std::size_t loops) {
    if (is_over) return;
    // Not more under way than a connection's budget holds of answers.
    while (sent < last && client->is_upgraded() && client->output.size() < 2000 &&
           sent < heard() + 40) {
      const std::size_t filler = random() % 10 == 0 ? random() % 3000 : random() % 100;
      client->output += numbered(sent++, random() % 3 == 0 ? at : (at = random() % loops), filler);
    }
    client->step();
    if (dies && sent == last) {
      client->reset();
      is_over = true;
    } else if (!dies && heard() == last) {
      is_over = true;
    }
  }

  // Counts cheaply what `is_unbroken` checks at the end.
  std::uint64_t heard() {
    const std::size_t head = client->head().size();
    if (scanned < head) scanned = head;
    while (head != 0 && scanned + 4 <= client->input.size()) {
      const auto octet = [this](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(client->input[i]));
      };
      std::size_t size = octet(scanned + 1);
      std::size_t header = 2;
      if (size == 126) {
        size = octet(scanned + 2) << 8U | octet(scanned + 3);
        header = 4;
      }
      if (client->input.size() - scanned < header + size) break;
      const std::size_t space = client->input.find(' ', scanned + header);
      const char kind = client->input[space + 1];
      if (kind >= '0' && kind <= '9') ++echoed;
      scanned += header + size;
    }
    return echoed;
  }

 private:
  std::size_t at = 0;
  std::size_t scanned = 0;
  std::uint64_t echoed = 0;
};

void wander(std::size_t peers, std::uint64_t messages, test::Backend backend, bool some_die) {
  constexpr std::size_t loop_count = 4;
  ThreadedLoops loops{loop_count, backend};
  std::vector<Wanderer> wanderers(peers);
  for (std::size_t i = 0; i < peers; ++i) {
    Wanderer& wanderer = wanderers[i];
    wanderer.random.seed(i + 1);
    wanderer.last = messages;
    wanderer.dies = some_die && i % 4 == 3;
    if (wanderer.dies) wanderer.last = messages / 4 + wanderer.random() % (messages / 2);
    wanderer.open(loops.port, i % 3 == 0 ? 4096 : 0);
  }
  const auto deadline = std::chrono::steady_clock::now() + test::patience * 3;
  std::size_t over = 0;
  while (over < peers && std::chrono::steady_clock::now() < deadline) {
    over = 0;
    for (Wanderer& wanderer : wanderers) {
      wanderer.step(loop_count);
      over += wanderer.is_over ? 1 : 0;
    }
  }
  CHECK(over == peers);
  loops.stop();

  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < peers; ++i) {
    Wanderer& wanderer = wanderers[i];
    INFO("peer " << i);
    CHECK(is_unbroken(*wanderer.client));
    if (wanderer.dies) continue;
    CHECK(echoes(*wanderer.client) == messages);
    expected += messages;
  }
  using test::WanderingService;
  CHECK(loops.sum(&WanderingService::out_of_order) == 0);
  CHECK(loops.sum(&WanderingService::strangers) == 0);
  CHECK(loops.sum(&WanderingService::refusals) == 0);
  CHECK(loops.sum(&WanderingService::opens) == static_cast<int>(peers));
  CHECK(loops.sum(&WanderingService::closes) == static_cast<int>(peers));
  CHECK(static_cast<std::uint64_t>(loops.sum(&WanderingService::messages)) >= expected);
  CHECK(static_cast<std::uint64_t>(loops.sum(&WanderingService::arrivals)) > expected / 4);
  std::uint64_t departures = 0;
  std::uint64_t arrivals = 0;
  for (const auto& server : loops.servers) {
    CHECK(server->endpoint().session_count() == 0);
    departures += server->endpoint().stats().departures;
    arrivals += server->endpoint().stats().arrivals;
  }
  CHECK(departures == arrivals);
  CHECK(Tally::alive == 0);
}

}  // namespace

TEST_CASE("socket handover: in four threads under load nothing is lost, doubled or out of order",
          "[handover]") {
  wander(24, 300, each_backend(), false);
}

TEST_CASE("socket handover: in four threads, with peers that die while they move", "[handover]") {
  wander(32, 200, each_backend(), true);
}

TEST_CASE("socket handover: soak, four loops and forty thousand messages", "[handover]") {
  wander(40, 1000, test::Backend::automatic, true);
}

TEST_CASE("socket handover: a group that is stopped at once ends every connection once",
          "[handover]") {
  const test::Backend backend = each_backend();
  for (int round = 0; round < 5; ++round) {
    ThreadedLoops loops{4, backend};
    std::vector<Wanderer> wanderers(8);
    for (std::size_t i = 0; i < wanderers.size(); ++i) {
      wanderers[i].random.seed(i);
      wanderers[i].last = 1'000'000;
      wanderers[i].open(loops.port);
    }
    const auto all_moved = [&] {
      for (Wanderer& wanderer : wanderers) {
        if (wanderer.heard() < 20) return false;
      }
      return true;
    };
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    while (!all_moved() && std::chrono::steady_clock::now() < deadline) {
      for (Wanderer& wanderer : wanderers) wanderer.step(4);
    }
    CHECK(all_moved());
    // Some are in a mailbox, some on a loop.
    if (round % 2 == 0) {
      loops.group.stop();
    } else {
      loops.stop();
    }
    loops.servers.clear();
    using test::WanderingService;
    CHECK(loops.sum(&WanderingService::opens) == 8);
    CHECK(loops.sum(&WanderingService::closes) == 8);
    CHECK(Tally::alive == 0);
  }
}

TEST_CASE("socket handover: a group without threads or connections can be destroyed in any state",
          "[handover]") {
  { muster::asio::LoopGroup never_started{3}; }
  {
    muster::asio::LoopGroup started{3};
    started.start();
    std::atomic<int> ran = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(started.loop(i).post([&ran] { ++ran; }) == muster::asio::PostStatus::queued);
    }
    while (ran != 3) std::this_thread::yield();
  }
  muster::asio::LoopGroup group{2};
  group.start();
  group.stop();
  group.stop();
  CHECK(group.loop(0).post([] {}) == muster::asio::PostStatus::queued);
}
