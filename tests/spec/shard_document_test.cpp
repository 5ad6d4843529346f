// SPDX-License-Identifier: MIT
// The tables of docs/protocol/shard.md against the code, so that the page cannot fall behind.
#include <muster/shard/error_body.hpp>
#include <muster/shard/id.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/v2_message.hpp>

#include "support/catch.hpp"
#include "support/document.hpp"

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
