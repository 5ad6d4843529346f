// SPDX-License-Identifier: MIT
// Version 2 of the shard protocol: hello, acknowledgements, refusals, deltas, events, the clock.
#include <muster/memory/network.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>
#include <muster/shard/v2_message.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

// A row of cells that inputs set: "index=value". A snapshot is the row, a delta the cells that
// differ, and both are text.
struct Cells {
  using Input = std::pair<std::size_t, char>;
  using Snapshot = std::string;

  static std::optional<Input> decode(byte_view bytes, Format) {
    std::string_view text = as_text(bytes);
    if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
    if (text.size() != 3 || text[1] != '=' || text[0] < '0' || text[0] > '9') return std::nullopt;
    return Input{static_cast<std::size_t>(text[0] - '0'), text[2]};
  }
  void apply(const Subscriber&, const Input& input) { row[input.first] = input.second; }
  void step(duration, Events& events) {
    if (row[9] != '!') return;
    events.send(0, as_bytes("everybody"));
    events.send(1, as_bytes("only one"));
    row[9] = '.';
  }
  [[nodiscard]] std::string snapshot(std::uint64_t key) const {
    return key == 0 ? row : std::string(10, 'x');
  }
  void encode(const View& view, std::vector<std::byte>& out) const {
    append(view.format == Format::json ? '"' + snapshot(view.key) + '"' : snapshot(view.key), out);
  }
  static bool encode_delta(const std::string& base, const std::string& now, Format,
                           std::vector<std::byte>& out) {
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (base[i] != now[i]) append(std::to_string(i) + now[i], out);
    }
    return base != now;
  }
  static bool writes(Format format) { return format == Format::binary; }
  [[nodiscard]] std::uint64_t view_key(const Subscriber&) const { return row[8] == 'b' ? 1 : 0; }
  void on_interest(const Subscriber&, byte_view parameters) { interest = as_text(parameters); }

  static void append(std::string_view text, std::vector<std::byte>& out) {
    const byte_view bytes = as_bytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  std::string row = "..........";
  std::string interest{};
};

// A client that keeps what it is sent, and rebuilds the row as a client does: from snapshots that
// it has kept, by tick.
struct Client final : muster::Service {
  void on_open(Connection& connection, time_point) override { end = &connection; }
  void on_message(Connection&, const Message& message, time_point) override {
    const auto decoded = v2::decode_server_message(message.bytes);
    REQUIRE(decoded.has_value());
    types.push_back(std::to_integer<unsigned>(message.bytes[0]));
    sizes.push_back(message.bytes.size());
    if (const auto* full = std::get_if<v2::Full>(&*decoded)) {
      keep(full->tick, std::string{as_text(full->payload)});
    } else if (const auto* delta = std::get_if<v2::Delta>(&*decoded)) {
      REQUIRE(rows.contains(delta->base_tick));
      std::string row = rows.at(delta->base_tick);
      const std::string_view changes = as_text(delta->payload);
      for (std::size_t i = 0; i + 1 < changes.size(); i += 2) {
        row[static_cast<std::size_t>(changes[i] - '0')] = changes[i + 1];
      }
      keep(delta->tick, row);
    } else if (const auto* same = std::get_if<v2::Unchanged>(&*decoded)) {
      REQUIRE(rows.contains(same->base_tick));
      keep(same->tick, rows.at(same->base_tick));
    } else if (const auto* said = std::get_if<v2::Hello>(&*decoded)) {
      hello = *said;
      sid = said->sid;
    } else if (const auto* acked = std::get_if<v2::InputAck>(&*decoded)) {
      acks.push_back(*acked);
    } else if (const auto* nack = std::get_if<v2::Nack>(&*decoded)) {
      nacks.push_back(*nack);
    } else if (const auto* event = std::get_if<v2::Event>(&*decoded)) {
      events.push_back(std::to_string(event->sequence) + ":" +
                       std::string{as_text(event->payload)});
    } else if (const auto* reply = std::get_if<v2::ClockReply>(&*decoded)) {
      clock = *reply;
    } else if (const auto* bye = std::get_if<v2::Bye>(&*decoded)) {
      byes.push_back(std::to_string(bye->code) + " " + std::string{bye->text});
    }
  }
  void on_close(Connection&, const CloseInfo& info, time_point) override {
    end = nullptr;
    closed_with = info.code;
  }
  void keep(std::uint64_t tick, std::string row) {
    last_tick = tick;
    shown.emplace_back(row[0], acks.empty() ? 0 : acks.back().client_seq.value_or(0));
    rows[tick] = std::move(row);
    if (acknowledges) say(v2::SnapshotAck{tick});
  }
  template <class T>
  void say(const T& message) {
    std::vector<std::byte> bytes;
    v2::encode(message, bytes);
    end->send({bytes});
  }
  void input(std::uint64_t number, std::string_view text, std::uint64_t target = 0) {
    say(v2::Input{number, 0, target, as_bytes(text)});
  }
  [[nodiscard]] const std::string& row() const { return rows.at(last_tick); }
  [[nodiscard]] std::size_t count(unsigned type) const {
    return static_cast<std::size_t>(std::count(types.begin(), types.end(), type));
  }

