// SPDX-License-Identifier: MIT
// The vectors of tests/data/soe_vectors.json that need no session: checksums, lengths, cipher,
// packets, frames, zlib streams, sequence numbers. The counts are asserted, so that a section that
// is missing or renamed cannot pass as an empty loop.
#include <muster/soe/crc32.hpp>
#include <muster/soe/length.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/soe/sequence.hpp>

#include "../../lib/soe/crc32_portable.hpp"
#include "../../lib/soe/deflate.hpp"
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using muster::byte_view;
using namespace muster::soe;
using nlohmann::json;
using test::from_hex;
using test::to_hex;
using Bytes = std::vector<std::byte>;

namespace {

const json& vectors() {
  static const json loaded = test::load_vectors("soe_vectors.json");
  return loaded;
}

const json& section(const char* name, std::size_t count) {
  const json& found = vectors().at(name);
  REQUIRE(found.size() == count);
  return found;
}

std::string text_of(const json& vector, const char* key) {
  return vector.at(key).get<std::string>();
}
Bytes bytes_of(const json& vector, const char* key) { return from_hex(text_of(vector, key)); }

template <class Integer>
Integer number_of(const json& vector, const char* key) {
  const auto value = vector.at(key).get<std::int64_t>();
  REQUIRE(static_cast<std::int64_t>(static_cast<Integer>(value)) == value);
  return static_cast<Integer>(value);
}
std::uint32_t u32_of(const json& vector, const char* key) {
  return number_of<std::uint32_t>(vector, key);
}

// A packet as it is on the wire when it has a frame and is not compressed.
Bytes framed(std::uint16_t op, byte_view body, std::uint32_t seed, std::size_t crc_length,
             bool compression) {
  Bytes out{static_cast<std::byte>(op >> 8U), static_cast<std::byte>(op & 0xFFU)};
  if (compression) out.push_back(std::byte{0});
  out.insert(out.end(), body.begin(), body.end());
  const std::uint32_t crc = SeededCrc{seed}(out);
  out.resize(out.size() + crc_length);
  write_crc(out.data() + out.size() - crc_length, crc, crc_length);
  return out;
}

std::uint16_t op_at(byte_view datagram) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(datagram[0]) << 8U |
                                    std::to_integer<unsigned>(datagram[1]));
}

// The order of checks that every receiver must have; names as in the vectors.
std::string checked(byte_view datagram, std::uint32_t seed, std::size_t crc_length,
                    bool compression) {
  if (datagram.size() < 2) return "TooShort";
  const std::uint16_t op = op_at(datagram);
  if (!is_known(op)) return "InvalidOpCode";
  if (datagram.size() < minimum_size(op, 2 + (compression ? 1U : 0U) + crc_length)) {
    return "TooShort";
  }
  if (is_contextless(op)) return "Valid";
  const byte_view covered = datagram.first(datagram.size() - crc_length);
  const std::uint32_t crc = SeededCrc{seed}(covered);
  const std::uint32_t sum = read_crc(datagram.data() + covered.size(), crc_length);
  return sum == (crc & crc_mask(crc_length)) ? "Valid" : "CrcMismatch";
}

// What lies between op code, flag and checksum.
byte_view body_of(byte_view datagram, std::size_t crc_length, bool compression) {
  const std::size_t before = compression ? 3 : 2;
  return datagram.subspan(before, datagram.size() - before - crc_length);
}

template <class Packet>
Bytes encoded(const Packet& packet) {
  Bytes out(2000);
  out.resize(packet.encode(out));
  return out;
}

// The state of a cipher: 256 places, then the two indices.
std::array<std::byte, 258> inside(const Rc4& cipher) {
  return std::bit_cast<std::array<std::byte, 258>>(cipher);
}

using ReadLength = bool (*)(byte_view&, std::uint32_t&) noexcept;
using WriteLength = std::byte* (*)(std::byte*, std::uint32_t) noexcept;

// `expected` is "error" or an object of value and consumed.
void check_read(ReadLength read, const Bytes& bytes, const json& expected) {
  byte_view in{bytes};
  std::uint32_t n = 0;
  const bool succeeded = read(in, n);
  if (expected.is_string()) {
    CHECK(expected == "error");
    CHECK_FALSE(succeeded);
    CHECK(in.size() == bytes.size());
    return;
  }
  REQUIRE(succeeded);
  CHECK(n == u32_of(expected, "value"));
  CHECK(bytes.size() - in.size() == number_of<std::size_t>(expected, "consumed"));
}

