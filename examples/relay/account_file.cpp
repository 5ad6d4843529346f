// SPDX-License-Identifier: MIT
// The file of accounts.
#include "account_file.hpp"

#include <muster/ascii.hpp>
#include <muster/utf8.hpp>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace relay_program {

namespace {

using muster::as_bytes;
using muster::Mac;

constexpr std::string_view key = "muster";
constexpr std::size_t max_user_size = 128;  // of the library

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

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool Accounts::load(const std::string& file, std::string& problem) {
  std::ifstream input{file};
  std::string all{std::istreambuf_iterator<char>{input}, {}};
  if (!input || input.bad()) {
    problem = file + " cannot be read; a file with accounts is needed";
    return false;
  }
  std::map<Mac::Tag, std::string> users;
  std::istringstream lines{std::move(all)};
  std::string text;
  for (std::size_t number = 1; std::getline(lines, text); ++number) {
    const std::string_view line = trimmed(text);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t blank = line.find_first_of(" \t");
    const std::string_view user =
        blank == std::string_view::npos ? std::string_view{} : trimmed(line.substr(blank));
    const auto tag = parse_tag(line.substr(0, blank));
    if (!tag || user.empty() || user.size() > max_user_size ||
        !muster::is_valid_utf8(as_bytes(user))) {
      problem = file + ", line " + std::to_string(number) +
                ": a line must be 64 hex digits, a blank, and a user of 1 to 128 bytes";
      return false;
    }
    if (!users.emplace(*tag, user).second) {
      problem = file + ", line " + std::to_string(number) + ": this token is there twice";
      return false;
    }
  }
  users_ = std::move(users);
  return true;
}

// How far two tags agree may show in the time that this takes, but nobody can choose a tag.
std::optional<std::string_view> Accounts::find(std::string_view token, Mac& mac) const {
  const auto found = users_.find(mac.tag(as_bytes(key), as_bytes(token)));
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

}  // namespace relay_program
