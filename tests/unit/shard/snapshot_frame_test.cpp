// SPDX-License-Identifier: MIT
// Snapshots and closes as clients of the original get them: the golden vectors.
#include <muster/frame.hpp>
#include <muster/shard/snapshot_frame.hpp>
#include <muster/utf8.hpp>
#include <muster/websocket/frame_codec.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <string>
#include <vector>

using muster::as_bytes;
using muster::as_text;
using muster::byte_view;
using muster::errc;
using muster::shard::decode_snapshot_frame;

TEST_CASE("snapshot frame: the golden vectors", "[shard][snapshot_frame]") {
  std::size_t count = 0;
  const auto vectors = test::load_vectors("shard_vectors.json").at("snapshot_frames");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    if (!vector.contains("hex")) continue;  // a note
    const auto tick = vector.at("tick").get<std::uint64_t>();
    const auto payload = vector.at("payload_text").get<std::string>();
    std::vector<std::byte> out;
    muster::shard::encode({tick, as_bytes(payload)}, out);
    CHECK(test::to_hex(out) == vector.at("hex"));
    const muster::Frame frame{{out, muster::MessageKind::binary}};
    CHECK(test::to_hex(frame.encoded()) == vector.at("ws_server_frame_hex"));
    ++count;

    const auto decoded = decode_snapshot_frame(out);
    if (payload == "hello") {  // not JSON: only the framing is of interest
      REQUIRE_FALSE(decoded);
      CHECK(decoded.error() == errc::bad_syntax);
      continue;
    }
    REQUIRE(decoded);
    CHECK(decoded->tick == tick);
    CHECK(as_text(decoded->payload) == payload);
  }
  CHECK(count == 10);
}

TEST_CASE("snapshot frame: what the original's clients cannot use", "[shard][snapshot_frame]") {
  const auto vectors =
      test::load_vectors("shard_vectors.json").at("snapshot_frame_invalid_for_legacy_clients");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    const auto bytes = test::from_hex(vector.at("hex").get<std::string>());
    const auto decoded = decode_snapshot_frame(bytes);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error() == (bytes.size() <= 8 ? errc::unexpected_end : errc::bad_syntax));
  }
}

TEST_CASE("snapshot frame: the snapshot may be appended behind the header",
          "[shard][snapshot_frame]") {
  std::vector<std::byte> out;
  muster::shard::encode({7, {}}, out);
  CHECK(out.size() == muster::shard::snapshot_header_size);
  for (const std::byte octet : as_bytes("[1]")) out.push_back(octet);
  const auto decoded = decode_snapshot_frame(out);
  REQUIRE(decoded);
  CHECK(decoded->tick == 7);
  CHECK(as_text(decoded->payload) == "[1]");
}

TEST_CASE("shard close: the golden vectors", "[shard][snapshot_frame]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("close_frames");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    std::array<std::byte, 160> out{};
    const std::size_t size = muster::websocket::write_close_frame(
        out.data(), vector.at("code").get<std::uint16_t>(), vector.at("reason").get<std::string>());
    // A server's frame of so few bytes has a header of two.
    CHECK(test::to_hex(byte_view{out}.first(size).subspan(2)) == vector.at("payload_hex"));
  }
}

TEST_CASE("shard defect 11: the reason of a close is cut to 123 bytes between characters",
          "[shard][snapshot_frame]") {
  std::string reason = "unauthorized: subscriber id \"";
  while (reason.size() < 200) reason += "\xC3\xA9";
  std::array<std::byte, 400> out{};
  const std::size_t size = muster::websocket::write_close_frame(out.data(), 1008, reason);
  REQUIRE(size <= 2 + 125);
  const byte_view text = byte_view{out}.first(size).subspan(4);
  CHECK(text.size() >= 120);
  CHECK(muster::is_valid_utf8(text));
  CHECK(reason.starts_with(as_text(text)));
}
