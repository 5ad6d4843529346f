// SPDX-License-Identifier: MIT
// Connects clients that dial URLs to services in memory.
#pragma once

#include <muster/dialer.hpp>
#include <muster/export.hpp>
#include <muster/memory/network.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

namespace muster::memory {

/// A `Dialer` whose addresses are services on a memory network: what a driver's dialer does for a
/// program, this does for a test.
///
///     memory::Dialer dialer{network, {.latency = 20ms}};
///     dialer.listen("ws://relay.test/ws", relay);
///
/// It must outlive the connections that it made.
/// @threads one thread per network
class MUSTER_API Dialer final : public muster::Dialer {
 public:
  /// @param link   what every connection gets
  explicit Dialer(Network& network, const Link& link = {});

  /// Lets a service answer at an address, instead of the one that did. The query is not part of it.
  /// @error errc::bad_syntax   and the others of `parse_url`
  std::error_code listen(std::string_view url, Service& service);

  /// Nobody answers there any more. Connections stay.
  void stop(std::string_view url);

  /// The next `count` dials fail as an address where nobody listens does.
  void refuse_next(std::size_t count) noexcept { to_refuse_ = count; }

  /// Connects; the service's `on_upgrade` gets the URL's path and query, and the headers, Host in
  /// front. Where nobody listens, `on_close` comes a latency later with `connect_failed`.
  ConnectionId dial(const DialRequest& request, Service& service) override;

  [[nodiscard]] std::uint64_t dials() const noexcept { return dials_; }

 private:
  // Answers at addresses where nobody listens.
  class Nobody final : public Service {
   public:
    explicit Nobody(Network& network) : network_(network) {}
    void on_upgrade(const Request& request, Decision decision, time_point now) override;
    void on_message(Connection& connection, const Message& message, time_point now) override;

    /// Dials, in vain.
    ConnectionId connect(Service& caller, const Link& link, std::string text);

   private:
    struct Call {
      ConnectionId caller;
      std::string text;
    };
    Network& network_;
    std::map<std::string, Call, std::less<>> calls_;  // by the number that the request carries
    std::uint64_t next_call_ = 0;
  };

  Network& network_;
  Link link_;
  Nobody nobody_;
  std::map<std::string, Service*, std::less<>> services_;  // by authority and path
  std::size_t to_refuse_ = 0;
  std::uint64_t dials_ = 0;
};

}  // namespace muster::memory
