// SPDX-License-Identifier: MIT
// Resolving, connecting, and the client's handshake.
#include <muster/asio/websocket_client.hpp>

#include "address.hpp"
#include "socket.hpp"

#include <muster/url.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <netinet/tcp.h>
#include <unistd.h>

namespace muster::asio {

class MUSTER_LOCAL WebSocketClient::Impl final : Timed, Connector {
 public:
  Impl(Loop& loop, const websocket::Config& config, Entropy& entropy, const TlsClientContext* tls)
      : loop_(loop.impl()),
        owner_{&loop_, this},
        tls_(tls),
        endpoint_(config, loop.outbox(), entropy, nullptr, loop.impl().now),
        alive_(std::make_shared<Impl*>(this)) {
    endpoint_.set_context(&owner_);
    loop_.timed.push_back(this);
  }

  ~Impl() {
    alive_.reset();
    is_ending_ = true;
    std::erase(loop_.timed, static_cast<Timed*>(this));
    endpoint_.abandon_all();
    loop_.outbox.dispatch(loop_.now);
    loop_.empty_graveyard();
  }

  ConnectionId dial(const DialRequest& request, Service& service) {
    if (is_ending_) return {};
    const result<Url> url = parse_url(request.url);
    std::string problem;
    std::unique_ptr<TlsEngine> engine;
    if (!url) {
      problem = "not a WebSocket URL";
    } else if (url->is_secure()) {
      engine = make_engine(url->host, problem);
    }
    Socket& socket = loop_.make_socket(endpoint_, Framing::client, -1, {}, std::move(engine));
    const ConnectionId id = socket.id();
    socket.prepare_client(service, loop_.current_time());
    loop_.post_pass();  // its deadline is not known to the timer
    if (!problem.empty()) {
      socket.fail_to_connect(problem);
      return id;
    }
    Attempt attempt{request, &service, {}, {}, 0, {}};
    attempt.host = url->authority();
    attempt.target = url->target;
    attempts_.emplace(id.index, std::move(attempt));
    auto resolver = std::make_shared<::asio::ip::tcp::resolver>(loop_.context);
    resolver->async_resolve(
        url->host, std::to_string(url->port),
        [weak = std::weak_ptr<Impl*>{alive_}, id, resolver](
            const std::error_code& error, const ::asio::ip::tcp::resolver::results_type& found) {
          if (const auto self = weak.lock()) (*self)->resolved(id, error, found);
        });
    return id;
  }

  [[nodiscard]] const websocket::Endpoint& endpoint() const noexcept { return endpoint_; }

 private:
  struct Attempt {
    DialRequest request;
    Service* service;
    std::string host;
    std::string target;
    std::size_t next = 0;
    std::vector<Address> addresses;
  };

  time_point next_deadline() const noexcept override { return endpoint_.next_deadline(); }
  void advance(time_point now) override { endpoint_.advance(now); }

  // Null: it cannot be; `problem` says why.
  std::unique_ptr<TlsEngine> make_engine(const std::string& host, std::string& problem) {
    if (!has_tls) {
      problem = "only ws:// URLs are supported";
      return nullptr;
    }
    if (tls_ == nullptr) {
      if (!default_tls_.is_loaded() && default_tls_.load({}, problem)) return nullptr;
      tls_ = &default_tls_;
    }
    auto engine = tls_->is_loaded() ? tls_->impl().make_engine(host) : nullptr;
    if (engine == nullptr) problem = "TLS is not set up: the client's context is not loaded";
    return engine;
  }

  Socket* find(ConnectionId id) const noexcept {
    return static_cast<Socket*>(loop_.outbox.find(id));
  }

  void resolved(ConnectionId id, const std::error_code& error,
                const ::asio::ip::tcp::resolver::results_type& found) {
    Socket* const socket = find(id);
    if (socket == nullptr || !socket->is_preparing()) return;
    if (error) {
      socket->fail_to_connect("the host name has no address: " + error.message());
      return;
    }
    Attempt& attempt = attempts_.at(id.index);
    for (const auto& entry : found) {
      const auto ip = entry.endpoint().address();
      Address address;
      if (ip.is_v4()) {
        address = Address::v4(ip.to_v4().to_uint(), entry.endpoint().port());
      } else {
        const auto bytes = ip.to_v6().to_bytes();
        std::copy(bytes.begin(), bytes.end(), address.ip.begin());
        address.port = entry.endpoint().port();
      }
      attempt.addresses.push_back(address);
    }
    connect_next(*socket, 0);
  }

  // Tries the addresses in the resolver's order; the upgrade deadline covers them all.
  void connect_next(Socket& socket, int error) {
    Attempt& attempt = attempts_.at(socket.id().index);
    while (attempt.next < attempt.addresses.size()) {
      const Address& address = attempt.addresses[attempt.next++];
      const int fd = ::socket(address.is_v4() ? AF_INET : AF_INET6,
                              SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) {
        error = errno;
        continue;
      }
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      sockaddr_storage storage;
      const socklen_t size = to_sockaddr(address, storage);
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&storage), size) != 0 &&
          errno != EINPROGRESS) {
        error = errno;
        ::close(fd);
        continue;
      }
      socket.start_connecting(fd, address);
      if (loop_.poller->add(fd, socket.token(), true)) return;
      error = errno;
    }
    socket.fail_to_connect("the peer could not be reached: " +
                           std::generic_category().message(error));
  }

  void connect_ready(Socket& socket, time_point now) override {
    const auto found = attempts_.find(socket.id().index);
    if (found == attempts_.end()) return;
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      // Readiness may be reported before the connection is there.
      sockaddr_storage storage;
      socklen_t length = sizeof(storage);
      if (::getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
        if (errno == ENOTCONN) return;
        error = errno;
      }
    }
    if (error != 0) {
      connect_next(socket, error);
      return;
    }
    socket.connected();
    if (socket.start_transport()) secured(socket, now);
  }

  void secured(Socket& socket, time_point now) override {
    const auto found = attempts_.find(socket.id().index);
    if (found == attempts_.end()) return;
    const Attempt attempt = std::move(found->second);
    attempts_.erase(found);
    std::vector<std::string_view> subprotocols(attempt.request.subprotocols.begin(),
                                               attempt.request.subprotocols.end());
    std::vector<HeaderField> headers;
    for (const auto& [name, value] : attempt.request.headers) headers.push_back({name, value});
    socket.start_client({.host = attempt.host,
                         .target = attempt.target,
                         .subprotocols = subprotocols,
                         .headers = headers},
                        now);
  }

  void forget(const Socket& socket) noexcept override { attempts_.erase(socket.id().index); }

  Loop::Impl& loop_;
  EndpointOwner owner_;
  const TlsClientContext* tls_;
  TlsClientContext default_tls_;
  websocket::Endpoint endpoint_;
  std::unordered_map<std::uint32_t, Attempt> attempts_;  // by connection index
  std::shared_ptr<Impl*> alive_;                         // what the resolver holds weakly
  bool is_ending_ = false;
};

WebSocketClient::WebSocketClient(Loop& loop, const websocket::Config& config, Entropy& entropy,
                                 const TlsClientContext* tls)
    : impl_(std::make_unique<Impl>(loop, config, entropy, tls)) {}
WebSocketClient::~WebSocketClient() = default;

ConnectionId WebSocketClient::dial(const DialRequest& request, Service& service) {
  return impl_->dial(request, service);
}
const websocket::Endpoint& WebSocketClient::endpoint() const noexcept { return impl_->endpoint(); }

}  // namespace muster::asio
