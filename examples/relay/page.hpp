// SPDX-License-Identifier: MIT
// The page that the relay serves, embedded at build time.
#pragma once

#include <string_view>

namespace relay_program {

/// page.html, whole.
[[nodiscard]] std::string_view page() noexcept;

}  // namespace relay_program
