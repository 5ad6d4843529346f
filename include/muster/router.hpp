// SPDX-License-Identifier: MIT
// Several services and small pages on one port, by path.
#pragma once

#include <muster/export.hpp>
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
class MUSTER_API Router final : public Service {
 public:
  using Handler = std::function<void(const Request&, Decision, time_point)>;

  /// Upgrade requests for `path` go to `service`, which must outlive the router.
  Router& route(std::string path, Service& service);

  /// Upgrade requests for every path that begins with `prefix` and has no route of its own. Of
  /// several prefixes the longest counts.
  Router& route_below(std::string prefix, Service& service);

  /// GET and HEAD requests for `path`.
  Router& get(std::string path, Handler handler);

  /// POST requests for `path`. The body has been read, up to the transport's bound.
  Router& post(std::string path, Handler handler);

  /// GET and HEAD requests for every path that begins with `prefix` and has no route of its own.
  /// Of several prefixes the longest counts.
  Router& get_below(std::string prefix, Handler handler);

  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_request(const Request& request, Decision decision, time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_drain(time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

 private:
  // What answers plain requests for one path.
  struct Page {
    Handler get;
    Handler post;
  };

  [[nodiscard]] const Page* page_below(std::string_view path) const;
  [[nodiscard]] Service* service_below(std::string_view path) const;
  static void answer(const Page& page, const Request& request, Decision decision, time_point now);

  std::map<std::string, Service*, std::less<>> services_;
  std::map<std::string, Service*, std::less<>> service_prefixes_;
  std::map<std::string, Page, std::less<>> pages_;
  std::map<std::string, Page, std::less<>> prefixes_;
};

}  // namespace muster