std::string written(WriteLength write, std::uint32_t n) {
  std::array<std::byte, max_length_size> out{};
  const std::byte* const end = write(out.data(), n);
  return to_hex(byte_view{out}.first(static_cast<std::size_t>(end - out.data())));
}

}  // namespace

TEST_CASE("soe 2.1: the CRC over seed and data", "[soe][crc][vectors]") {
  for (const json& vector : section("crc", 150)) {
    CAPTURE(text_of(vector, "data"), u32_of(vector, "seed"));
    const Bytes data = bytes_of(vector, "hex");
    REQUIRE(data.size() == number_of<std::size_t>(vector, "len"));
    CHECK(SeededCrc{u32_of(vector, "seed")}(data) == u32_of(vector, "crc"));

    std::array<std::byte, 4> seed{};  // least significant byte first
    for (unsigned i = 0; i < 4; ++i) {
      seed[i] = static_cast<std::byte>(u32_of(vector, "seed") >> (8 * i) & 0xFFU);
    }
    CHECK(crc32_portable(crc32_portable(0, seed), data) == u32_of(vector, "crc"));
  }
}

TEST_CASE("soe 2: the checksum is appended in 0 to 4 bytes", "[soe][crc][vectors]") {
  for (const json& vector : section("crc_append", 10)) {
    const auto length = number_of<std::size_t>(vector, "crc_length");
    Bytes packet = bytes_of(vector, "body");
    const std::uint32_t crc = SeededCrc{u32_of(vector, "seed")}(packet);
    packet.resize(packet.size() + length);
    write_crc(packet.data() + packet.size() - length, crc, length);
    CHECK(to_hex(packet) == text_of(vector, "framed"));
    CHECK(read_crc(packet.data() + packet.size() - length, length) == (crc & crc_mask(length)));
  }
}

TEST_CASE("soe 5, 6.5: lengths are written", "[soe][length][vectors]") {
  for (const json& vector : section("varint_encode", 23)) {
    const std::uint32_t n = u32_of(vector, "value");
    CAPTURE(n);
    CHECK(written(write_multi_length, n) == text_of(vector, "multipacket_B"));
    CHECK(written(write_bundle_length, n) == text_of(vector, "bundle_C"));
    CHECK(multi_length_size(n) * 2 == text_of(vector, "multipacket_B").size());
    CHECK(bundle_length_size(n) * 2 == text_of(vector, "bundle_C").size());
  }
}

TEST_CASE("soe 5, 6.5: lengths are read", "[soe][length][vectors]") {
  for (const json& vector : section("varint_decode", 17)) {
    CAPTURE(text_of(vector, "bytes"));
    const Bytes bytes = bytes_of(vector, "bytes");
    check_read(read_multi_length, bytes, vector.at("multipacket_B"));
    check_read(read_bundle_length, bytes, vector.at("bundle_C"));
  }
}

TEST_CASE("soe 10: the cipher, and its state afterwards", "[soe][rc4][vectors]") {
  for (const json& vector : section("rc4", 8)) {
    CAPTURE(text_of(vector, "key"));
    const Bytes key = bytes_of(vector, "key");
    REQUIRE(Rc4::is_valid_key(key));
    Rc4 cipher{key};
    const Bytes plain = bytes_of(vector, "plain");
    Bytes out(plain.size());
    CHECK((cipher.peek() ^ plain.at(0)) == bytes_of(vector, "cipher").at(0));
    cipher.transform(plain, out.data());
    CHECK(to_hex(out) == text_of(vector, "cipher"));

    const auto state = inside(cipher);
    CHECK(std::to_integer<int>(state[256]) == vector.at("i_after").get<int>());
    CHECK(std::to_integer<int>(state[257]) == vector.at("j_after").get<int>());
    CHECK(SeededCrc{0}(byte_view{state}.first(256)) == u32_of(vector, "state_crc_seed0_after"));
  }
}

