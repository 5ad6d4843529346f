// SPDX-License-Identifier: MIT
// The messages that are echoed: each one knows its number, and no two are alike.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace soe_echo {

/// From this size on a message's number can be read from it, and not only its order tells.
inline constexpr std::size_t min_numbered_size = 6;

/// Makes message `number`. Half of them begin with a zero, which the protocol has to escape.
void make_message(std::uint32_t number, std::size_t size, std::vector<std::byte>& out);

/// The number that a message claims to have; nothing if it is too small.
[[nodiscard]] std::optional<std::uint32_t> number_of(muster::byte_view message) noexcept;

}  // namespace soe_echo
