// SPDX-License-Identifier: MIT
#include "../lib/signal/replay_ring.hpp"

#include "support/catch.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

using muster::signal::ReplayRing;
using muster::signal::Uuid;
using muster::signal::Version;

namespace {

constexpr Uuid ada{{std::byte{1}}};
constexpr Uuid bo{{std::byte{2}}};
using Texts = std::vector<std::string>;

std::size_t add(ReplayRing& ring, const std::string& text, const std::optional<Uuid>& about) {
  return ring.add({"old " + text, text}, about);
}

}  // namespace

TEST_CASE("signal replay: a reader gets what came since it was lost, oldest first",
          "[signal][replay]") {
  ReplayRing ring{10};
  CHECK(ring.is_on());
  add(ring, "a", std::nullopt);
  const auto lost = ring.next();
  CHECK(add(ring, "b", std::nullopt) == 0);
  add(ring, "c", bo);
  CHECK(ring.since(lost, ada, Version::v3) == Texts{"b", "c"});
  CHECK(ring.reaches(lost));
}

TEST_CASE("signal replay: nobody is told of itself", "[signal][replay]") {
  ReplayRing ring{10};
  const auto lost = ring.next();
  add(ring, "a", ada);
  add(ring, "b", bo);
  add(ring, "all", std::nullopt);
  CHECK(ring.since(lost, ada, Version::v3) == Texts{"b", "all"});
  CHECK(ring.since(lost, bo, Version::v3) == Texts{"a", "all"});
}

TEST_CASE("signal replay: what was pushed out is known to be missing", "[signal][replay]") {
  ReplayRing ring{2};
  const auto first = ring.next();
  add(ring, "a", std::nullopt);
  const auto second = ring.next();
  add(ring, "b", std::nullopt);
  CHECK(ring.reaches(first));
  CHECK(add(ring, "c", std::nullopt) == 1);
  CHECK_FALSE(ring.reaches(first));
  CHECK(ring.reaches(second));
  CHECK(ring.since(first, ada, Version::v3) == Texts{"b", "c"});
}

TEST_CASE("signal replay: numbers go on when the events are forgotten", "[signal][replay]") {
  ReplayRing ring{2};
  add(ring, "a", std::nullopt);
  ring.clear();
  const auto lost = ring.next();
  CHECK(lost == 1);
  CHECK(ring.reaches(lost));
  CHECK(ring.since(lost, ada, Version::v3).empty());
  add(ring, "b", std::nullopt);
  CHECK(ring.since(lost, ada, Version::v3) == Texts{"b"});
}

TEST_CASE("signal replay: without room nothing is kept, and everything is missing",
          "[signal][replay]") {
  ReplayRing ring{0};
  CHECK_FALSE(ring.is_on());
  const auto lost = ring.next();
  CHECK(ring.reaches(lost));
  CHECK(add(ring, "a", std::nullopt) == 1);
  CHECK_FALSE(ring.reaches(lost));
  CHECK(ring.since(lost, ada, Version::v3).empty());
}

TEST_CASE("signal replay: each version has its own text of an event", "[signal][replay]") {
  ReplayRing ring{2};
  add(ring, "a", std::nullopt);
  CHECK(ring.since(0, ada, Version::v2) == Texts{"old a"});
  CHECK(ring.since(0, ada, Version::v3) == Texts{"a"});
}
