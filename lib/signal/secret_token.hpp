// SPDX-License-Identifier: MIT
// What a player presents to come back.
#pragma once

#include <muster/entropy.hpp>

#include "uuid.hpp"

#include <string_view>

namespace muster::signal {

/// 122 random bits, as the text that clients expect: they keep it and never read it.
using SecretToken = UuidText;

[[nodiscard]] inline SecretToken draw_secret_token(Entropy& entropy) noexcept {
  return to_text(draw_uuid(entropy));
}

}  // namespace muster::signal
