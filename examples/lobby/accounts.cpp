// SPDX-License-Identifier: MIT
// The file of bots, tokens and their hashes.
#include "accounts.hpp"

#include "account_file.hpp"

#include <muster/ascii.hpp>
#include <muster/utf8.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#if __has_include(<unistd.h>)
#include <fcntl.h>
#include <unistd.h>
#endif

namespace lobby_program {

namespace {

using muster::as_bytes;
using muster::Mac;

constexpr std::string_view key = "muster";
constexpr std::string_view token_prefix = "cz_extbot_";
constexpr std::size_t token_letters = 32;
constexpr std::size_t max_name = 64;
constexpr std::string_view letters =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::uint64_t prefix_of(const Mac::Tag& tag) {
  std::uint64_t prefix = 0;
  std::memcpy(&prefix, tag.data(), sizeof(prefix));
  return prefix;
}

std::optional<Mac::Tag> parse_tag(std::string_view text) {
  Mac::Tag tag{};
  if (text.size() != 2 * tag.size()) return std::nullopt;
  for (std::size_t i = 0; i < tag.size(); ++i) {
    const int high = muster::hex_digit(text[2 * i]);
    const int low = muster::hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    tag[i] = static_cast<std::byte>(high * 16 + low);
  }
  return tag;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name && muster::is_valid_utf8(as_bytes(text)) &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// The text up to the first blank; the rest begins at the next word.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line = relay_program::trimmed(line.substr(end));
  return word;
}

}  // namespace

bool is_token(std::string_view text) noexcept {
  if (text.size() != token_prefix.size() + token_letters || !text.starts_with(token_prefix)) {
    return false;
  }
  text.remove_prefix(token_prefix.size());
  return text.find_first_not_of(letters) == std::string_view::npos;
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (is_dash ? text[i] != '-' : !is_digit) return false;
  }
  return true;
}

std::string make_uuid(muster::Entropy& entropy) {
  std::array<std::byte, 16> bytes{};
  entropy.fill(bytes);
  // RFC 9562, section 5.4.
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits[std::to_integer<unsigned>(bytes[i]) >> 4U];
    text += digits[std::to_integer<unsigned>(bytes[i]) & 15U];
  }
  return text;
}

const Accounts::Token* Accounts::find(const Tokens& tokens, const Mac::Tag& tag) {
  const auto [begin, end] = tokens.equal_range(prefix_of(tag));
  for (auto it = begin; it != end; ++it) {
    if (muster::equal_in_constant_time(it->second.tag, tag)) return &it->second;
  }
  return nullptr;
}

bool Accounts::load(const std::string& file, std::string& problem) {
  std::ifstream input{file};
  std::string all{std::istreambuf_iterator<char>{input}, {}};
  if (!input || input.bad()) {
    problem = file + " cannot be read; a file with bots is needed";
    return false;
  }
  std::map<std::string, Bot, std::less<>> bots;
  Tokens tokens;
  std::istringstream lines{std::move(all)};
  std::string text;
  for (std::size_t number = 1; std::getline(lines, text); ++number) {
    std::string_view line = relay_program::trimmed(text);
    if (line.empty() || line.front() == '#') continue;
    const auto mistake = [&](std::string_view sentence) {
      problem = file + ", line " + std::to_string(number) + ": " + std::string{sentence};
      return false;
    };
    const auto tag = parse_tag(take_word(line));
    const std::string id{take_word(line)};
    if (!tag || !is_uuid(id) || !is_name(line)) {
      return mistake(
          "a line must be 64 hex digits, a bot's UUID in lower case, and a name of 1 to 64 bytes");
    }
    if (find(tokens, *tag) != nullptr) return mistake("this token is there twice");
    const auto [known, is_new] = bots.try_emplace(id, Bot{id, std::string{line}});
    if (!is_new && known->second.name != line) return mistake("this bot has another name above");
    tokens.emplace(prefix_of(*tag), Token{*tag, id});
  }
  bots_ = std::move(bots);
  tokens_ = std::move(tokens);
  return true;
}

std::string Accounts::issue(const Bot& bot, muster::Entropy& entropy) {
  std::string token{token_prefix};
  while (token.size() < token_prefix.size() + token_letters) {
    std::array<std::byte, 1> random{};
    entropy.fill(random);
    // The last multiple of 62 that a byte reaches: above it, some letters would be more likely.
    const auto value = std::to_integer<std::size_t>(random[0]);
    if (value < 248) token += letters[value % letters.size()];
  }
  const Mac::Tag tag = mac_->tag(as_bytes(key), as_bytes(token));
  bots_.try_emplace(bot.id, bot);
  tokens_.emplace(prefix_of(tag), Token{tag, bot.id});
  return token;
}

std::optional<Credential> Accounts::find(std::string_view token) const {
  if (!is_token(token)) return std::nullopt;
  const Token* const found = find(tokens_, mac_->tag(as_bytes(key), as_bytes(token)));
  if (found == nullptr) return std::nullopt;
  return Credential{found->bot_id, found->tag};
}

bool Accounts::is_valid(const Credential& credential) const {
  const Token* const found = find(tokens_, credential.tag);
  return found != nullptr && found->bot_id == credential.bot_id;
}

std::size_t Accounts::revoke(std::string_view bot_id) {
  return std::erase_if(tokens_, [&](const auto& token) { return token.second.bot_id == bot_id; });
}

const Bot* Accounts::bot(std::string_view id) const {
  const auto found = bots_.find(id);
  return found == bots_.end() ? nullptr : &found->second;
}

bool write_secret(const std::string& file, std::string_view text, std::string& problem) {
  const auto fail = [&] {
    problem = file + " cannot be written: " + std::strerror(errno);
    return false;
  };
#if __has_include(<unistd.h>)
  // A file of others is not written into: it might be read by them.
  if (std::remove(file.c_str()) != 0 && errno != ENOENT) return fail();
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail();
  std::FILE* const out = ::fdopen(descriptor, "w");
#else
  std::FILE* const out = std::fopen(file.c_str(), "w");
#endif
  if (out == nullptr) return fail();
  const bool is_written = std::fwrite(text.data(), 1, text.size(), out) == text.size();
  return std::fclose(out) == 0 && is_written ? true : fail();
}

}  // namespace lobby_program
