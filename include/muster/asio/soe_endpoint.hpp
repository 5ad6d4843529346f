// SPDX-License-Identifier: MIT
// Members and subscribers that come by UDP: SOE sessions on a loop as connections of a service.
#pragma once

#include <muster/asio/loop.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/service.hpp>
#include <muster/soe/endpoint.hpp>

#include <memory>
#include <string_view>
#include <system_error>

namespace muster::asio {

/// What a `WebSocketServer` and a `WebSocketClient` are for WebSockets, on one UDP socket. The
/// clients say a hello (`soe::Hello`); original games, which know none, want a `SoeSocket`.
///
/// Everything it uses must outlive it: the loop, the entropy, and every service that a connection
/// was given to. Its end closes what is open without a word to the peers; `close_all` and a pass
/// before it say one.
/// @threads the loop's thread
class MUSTER_API SoeEndpoint {
 public:
  struct Config : soe::Endpoint::Config {
    SoeOptions socket{};
  };

  /// @param service   answers those who connect; null: nobody may
  SoeEndpoint(Loop& loop, const Config& config, Entropy& entropy, Service* service);
  SoeEndpoint(const SoeEndpoint&) = delete;
  SoeEndpoint& operator=(const SoeEndpoint&) = delete;
  ~SoeEndpoint();

  /// Opens the socket; as `SoeSocket::bind`.
  [[nodiscard]] std::error_code bind(std::string_view address);

  /// Connects to a server that has an endpoint too; as `soe::Endpoint::connect`.
  [[nodiscard]] result<ConnectionId> connect(const Address& server, std::string_view protocol,
                                             const soe::Hello& hello, Service& service);

  /// Closes every connection, with 1001.
  void close_all();

  /// Where it is bound; all zero if it is not open.
  [[nodiscard]] Address local() const noexcept;

  [[nodiscard]] const soe::Endpoint& endpoint() const noexcept;
  [[nodiscard]] const SoeMultiplexer<>& multiplexer() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
