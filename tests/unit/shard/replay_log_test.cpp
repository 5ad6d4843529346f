// SPDX-License-Identifier: MIT
#include <muster/shard/replay_log.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

// "MSRL", version 1, first tick 1.
constexpr std::string_view head = "4d53524c0101";

struct Read {
  std::vector<ReplayRecord> records;
  errc error{};
};

Read read(byte_view log) {
  Read read;
  ReplayReader reader{log};
  while (const auto record = reader.next()) read.records.push_back(*record);
  if (!reader.ok()) read.error = reader.error();
  return read;
}

errc error_of(const std::string& hex) { return read(test::from_hex(hex)).error; }

}  // namespace

TEST_CASE("replay log: its bytes are those of its description", "[shard]") {
  ReplayLog log{7};
  CHECK(log.join({1, "ann", "a", true, {}}));
  CHECK(log.input(1, 300, Format::binary, as_bytes("xy")));
  CHECK(log.input(1, std::nullopt, Format::json, {}));
  CHECK(log.step(7, 50ns));
  CHECK(log.leave(1));
  CHECK(log.step(9, 300ns));
  CHECK(test::to_hex(log.bytes()) ==
        "4d53524c"            // "MSRL"
        "0107"                // version, first tick
        "010103616e6e016101"  // join: handle, "ann", "a", administrator
        "03010201ac02027879"  // input: handle, binary, client_seq 300, "xy"
        "0301000000"          // input: handle, JSON, no client_seq, nothing
        "040032"              // step: none left out, 50 ns
        "0201"                // leave: handle
        "0401ac02");          // step: one left out, 300 ns
}

TEST_CASE("replay log: what was recorded is read, with its tick", "[shard]") {
  ReplayLog log{100};
  log.join({most, "sid", "", false, {}});
  log.step(100, 0ns);
  log.input(most, most, Format::msgpack, as_bytes("input"));
  log.step(105, duration::max());
  log.leave(most);
  const Read found = read(log.bytes());
  CHECK(found.error == errc{});
  REQUIRE(found.records.size() == 5);
  CHECK(found.records[0].kind == ReplayRecord::Kind::join);
  CHECK(found.records[0].tick == 100);
  CHECK(found.records[0].handle == most);
  CHECK(found.records[0].id == "sid");
  CHECK(found.records[0].user.empty());
  CHECK_FALSE(found.records[0].is_admin);
  CHECK(found.records[1].kind == ReplayRecord::Kind::step);
  CHECK(found.records[1].tick == 100);
  CHECK(found.records[1].dt == 0ns);
  CHECK(found.records[2].kind == ReplayRecord::Kind::input);
  CHECK(found.records[2].tick == 101);
  CHECK(found.records[2].handle == most);
  CHECK(found.records[2].client_seq == most);
  CHECK(found.records[2].format == Format::msgpack);
  CHECK(as_text(found.records[2].bytes) == "input");
  CHECK(found.records[3].tick == 105);
  CHECK(found.records[3].dt == duration::max());
  CHECK(found.records[4].kind == ReplayRecord::Kind::leave);
  CHECK(found.records[4].tick == 106);
}

TEST_CASE("replay log: a full log ends after a whole record, and has no hole", "[shard]") {
  ReplayLog log{1, 20};
  CHECK(log.step(1, 50ms));  // 6 and 6 bytes
  const std::vector<std::byte> before(log.bytes().begin(), log.bytes().end());
  CHECK_FALSE(log.is_full());
  CHECK_FALSE(log.input(1, std::nullopt, Format::json, as_bytes("too long for it")));
  CHECK(log.is_full());
  CHECK_FALSE(log.leave(1));  // it would fit
  CHECK_FALSE(log.step(2, 50ms));
  CHECK(std::vector<std::byte>(log.bytes().begin(), log.bytes().end()) == before);
  CHECK(read(log.bytes()).records.size() == 1);
}

TEST_CASE("replay log: what is no log is told from a damaged one", "[shard]") {
  const std::string h{head};
  CHECK(error_of("") == errc::bad_syntax);
  CHECK(error_of("4d5352") == errc::bad_syntax);
  CHECK(error_of("7b22612200000000") == errc::bad_syntax);
  CHECK(error_of("4d53524c") == errc::unexpected_end);
  CHECK(error_of("4d53524c0201") == errc::bad_value);                    // version 2
  CHECK(error_of("4d53524c01ffffffffffffffffff01") == errc::bad_value);  // tick 2^64 - 1
  CHECK(error_of(h) == errc{});
  CHECK(error_of(h + "00") == errc::bad_value);  // kinds
  CHECK(error_of(h + "05") == errc::bad_value);
  CHECK(error_of(h + "0200") == errc::bad_value);  // handle 0
  CHECK(error_of(h + "0202") == errc{});
  CHECK(error_of(h + "010101610002") == errc::bad_bool);
  CHECK(error_of(h + "0101000000") == errc::bad_value);  // an empty id
  CHECK(error_of(h + "010101ff0000") == errc::bad_utf8);
  CHECK(error_of(h + "0301030000") == errc::bad_value);  // format 3
  CHECK(error_of(h + "0301000200") == errc::bad_option);
  CHECK(error_of(h + "03010000ffffffff0f") == errc::unexpected_end);   // 4 GiB that are not there
  CHECK(error_of(h + "0400ffffffffffffffffff01") == errc::bad_value);  // a negative dt
  CHECK(error_of(h + "0400ffffffffffffffffff02") == errc::bad_varint);
  CHECK(error_of(h + "04feffffffffffffffff0100") == errc::bad_value);  // 1 + 2^64 - 2
  CHECK(error_of(h + "04fdffffffffffffffff0100") == errc{});
  CHECK(error_of(h + "04fdffffffffffffffff0100" + "040000") == errc::bad_value);  // none is left
}

TEST_CASE("replay log: an id is 128 bytes at most", "[shard]") {
  ReplayLog log;
  log.join({1, std::string(128, 'x'), std::string(5000, 'y'), false, {}});
  const Read found = read(log.bytes());
  REQUIRE(found.records.size() == 1);
  CHECK(found.records[0].id.size() == 128);
  CHECK(found.records[0].user.size() == 5000);
  CHECK(error_of(std::string{head} + "01018101" + test::to_hex(as_bytes(std::string(129, 'x'))) +
                 "0000") == errc::bad_value);
}

TEST_CASE("replay log: cut anywhere, it is read up to the cut", "[shard]") {
  ReplayLog log;
  std::vector<std::size_t> ends{log.bytes().size()};
  const auto mark = [&] { ends.push_back(log.bytes().size()); };
  log.join({1, "ann", "ann", false, {}}), mark();
  log.input(1, 5, Format::json, as_bytes("{\"x\":1}")), mark();
  log.step(1, 50ms), mark();
  log.leave(1), mark();
  for (std::size_t size = ends.front(); size <= log.bytes().size(); ++size) {
    const std::vector<std::byte> cut(log.bytes().begin(),
                                     log.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    const Read found = read(cut);
    std::size_t whole = 0;
    while (whole + 1 < ends.size() && ends[whole + 1] <= size) ++whole;
    CHECK(found.records.size() == whole);
    CHECK(found.error == (ends[whole] == size ? errc{} : errc::unexpected_end));
  }
}
