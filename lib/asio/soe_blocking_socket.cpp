// SPDX-License-Identifier: MIT
// One wait, one look, one batch of answers.
#include <muster/asio/soe_blocking_socket.hpp>

#include "address.hpp"
#include "soe_port.hpp"

#include <algorithm>
#include <chrono>

#include <poll.h>

namespace muster::asio {

namespace {

// Bytes read before what they call for is sent.
constexpr std::size_t step_bytes = 256 * 1024;

void wait_for(pollfd& what, duration time) noexcept {
  const auto rest = std::clamp<duration>(time, duration::zero(), std::chrono::hours{1});
#if defined(__linux__)
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(rest);
  const timespec until{seconds.count(), (rest - seconds).count()};
  ::ppoll(&what, 1, &until, nullptr);
#else
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(rest);
  ::poll(&what, 1, static_cast<int>(whole.count()));
#endif
}

}  // namespace

class MUSTER_LOCAL SoeBlockingSocket::Impl {
 public:
  Impl(const SoeOptions& options, Entropy& entropy, SoeHandler& handler)
      : port(options, entropy, handler) {}

  std::size_t step(duration max_wait) {
    const std::uint64_t told = port.events_told();
    if (port.has_to_send()) port.send();
    wait(max_wait);
    port.receive(step_bytes);
    port.send();
    return static_cast<std::size_t>(port.events_told() - told);
  }

  SoePort port;

 private:
  void wait(duration max_wait) noexcept {
    if (max_wait <= duration::zero() || port.has_to_send()) return;
    const time_point now = std::chrono::steady_clock::now();
    const time_point next = port.next_deadline();
    if (next <= now) return;
    pollfd what{port.socket().fd(), POLLIN, 0};  // a negative one is ignored
    if (port.socket().is_blocked()) what.events |= POLLOUT;
    wait_for(what, std::min(max_wait, next - now));
  }
};

SoeBlockingSocket::SoeBlockingSocket(const SoeOptions& options, Entropy& entropy,
                                     SoeHandler& handler)
    : impl_(std::make_unique<Impl>(options, entropy, handler)) {}
SoeBlockingSocket::~SoeBlockingSocket() = default;

std::error_code SoeBlockingSocket::bind(std::string_view address) {
  return impl_->port.bind(address);
}
std::error_code SoeBlockingSocket::open_for(std::string_view server) {
  return impl_->port.open_for(server);
}
result<soe::SessionId> SoeBlockingSocket::connect(const Address& to, std::string_view protocol) {
  return impl_->port.connect(to, protocol);
}
result<soe::SessionId> SoeBlockingSocket::connect(std::string_view to, std::string_view protocol) {
  const result<Address> address = parse_address(to);
  if (!address) return address.error();
  return impl_->port.connect(*address, protocol);
}
soe::EnqueueStatus SoeBlockingSocket::enqueue(soe::SessionId session, byte_view message,
                                              soe::Channel channel) {
  return impl_->port.enqueue(session, message, channel);
}
bool SoeBlockingSocket::set_encryption(soe::SessionId session, unsigned channels, byte_view key) {
  return impl_->port.set_encryption(session, channels, key);
}
bool SoeBlockingSocket::terminate(soe::SessionId session, soe::DisconnectReason reason) {
  return impl_->port.terminate(session, reason);
}
void SoeBlockingSocket::terminate_all(soe::DisconnectReason reason) {
  impl_->port.terminate_all(reason);
}
bool SoeBlockingSocket::close(soe::SessionId session, soe::DisconnectReason reason) {
  return impl_->port.close(session, reason);
}
std::size_t SoeBlockingSocket::step(duration max_wait) { return impl_->step(max_wait); }
int SoeBlockingSocket::native_handle() const noexcept { return impl_->port.socket().fd(); }
time_point SoeBlockingSocket::next_deadline() const noexcept {
  return impl_->port.has_to_send() ? time_point::min() : impl_->port.next_deadline();
}
Address SoeBlockingSocket::local() const noexcept { return impl_->port.socket().local(); }
const SoeMultiplexer<>& SoeBlockingSocket::multiplexer() const noexcept {
  return impl_->port.mux();
}
const DatagramStats& SoeBlockingSocket::stats() const noexcept {
  return impl_->port.socket().stats();
}

}  // namespace muster::asio
