// SPDX-License-Identifier: MIT
// The tables of docs/protocol/soe.md against the code, so that the page cannot fall behind.
#include <muster/soe/config.hpp>
#include <muster/soe/crc32.hpp>
#include <muster/soe/disconnect_reason.hpp>
#include <muster/soe/hello.hpp>
#include <muster/soe/length.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/soe/stats.hpp>

#include "support/catch.hpp"
#include "support/document.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace soe = muster::soe;

namespace {

using test::Row;
using test::without_backticks;

const test::Document& page() {
  static const test::Document document{"../../docs/protocol/soe.md"};
  return document;
}

std::string hex_of(const std::string& cell) {
  std::string hex = without_backticks(cell);
  std::erase(hex, ' ');
  return hex;
}

// A packet that has its checksum behind it.
std::string with_crc(std::vector<std::byte> bytes, std::uint32_t seed, std::size_t length) {
  const std::uint32_t crc = soe::SeededCrc{seed}(bytes);
  bytes.resize(bytes.size() + length);
  soe::write_crc(bytes.data() + bytes.size() - length, crc, length);
  return test::to_hex(bytes);
}

}  // namespace

TEST_CASE("soe document: its op codes are the code's", "[soe][document]") {
  const std::map<std::string, soe::OpCode> names{
      {"ZeroEscape", soe::OpCode::zero_escape},
      {"SessionRequest", soe::OpCode::session_request},
      {"SessionResponse", soe::OpCode::session_response},
      {"MultiPacket", soe::OpCode::multi_packet},
      {"Disconnect", soe::OpCode::disconnect},
      {"Heartbeat", soe::OpCode::heartbeat},
      {"NetStatusRequest", soe::OpCode::net_status_request},
      {"NetStatusResponse", soe::OpCode::net_status_response},
      {"ReliableData", soe::OpCode::reliable_data},
      {"ReliableDataFragment", soe::OpCode::reliable_fragment},
      {"Acknowledge", soe::OpCode::acknowledge},
      {"AcknowledgeAll", soe::OpCode::acknowledge_all},
      {"Ordered", soe::OpCode::ordered},
      {"Ordered2", soe::OpCode::ordered2},
      {"PortAlive", soe::OpCode::port_alive},
      {"UnknownSender", soe::OpCode::unknown_sender},
      {"RemapConnection", soe::OpCode::remap_connection}};
  const auto rows = page().table("| Op code |");
  CHECK(rows.size() == names.size());
  std::size_t known = 0;  // without the other channels'
  for (unsigned op = 0; op < 256; ++op) {
    const auto code = static_cast<std::uint16_t>(op);
    known += soe::is_known(code) && soe::channel_of(code) == 0 ? 1 : 0;
  }
  CHECK(known == names.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(1));
    const auto op = static_cast<std::uint16_t>(names.at(row.at(1)));
    CHECK(std::stoul(row.at(0), nullptr, 16) == op);
    const bool has_frame = row.at(2).starts_with("frame");
    CHECK(has_frame != soe::is_contextless(op));
    CHECK(has_frame != (row.at(3).find("no frame") != std::string::npos));
    constexpr std::size_t frame = 7;
    const std::size_t plus = row.at(2).find('+');
    const std::size_t more = plus == std::string::npos ? 0 : std::stoul(row.at(2).substr(plus + 1));
    CHECK(soe::minimum_size(op, frame) == (has_frame ? frame + more : std::stoul(row.at(2))));
  }
  CHECK(soe::channel_count == 4);
  CHECK(soe::protocol_version == 3);
}

TEST_CASE("soe document: its reasons are the code's", "[soe][document]") {
  const auto rows = page().table("| Number | Reason |");
  CHECK(rows.size() == 17);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(std::stoul(rows[i].at(0)) == i);
    CHECK(rows[i].at(1) == to_string(soe::to_disconnect_reason(static_cast<std::uint16_t>(i))));
  }
  CHECK(soe::to_disconnect_reason(17) == soe::DisconnectReason::none);
}

TEST_CASE("soe document: its names of what is dropped are the code's", "[soe][document]") {
  const auto rows = page().table("| Name | Dropped is |");
  REQUIRE(rows.size() == soe::drop_count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].at(0) == to_string(static_cast<soe::Drop>(i)));
  }
}