TEST_CASE("soe 3: packets without a frame", "[soe][packet][vectors]") {
  std::map<std::string, int> seen;
  for (const json& vector : section("contextless_packets", 10)) {
    const std::string type = text_of(vector, "type");
    CAPTURE(type, text_of(vector, "hex"));
    const Bytes bytes = bytes_of(vector, "hex");
    CHECK(is_contextless(op_at(bytes)));
    CHECK(bytes.size() >= minimum_size(op_at(bytes), 7));
    ++seen[type];
    if (type == "SessionRequest") {
      const auto packet = SessionRequest::decode(bytes);
      REQUIRE(packet);
      CHECK(packet->version == u32_of(vector, "soe_protocol_version"));
      CHECK(packet->session_id == u32_of(vector, "session_id"));
      CHECK(packet->udp_length == u32_of(vector, "udp_length"));
      CHECK(packet->protocol == text_of(vector, "application_protocol"));
      CHECK(encoded(*packet) == bytes);
    } else if (type == "SessionResponse") {
      const auto packet = SessionResponse::decode(bytes);
      const SessionResponse expected{.session_id = u32_of(vector, "session_id"),
                                     .crc_seed = u32_of(vector, "crc_seed"),
                                     .crc_length = number_of<std::uint8_t>(vector, "crc_length"),
                                     .compression = vector.at("is_compression_enabled").get<bool>(),
                                     .unknown = number_of<std::uint8_t>(vector, "unknown_value_1"),
                                     .udp_length = u32_of(vector, "udp_length"),
                                     .version = u32_of(vector, "soe_protocol_version")};
      CHECK(encoded(expected) == bytes);
      REQUIRE(packet.has_value() != vector.at("must_reject").get<bool>());
      if (!packet) continue;
      CHECK(encoded(*packet) == bytes);
      CHECK(packet->session_id == expected.session_id);
      CHECK(packet->crc_seed == expected.crc_seed);
      CHECK(packet->crc_length == expected.crc_length);
      CHECK(packet->compression == expected.compression);
      CHECK(packet->unknown == expected.unknown);
      CHECK(packet->udp_length == expected.udp_length);
      CHECK(packet->version == expected.version);
    } else if (type == "RemapConnection") {
      const auto packet = RemapConnection::decode(bytes);
      REQUIRE(packet);
      CHECK(packet->session_id == u32_of(vector, "session_id"));
      CHECK(packet->crc_seed == u32_of(vector, "crc_seed"));
      CHECK(encoded(*packet) == bytes);
    } else {
      CHECK(type == "UnknownSender");
      CHECK(op_at(bytes) == op_of(OpCode::unknown_sender, 0));
      CHECK(bytes.size() == 2);
    }
  }
  CHECK(seen == std::map<std::string, int>{{"SessionRequest", 4},
                                           {"SessionResponse", 4},
                                           {"RemapConnection", 1},
                                           {"UnknownSender", 1}});
}

TEST_CASE("soe 2: frames, made and checked", "[soe][packet][vectors]") {
  struct Packet {
    std::uint16_t op;
    std::string body;
  };
  const std::map<std::string, Packet> packets{
      {"Heartbeat", {op_of(OpCode::heartbeat, 0), ""}},
      {"Disconnect{id=5,reason=6}",
       {op_of(OpCode::disconnect, 0),
        to_hex(encoded(Disconnect{.session_id = 5, .reason = DisconnectReason::application}))}},
      {"Acknowledge{2}", {op_of(OpCode::acknowledge, 0), "0002"}},
      {"AcknowledgeAll{65535}", {op_of(OpCode::acknowledge_all, 0), "ffff"}},
      {"ReliableData{seq=0,'hello'}", {op_of(OpCode::reliable_data, 0), "000068656c6c6f"}},
      {"ReliableData ch3{seq=258}", {op_of(OpCode::reliable_data, 3), "0102aa"}},
      {"Fragment{seq=7,total=9,'abc'}",
       {op_of(OpCode::reliable_fragment, 0), "000700000009616263"}}};
  std::map<std::string, int> seen;
  for (const json& vector : section("contextual_frames", 70)) {
    const std::string what = text_of(vector, "what");
    const std::uint32_t seed = u32_of(vector, "crc_seed");
    const auto crc_length = number_of<std::size_t>(vector, "crc_length");
    const bool compression = vector.at("compression").get<bool>();
    CAPTURE(what, crc_length, compression);
    ++seen[what];

    Bytes bytes = bytes_of(vector, "hex");
    const Packet& packet = packets.at(what);
    CHECK(op_at(bytes) == packet.op);
    CHECK(to_hex(body_of(bytes, crc_length, compression)) == packet.body);
    CHECK(framed(packet.op, from_hex(packet.body), seed, crc_length, compression) == bytes);
    CHECK(checked(bytes, seed, crc_length, compression) == text_of(vector, "validate"));
    if (packet.op == op_of(OpCode::disconnect, 0)) {
      const auto decoded = Disconnect::decode(body_of(bytes, crc_length, compression));
      REQUIRE(decoded);
      CHECK(decoded->session_id == 5);
      CHECK(decoded->reason == DisconnectReason::application);
    }
    // One bit: without a checksum another op code, or another last byte of the body, is as good.
    bytes.back() ^= std::byte{1};
    CHECK(checked(bytes, seed, crc_length, compression) == text_of(vector, "last_byte_flipped"));
  }
  CHECK(seen.size() == packets.size());
  for (const auto& [what, count] : seen) CHECK(count == 10);
}

