// SPDX-License-Identifier: MIT
// Sessions of the published crate, datagram by datagram: ours says the same, and where the crate's
// reaction is a defect, what it has to say instead.
#include <muster/soe/multiplexer.hpp>

#include "support/catch.hpp"
#include "support/soe_vectors.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// Of the wheel that has the session's long deadlines.
constexpr duration turn = std::chrono::milliseconds{16};

const json& transcripts() {
  static const json all = test::load_vectors("soe_vectors.json").at("transcripts");
  return all;
}

Address address_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  Address address = Address::parse_ip(text.substr(0, colon)).value();
  address.port = static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
  return address;
}

std::string name_of(soe::Channel channel) {
  switch (channel) {
    case soe::Channel::unreliable:
      return "unreliable";
    case soe::Channel::ordered:
      return "ordered";
    default:
      return "reliable" + std::to_string(static_cast<unsigned>(channel));
  }
}

/// One end of a transcript, with what it has said and told since the last look.
struct End {
  End(const soe::Config& config, std::uint64_t seed, time_point now)
      : entropy(seed), mux(config, entropy, now) {}

  void collect() {
    for (soe::Event event; mux.poll_event(event);) {
      switch (event.kind) {
        case soe::Event::Kind::opened:
          session = event.session;
          events.push_back({{"ev", "opened"}});
          break;
        case soe::Event::Kind::data:
          events.push_back({{"ev", "data"}, {"channel", name_of(event.channel)}});
          messages.emplace_back(event.data.begin(), event.data.end());
          break;
        case soe::Event::Kind::writable:
          break;
        case soe::Event::Kind::closed:
          events.push_back({{"ev", "closed"}, {"reason", static_cast<int>(event.reason)}});
          break;
      }
    }
    for (SoeMultiplexer<>::Transmit transmit; mux.poll_transmit(transmit);) {
      for (const byte_view datagram : transmit.datagrams) {
        sent.emplace_back(datagram.begin(), datagram.end());
      }
    }
  }

  test::CrateEntropy entropy;
  SoeMultiplexer<> mux;
  soe::SessionId session;
  std::vector<json> events;
  std::vector<std::vector<std::byte>> messages;  // of the events "data"
  std::vector<std::vector<std::byte>> sent;
};

class Replay {
 public:
  explicit Replay(const std::string& name) {
    for (const json& each : transcripts()) {
      if (each.at("name") == name) transcript_ = &each.at("transcript");
    }
    REQUIRE(transcript_ != nullptr);
    const json& wanted = transcript_->at("config");
    soe::Config config;
    config.request_retry = 0s;  // the crate asks once
    config.pacing = soe::Pacing::fixed_window;
    config.compression = wanted.at("compression").get<bool>();
    config.acknowledges_each = wanted.at("acknowledge_all_data").get<bool>();
    config.allows_port_remaps = wanted.at("allow_port_remaps").get<bool>();
    if (!wanted.at("rc4_key").is_null()) {
      config.encryption_key = test::from_hex(wanted.at("rc4_key").get<std::string>());
    }
    config.protocols = {wanted.at("protocol_server").get<std::string>()};
    protocol_ = wanted.at("protocol_client").get<std::string>();
    std::string problem;
    REQUIRE_FALSE(soe::validate(config, problem));
    client.emplace(config, wanted.at("base_rng_seed_client").get<std::uint64_t>(), at(0));
    server.emplace(config, wanted.at("base_rng_seed_server").get<std::uint64_t>(), at(0));
  }

  /// Replays the steps before `end` and compares what both say.
  void run(std::size_t end = SIZE_MAX) {
    const json& steps = transcript_->at("steps");
    for (; next_ < std::min(end, steps.size());) {
      INFO("step " << next_ << ": " << steps[next_].dump().substr(0, 300));
      act(steps[next_++]);
      std::map<std::string, std::vector<json>> wanted;
      for (; next_ < std::min(end, steps.size()) && steps[next_].contains("ev"); ++next_) {
        const json& step = steps[next_];
        const bool is_datagram = step.at("ev") == "datagram";
        wanted[step.at(is_datagram ? "from" : "at").get<std::string>() +
               (is_datagram ? " sends" : "")]
            .push_back(step);
      }
      check(*client, wanted["client"], wanted["client sends"]);
      // With the crate a server may speak before it knows that it has a session.
      auto& said = wanted["server sends"];
      if (!held_.empty()) {
        expected_.insert(expected_.end(), said.begin(), said.end());
        said.clear();
      } else {
        said.insert(said.begin(), expected_.begin(), expected_.end());
        expected_.clear();
      }
      check(*server, wanted["server"], said);
    }
  }