TEST_CASE("soe document: its checksums are the code's", "[soe][document]") {
  const auto rows = page().table("| Seed |");
  CHECK(rows.size() == 3);
  for (const Row& row : rows) {
    CAPTURE(row.at(1));
    const auto seed = static_cast<std::uint32_t>(std::stoul(row.at(0), nullptr, 16));
    const std::vector<std::byte> bytes = test::from_hex(hex_of(row.at(1)));
    CHECK(soe::SeededCrc{seed}(bytes) == std::stoul(row.at(2), nullptr, 16));
    CHECK(with_crc(bytes, seed, 2) == hex_of(row.at(1)) + hex_of(row.at(3)));
  }
}

TEST_CASE("soe document: its handshake is what the code writes", "[soe][document]") {
  const auto rows = page().table("| Example |");
  REQUIRE(rows.size() == 4);
  std::vector<std::byte> bytes(64);
  const auto encoded = [&bytes](const auto& packet) {
    return muster::byte_view{bytes}.first(packet.encode(bytes));
  };
  CHECK(test::to_hex(encoded(soe::SessionRequest{
            .session_id = 0x01020304, .udp_length = 512, .protocol = "Game_1"})) ==
        hex_of(rows[0].at(1)));
  CHECK(
      test::to_hex(encoded(soe::SessionResponse{
          .session_id = 0x01020304, .crc_seed = 0xdeadbeef, .crc_length = 2, .udp_length = 512})) ==
      hex_of(rows[1].at(1)));
  CHECK(test::to_hex(encoded(soe::SessionRequest{.session_id = 0x01020304,
                                                 .udp_length = 512,
                                                 .protocol = "Game_1",
                                                 .receive_window = 4096})) ==
        hex_of(rows[2].at(1)));
  const muster::byte_view body =
      encoded(soe::Disconnect{0x01020304, soe::DisconnectReason::application});
  std::vector<std::byte> packet{std::byte{0}, std::byte{5}};
  packet.insert(packet.end(), body.begin(), body.end());
  CHECK(with_crc(packet, 0xdeadbeef, 2) == hex_of(rows[3].at(1)));

  // The layouts: every field's place.
  const auto places = [](const std::string& header) {
    std::vector<std::size_t> all;
    for (const Row& row : page().table(header)) all.push_back(std::stoul(row.at(0)));
    return all;
  };
  CHECK(places("| Bytes | SessionRequest") == std::vector<std::size_t>{0, 2, 6, 10, 14});
  CHECK(places("| Bytes | SessionResponse") ==
        std::vector<std::size_t>{0, 2, 6, 10, 11, 12, 13, 17});
  CHECK(soe::SessionResponse::max_size == 21 + 4);
}

TEST_CASE("soe document: its net status is what the code writes", "[soe][document]") {
  // Each field has the number of its place, so it is where the page says.
  const soe::NetStatusRequest request{.client_tick = 0,
                                      .master_ping = 2,
                                      .average_ping = 6,
                                      .low_ping = 10,
                                      .high_ping = 14,
                                      .last_ping = 18,
                                      .packets_sent = 22,
                                      .packets_received = 30};
  const soe::NetStatusResponse response{.client_tick = 0,
                                        .server_tick = 2,
                                        .client_sent = 6,
                                        .client_received = 14,
                                        .server_sent = 22,
                                        .server_received = 30};
  std::vector<std::byte> asked(soe::NetStatusRequest::size);
  std::vector<std::byte> answered(soe::NetStatusResponse::size);
  REQUIRE(request.encode(asked) == asked.size());
  REQUIRE(response.encode(answered) == answered.size());
  // The last byte of a field.
  const auto end_of = [](const std::string& cell, std::size_t begin) {
    return begin + (cell.find("u64") != std::string::npos   ? 7
                    : cell.find("u32") != std::string::npos ? 3
                                                            : 1);
  };
  std::size_t in_request = 0;
  std::size_t in_response = 0;
  for (const Row& row : page().table("| Bytes | NetStatusRequest |")) {
    const std::size_t begin = std::stoul(row.at(0));
    CAPTURE(begin);
    CHECK(begin == in_request);
    in_request = end_of(row.at(1), begin) + 1;
    CHECK(std::to_integer<std::size_t>(asked.at(in_request - 1)) == begin);
    if (row.at(2).empty()) continue;
    CHECK(begin == in_response);
    in_response = end_of(row.at(2), begin) + 1;
    CHECK(std::to_integer<std::size_t>(answered.at(in_response - 1)) == begin);
  }
  CHECK(in_request == asked.size());
  CHECK(in_response == answered.size());
}