TEST_CASE("soe 1.2: what is checked before a packet is looked at", "[soe][packet][vectors]") {
  // The original's reliable part does not know these two: unreliable data that begins with a zero,
  // and ordered data.
  const std::set<std::string> known_to_us{"0000", "001a000102"};
  std::size_t differing = 0;
  for (const json& vector : section("validation", 17)) {
    const std::string hex = text_of(vector, "hex");
    CAPTURE(hex);
    const std::string outcome =
        checked(from_hex(hex), u32_of(vector, "crc_seed"),
                number_of<std::size_t>(vector, "crc_length"), vector.at("compression").get<bool>());
    if (known_to_us.contains(hex)) {
      CHECK(text_of(vector, "result") == "InvalidOpCode");
      CHECK(outcome == "Valid");
      ++differing;
    } else {
      CHECK(outcome == text_of(vector, "result"));
    }
  }
  CHECK(differing == known_to_us.size());
}

TEST_CASE("soe 2.2: zlib streams of other builds", "[soe][deflate][vectors]") {
  Inflater inflater;
  std::size_t refused = 0;
  for (const json& vector : section("zlib", 9)) {
    CAPTURE(text_of(vector, "provenance"), text_of(vector, "must"));
    const Bytes stream = bytes_of(vector, "zlib");
    Bytes out(2048);
    const auto size = inflater.inflate(stream, out);
    if (text_of(vector, "must") != "inflate to plain") {
      CHECK(text_of(vector, "must").starts_with("error"));
      CHECK_FALSE(size);
      ++refused;
      continue;
    }
    if (!MUSTER_WITH_DEFLATE) {
      CHECK_FALSE(size);  // this build has no compression
      continue;
    }
    REQUIRE(size);
    out.resize(*size);
    CHECK(to_hex(out) == text_of(vector, "plain"));
    // In just the room it needs, and in one byte less.
    Bytes tight(*size);
    CHECK(inflater.inflate(stream, tight) == *size);
    tight.pop_back();
    CHECK_FALSE(inflater.inflate(stream, tight));
  }
  CHECK(refused == 3);
}

TEST_CASE("soe 6.1: sequence numbers are expanded", "[soe][sequence][vectors]") {
  for (const json& vector : section("sequence_expansion", 22)) {
    const auto wire = number_of<std::uint16_t>(vector, "seq16");
    const auto current = number_of<std::int64_t>(vector, "current");
    CAPTURE(wire, current);
    CHECK(expand_sequence(wire, current, number_of<std::int64_t>(vector, "window")) ==
          number_of<std::int64_t>(vector, "true"));
  }
}

