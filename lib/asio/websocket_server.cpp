// SPDX-License-Identifier: MIT
// Listening, accepting, draining.
#include <muster/asio/websocket_server.hpp>

#include "address.hpp"
#include "handover_state.hpp"
#include "socket.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

namespace muster::asio {

namespace {

// One pass accepts at most this many, so that the connections that are there get their turn.
constexpr int accepts_per_pass = 256;

// How long to wait when the process has no descriptor left for a new connection.
constexpr duration accept_pause = std::chrono::milliseconds{100};

std::error_code last_error() { return {errno, std::generic_category()}; }

// Whether `accept` failed for the connection that it was to return (accept(2), "Error handling"):
// the next one may be good.
bool is_of_one_connection(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:  // a firewall's
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

}  // namespace

class MUSTER_LOCAL WebSocketServer::Impl final : Timed, Watched, Carrier, Adopter {
 public:
  Impl(Loop& loop, const Config& config, Entropy& entropy, Service& service)
      : loop_(loop.impl()),
        loop_handle_(&loop),
        owner_{&loop_, nullptr, this},
        config_(config),
        service_(service),
        endpoint_(config, loop.outbox(), entropy, &service, loop.impl().now) {
    endpoint_.set_context(&owner_);
    loop_.timed.push_back(this);
    loop.add(service);
  }

  ~Impl() {
    stop_listening();
    std::erase(loop_.timed, static_cast<Timed*>(this));
    is_going_ = true;
    if (berth_ != nullptr) berth_->abandon();
    endpoint_.abandon_all();
    loop_.outbox.dispatch(loop_.now);
    loop_.empty_graveyard();
    loop_handle_->remove(service_);
  }