  Connection* end = nullptr;
  bool acknowledges = true;
  std::map<std::uint64_t, std::string> rows;
  std::uint64_t last_tick = 0;
  std::vector<unsigned> types;
  std::vector<std::size_t> sizes;
  std::optional<v2::Hello> hello;
  std::string sid;
  std::vector<v2::InputAck> acks;
  std::vector<std::pair<char, std::uint64_t>> shown;  // a cell, and what was acked before it
  std::vector<v2::Nack> nacks;
  std::vector<std::string> events;
  std::vector<std::string> byes;
  std::optional<v2::ClockReply> clock;
  unsigned closed_with = 0;
};

struct World {
  explicit World(const AnyShard::Config& config = {.hz = 10, .guests = Guests::named})
      : service({}, registry, network.outbox(), entropy) {
    auto made = std::make_unique<Shard<Cells>>(config, Cells{}, network.now());
    shard = made.get();
    static_cast<void>(registry.insert("one", std::move(made), network.now()));
    network.add(service);
  }
  ~World() { network.remove(service); }
  void join(Client& client, std::string_view query, const memory::Link& link = {},
            std::span<const std::string_view> subprotocols = {}) {
    network.connect(client, service, {.query = query, .subprotocols = subprotocols}, link);
    network.run_for(1ms + 4 * (link.latency + link.jitter));
    REQUIRE(client.end != nullptr);
  }

  memory::Network network{1};
  SeededEntropy entropy{1};
  Registry registry;
  shard::Service service;
  Shard<Cells>* shard = nullptr;
};

}  // namespace