  /// Does the next act, without comparing; what comes of it is left in `client` and `server`.
  void act() {
    const json& steps = transcript_->at("steps");
    while (!steps.at(next_).contains("act")) ++next_;
    act(steps[next_++]);
  }

  void skip_to(std::size_t step) { next_ = step; }

  /// Takes a datagram that differs from the crate's for the one with this number.
  void send_as(int id, std::vector<std::byte> datagram) { datagrams_[id] = std::move(datagram); }

  static time_point at(std::int64_t us) {
    return time_point{} + 1h + std::chrono::microseconds{us};
  }

  std::optional<End> client;
  std::optional<End> server;

 private:
  void act(const json& step) {
    // The crate looks at every timer with every tick; ours may be late by a turn of its wheel.
    const time_point then = at(step.at("t_us").get<std::int64_t>());
    if (then - last_ > 1s) late_ += turn;
    last_ = then;
    const time_point now = then + late_;
    const auto act = step.at("act").get<std::string>();
    if (act == "client.connect") {
      client->session = client->mux.connect(server_address_, protocol_, now).value();
    } else if (act == "client.enqueue" || act == "server.enqueue") {
      enqueue(act == "client.enqueue" ? *client : *server, step);
    } else if (act == "client.terminate" || act == "server.terminate") {
      End& end = act == "client.terminate" ? *client : *server;
      end.mux.terminate(end.session, soe::to_disconnect_reason(step.at("reason")), now);
    } else if (act == "tick both (client first)") {
      client->mux.advance(now);
      server->mux.advance(now);
    } else if (act == "deliver") {
      bytes_ = datagrams_.at(step.at("id").get<int>());
      if (step.at("to") == "server") {
        server->mux.receive(client_address_, bytes_, now);
      } else {
        client->mux.receive(server_address_, bytes_, now);
      }
    } else if (act == "inject to server") {
      bytes_ = test::from_hex(step.at("hex").get<std::string>());
      const Address from = step.contains("from") ? address_of(step.at("from")) : client_address_;
      server->mux.receive(from, bytes_, now);
    } else if (act == "inject to client") {
      bytes_ = test::from_hex(step.at("hex").get<std::string>());
      client->mux.receive(server_address_, bytes_, now);
    } else if (act == "client address becomes") {
      client_address_ = address_of(step.at("addr"));
    } else {
      REQUIRE(act == "lose");
    }
    client->collect();
    server->collect();
    if (server->session != soe::SessionId{} && !held_.empty()) {
      for (const json& each : std::exchange(held_, {})) enqueue(*server, each);
      server->mux.advance(now);
      server->collect();
    }
  }

  void enqueue(End& end, const json& step) {
    const int channel = step.at("channel").get<int>();
    const json& data = step.at("data");
    if (channel > 3 && channel != 9) return;  // a type of ours has no such channel
    if (end.session == soe::SessionId{}) {
      held_.push_back(step);
      return;
    }
    std::vector<std::byte> message;
    if (data.contains("hex")) {
      message = test::from_hex(data.at("hex").get<std::string>());
    } else {
      // Long messages are patterns whose seed is their number or size.
      for (std::uint32_t seed = 1; seed < 5000 && message.empty(); ++seed) {
        auto bytes = test::soe_pattern(data.at("len").get<std::size_t>(), seed);
        if (test::matches(bytes, data)) message = std::move(bytes);
      }
      REQUIRE_FALSE(message.empty());
    }
    const auto status = end.mux.enqueue(
        end.session, message,
        channel == 9 ? soe::Channel::unreliable : static_cast<soe::Channel>(channel));
    CHECK((status == soe::EnqueueStatus::queued) == step.at("result").get<bool>());
  }