  std::error_code listen(const std::string& text) {
    const result<Address> address = parse_address(text);
    if (!address) return address.error();
    if (config_.tls != nullptr && !config_.tls->is_loaded()) return errc::wrong_state;
    const int family = address->is_v4() ? AF_INET : AF_INET6;
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return last_error();
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    // Accepted sockets inherit it: one call less for each.
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (config_.send_buffer > 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &config_.send_buffer, sizeof(config_.send_buffer));
    }
    if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
#if defined(SO_REUSEPORT)
    if (config_.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
#endif
#if defined(TCP_DEFER_ACCEPT)
    const int seconds = 5;
    if (config_.defer_accept) {
      ::setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    }
#endif
    sockaddr_storage storage;
    socklen_t size = to_sockaddr(*address, storage);
    const bool good = ::bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0 &&
                      ::listen(fd, config_.backlog) == 0;
    size = sizeof(storage);
    if (!good || ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0 ||
        !loop_.poller->add(fd, token(), false)) {
      const std::error_code error = last_error();
      ::close(fd);
      return error ? error : make_error_code(errc::limit_reached);
    }
    stop_listening();
    fd_ = fd;
    port_ = from_sockaddr(storage).port;
    return {};
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const websocket::Endpoint& endpoint() const noexcept { return endpoint_; }

  void join(const Handover& handover, std::size_t loop) {
    assert(!handover_ && "a server joins one handover, once");
    assert(loop < handover.size() && "there is no such loop");
    handover_ = handover;
    berth_ = handover.state().berths[loop].get();
    assert(berth_->is_of(*loop_.mailbox) && "this is another loop's number");
    berth_->open(*this);
  }

  void drain(duration limit, std::function<void()> done) {
    stop_listening();
    is_going_ = true;
    if (berth_ != nullptr) berth_->close();
    drained_ = std::move(done);
    const time_point now = loop_.current_time();
    drain_deadline_ = limit < no_deadline - now ? now + limit : no_deadline;
    draining_ = true;
    service_.on_drain(now);
    loop_.post_pass();
  }

  void on_ready(Readiness, time_point now) override { accept_ready(now); }

  void accept_ready(time_point now) {
    for (int i = 0; i < accepts_per_pass && fd_ >= 0; ++i) {
      sockaddr_storage storage;
      socklen_t size = sizeof(storage);
      const int fd = ::accept4(fd_, reinterpret_cast<sockaddr*>(&storage), &size,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (is_of_one_connection(errno)) continue;
        retry_accept_ = now + accept_pause;
        loop_.poller->stop_read(fd_);
        return;
      }
      const Address remote = from_sockaddr(storage);
      const websocket::Admission admission = endpoint_.admit(remote, now);
      if (admission == websocket::Admission::dropped) {
        ::close(fd);
        continue;
      }
      std::unique_ptr<TlsEngine> engine;
      if (config_.tls != nullptr) engine = config_.tls->impl().make_engine();
      const bool lacks_tls = config_.tls != nullptr && engine == nullptr;  // for want of memory
      Socket& socket = loop_.make_socket(endpoint_, Framing::server, fd, remote, std::move(engine));
      if (admission == websocket::Admission::refused) {
        socket.start_refused(now);
      } else {
        socket.start(now);
      }
      if (lacks_tls) {
        socket.broke();
        continue;
      }
      // The request is often there already, and then costs no wake-up of its own.
      try {
        socket.pump(false);
      } catch (...) {
        if (fd_ >= 0) loop_.list_unread(*this);
        throw;
      }
      if (!socket.has_descriptor()) continue;
      if (!socket.watch(socket.wants_to_write())) socket.broke();
    }
    if (fd_ >= 0) loop_.list_unread(*this);
  }

 private:
  time_point next_deadline() const noexcept override {
    time_point next = std::min(endpoint_.next_deadline(), retry_accept_);
    if (draining_) next = is_empty() ? time_point::min() : std::min(next, drain_deadline_);
    return next;
  }

  // Whether nobody is here, nor on the way here.
  [[nodiscard]] bool is_empty() const noexcept {
    return endpoint_.session_count() == 0 && (berth_ == nullptr || berth_->is_quiet());
  }

  MoveStatus reserve(std::size_t loop) noexcept override {
    if (is_going_) return MoveStatus::stopped;
    if (!handover_ || loop >= handover_->size()) return MoveStatus::not_movable;
    return handover_->state().berths[loop]->reserve();
  }
  void give_up(std::size_t loop) noexcept override { handover_->state().berths[loop]->give_up(); }
  bool carry(Parcel& parcel) override {
    return handover_->state().berths[parcel.transit()->loop]->land(parcel);
  }

  void adopt(Parcel parcel) override {
    websocket::Transit& transit = *parcel.transit();
    CloseReason refusal = is_going_ ? CloseReason::draining : CloseReason::none;
    if (!endpoint_.admit_arrival(transit.remote)) refusal = CloseReason::refused;
    Socket& socket = loop_.make_socket(endpoint_, Framing::server, parcel.release_fd(),
                                       transit.remote, std::move(parcel.tls().engine));
    socket.take_over(parcel, refusal);
  }

  void advance(time_point now) override {
    endpoint_.advance(now);
    if (retry_accept_ <= now) {
      retry_accept_ = no_deadline;
      if (fd_ >= 0) loop_.poller->resume_read(fd_);
      accept_ready(now);
    }
    if (!draining_) return;
    if (drain_deadline_ <= now) {
      drain_deadline_ = no_deadline;
      endpoint_.close_all();
    }
    if (is_empty()) {
      draining_ = false;
      // The owner may destroy this server in it, but not from within a pass.
      if (drained_) ::asio::post(loop_.context, std::exchange(drained_, nullptr));
    }
  }

  void stop_listening() noexcept {
    if (fd_ < 0) return;
    loop_.poller->remove(fd_);
    loop_.forget(*this);
    ::close(fd_);
    fd_ = -1;
    port_ = 0;
  }

  Loop::Impl& loop_;
  Loop* loop_handle_;
  EndpointOwner owner_;
  Config config_;
  Service& service_;
  websocket::Endpoint endpoint_;
  std::function<void()> drained_;
  time_point drain_deadline_ = no_deadline;
  time_point retry_accept_ = no_deadline;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  bool draining_ = false;
  bool is_going_ = false;  // takes nobody in, and gives nobody away
  std::optional<Handover> handover_;
  Berth* berth_ = nullptr;  // of the handover, where others land
};

WebSocketServer::WebSocketServer(Loop& loop, const Config& config, Entropy& entropy,
                                 Service& service)
    : impl_(std::make_unique<Impl>(loop, config, entropy, service)) {}
WebSocketServer::~WebSocketServer() = default;

std::error_code WebSocketServer::listen(const std::string& address) {
  return impl_->listen(address);
}
std::uint16_t WebSocketServer::port() const noexcept { return impl_->port(); }
void WebSocketServer::join(const Handover& handover, std::size_t loop) {
  impl_->join(handover, loop);
}
void WebSocketServer::drain(duration limit, std::function<void()> done) {
  impl_->drain(limit, std::move(done));
}
const websocket::Endpoint& WebSocketServer::endpoint() const noexcept { return impl_->endpoint(); }

}  // namespace muster::asio
