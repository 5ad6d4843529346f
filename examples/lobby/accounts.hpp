// SPDX-License-Identifier: MIT
// The bots that may play, and what is kept of their tokens.
#pragma once

#include <muster/entropy.hpp>
#include <muster/mac.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lobby_program {

/// A bot that somebody registered.
struct Bot {
  std::string id{};    ///< a UUID, in lower case
  std::string name{};  ///< 1 to 64 bytes of UTF-8, as others see it
};

/// Who presented a token.
struct Credential {
  std::string bot_id{};
  muster::Mac::Tag tag{};  ///< which of the bot's tokens it was
};

/// Bots by what is kept of their tokens: a hash. The file has lines such as
///
///     # printf %s TOKEN | openssl dgst -sha256 -hmac muster
///     f2fa05a5c4c5... 8f3a1c2e-0000-4000-8000-000000000001 Shark
///
/// A bot may have several tokens, each with a line of its own and the same name. Empty lines and
/// lines that begin with '#' are skipped.
/// @threads distinct objects: safe; shared objects: unsafe
class Accounts {
 public:
  /// @param mac   makes the hashes; outlives this
  explicit Accounts(muster::Mac& mac) : mac_(&mac) {}

  /// Replaces all, or nothing if one line is wrong. A token that is gone is thereby revoked.
  /// @param problem   on failure, a sentence with file and line
  [[nodiscard]] bool load(const std::string& file, std::string& problem);

  /// Registers a bot with a new token, beside those that are there.
  /// @return   the token, which is shown this once
  [[nodiscard]] std::string issue(const Bot& bot, muster::Entropy& entropy);

  /// The bot whose token that is; nothing if it has not the shape of a token, or is nobody's.
  [[nodiscard]] std::optional<Credential> find(std::string_view token) const;

  /// Whether the token behind it still counts.
  [[nodiscard]] bool is_valid(const Credential& credential) const;

  /// Takes all tokens of a bot back.
  /// @return   how many
  std::size_t revoke(std::string_view bot_id);

  /// The bot, or null. Stays where it is until the next `load`.
  [[nodiscard]] const Bot* bot(std::string_view id) const;

  /// All of them, by id.
  [[nodiscard]] const std::map<std::string, Bot, std::less<>>& bots() const noexcept {
    return bots_;
  }

 private:
  struct Token {
    muster::Mac::Tag tag{};
    std::string bot_id{};
  };
  // By the first bytes of the hash, which nobody can choose; the whole is compared in constant
  // time.
  using Tokens = std::multimap<std::uint64_t, Token>;

  [[nodiscard]] static const Token* find(const Tokens& tokens, const muster::Mac::Tag& tag);

  muster::Mac* mac_;
  std::map<std::string, Bot, std::less<>> bots_;
  Tokens tokens_;
};

/// Whether it is `cz_extbot_` and 32 letters or digits.
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// Whether it is 8-4-4-4-12 hex digits in lower case.
[[nodiscard]] bool is_uuid(std::string_view text) noexcept;

/// A new UUID of version 4.
[[nodiscard]] std::string make_uuid(muster::Entropy& entropy);

/// Writes a file that nobody but its owner can read, in place of what is there.
/// @return   false, with a sentence in `problem`, if that is not possible
[[nodiscard]] bool write_secret(const std::string& file, std::string_view text,
                                std::string& problem);

}  // namespace lobby_program
