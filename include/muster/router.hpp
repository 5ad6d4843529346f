// SPDX-License-Identifier: MIT
// Several services and small pages on one port, by path.
#pragma once

#include <muster/service.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace muster {

/// Hands each request to the service or the handler of its path. Paths are compared whole, before
/// any percent-decoding. What no route knows is answered with 404.
///
/// After an upgrade was accepted, the connection belongs to the service that accepted it; the
/// router passes on only `on_drain`, `advance` and `next_deadline`.
/// @threads one loop per router
class Router final : public Service {
 public:
  using Handler = std::function<void(const Request&, Decision, time_point)>;

  /// Upgrade requests for `path` go to `service`, which must outlive the router.
  Router& route(std::string path, Service& service);

  /// GET and HEAD requests for `path`.
  Router& get(std::string path, Handler handler);

  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_request(const Request& request, Decision decision, time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_drain(time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

 private:
  std::map<std::string, Service*, std::less<>> services_;
  std::map<std::string, Handler, std::less<>> handlers_;
};

}  // namespace muster
