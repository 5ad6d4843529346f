// SPDX-License-Identifier: MIT
// The tables of docs/protocol/relay.md against the code, so that the page cannot fall behind.
#include <muster/relay/ending.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/extension.hpp>
#include <muster/relay/game_config.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/message.hpp>
#include <muster/relay/service.hpp>

#include "support/catch.hpp"
#include "support/document.hpp"
#include "support/vectors.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace relay = muster::relay;
namespace error_text = muster::relay::error_text;

namespace {

using test::Row;
using test::without_backticks;

const test::Document& document() {
  static const test::Document document{"../../docs/protocol/relay.md"};
  return document;
}

std::vector<Row> table(const std::string& header, const std::string& heading = "# ") {
  return document().table(header, heading);
}

}  // namespace

TEST_CASE("relay document: its constants are the code's", "[relay][document]") {
  const std::map<std::string, std::size_t> constants{
      {"id of the host", relay::host_player_id},
      {"first id of a client", relay::first_client_id},
      {"last id of a client", relay::max_client_id},
      {"bytes of a message id", relay::message_id_size},
      {"bytes of a player id", relay::client_id_size},
      {"bytes of a message of an id and a player", relay::player_message_size},
      {"bytes of a handshake response", relay::handshake_response_size},
      {"seconds that a room waits for its host",
       static_cast<std::size_t>(relay::reference_host_grace.count())},
      {"bytes of an id that an error text repeats", error_text::max_echo_size}};
  const auto rows = table("| Constant |");
  CHECK(rows.size() == constants.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    CHECK(std::stoull(row.at(1)) == constants.at(row.at(0)));
  }
}

TEST_CASE("relay document: its message ids are the code's", "[relay][document]") {
  const auto id = [](auto message) { return static_cast<int>(message); };
  const std::map<std::string, int> ids{
      {"relay to host NEW_CLIENT", id(relay::ToHost::new_client)},
      {"relay to host CLIENT_DISCONNECTS", id(relay::ToHost::client_disconnects)},
      {"relay to host SERVER_RPC", id(relay::ToHost::server_rpc)},
      {"relay to host SERVER_ERROR", id(relay::ToHost::server_error)},
      {"relay to host HAND_SHAKE_RESPONSE", id(relay::ToHost::handshake_response)},
      {"client to relay SERVER_RPC", id(relay::FromClient::server_rpc)},
      {"client to relay CLIENT_DISCONNECTS_SELF", id(relay::FromClient::client_disconnects_self)},
      {"host to relay SERVER_DISCONNECTS", id(relay::FromHost::server_disconnects)},
      {"host to relay CLIENT_GETS_KICKED", id(relay::FromHost::client_gets_kicked)},
      {"host to relay DELTA_UPDATE", id(relay::FromHost::delta_update)},
      {"host to relay FULL_UPDATE", id(relay::FromHost::full_update)},
      {"host to relay RESET", id(relay::FromHost::reset)},
      {"relay to client DELTA_UPDATE", id(relay::ToClient::delta_update)},
      {"relay to client FULL_UPDATE", id(relay::ToClient::full_update)},
      {"relay to client RESET", id(relay::ToClient::reset)},
      {"relay to client SERVER_ERROR", id(relay::ToClient::server_error)},
      {"relay to client HAND_SHAKE_RESPONSE", id(relay::ToClient::handshake_response)}};
  const auto rows = table("| Direction |");
  CHECK(rows.size() == ids.size());
  for (const Row& row : rows) {
    const std::string name = row.at(0) + " " + row.at(1);
    CAPTURE(name);
    CHECK(std::stoi(row.at(2)) == ids.at(name));
  }
}

