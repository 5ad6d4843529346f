// SPDX-License-Identifier: MIT
#include <muster/asio/soe_endpoint.hpp>
#include <muster/asio/soe_handler.hpp>
#include <muster/asio/soe_socket.hpp>

#include "loop_impl.hpp"

#include <algorithm>

namespace muster::asio {

class MUSTER_LOCAL SoeEndpoint::Impl final : SoeHandler, soe::SessionPort, Timed {
 public:
  Impl(Loop& loop, const Config& config, Entropy& entropy, Service* service)
      : loop_(loop),
        service_(service),
        socket_(loop, config.socket, entropy, *this),
        endpoint_(config, *this, loop.outbox(), service) {
    loop_.impl().timed.push_back(this);
    if (service_ != nullptr) loop_.add(*service_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override {
    if (service_ != nullptr) loop_.remove(*service_);
    std::erase(loop_.impl().timed, static_cast<Timed*>(this));
  }

  [[nodiscard]] SoeSocket& socket() noexcept { return socket_; }
  [[nodiscard]] soe::Endpoint& endpoint() noexcept { return endpoint_; }
  [[nodiscard]] time_point now() const noexcept { return loop_.now(); }

 private:
  // SoeHandler
  void on_opened(soe::SessionId session, const Address& remote, time_point now) override {
    endpoint_.handle({.kind = soe::Event::Kind::opened, .session = session}, remote, now);
  }
  void on_data(soe::SessionId session, byte_view data, soe::Channel channel,
               time_point now) override {
    endpoint_.handle(
        {.kind = soe::Event::Kind::data, .channel = channel, .session = session, .data = data}, {},
        now);
  }
  void on_writable(soe::SessionId session, time_point now) override {
    endpoint_.handle({.kind = soe::Event::Kind::writable, .session = session}, {}, now);
  }
  void on_closed(soe::SessionId session, const Address& remote, soe::DisconnectReason reason,
                 bool by_peer, time_point now) override {
    endpoint_.handle({.kind = soe::Event::Kind::closed,
                      .reason = reason,
                      .by_peer = by_peer,
                      .session = session},
                     remote, now);
  }

  // soe::SessionPort
  result<soe::SessionId> connect(const Address& to, std::string_view protocol) override {
    return socket_.connect(to, protocol);
  }
  soe::EnqueueStatus enqueue(soe::SessionId session, byte_view message,
                             soe::Channel channel) override {
    return socket_.enqueue(session, message, channel);
  }
  void close(soe::SessionId session) override { socket_.close(session); }
  void terminate(soe::SessionId session) override { socket_.terminate(session); }

  // Timed
  [[nodiscard]] time_point next_deadline() const noexcept override {
    return endpoint_.next_deadline();
  }
  void advance(time_point now) override { endpoint_.advance(now); }

  Loop& loop_;
  Service* service_;
  SoeSocket socket_;
  soe::Endpoint endpoint_;
};

SoeEndpoint::SoeEndpoint(Loop& loop, const Config& config, Entropy& entropy, Service* service)
    : impl_(std::make_unique<Impl>(loop, config, entropy, service)) {}
SoeEndpoint::~SoeEndpoint() = default;

std::error_code SoeEndpoint::bind(std::string_view address) {
  return impl_->socket().bind(address);
}
result<ConnectionId> SoeEndpoint::connect(const Address& server, std::string_view protocol,
                                          const soe::Hello& hello, Service& service) {
  return impl_->endpoint().connect(server, protocol, hello, service, impl_->now());
}
void SoeEndpoint::close_all() { impl_->endpoint().close_all(); }
Address SoeEndpoint::local() const noexcept { return impl_->socket().local(); }
const soe::Endpoint& SoeEndpoint::endpoint() const noexcept { return impl_->endpoint(); }
const SoeMultiplexer<>& SoeEndpoint::multiplexer() const noexcept {
  return impl_->socket().multiplexer();
}

}  // namespace muster::asio
