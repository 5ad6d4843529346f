// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/sip_hash.hpp>

#include <array>
#include <cstddef>

using namespace muster;

TEST_CASE("sip hash: agrees with the authors' vectors", "[sip_hash]") {
  const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::array<std::byte, 15> input{};
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::byte>(i);
  // The paper, appendix A, and the first of the reference implementation.
  CHECK(sip_hash(key, input) == 0xa129ca6149be45e5U);
  CHECK(sip_hash(key, {}) == 0x726fdb47dd0e0e31U);
}
