// SPDX-License-Identifier: MIT
#include <muster/shard/parting.hpp>

#include "support/catch.hpp"

#include <set>
#include <string_view>

using namespace muster;
using muster::shard::Parting;
using muster::shard::parting_of;

TEST_CASE("shard parting: the end of a connection says whether to come back", "[shard]") {
  const auto closed = [](std::uint16_t code, bool joined = true) {
    return parting_of({.reason = CloseReason::finished, .by_peer = true, .code = code, .text = {}},
                      joined);
  };
  CHECK(closed(1000) == Parting::finished);
  CHECK(closed(1001) == Parting::server_away);
  CHECK(closed(1013) == Parting::server_away);
  CHECK(closed(1008) == Parting::kicked);
  CHECK(closed(1008, false) == Parting::refused);
  CHECK(closed(1007) == Parting::protocol_error);
  CHECK(closed(4401) == Parting::revoked);
  CHECK(closed(4409) == Parting::replaced);
  CHECK(closed(4999) == Parting::refused);
  CHECK(closed(0) == Parting::connection_lost);

  const auto answered = [](unsigned status) {
    return parting_of({.reason = CloseReason::refused,
                       .by_peer = true,
                       .code = static_cast<std::uint16_t>(status),
                       .text = {}},
                      false);
  };
  for (const unsigned status : {400U, 401U, 403U, 404U, 405U, 426U}) {
    CHECK(answered(status) == Parting::refused);
  }
  for (const unsigned status : {408U, 429U, 500U, 503U}) {
    CHECK(answered(status) == Parting::server_away);
  }
  CHECK(answered(409) == Parting::sid_in_use);
  CHECK(parting_of({.reason = CloseReason::draining}, true) == Parting::left);
}

TEST_CASE("shard parting: each has a name of its own, and the passing ones come first", "[shard]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < shard::parting_count; ++i) {
    names.insert(shard::to_string(static_cast<Parting>(i)));
  }
  CHECK(names.size() == shard::parting_count);
  CHECK_FALSE(names.contains(""));
  CHECK(is_passing(Parting::sid_in_use));
  CHECK_FALSE(is_passing(Parting::left));
  CHECK(shard::to_string(Parting::protocol_error) == "protocol_error");
}
