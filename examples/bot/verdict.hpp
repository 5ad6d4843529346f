// SPDX-License-Identifier: MIT
// Who has won, as far as the end of a match says it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bot_program {

enum class Verdict : std::uint8_t { unknown, won, lost, drawn };
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

/// Reads a `match_end`, in either dialect. What it does not say is unknown, whatever it is.
/// @param seat   one's own; nothing: it is not known
[[nodiscard]] Verdict verdict_of(std::string_view match_end, std::string_view participant_id,
                                 std::optional<std::int64_t> seat);

/// The own seat that a `match_start` names; nothing: it names none.
[[nodiscard]] std::optional<std::int64_t> seat_of(std::string_view match_start);

}  // namespace bot_program