TEST_CASE("relay document: the extension's items are the code's", "[relay][document][extension]") {
  // A value of each, and whether the size of its item is fixed.
  struct Sample {
    std::string name;
    relay::Trailer trailer;
    std::size_t size;
    std::string words;  // of the size, on the page
  };
  const std::vector<Sample> samples{
      {"NAME", {.name = "n"}, 1, "1 to 64 bytes"},
      {"SPECTATOR", {.is_spectator = true}, 0, "empty"},
      {"PROOF", {.proof = muster::Mac::Tag{}}, 32, "32 bytes"},
      {"SEAT", {.seat = 1}, 2, "u16"},
      {"SEQUENCE", {.sequence = 1}, 8, "u64"},
      {"PASSWORD_KEY", {.password_key = muster::Mac::Tag{}}, 32, "32 bytes"},
      {"METADATA", {.metadata = muster::byte_view{}}, 0, "0 to 1024 bytes"},
      {"LISTED", {.is_listed = true}, 0, "empty"},
      {"MAX_PLAYERS", {.max_players = 1}, 2, "u16"}};
  const auto rows = table("| Item |");
  REQUIRE(rows.size() == samples.size() + 1);
  std::vector<std::byte> bytes;
  relay::append_trailer(bytes, {.capabilities = 1});
  CHECK(rows[0].at(0) == "CAPABILITIES");
  CHECK(test::to_hex(bytes) ==
        "525801"
        "01"
        "0004"
        "00000001");
  CHECK(std::stoi(rows[0].at(1)) == 1);
  CHECK_THAT(rows[0].at(2), StartsWith("u32"));
  const std::size_t start = bytes.size();  // of the item that follows the capabilities
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Row& row = rows[i + 1];
    CAPTURE(row.at(0));
    CHECK(row.at(0) == samples[i].name);
    CHECK_THAT(row.at(2), StartsWith(samples[i].words));
    bytes.clear();
    append_trailer(bytes, samples[i].trailer);
    REQUIRE(bytes.size() == start + 3 + samples[i].size);
    CHECK(std::to_integer<int>(bytes[start]) == std::stoi(row.at(1)));
  }
  CHECK(relay::max_name_size == 64);
  CHECK(relay::max_metadata_size == 1024);
}

TEST_CASE("relay document: the extension's capabilities are the code's",
          "[relay][document][extension]") {
  using relay::Capability;
  const std::map<std::string, Capability> capabilities{
      {"targeted", Capability::targeted},     {"member_events", Capability::member_events},
      {"host_state", Capability::host_state}, {"room_info", Capability::room_info},
      {"sequence", Capability::sequence},     {"may_host", Capability::may_host}};
  const auto rows = table("| Capability |");
  CHECK(rows.size() == capabilities.size());
  relay::Capabilities all = 0;
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    const relay::Capabilities bit = relay::Capabilities{1} << std::stoul(row.at(1));
    CHECK(static_cast<relay::Capabilities>(capabilities.at(row.at(0))) == bit);
    all |= bit;
  }
  CHECK(all == relay::all_capabilities);
}

TEST_CASE("relay document: the extension's message ids are the code's",
          "[relay][document][extension]") {
  using relay::Extended;
  const std::map<std::string, Extended> ids{
      {"host to relay TARGETED", Extended::targeted},
      {"relay to client TARGETED", Extended::targeted},
      {"relay to both MEMBER_EVENT", Extended::member_event},
      {"relay to client HOST_STATE", Extended::host_state},
      {"host to relay ROOM_INFO", Extended::room_info},
      {"relay to client ROOM_INFO", Extended::room_info},
      {"relay to client STATE_SEQUENCE", Extended::state_sequence},
      {"relay to both CHALLENGE", Extended::challenge},
      {"relay to client HOST_OFFER", Extended::host_offer},
      {"client to relay HOST_ACCEPT", Extended::host_accept},
      {"host to relay BAN", Extended::ban}};
  const auto rows = table("| Direction |", "## The extension");
  CHECK(rows.size() == ids.size());
  for (const Row& row : rows) {
    const std::string name = row.at(0) + " " + row.at(1);
    CAPTURE(name);
    CHECK(std::stoi(row.at(2)) == static_cast<int>(ids.at(name)));
  }
  CHECK(std::stoi(rows.at(0).at(2)) > 15);
}

TEST_CASE("relay document: the extension's values are the code's", "[relay][document][extension]") {
  using relay::HostPresence;
  using relay::MemberChange;
  const std::map<std::string, MemberChange> changes{
      {"joined", MemberChange::joined}, {"away", MemberChange::away},
      {"back", MemberChange::back},     {"left", MemberChange::left},
      {"kicked", MemberChange::kicked}, {"expired", MemberChange::expired}};
  const auto events = table("| Member event |");
  CHECK(events.size() == changes.size());
  for (const Row& row : events) {
    CAPTURE(row.at(0));
    CHECK(std::stoi(row.at(1)) == static_cast<int>(changes.at(row.at(0))));
  }
  const std::map<std::string, HostPresence> presences{{"away", HostPresence::away},
                                                      {"back", HostPresence::back},
                                                      {"changed", HostPresence::changed}};
  const auto states = table("| Host state |");
  CHECK(states.size() == presences.size());
  for (const Row& row : states) {
    CAPTURE(row.at(0));
    CHECK(std::stoi(row.at(1)) == static_cast<int>(presences.at(row.at(0))));
  }
}