  void check(End& end, const std::vector<json>& events, const std::vector<json>& datagrams) {
    REQUIRE(end.events.size() == events.size());
    std::size_t message = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      CHECK(end.events[i].at("ev") == events[i].at("ev"));
      if (events[i].at("ev") == "closed") {
        CHECK(end.events[i].at("reason") == events[i].at("reason"));
      }
      if (events[i].at("ev") == "data") {
        CHECK(end.events[i].at("channel") == events[i].at("channel"));
        CHECK(test::matches(end.messages.at(message++), events[i].at("data")));
      }
    }
    REQUIRE(end.sent.size() == datagrams.size());
    // Channels take turns with us, and follow each other with the crate.
    std::stable_sort(end.sent.begin(), end.sent.end(),
                     [](const auto& a, const auto& b) { return turn_of(a) < turn_of(b); });
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      CHECK(test::to_hex(end.sent[i]) == datagrams[i].at("hex").get<std::string>());
      datagrams_[datagrams[i].at("id").get<int>()] = end.sent[i];
    }
    end.events.clear();
    end.messages.clear();
    end.sent.clear();
  }

  static unsigned turn_of(const std::vector<std::byte>& datagram) {
    const auto op = std::to_integer<unsigned>(datagram.at(1));
    const bool is_data = datagram[0] == std::byte{0} && op >= 0x09 && op <= 0x10;
    return is_data ? (op - 0x09) % 4 : 0;
  }

  const json* transcript_ = nullptr;
  std::string protocol_;
  std::size_t next_ = 0;
  time_point last_ = at(0);
  std::vector<json> held_;      // messages of the server until it has its session
  std::vector<json> expected_;  // what it should have sent meanwhile
  duration late_{};
  std::map<int, std::vector<std::byte>> datagrams_;
  std::vector<std::byte> bytes_;  // under the views of events
  Address client_address_ = address_of("127.0.0.1:4000");
  Address server_address_ = address_of("127.0.0.1:5000");
};

}  // namespace

TEST_CASE("SOE transcripts: the same as the crate's, byte for byte", "[soe]") {
  const std::vector<std::string> same{
      "plain_hello", "encrypted", "compression_negotiated",  "fragmented_1200", "ack_every_packet",
      "heartbeat",   "remap",     "unreliable_and_channels", "multipacket_255"};
  for (const std::string& name : same) {
    DYNAMIC_SECTION(name) { Replay{name}.run(); }
  }
}

TEST_CASE("SOE transcripts: a lost fragment is sent again", "[soe]") {
  Replay replay{"loss_middle_fragment"};
  replay.run(30);
  // The crate waits for a timeout. Ours need not: later fragments have been acknowledged.
  while (replay.client->sent.empty()) replay.act();
  REQUIRE(replay.client->sent.size() == 1);
  replay.send_as(11, replay.client->sent[0]);
  replay.client->sent.clear();
  replay.skip_to(33);
  replay.run();
}

TEST_CASE("SOE transcripts: a client with another protocol is not answered", "[soe]") {
  Replay replay{"protocol_mismatch"};
  replay.run(2);
  replay.act();  // the request arrives
  CHECK(replay.server->sent.empty());
  CHECK(replay.server->events.empty());  // there never was a session
  CHECK(replay.server->mux.totals().dropped(soe::Drop::not_admitted) == 1);
  replay.act();
  REQUIRE(replay.client->events.size() == 1);
  CHECK(replay.client->events[0] ==
        json{{"ev", "closed"}, {"reason", static_cast<int>(soe::DisconnectReason::connect_fail)}});
}

TEST_CASE("SOE transcripts: a client whose request got lost gives up", "[soe]") {
  Replay replay{"connect_lost"};
  replay.run(5);
  while (replay.client->events.empty()) replay.act();
  // The crate calls it a timeout, as it does silence.
  REQUIRE(replay.client->events.size() == 1);
  CHECK(replay.client->events[0] ==
        json{{"ev", "closed"}, {"reason", static_cast<int>(soe::DisconnectReason::connect_fail)}});
}

TEST_CASE("SOE transcripts: a wrong checksum ends nothing", "[soe]") {
  Replay replay{"bad_crc"};
  replay.run(6);
  replay.act();
  CHECK(replay.server->sent.empty());
  CHECK(replay.server->events.empty());
  CHECK(replay.server->mux.half_open_count() == 1);
  CHECK(replay.server->mux.totals().dropped(soe::Drop::bad_checksum) == 1);
}