TEST_CASE("soe 16: what the other implementations' own tests expect", "[soe][vectors]") {
  const json& facts = vectors().at("csharp_and_zig_facts");

  SECTION("nothing is left out but what needs a session") {
    std::set<std::string> names;
    for (const auto& [name, value] : facts.items()) names.insert(name);
    CHECK(names == std::set<std::string>{"crc32", "rc4", "round_trips", "validation",
                                         "zig_bundle_lengths", "zig_multipacket_lengths",
                                         "zig_sequence", "provenance",
                                         // Of channels and sessions.
                                         "end_to_end_sizes", "input_channel_ack_expectations",
                                         "multi_data", "zig_bundle_buffer"});
  }
  SECTION("crc32") {
    // Its 510 bytes are not in the file, so there is nothing to compute it over.
    CHECK_FALSE(facts.at("crc32").contains("hex"));
    CHECK(u32_of(facts.at("crc32"), "data_len") == 510);
  }
  SECTION("rc4") {
    REQUIRE(facts.at("rc4").size() == 3);
    for (const json& vector : facts.at("rc4")) {
      const std::string key = text_of(vector, "key");
      const std::string plain = text_of(vector, "plain");
      Bytes out(plain.size());
      Rc4{muster::as_bytes(key)}.transform(muster::as_bytes(plain), out.data());
      CHECK(to_hex(out) == text_of(vector, "cipher"));
    }
  }
  SECTION("validation") {
    REQUIRE(facts.at("validation").size() == 7);
    const Bytes ten = from_hex("000a");
    const std::uint16_t op = op_of(OpCode::acknowledge_all, 0);
    std::size_t described = 0;
    for (const json& vector : facts.at("validation")) {
      const std::string result = text_of(vector, "result");
      if (vector.contains("bytes")) {
        const std::string hex = text_of(vector, "bytes");
        CAPTURE(hex);
        // As above: unreliable data that begins with a zero.
        CHECK(checked(from_hex(hex), 5, 0, false) == (hex == "0000" ? "Valid" : result));
        continue;
      }
      ++described;
      if (result == "Valid") {
        CHECK(text_of(vector, "what") == "AcknowledgeAll(10), seed 5, crc lengths 0..4");
        for (std::size_t length = 0; length <= max_crc_length; ++length) {
          CHECK(checked(framed(op, ten, 5, length, false), 5, length, false) == result);
        }
      } else {
        CHECK(text_of(vector, "what") ==
              "AcknowledgeAll(10) framed with seed 0, checked with seed 5, crc_length 2");
        CHECK(checked(framed(op, ten, 0, 2, false), 5, 2, false) == result);
      }
    }
    CHECK(described == 2);
  }
  SECTION("round trips") {
    const json& trips = facts.at("round_trips");
    REQUIRE(trips.size() == 6);

    const json& request = trips.at("SessionRequest");
    const std::string protocol = request.at(3).get<std::string>();
    const Bytes request_bytes =
        encoded(SessionRequest{.version = request.at(0).get<std::uint32_t>(),
                               .session_id = request.at(1).get<std::uint32_t>(),
                               .udp_length = request.at(2).get<std::uint32_t>(),
                               .protocol = protocol});
    const auto request_back = SessionRequest::decode(request_bytes);
    REQUIRE(request_back);
    CHECK(json::array({request_back->version, request_back->session_id, request_back->udp_length,
                       std::string{request_back->protocol}}) == request);

    const json& response = trips.at("SessionResponse");
    const auto response_back = SessionResponse::decode(
        encoded(SessionResponse{.session_id = response.at(0).get<std::uint32_t>(),
                                .crc_seed = response.at(1).get<std::uint32_t>(),
                                .crc_length = response.at(2).get<std::uint8_t>(),
                                .compression = response.at(3).get<bool>(),
                                .unknown = response.at(4).get<std::uint8_t>(),
                                .udp_length = response.at(5).get<std::uint32_t>(),
                                .version = response.at(6).get<std::uint32_t>()}));
    REQUIRE(response_back);
    CHECK(
        json::array({response_back->session_id, response_back->crc_seed, response_back->crc_length,
                     response_back->compression, response_back->unknown, response_back->udp_length,
                     response_back->version}) == response);

    const json& disconnect = trips.at("Disconnect");
    const auto disconnect_back = Disconnect::decode(
        encoded(Disconnect{.session_id = disconnect.at(0).get<std::uint32_t>(),
                           .reason = to_disconnect_reason(disconnect.at(1).get<std::uint16_t>())}));
    REQUIRE(disconnect_back);
    CHECK(json::array({disconnect_back->session_id, static_cast<int>(disconnect_back->reason)}) ==
          disconnect);

    const json& remap = trips.at("RemapConnection");
    const auto remap_back = RemapConnection::decode(
        encoded(RemapConnection{.session_id = remap.at(0).get<std::uint32_t>(),
                                .crc_seed = remap.at(1).get<std::uint32_t>()}));
    REQUIRE(remap_back);
    CHECK(json::array({remap_back->session_id, remap_back->crc_seed}) == remap);

    // Nothing but a sequence number.
    CHECK(trips.at("Acknowledge") == json::array({2}));
    CHECK(trips.at("AcknowledgeAll") == json::array({2}));
  }
  SECTION("sequences and lengths") {
    REQUIRE(facts.at("zig_sequence").size() == 4);
    for (const json& vector : facts.at("zig_sequence")) {
      CHECK(expand_sequence(number_of<std::uint16_t>(vector, "seq16"),
                            number_of<std::int64_t>(vector, "current"),
                            number_of<std::int64_t>(vector, "window")) ==
            number_of<std::int64_t>(vector, "true"));
    }
    REQUIRE(facts.at("zig_bundle_lengths").size() == 3);
    for (const json& vector : facts.at("zig_bundle_lengths")) {
      CHECK(written(write_bundle_length, u32_of(vector, "value")) == text_of(vector, "bytes"));
    }
    REQUIRE(facts.at("zig_multipacket_lengths").size() == 5);
    for (const json& vector : facts.at("zig_multipacket_lengths")) {
      check_read(read_multi_length, bytes_of(vector, "bytes"), vector);
    }
  }
}
