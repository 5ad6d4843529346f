// SPDX-License-Identifier: MIT
// Who has which token, as a file says.
#pragma once

#include <muster/mac.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace relay_program {

/// Users by what is kept of their tokens, read from a file of lines such as
///
///     # printf %s TOKEN | openssl dgst -sha256 -hmac muster
///     f2fa05a5c4c5...  alice
///
/// A user may have several tokens. Empty lines and lines that begin with '#' are skipped.
class Accounts {
 public:
  /// Replaces all, or nothing if one line is wrong.
  /// @param problem   on failure, a sentence with file and line
  [[nodiscard]] bool load(const std::string& file, std::string& problem);

  /// The user whose token that is, valid as long as this; nothing if it is nobody's.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view token,
                                                     muster::Mac& mac) const;

  [[nodiscard]] std::size_t size() const noexcept { return users_.size(); }

 private:
  std::map<muster::Mac::Tag, std::string> users_;
};

/// A text without the blanks at its ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

}  // namespace relay_program
