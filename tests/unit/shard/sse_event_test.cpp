// SPDX-License-Identifier: MIT
// Server-sent events of snapshots: the golden vectors, and payloads of several lines.
#include <muster/shard/sse_event.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string event(std::uint64_t tick, std::string_view payload) {
  std::vector<std::byte> out;
  muster::shard::write_sse_event(out, tick, muster::as_bytes(payload));
  return std::string{muster::as_text(out)};
}

}  // namespace

TEST_CASE("sse event: the golden vectors", "[shard][sse]") {
  const auto vectors = test::load_vectors("shard_vectors.json").at("sse_frames");
  for (const auto& vector : vectors) {
    CAPTURE(vector.dump());
    const auto expected = vector.at("bytes_text").get<std::string>();
    if (vector.contains("tick")) {
      CHECK(event(vector.at("tick").get<std::uint64_t>(),
                  vector.at("payload").get<std::string>()) == expected);
    } else {
      CHECK(muster::shard::sse_heartbeat == expected);
    }
  }
}

TEST_CASE("sse event: each line of the payload is a line of data", "[shard][sse]") {
  CHECK(event(2, "[1,\n2]") == "id: 2\ndata: [1,\ndata: 2]\n\n");
  CHECK(event(2, "a\r\nb\rc\n\nd\n") ==
        "id: 2\ndata: a\ndata: b\ndata: c\ndata: \ndata: d\ndata: \n\n");
  // A payload that looks like a field stays data.
  CHECK(event(2, "\"\"\nevent: x\nid: 9") == "id: 2\ndata: \"\"\ndata: event: x\ndata: id: 9\n\n");
  CHECK(event(2, "") == "id: 2\ndata: \n\n");
}

TEST_CASE("sse event: the largest tick", "[shard][sse]") {
  CHECK(event(std::numeric_limits<std::uint64_t>::max(), "0") ==
        "id: 18446744073709551615\ndata: 0\n\n");
}