TEST_CASE("SOE transcripts: a forged UnknownSender ends nothing", "[soe]") {
  Replay replay{"forged_unknown_sender"};
  replay.run(6);
  replay.act();
  CHECK(replay.client->events.empty());
  CHECK(replay.client->mux.is_open(replay.client->session));
  REQUIRE(replay.client->sent.size() == 1);  // it asks
  CHECK(test::to_hex(replay.client->sent[0]) == "000624be");
}

TEST_CASE("SOE transcripts: the same request again gets the same response", "[soe]") {
  Replay replay{"duplicate_session_request"};
  replay.run(2);
  replay.act();
  REQUIRE(replay.server->sent.size() == 1);
  CHECK(test::to_hex(replay.server->sent[0]) == "00020000004ddd8ed67c0200000000020000000003");
  CHECK(replay.server->events.empty());
}

TEST_CASE("SOE transcripts: data before the session is not taken", "[soe]") {
  Replay replay{"data_before_session"};
  replay.run(2);
  replay.act();
  CHECK(replay.client->events.empty());
  CHECK(replay.client->mux.totals().dropped(soe::Drop::wrong_state) == 1);
}

TEST_CASE("SOE transcripts: a response to somebody else is not taken", "[soe]") {
  Replay replay{"response_foreign_id"};
  replay.run(2);
  replay.act();
  CHECK(replay.client->events.empty());
  CHECK_FALSE(replay.client->mux.is_open(replay.client->session));
  CHECK(replay.client->mux.totals().dropped(soe::Drop::wrong_id) == 1);
}

TEST_CASE("SOE transcripts: a disconnect with another session's id ends nothing", "[soe]") {
  Replay replay{"disconnect_wrong_id"};
  replay.run(6);
  replay.act();
  REQUIRE(replay.server->events.size() == 1);
  CHECK(replay.server->events[0] == json{{"ev", "opened"}});
  CHECK(replay.server->mux.is_open(replay.server->session));
  CHECK(replay.server->mux.totals().dropped(soe::Drop::wrong_id) == 1);
}

TEST_CASE("SOE transcripts: a message that looks like a bundle arrives whole", "[soe]") {
  Replay replay{"misparsed_0019"};
  replay.run(6);
  replay.act();
  replay.act();
  // As the only message of a bundle: every receiver takes it out again.
  REQUIRE(replay.client->sent.size() == 1);
  CHECK(test::to_hex(byte_view{replay.client->sent[0]}.first(11)) == "0009000000190400190141");
  replay.send_as(2, replay.client->sent[0]);
  replay.act();
  REQUIRE(replay.server->messages.size() == 1);
  CHECK(test::to_hex(replay.server->messages[0]) == "00190141");
}

TEST_CASE("SOE transcripts: compressed packets, and a damaged one that ends nothing", "[soe]") {
  Replay replay{"compressed_received"};
  replay.run(21);
  replay.act();
  CHECK(replay.server->sent.empty());
  CHECK(replay.server->events.empty());
  CHECK(replay.server->mux.is_open(replay.server->session));
  CHECK(replay.server->mux.totals().dropped(soe::Drop::bad_compression) == 1);
}

TEST_CASE("SOE transcripts: a MultiPacket inside another is not opened", "[soe]") {
  Replay replay{"multipacket_received"};
  replay.run(6);
  replay.act();
  REQUIRE(replay.server->messages.size() == 1);
  CHECK(test::to_hex(replay.server->messages[0]) == "4142");
  REQUIRE(replay.server->sent.size() == 1);
  CHECK(test::to_hex(replay.server->sent[0]) == "000624be");
  // The other MultiPacket, and the UnknownSender.
  CHECK(replay.server->mux.totals().dropped(soe::Drop::wrong_state) == 2);
  replay.server->sent.clear();
  replay.server->events.clear();
  replay.act();
  REQUIRE(replay.server->events.size() == 1);
  CHECK(replay.server->events[0] == json{{"ev", "closed"}, {"reason", 15}});
  REQUIRE(replay.server->sent.size() == 1);
  CHECK(test::to_hex(replay.server->sent[0]) == "0005d498f9f4000f35c1");
}

TEST_CASE("SOE transcripts: every one is replayed", "[soe]") { CHECK(transcripts().size() == 21); }