TEST_CASE("shard v2: a hello comes first, and the state at once", "[shard]") {
  World world;
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  REQUIRE(client.hello);
  CHECK(client.types == std::vector<unsigned>{0x05, 0x01});
  CHECK(client.hello->rate_mhz == 10'000);
  CHECK(client.hello->format == Format::binary);
  CHECK(client.sid == "alice");
  CHECK(client.hello->max_message_bytes == 64 * 1024);
  CHECK(client.hello->max_inputs_per_second == 120);
  CHECK(client.row() == "..........");
}

TEST_CASE("shard v2: a subprotocol asks for it too, and a format that the game lacks is JSON",
          "[shard]") {
  World world;
  Client client;
  const std::string_view offered[] = {"bearer.x", "shard.v2"};
  world.join(client, "shard=one&sid=alice&format=cbor", {}, offered);
  REQUIRE(client.hello);
  CHECK(client.hello->format == Format::json);
  CHECK(client.row() == "\"..........\"");
}

TEST_CASE("shard v2: MessagePack is made from the JSON", "[shard]") {
  World world;
  Client client;
  client.acknowledges = false;
  world.join(client, "shard=one&sid=alice&v=2&format=msgpack");
  CHECK(client.hello->format == Format::msgpack);
  CHECK(client.row() == "\xaa..........");
  client.input(1,
               "\xa3"
               "3=q");
  client.input(2, "\xc1");
  world.network.run_for(100ms);
  CHECK(client.row() == "\xaa...q......");
  REQUIRE(client.nacks.size() == 1);
  CHECK(client.nacks[0].client_seq == 2);
  CHECK(client.nacks[0].code == v2::NackCode::bad_input);
}

TEST_CASE("shard v2: what was applied is acknowledged, and what was refused is said", "[shard]") {
  World world{{.hz = 10, .max_subscriber_inputs = 3, .guests = Guests::named}};
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  client.input(1, "0=a");
  client.input(2, "1=b");
  client.input(2, "1=c");
  client.input(3, "nonsense");
  client.input(4, "2=d", 1000);
  client.input(5, "2=e");
  client.input(6, "3=f");
  world.network.run_for(100ms);
  CHECK(client.row() == "abe.......");
  REQUIRE(client.acks.size() == 1);
  CHECK(client.acks[0].client_seq == 5);
  CHECK(client.acks[0].tick == client.last_tick);
  CHECK(client.acks[0].margin_ms >= 90);
  std::vector<std::pair<std::uint64_t, v2::NackCode>> nacks;
  for (const v2::Nack& nack : client.nacks) nacks.emplace_back(nack.client_seq, nack.code);
  CHECK(nacks ==
        std::vector<std::pair<std::uint64_t, v2::NackCode>>{{2, v2::NackCode::stale},
                                                            {3, v2::NackCode::bad_input},
                                                            {4, v2::NackCode::too_early},
                                                            {6, v2::NackCode::queue_full}});
  // Nothing new, nothing said.
  world.network.run_for(1s);
  CHECK(client.acks.size() == 1);
}

TEST_CASE("shard v2: an input ack comes in front of the snapshot that shows it", "[shard]") {
  World world{{.hz = 50, .guests = Guests::named}};
  Client client;
  SECTION("on a link that takes all") {
    world.join(client, "shard=one&sid=alice&v=2&format=binary");
  }
  SECTION("on one so narrow that newer ones take the places of both") {
    world.join(client, "shard=one&sid=alice&v=2&format=binary",
               {.latency = 30ms, .jitter = 20ms, .bytes_per_second = 600, .window = 32});
  }
  SECTION("to who gets nothing but whole snapshots") {
    client.acknowledges = false;
    world.join(client, "shard=one&sid=alice&v=2&format=binary");
  }
  for (std::uint64_t number = 1; number <= 60; ++number) {
    client.input(number, std::string{"0="} + static_cast<char>('a' + number % 26));
    world.network.run_for(1ms * (7 + static_cast<int>(number % 30)));
  }
  world.network.run_for(2s);
  REQUIRE(client.acks.size() > 20);
  CHECK(client.acks.back().client_seq == 60);
  // Nobody else plays, so each snapshot shows what was acknowledged last, and neither less nor
  // more.
  for (const auto& [cell, acked] : client.shown) {
    CHECK(cell == (acked == 0 ? '.' : static_cast<char>('a' + acked % 26)));
  }
}

TEST_CASE("shard v2: who acknowledges gets what changed, and nothing when nothing did", "[shard]") {
  World world;
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  world.network.run_for(1s);
  CHECK(client.count(0x01) <= 2);
  CHECK(client.count(0x03) >= 8);
  client.input(1, "4=z");
  world.network.run_for(200ms);
  CHECK(client.count(0x02) >= 1);
  CHECK(client.row() == "....z.....");
}

TEST_CASE("shard v2: who never acknowledges gets whole snapshots", "[shard]") {
  World world;
  Client client;
  client.acknowledges = false;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  world.network.run_for(1s);
  CHECK(client.count(0x01) >= 10);
  CHECK(client.count(0x02) + client.count(0x03) == 0);
}

TEST_CASE("shard v2: one that asks to begin anew gets a whole snapshot", "[shard]") {
  World world;
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  world.network.run_for(1s);
  client.acknowledges = false;
  client.say(v2::SnapshotAck{0});
  const std::size_t before = client.count(0x01);
  world.network.run_for(300ms);
  CHECK(client.count(0x01) >= before + 2);
}

TEST_CASE("shard v2: a tick that was never sent is no base", "[shard]") {
  World world;
  Client client;
  client.acknowledges = false;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  client.say(v2::SnapshotAck{1'000'000});
  client.say(v2::SnapshotAck{~std::uint64_t{0}});
  world.network.run_for(1s);
  CHECK(client.count(0x02) + client.count(0x03) == 0);
}

TEST_CASE("shard v2: another view is no base", "[shard]") {
  World world;
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  world.network.run_for(1s);
  const std::size_t before = client.count(0x01);
  client.input(1, "8=b");  // from now on everybody has another view
  world.network.run_for(300ms);
  CHECK(client.row() == "xxxxxxxxxx");
  CHECK(client.count(0x01) > before);
  client.input(2, "8=.");
  world.network.run_for(300ms);
  CHECK(client.row() == "..........");
}

TEST_CASE("shard defect 18: over a line that replaces snapshots, deltas still add up", "[shard]") {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    World world{{.hz = 100, .guests = Guests::named}};
    SeededEntropy random{seed};
    Client client;
    // A few bytes at a time: most snapshots are replaced before they leave.
    world.join(client, "shard=one&sid=alice&v=2&format=binary",
               {.latency = 30ms, .jitter = 20ms, .bytes_per_second = 900, .window = 32});
    Client writer;
    writer.acknowledges = false;
    world.join(writer, "shard=one&sid=bob&v=2&format=binary");
    for (std::uint64_t i = 1; i <= 200; ++i) {
      const std::uint64_t drawn = random.next_u64();
      const char text[] = {static_cast<char>('0' + drawn % 8), '=',
                           static_cast<char>('a' + drawn / 8 % 26)};
      writer.input(i, {text, 3});
      world.network.run_for(15ms);
    }
    world.network.run_for(3s);
    INFO("seed " << seed << ", " << client.count(0x02) << " deltas");
    CHECK(client.row() == world.shard->simulation().row);
    CHECK(client.count(0x02) > 10);
    CHECK(world.shard->stats().frames_conflated > 100);
  }
}

