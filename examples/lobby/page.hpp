// SPDX-License-Identifier: MIT
// The page that shows the tournament, embedded at build time.
#pragma once

#include <string_view>

namespace lobby_program {

/// page.html, whole.
[[nodiscard]] std::string_view page() noexcept;

}  // namespace lobby_program
