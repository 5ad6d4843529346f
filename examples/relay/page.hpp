// SPDX-License-Identifier: MIT
// The pages that the relay serves, embedded at build time.
#pragma once

#include <string_view>

namespace relay_program {

/// page.html, whole.
[[nodiscard]] std::string_view page() noexcept;

/// signal.html, whole.
[[nodiscard]] std::string_view signal_page() noexcept;

/// The game that signal.html plays; it wants its players to be connected directly.
inline constexpr std::string_view signal_page_game = "muster-page";

}  // namespace relay_program
