// SPDX-License-Identifier: MIT
// Who may prove to be which user: an example of how a relay learns of accounts that live elsewhere.
#pragma once

#include "account_file.hpp"

#include <muster/address_limits.hpp>
#include <muster/asio/hmac_sha256.hpp>
#include <muster/relay/authenticator.hpp>

#include <asio/io_context.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace relay_program {

/// Asks the accounts who somebody is: by `Authorization: Bearer TOKEN`, or by a cookie, which is
/// what a browser can send with a WebSocket. Who brings neither is anonymous; who brings a token
/// that is nobody's is refused.
///
/// The answer is posted: a look-up in a database would be answered in just this way, and blocks
/// nothing.
/// @threads the loop's thread
class AccountsAuthenticator final : public muster::relay::Authenticator {
 public:
  /// @param cookie   the cookie's name
  AccountsAuthenticator(::asio::io_context& context, muster::AddressLimits& limits,
                        std::string cookie);

  void set_accounts(std::shared_ptr<const Accounts> accounts) { accounts_ = std::move(accounts); }

  void authenticate(const muster::Request& request, muster::relay::Admission admission,
                    muster::time_point now) override;

 private:
  struct Waiting {
    std::string token;
    muster::Address remote;
    muster::relay::Admission admission;
    muster::time_point since;
  };

  void answer(Waiting waiting);

  ::asio::io_context* context_;
  muster::AddressLimits* limits_;
  std::string cookie_;
  muster::asio::HmacSha256 mac_;
  std::shared_ptr<const Accounts> accounts_;
  std::deque<Waiting> waiting_;  // here and not in what is posted, which may outlive the loop
  std::shared_ptr<AccountsAuthenticator*> alive_;  // what is posted holds it weakly
};

/// The value of the cookie of that name in a Cookie header, or nothing.
[[nodiscard]] std::optional<std::string_view> cookie_value(std::string_view header,
                                                           std::string_view name) noexcept;

/// The token of an Authorization header's "Bearer TOKEN", or nothing.
[[nodiscard]] std::optional<std::string_view> bearer_token(const muster::Request& request) noexcept;

}  // namespace relay_program
