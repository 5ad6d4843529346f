// SPDX-License-Identifier: MIT
// Large buffers that are kept for the next message: which ones, how many, and which one is taken.
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

#include "../lib/soe/message_buffer.hpp"

using muster::soe::MessageBuffer;
using muster::soe::SpareBuffers;

namespace {

constexpr std::uint32_t kib = 1024;
constexpr std::size_t any = SIZE_MAX;

MessageBuffer buffer(std::uint32_t capacity) {
  return {std::make_unique<std::byte[]>(capacity), capacity};
}

}  // namespace

TEST_CASE("soe spare buffers: the largest that fits is taken", "[soe]") {
  SpareBuffers spares;
  CHECK(spares.take(0, any).bytes == nullptr);
  for (const std::uint32_t size : {300 * kib, 200 * kib, 400 * kib}) {
    spares.give_back(buffer(size));
  }
  CHECK(spares.kept() == 900 * kib);
  CHECK(spares.take(401 * kib, any).bytes == nullptr);
  CHECK(spares.take(0, 199 * kib).bytes == nullptr);
  CHECK(spares.take(201 * kib, 299 * kib).bytes == nullptr);
  const MessageBuffer middle = spares.take(0, 399 * kib);
  CHECK(middle.capacity == 300 * kib);
  CHECK(middle.bytes != nullptr);
  CHECK(spares.take(200 * kib, any).capacity == 400 * kib);
  CHECK(spares.take(200 * kib, any).capacity == 200 * kib);
  CHECK(spares.take(0, any).bytes == nullptr);
  CHECK(spares.kept() == 0);
}

TEST_CASE("soe spare buffers: small ones and too many are not kept", "[soe]") {
  SpareBuffers spares;
  spares.give_back({});
  spares.give_back({std::make_unique<std::byte[]>(10), 0});  // of unknown size
  spares.give_back(buffer(4 * kib - 1));
  CHECK(spares.kept() == 0);
  spares.give_back(buffer(4 * kib));
  CHECK(spares.kept() == 4 * kib);
  for (int i = 0; i < 100; ++i) spares.give_back(buffer(300 * kib));
  CHECK(spares.kept() <= 8 * kib * kib);
  CHECK(spares.kept() > 7 * kib * kib);
  spares.give_back(buffer(20 * kib * kib));
  CHECK(spares.take(301 * kib, any).bytes == nullptr);
}

TEST_CASE("soe spare buffers: many small ones do not keep a large one out", "[soe]") {
  SpareBuffers spares;
  for (std::uint32_t i = 0; i < 1000; ++i) spares.give_back(buffer(4 * kib + i));
  CHECK(spares.kept() <= 64 * 5 * kib);  // few, so that one is found soon
  CHECK(spares.kept() >= 16 * 4 * kib);
  spares.give_back(buffer(300 * kib));
  CHECK(spares.take(300 * kib, any).capacity == 300 * kib);
  CHECK(spares.take(4 * kib + 999, any).capacity == 4 * kib + 999);
  std::size_t rest = 0;
  while (true) {
    const MessageBuffer spare = spares.take(0, any);
    if (spare.bytes == nullptr) break;
    rest += spare.capacity;
  }
  CHECK(rest > 0);
  CHECK(spares.kept() == 0);
}
