// SPDX-License-Identifier: MIT
// The page to play in a browser, embedded at build time.
#pragma once

#include <string_view>

namespace shard_program {

/// page.html, whole.
[[nodiscard]] std::string_view page() noexcept;

}  // namespace shard_program
