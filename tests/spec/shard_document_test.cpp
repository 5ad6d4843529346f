// SPDX-License-Identifier: MIT
// The tables of docs/protocol/shard.md against the code, so that the page cannot fall behind.
#include <muster/shard/error_body.hpp>
#include <muster/shard/id.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/snapshot_frame.hpp>
#include <muster/shard/v2_message.hpp>

#include "support/catch.hpp"
#include "support/document.hpp"
#include "support/vectors.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

using namespace muster::shard;
using test::Row;
using test::without_backticks;

namespace {

const test::Document& document() {
  static const test::Document document{"../../docs/protocol/shard.md"};
  return document;
}

std::uint64_t seconds(muster::duration time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

// The type byte that `encode` writes.
template <class T>
unsigned type_of(const T& message) {
  std::vector<std::byte> bytes;
  v2::encode(message, bytes);
  return std::to_integer<unsigned>(bytes.at(0));
}

}  // namespace

TEST_CASE("shard document: its error codes are the code's", "[shard][document]") {
  const auto rows = document().table("| Code | Status |");
  std::map<std::string, unsigned> codes;
  for (int i = 0; i <= static_cast<int>(ErrorCode::shards_not_available); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    codes.emplace(to_string(code), http_status(code));
  }
  CHECK(rows.size() == codes.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    CHECK(std::stoul(row.at(1)) == codes.at(without_backticks(row.at(0))));
  }
}

TEST_CASE("shard document: its messages of version 2 are the code's", "[shard][document]") {
  const std::map<std::string, unsigned> types{{"full", type_of(v2::Full{})},
                                              {"delta", type_of(v2::Delta{})},
                                              {"unchanged", type_of(v2::Unchanged{})},
                                              {"event", type_of(v2::Event{})},
                                              {"hello", type_of(v2::Hello{})},
                                              {"nack", type_of(v2::Nack{})},
                                              {"bye", type_of(v2::Bye{})},
                                              {"clock reply", type_of(v2::ClockReply{})},
                                              {"input ack", type_of(v2::InputAck{})},
                                              {"input", type_of(v2::Input{})},
                                              {"snapshot ack", type_of(v2::SnapshotAck{})},
                                              {"clock query", type_of(v2::ClockQuery{})},
                                              {"interest", type_of(v2::Interest{})}};
  const auto rows = document().table("| Direction | Message |");
  CHECK(rows.size() == types.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(1));
    CHECK(std::stoul(row.at(2), nullptr, 16) == types.at(row.at(1)));
    CHECK((row.at(0) == "client") == (types.at(row.at(1)) >= 0x80));
  }
  const std::map<std::string, v2::NackCode> nacks{
      {"bad input", v2::NackCode::bad_input},   {"unauthorized", v2::NackCode::unauthorized},
      {"queue full", v2::NackCode::queue_full}, {"rate", v2::NackCode::rate},
      {"stale", v2::NackCode::stale},           {"too early", v2::NackCode::too_early},
      {"stopped", v2::NackCode::stopped}};
  const auto nack_rows = document().table("| Nack |");
  CHECK(nack_rows.size() == nacks.size());
  for (const Row& row : nack_rows) {
    CAPTURE(row.at(0));
    CHECK(std::stoul(row.at(1)) == static_cast<unsigned>(nacks.at(row.at(0))));
  }
}

TEST_CASE("shard document: its examples are what the code writes and reads", "[shard][document]") {
  using muster::as_bytes;
  std::map<std::string, std::string> written;
  const auto add = [&written](const std::string& name, const auto& message) {
    std::vector<std::byte> bytes;
    v2::encode(message, bytes);
    CAPTURE(name);
    if (std::to_integer<unsigned>(bytes.at(0)) < 0x80) {
      CHECK(v2::decode_server_message(bytes));
    } else {
      CHECK(v2::decode_client_message(bytes));
    }
    written.emplace(name, test::to_hex(bytes));
  };
  add("full", v2::Full{300, as_bytes("{}")});
  add("delta", v2::Delta{301, 300, as_bytes("[1]")});
  add("unchanged", v2::Unchanged{302, 301});
  add("event", v2::Event{7, as_bytes("\"go\"")});
  add("hello", v2::Hello{300, 20'000, Format::json, "ann", 65'536, 120});
  add("nack", v2::Nack{9, v2::NackCode::queue_full});
  add("bye", v2::Bye{1001, "draining"});
  add("clock reply", v2::ClockReply{5, 1'000'000, 300});
  add("input ack", v2::InputAck{300, 9, -3});
  add("input", v2::Input{9, 299, 302, as_bytes("{\"x\":1}")});
  add("snapshot ack", v2::SnapshotAck{300});
  add("clock query", v2::ClockQuery{5});
  add("interest", v2::Interest{as_bytes("near")});
  const auto rows = document().table("| Example |");
  CHECK(rows.size() == written.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    std::string hex = without_backticks(row.at(2));
    std::erase(hex, ' ');
    CHECK(hex == written.at(row.at(0)));
  }

  std::vector<std::byte> first;
  encode(SnapshotFrame{1, as_bytes("42")}, first);
  CHECK(test::to_hex(first) == "00000000000000013432");
  CHECK(document().text().find("Tick 1 with the snapshot `42` is\n`0000000000000001 3432`") !=
        std::string::npos);
}

TEST_CASE("shard document: its defaults are the code's", "[shard][document]") {
  const AnyShard::Config shard;
  const Service::Config service;
  const Registry::Config registry;
  const std::map<std::string, std::uint64_t> defaults{
      {"ticks in a second", shard.hz},
      {"ticks that run at once to catch up", shard.catch_up.most},
      {"subscribers", shard.max_subscribers},
      {"inputs that wait", shard.max_inputs},
      {"inputs of one subscriber that wait", shard.max_subscriber_inputs},
      {"inputs of one subscriber in a second", shard.input_rate.messages_per_second},
      {"ticks that an input may be ahead", shard.max_input_lead},
      {"seconds until an empty shard ends", seconds(shard.idle_timeout)},
      {"seconds until one that takes nothing is closed", seconds(shard.write_timeout)},
      {"bytes of events that wait", shard.max_events},
      {"bytes of a message", service.max_message},
      {"arrays and objects in each other", service.max_json_depth},
      {"seconds between two looks at a session", seconds(service.revalidate_every)},
      {"seconds that a shard that has ended is known", seconds(registry.linger)},
      {"bytes of an id", max_id_size}};
  const auto rows = document().table("| Setting | Default |");
  CHECK(rows.size() == defaults.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    CHECK(std::stoull(row.at(1)) == defaults.at(row.at(0)));
  }
}
