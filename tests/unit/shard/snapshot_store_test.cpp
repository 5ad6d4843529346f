// SPDX-License-Identifier: MIT
#include <muster/shard/snapshot_store.hpp>

#include "support/catch.hpp"

#include <string>

using namespace muster;
using muster::shard::SnapshotStore;

namespace {

bool keep(SnapshotStore& store, std::uint64_t tick, std::string_view text) {
  return store.keep(tick, as_bytes(text));
}

std::string get(const SnapshotStore& store, std::uint64_t tick) {
  const auto* const found = store.find(tick);
  return found == nullptr ? "none" : std::string{as_text(*found)};
}

}  // namespace

TEST_CASE("shard snapshot store: what a server may still base a delta on is kept", "[shard]") {
  SnapshotStore store{1024};
  CHECK(store.newest() == 0);
  CHECK_FALSE(keep(store, 0, "x"));
  CHECK(keep(store, 5, "five"));
  CHECK(keep(store, 6, ""));
  CHECK(get(store, 5) == "five");
  CHECK(get(store, 6).empty());
  CHECK(get(store, 7) == "none");
  CHECK(get(store, 0) == "none");
  CHECK(keep(store, 69, "new"));
  CHECK(get(store, 5) == "five");  // 64 ticks old
  CHECK(keep(store, 70, "newer"));
  CHECK(get(store, 5) == "none");
  CHECK(get(store, 6).empty());
  CHECK(store.newest() == 70);
  CHECK(keep(store, 1'000'000, "far"));
  CHECK(get(store, 70) == "none");
  CHECK(store.bytes() == 3);
  store.drop_before(2'000'000);
  CHECK(store.newest() == 0);
  CHECK(store.bytes() == 0);
}

TEST_CASE("shard snapshot store: bytes are bounded, and the oldest goes first", "[shard]") {
  SnapshotStore store{10};
  CHECK(keep(store, 1, "aaaa"));
  CHECK(keep(store, 2, "bbbb"));
  CHECK(keep(store, 3, "cccc"));
  CHECK(get(store, 1) == "none");
  CHECK(get(store, 2) == "bbbb");
  CHECK_FALSE(keep(store, 4, "ddddddddddd"));
  CHECK(store.newest() == 3);
  CHECK(keep(store, 5, "eeeeeeeeee"));
  CHECK(get(store, 3) == "none");
  CHECK(store.bytes() == 10);
  CHECK(keep(store, 5, "again"));
  CHECK(get(store, 5) == "again");
  CHECK(store.bytes() == 5);
  store.clear();
  CHECK(store.bytes() == 0);
  CHECK(get(store, 5) == "none");
}