TEST_CASE("shard v2: one delta is encoded once for all who have its base", "[shard]") {
  World world;
  std::vector<std::unique_ptr<Client>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(std::make_unique<Client>());
    world.join(*all.back(), "shard=one&sid=p" + std::to_string(i) + "&v=2&format=binary");
  }
  world.network.run_for(500ms);
  const AnyShard::Stats before = world.shard->stats();
  world.network.run_for(1s);
  const AnyShard::Stats& after = world.shard->stats();
  CHECK(after.deltas_encoded - before.deltas_encoded == 10);
  CHECK(after.frames_sent - before.frames_sent == 200);
}

TEST_CASE("shard v2: events arrive in order, whatever becomes of snapshots", "[shard]") {
  World world;
  Client one;
  Client two;
  world.join(one, "shard=one&sid=alice&v=2&format=binary");
  world.join(two, "shard=one&sid=bob&v=2&format=binary");
  one.input(1, "9=!");
  world.network.run_for(200ms);
  one.input(2, "9=!");
  world.network.run_for(200ms);
  CHECK(one.events ==
        std::vector<std::string>{"1:everybody", "2:only one", "3:everybody", "4:only one"});
  CHECK(two.events == std::vector<std::string>{"1:everybody", "2:everybody"});
}

TEST_CASE("shard v2: one that takes no events is closed before they pile up", "[shard]") {
  World world{{.hz = 100, .write_timeout = 1h, .max_events = 1024, .guests = Guests::named}};
  Client deaf;
  Client writer;
  world.join(deaf, "shard=one&sid=alice&v=2&format=binary", {.window = 64});
  world.join(writer, "shard=one&sid=bob&v=2&format=binary");
  world.network.stall(*deaf.end, true);
  for (std::uint64_t i = 1; i <= 200; ++i) {
    writer.input(i, "9=!");
    world.network.run_for(10ms);
  }
  CHECK(world.shard->stats().closed_slow == 1);
  CHECK(writer.events.size() == 200);
}

TEST_CASE("shard v2: the clock, and what a client wants to see", "[shard]") {
  World world;
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  client.say(v2::ClockQuery{77});
  client.say(v2::Interest{as_bytes("the north")});
  world.network.run_for(5ms);
  REQUIRE(client.clock);
  CHECK(client.clock->t0 == 77);
  CHECK(client.clock->tick == world.shard->tick());
  CHECK(world.shard->simulation().interest == "the north");
}

TEST_CASE("shard v2: the last word says why", "[shard]") {
  World world;
  Client client;
  world.join(client, "shard=one&sid=alice&v=2&format=binary");
  world.shard->end(Ending::finished, world.network.now());
  world.network.run_for(10ms);
  CHECK(client.byes == std::vector<std::string>{"1000 finished"});
  CHECK(client.closed_with == 1000);
}

TEST_CASE("shard v2: what is no message ends the connection, and disturbs nobody", "[shard]") {
  World world;
  Client good;
  world.join(good, "shard=one&sid=alice&v=2&format=binary");
  const std::vector<std::string> bad{
      "", "\x01", "\x81", "\x99nonsense", std::string("\x82\x80\x00", 3), "{\"input\":1}"};
  for (const std::string& bytes : bad) {
    Client client;
    world.join(client, "shard=one&sid=bob&v=2&format=binary");
    client.end->send({as_bytes(bytes)});
    world.network.run_for(10ms);
    CHECK(client.end == nullptr);
    CHECK(client.closed_with == 1007);
  }
  Client text;
  world.join(text, "shard=one&sid=bob&v=2&format=binary");
  text.end->send({as_bytes("\x82\x01"), MessageKind::text});
  world.network.run_for(10ms);
  CHECK(text.end == nullptr);
  world.network.run_for(200ms);
  CHECK(good.end != nullptr);
  CHECK(good.last_tick == world.shard->tick());
}