TEST_CASE("relay document: its worked examples are what the code writes", "[relay][document]") {
  const auto rows = table("| game_id | room_id |");
  CHECK(rows.size() == 9);
  for (const Row& row : rows) {
    CAPTURE(row.at(5));
    const std::string game_id = without_backticks(row.at(0));
    const std::string room_id = without_backticks(row.at(1));
    relay::JoinRequest request;
    request.game_id = game_id;
    request.room_id = room_id;
    request.rule_variation = static_cast<std::uint16_t>(std::stoi(row.at(2)));
    request.create_room = row.at(3) == "1";
    if (row.at(4) != "none") request.reconnect_token = std::stoull(row.at(4));
    const auto bytes = relay::encode_join_request(request);
    REQUIRE(bytes);
    std::string hex = without_backticks(row.at(5));
    std::erase(hex, ' ');
    CHECK(test::to_hex(*bytes) == hex);
  }
}

TEST_CASE("relay document: its response is what the code writes", "[relay][document]") {
  CHECK(test::to_hex(relay::encode_handshake_response({1, 0, 0x0123456789ABCDEF})) ==
        "06000100000123456789abcdef");
  CHECK(document().text().find("is `06 0001 0000 0123456789ABCDEF`") != std::string::npos);
}

TEST_CASE("relay document: its lists of games are what the code reads", "[relay][document]") {
  std::vector<std::string> lists;
  std::istringstream lines{document().text()};
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("    [{")) {
      lists.emplace_back();
      is_inside = true;
    }
    is_inside = is_inside && line.starts_with("    ");
    if (is_inside) lists.back() += line;
  }
  REQUIRE(lists.size() == 2);
  std::string problem;
  const auto original = relay::parse_game_config(lists[0], problem);
  const auto ours = relay::parse_game_config(lists[1], problem);
  CAPTURE(problem);
  REQUIRE(original);
  CHECK(original->games.size() == 2);
  REQUIRE(ours);
  const relay::GameRules* const racer = ours->find("racer");
  REQUIRE(racer != nullptr);
  CHECK(racer->window == muster::FlushWindow::tick(std::chrono::milliseconds{16}));
  CHECK(racer->slow_member == relay::SlowMember::drop);
  CHECK(racer->state_cache == 65536U);
  CHECK(racer->migrate_host == true);
  // Every key of the table is in the example.
  const auto keys = table("| Key |");
  CHECK(keys.size() == 5);
  for (const Row& row : keys) {
    CAPTURE(row.at(0));
    CHECK(lists[1].find('"' + without_backticks(row.at(0)) + "\": ") != std::string::npos);
  }
}

namespace {

// A full room's text, as the page has it.
std::string text_of_full_room() {
  std::string text = error_text::room_is_full("R", 7);
  text[text.rfind('7')] = 'N';
  return text;
}

}  // namespace

TEST_CASE("relay document: its defaults are the code's", "[relay][document]") {
  const relay::Service::Config config;
  const relay::RoomRules& rooms = config.rooms;
  const auto seconds = [](muster::duration length) {
    REQUIRE(length % std::chrono::seconds{1} == muster::duration{0});
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(length).count());
  };
  const std::map<std::string, std::uint64_t> defaults{
      {"join_timeout", seconds(config.join_timeout)},
      {"max_join_request", config.max_join_request},
      {"max_id_size", config.max_id_size},
      {"max_host_message", config.max_host_message},
      {"max_client_message", config.max_client_message},
      {"max_rooms", config.max_rooms},
      {"max_state_caches", config.max_state_caches},
      {"host_budget.bytes", config.host_budget.bytes},
      {"host_budget.frames", config.host_budget.frames},
      {"client_budget.bytes", config.client_budget.bytes},
      {"client_budget.frames", config.client_budget.frames},
      {"rooms.host_grace", seconds(rooms.host_grace)},
      {"rooms.player_grace", seconds(rooms.player_grace)},
      {"rooms.id_quarantine", seconds(rooms.id_quarantine)},
      {"rooms.idle", seconds(rooms.idle)},
      {"rooms.stall_timeout", seconds(rooms.stall_timeout)},
      {"rooms.max_spectators", rooms.max_spectators},
      {"rooms.max_absent_per_address", rooms.max_absent_per_address},
      {"rooms.max_away_rpcs", rooms.max_away_rpcs},
      {"rooms.max_away_bytes", rooms.max_away_bytes},
      {"rooms.client_rate.messages_per_second", rooms.client_rate.messages_per_second},
      {"rooms.client_rate.bytes_per_second", rooms.client_rate.bytes_per_second},
      {"rooms.client_rate.burst", seconds(rooms.client_rate.burst)},
      {"rooms.state_cache", rooms.state_cache},
      {"addresses.max_rooms", config.addresses.max_rooms},
      {"addresses.failed_tokens_per_minute", config.addresses.failed_tokens_per_minute},
      {"addresses.empty_rooms_per_minute", config.addresses.empty_rooms_per_minute}};
  const auto rows = table("| Field | Default |");
  CHECK(rows.size() == defaults.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    CHECK(std::stoull(row.at(1)) == defaults.at(without_backticks(row.at(0))));
  }
  // The sentence behind the table.
  CHECK(rooms.slow_member == relay::SlowMember::resync);
  CHECK(rooms.window == muster::FlushWindow{});
  CHECK(rooms.end_with_host);
  CHECK_FALSE(rooms.migrate_host);
  CHECK_FALSE(rooms.keep_token_of_leaver);
  CHECK_FALSE(rooms.rotate_tokens);
  CHECK_FALSE(config.accept_gen1);
}

