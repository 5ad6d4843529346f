// SPDX-License-Identifier: MIT
// The file of accounts, and the two headers that can carry a token.
#include "accounts.hpp"

#include <muster/ascii.hpp>
#include <muster/utf8.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace relay_program {

namespace {

using muster::as_bytes;
using muster::Mac;
using muster::relay::Admission;

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

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

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

AccountsAuthenticator::AccountsAuthenticator(::asio::io_context& context,
                                             muster::AddressLimits& limits, std::string cookie)
    : context_(&context),
      limits_(&limits),
      cookie_(std::move(cookie)),
      alive_(std::make_shared<AccountsAuthenticator*>(this)) {}

void AccountsAuthenticator::authenticate(const muster::Request& request, Admission admission,
                                         muster::time_point now) {
  auto token = bearer_token(request);
  for (const auto& field : request.headers) {
    if (token || !muster::equals_ignoring_case(field.name, "Cookie")) continue;
    token = cookie_value(field.value, cookie_);
  }
  if (!token) return admission.admit();
  waiting_.push_back({std::string{*token}, request.remote, std::move(admission), now});
  ::asio::post(*context_, [alive = std::weak_ptr{alive_}] {
    const auto self = alive.lock();
    if (!self) return;
    Waiting next = std::move((*self)->waiting_.front());
    (*self)->waiting_.pop_front();
    (*self)->answer(std::move(next));
  });
}

void AccountsAuthenticator::answer(Waiting waiting) {
  if (!limits_->may_present_token(waiting.remote, waiting.since)) {
    return waiting.admission.refuse(429, "too many attempts; try again later\n");
  }
  const auto accounts = accounts_;  // its users are looked at below
  if (const auto user = accounts->find(waiting.token, mac_)) return waiting.admission.admit(*user);
  limits_->count_failed_token(waiting.remote, waiting.since);
  waiting.admission.refuse(401, "this token is nobody's\n");
}

std::optional<std::string_view> cookie_value(std::string_view header,
                                             std::string_view name) noexcept {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(';'), header.size());
    const std::string_view pair = trimmed(header.substr(0, end));
    header.remove_prefix(std::min(end + 1, header.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> bearer_token(const muster::Request& request) noexcept {
  const auto field = request.header("Authorization");
  constexpr std::string_view scheme = "Bearer ";
  if (!field || field->size() <= scheme.size() ||
      !muster::equals_ignoring_case(field->substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  return trimmed(field->substr(scheme.size()));
}

}  // namespace relay_program
