// SPDX-License-Identifier: MIT
// Applications, as they name themselves.
#pragma once

#include "uuid.hpp"

#include <cstddef>
#include <string_view>

namespace muster::signal {

inline constexpr std::size_t max_app_id_size = 256;  ///< bytes

/// Whether it is 1 to `max_app_id_size` bytes without a control character.
[[nodiscard]] bool is_app_id(std::string_view text) noexcept;

/// The identifier that stands for an application: always the same one.
/// @source docs/protocol/signal.md, "Authentication"
[[nodiscard]] Uuid app_uuid(std::string_view app_id) noexcept;

}  // namespace muster::signal