TEST_CASE("soe document: its lengths are the code's", "[soe][document]") {
  const auto rows = page().table("| Length |");
  CHECK(rows.size() == 6);
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    const auto length = static_cast<std::uint32_t>(std::stoul(row.at(0)));
    std::byte out[soe::max_length_size];
    const std::byte* const begin = out;
    CHECK(test::to_hex({begin, soe::write_multi_length(out, length)}) == hex_of(row.at(1)));
    CHECK(test::to_hex({begin, soe::write_bundle_length(out, length)}) == hex_of(row.at(2)));
  }
}

TEST_CASE("soe document: its cipher is the code's", "[soe][document]") {
  const auto rows = page().table("| Key |");
  CHECK(rows.size() == 3);
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    soe::Rc4 cipher{muster::as_bytes(without_backticks(row.at(0)))};
    const std::string plain = without_backticks(row.at(1));
    std::vector<std::byte> out(plain.size());
    cipher.transform(muster::as_bytes(plain), out.data());
    CHECK(test::to_hex(out) == hex_of(row.at(2)));
  }
}

TEST_CASE("soe document: its tags are the code's", "[soe][document]") {
  const std::map<std::string, soe::MessageTag> tags{{"accepted", soe::MessageTag::accepted},
                                                    {"text", soe::MessageTag::text},
                                                    {"binary", soe::MessageTag::binary},
                                                    {"close", soe::MessageTag::close},
                                                    {"refused", soe::MessageTag::refused}};
  const auto rows = page().table("| Tag |");
  CHECK(rows.size() == tags.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    CHECK(std::stoi(row.at(1)) == static_cast<int>(tags.at(row.at(0))));
  }
}

namespace {

std::map<std::string, std::uint64_t> values_of(const soe::Config& config) {
  const auto ms = [](muster::duration length) {
    return static_cast<std::uint64_t>(length / std::chrono::milliseconds{1});
  };
  return {{"udp_length", config.udp_length},
          {"crc_length", config.crc_length},
          {"compression", config.compression},
          {"compress_from", config.compress_from},
          {"explains_refusal", config.explains_refusal},
          {"bundles", config.bundles},
          {"multi_packets", config.multi_packets},
          {"redundancy", config.redundancy},
          {"unreliable", config.unreliable},
          {"unreliable_flag", config.unreliable_flag},
          {"max_message", config.max_message},
          {"send_budget", config.send_budget},
          {"reassembly_budget", config.reassembly_budget},
          {"send_window", config.send_window},
          {"receive_window", config.receive_window},
          {"acknowledge_every", config.acknowledge_every},
          {"acknowledge_delay", ms(config.acknowledge_delay)},
          {"acknowledges_each", config.acknowledges_each},
          {"initial_rto", ms(config.initial_rto)},
          {"min_rto", ms(config.min_rto)},
          {"max_rto", ms(config.max_rto)},
          {"unacknowledged_timeout", ms(config.unacknowledged_timeout)},
          {"request_retry", ms(config.request_retry)},
          {"connect_timeout", ms(config.connect_timeout)},
          {"half_open_timeout", ms(config.half_open_timeout)},
          {"heartbeat_after", ms(config.heartbeat_after)},
          {"inactivity_timeout", ms(config.inactivity_timeout)},
          {"close_timeout", ms(config.close_timeout)},
          {"net_status_interval", ms(config.net_status_interval)},
          {"max_sessions", config.max_sessions},
          {"max_half_open", config.max_half_open},
          {"requests_per_second", config.requests_per_second},
          {"requests_per_second_per_host", config.requests_per_second_per_host},
          {"max_bad_checksums", config.max_bad_checksums},
          {"allows_port_remaps", config.allows_port_remaps},
          {"answers_unknown_senders", config.answers_unknown_senders}};
}

}  // namespace

TEST_CASE("soe document: its defaults are the code's", "[soe][document]") {
  const soe::Config config;
  const soe::Config own_ends = soe::Config::for_own_ends();
  const auto defaults = values_of(config);
  const auto own = values_of(own_ends);
  const auto rows = page().table("| Field | Default |");
  CHECK(rows.size() == defaults.size());
  for (const Row& row : rows) {
    CAPTURE(row.at(0));
    const std::string name = without_backticks(row.at(0));
    CHECK(std::stoull(row.at(1)) == defaults.at(name));
    CHECK(std::stoull(row.at(2)) == own.at(name));
  }
  // The sentences behind the table.
  CHECK(config.pacing == soe::Pacing::model);
  CHECK(own_ends.pacing == soe::Pacing::model);
  CHECK(config.escape == soe::Escape::encrypted);
  CHECK(config.encryption_key.empty());
  CHECK(config.protocols.empty());
}
