// SPDX-License-Identifier: MIT
// The two headers that can carry a token, and who is asked about it.
#include "accounts.hpp"

#include <muster/ascii.hpp>

#include <asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace relay_program {

using muster::relay::Admission;

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
