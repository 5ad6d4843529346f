// SPDX-License-Identifier: MIT
// Who somebody is: asked once for each request, before it is answered.
#pragma once

#include <muster/export.hpp>
#include <muster/request.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace muster::shard {

/// What is known of somebody.
struct Identity {
  std::string user{};         ///< the account's id, at most 128 bytes; empty: anonymous
  bool is_admin = false;      ///< may join as anybody, and see all shards
  std::uint64_t session = 0;  ///< what `Authenticator::is_valid` is asked about later; 0: nothing
};

/// The right to say once who somebody is. It may be kept and used later on the same loop, within
/// the transport's upgrade deadline, so that a look-up blocks nothing. One that is destroyed unused
/// is an answer too: 503.
class Authentication {
 public:
  using Answer = std::function<void(const Identity*, time_point)>;

  explicit Authentication(Answer answer) noexcept : answer_(std::move(answer)) {}
  Authentication(Authentication&& other) noexcept : answer_(std::exchange(other.answer_, {})) {}
  Authentication& operator=(Authentication&&) = delete;
  ~Authentication() {
    if (answer_) answer_(nullptr, {});
  }

  /// @param identity   of a token that nobody knows: anonymous
  void is(const Identity& identity, time_point now) {
    if (const Answer answer = std::exchange(answer_, {})) answer(&identity, now);
  }

 private:
  Answer answer_;
};

/// Maps a bearer token, or what else a request brings along, to an account.
/// @threads the service's loop
class MUSTER_API Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// @param token     empty: none was sent
  /// @param request   valid during the call
  virtual void authenticate(std::string_view token, const Request& request,
                            Authentication authentication, time_point now) = 0;

  /// Whether a session that let somebody in still holds. Asked from time to time.
  [[nodiscard]] virtual bool is_valid(std::uint64_t session, time_point now) {
    return static_cast<void>(session), static_cast<void>(now), true;
  }
};

}  // namespace muster::shard
