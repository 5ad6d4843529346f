// SPDX-License-Identifier: MIT
// Who somebody is: asked once for each connection, before it is accepted.
#pragma once

#include <muster/export.hpp>
#include <muster/request.hpp>
#include <muster/time.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace muster::relay {

class Service;

/// The right to let one connection in, once. It may be kept and used later on the same loop, within
/// the transport's upgrade deadline, so that a look-up blocks nothing. One that is destroyed
/// unused refuses with 503.
class MUSTER_API Admission {
 public:
  Admission(Decision decision, std::weak_ptr<Service*> service) noexcept
      : decision_(std::move(decision)), service_(std::move(service)) {}

  /// Lets it in.
  /// @param user   the account's id, at most 128 bytes; empty: anonymous. Tokens of this connection
  ///               are bound to it
  void admit(std::string_view user = {});

  /// Refuses it.
  /// @param status   of HTTP, 400 to 599
  void refuse(unsigned status, std::string_view body);

 private:
  Decision decision_;
  std::weak_ptr<Service*> service_;
};

/// Maps what a connection brings along, such as a session cookie or a bearer token, to an account.
/// @threads the service's loop
class MUSTER_API Authenticator {
 public:
  virtual ~Authenticator() = default;

  /// @param request   valid during the call
  virtual void authenticate(const Request& request, Admission admission, time_point now) = 0;
};

}  // namespace muster::relay
