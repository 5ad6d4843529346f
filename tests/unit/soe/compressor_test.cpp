// SPDX-License-Identifier: MIT
#include "../lib/soe/compressor.hpp"

#include <muster/entropy.hpp>

#include "support/catch.hpp"

#include <array>
#include <vector>

using namespace muster;
using soe::Compressor;

TEST_CASE("SOE compressor: a body gets smaller in place, or stays as it is", "[soe]") {
  if (!soe::Deflater::is_available()) return;
  Compressor compressor;
  Compressor::Experience experience;
  std::vector<std::byte> body(400, std::byte{7});
  const std::size_t size = compressor.compress(body, experience);
  REQUIRE(size != 0);
  CHECK(size < 100);
  soe::Inflater inflater;
  std::array<std::byte, 512> out{};
  CHECK(inflater.inflate(byte_view{body}.first(size), out) == 400);

  std::vector<std::byte> noise(400);
  SeededEntropy{3}.fill(noise);
  const std::vector<std::byte> before = noise;
  CHECK(compressor.compress(noise, experience) == 0);
  CHECK(noise == before);
}

TEST_CASE("SOE compressor: what never gets smaller is tried only now and then", "[soe]") {
  if (!soe::Deflater::is_available()) return;
  Compressor compressor;
  Compressor::Experience experience;
  std::vector<std::byte> noise(400);
  SeededEntropy{3}.fill(noise);
  for (int i = 0; i < 4; ++i) CHECK(compressor.compress(noise, experience) == 0);
  // From now on one in sixteen: data that has become compressible is noticed then.
  int tried = 0;
  for (int i = 1; i <= 16; ++i) {
    std::vector<std::byte> body(400, std::byte{7});
    if (compressor.compress(body, experience) != 0) {
      tried = i;
      break;
    }
  }
  CHECK(tried == 16);
  std::vector<std::byte> body(400, std::byte{7});
  CHECK(compressor.compress(body, experience) != 0);
}
