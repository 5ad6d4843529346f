// SPDX-License-Identifier: MIT
// Counted blocks.
#include <muster/block.hpp>

#include "support/catch.hpp"

#include <cstring>

using muster::Block;

TEST_CASE("block: an empty block refers to nothing", "[block]") {
  const Block none;
  CHECK_FALSE(none);
  const Block copy = none;
  CHECK(copy == none);
}

TEST_CASE("block: copies share the bytes, and the last one frees them", "[block]") {
  Block first = Block::allocate(100);
  REQUIRE(first);
  CHECK(first.capacity() == 100);
  CHECK(first.is_unique());
  first.tag() = 7;
  std::memset(first.data(), 0x5a, 100);
  {
    const Block second = first;
    CHECK(second == first);
    CHECK(second.data() == first.data());
    CHECK(second.tag() == 7);
    CHECK(first.reference_count() == 2);
    CHECK_FALSE(first.is_unique());
  }
  CHECK(first.is_unique());
}

TEST_CASE("block: a move leaves nothing behind, and self-assignment keeps the bytes", "[block]") {
  Block first = Block::allocate(8);
  Block second = std::move(first);
  CHECK_FALSE(first);
  CHECK(second.is_unique());
  const Block& same = second;
  second = same;
  CHECK(second.is_unique());
  second = Block{};
  CHECK_FALSE(second);
}

TEST_CASE("block: a block of no bytes is a block", "[block]") {
  const Block block = Block::allocate(0);
  CHECK(block);
  CHECK(block.capacity() == 0);
}