TEST_CASE("relay document: its endings are the code's, in their order", "[relay][document]") {
  using relay::Ending;
  // Those that name a room or a game are made when they are needed.
  const std::map<Ending, std::string> made{
      {Ending::unknown_game, error_text::unknown_game("G")},
      {Ending::room_exists, error_text::room_exists("R", "G")},
      {Ending::no_such_room, error_text::no_such_room("R", "G")},
      {Ending::room_full, text_of_full_room()},
      {Ending::out_of_ids, error_text::out_of_client_ids("R")},
      {Ending::room_is_gone, error_text::room_is_gone("R", "G")}};
  const auto rows = table("| Ending |");
  REQUIRE(rows.size() == relay::ending_count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto ending = static_cast<Ending>(i);
    const relay::EndingRule& rule = relay::rule_of(ending);
    CAPTURE(rule.name);
    CHECK(without_backticks(rows[i].at(0)) == rule.name);
    CHECK(std::stoi(rows[i].at(1)) == rule.code);
    if (ending == Ending::refused) {  // the game's own words
      CHECK(rule.text.empty());
      CHECK(rows[i].at(2).front() != '`');
      continue;
    }
    CHECK(rule.text.empty() == made.contains(ending));
    CHECK(without_backticks(rows[i].at(2)) ==
          (rule.text.empty() ? made.at(ending) : std::string{rule.text}));
  }
}

TEST_CASE("relay document: it lists every error text, and no other", "[relay][document]") {
  std::set<std::string> texts{
      error_text::unknown_game("G"),      error_text::room_exists("R", "G"),
      error_text::no_such_room("R", "G"), error_text::room_is_gone("R", "G"),
      error_text::out_of_client_ids("R"), text_of_full_room()};
  for (const std::string_view text : {error_text::initial_error,
                                      error_text::bad_join_request,
                                      error_text::host_left_during_handshake,
                                      error_text::invalid_token,
                                      error_text::host_already_connected,
                                      error_text::host_not_available,
                                      error_text::response_not_sent,
                                      error_text::connection_lost,
                                      error_text::empty_message,
                                      error_text::channel_closed,
                                      error_text::host_left,
                                      error_text::illegal_host_message,
                                      error_text::unknown_internal_command,
                                      error_text::host_write_failed,
                                      error_text::host_side_fault,
                                      error_text::client_left,
                                      error_text::illegal_client_message,
                                      error_text::broadcast_failed,
                                      error_text::kicked,
                                      error_text::host_gone,
                                      error_text::malformed_message,
                                      error_text::too_slow,
                                      error_text::illegal_message_for_client,
                                      error_text::client_write_failed,
                                      error_text::client_side_fault,
                                      error_text::superseded,
                                      error_text::wrong_account,
                                      error_text::banned,
                                      error_text::password_needed,
                                      error_text::wrong_password,
                                      error_text::no_spectators,
                                      error_text::room_closed,
                                      error_text::room_idle,
                                      error_text::sent_too_much,
                                      error_text::overloaded,
                                      error_text::too_many_attempts}) {
    texts.emplace(text);
  }
  std::set<std::string> listed;
  for (const Row& row : table("| Text |")) listed.insert(without_backticks(row.at(0)));
  CHECK(listed == texts);
}
