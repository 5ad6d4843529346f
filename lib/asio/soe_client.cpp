// SPDX-License-Identifier: MIT
// A client is a driver's thread with one session.
#include <muster/asio/soe_client.hpp>

#include "address.hpp"
#include "soe_thread.hpp"

namespace muster::asio {

namespace {

// Nobody asks a client for a session.
SoeOptions for_client(SoeOptions options) {
  options.admit = {};
  options.socket.reuse_port = false;
  options.protocol.protocols.clear();
  options.protocol.max_sessions = 1;
  options.protocol.max_half_open = 1;
  return options;
}

}  // namespace

class MUSTER_LOCAL SoeClient::Impl {
 public:
  Impl(const SoeOptions& options, const SoeEventLimits& limits)
      : thread(for_client(options), limits) {}

  SoeThread thread;
  soe::SessionId session;  // generation 0: not asked for yet
  Address local;
};

SoeClient::SoeClient(const SoeOptions& options, const SoeEventLimits& limits)
    : impl_(std::make_unique<Impl>(options, limits)) {}
SoeClient::~SoeClient() = default;

std::error_code SoeClient::connect_to(std::string_view server, std::string_view protocol) {
  if (!impl_->thread.is_new()) return errc::wrong_state;
  SoeSocket& socket = impl_->thread.socket();
  const result<Address> address = parse_address(server);
  if (!address) return address.error();
  if (socket.local() == Address{}) {
    if (const std::error_code error = socket.open_for(server)) return error;
  }
  const auto session = socket.connect(*address, protocol);
  if (!session) return session.error();
  impl_->session = *session;
  impl_->local = socket.local();
  impl_->thread.start();
  return {};
}

Address SoeClient::local() const noexcept { return impl_->local; }

SoeHandle::Status SoeClient::enqueue(byte_view message, soe::Channel channel) {
  if (impl_->session.generation == 0) return SoeHandle::Status::stopped;
  return impl_->thread.handle().enqueue(impl_->session, message, channel);
}

SoeHandle::Status SoeClient::terminate(soe::DisconnectReason reason) {
  if (impl_->session.generation == 0) return SoeHandle::Status::stopped;
  return impl_->thread.handle().terminate(impl_->session, reason);
}

SoeHandle::Status SoeClient::close(soe::DisconnectReason reason) {
  if (impl_->session.generation == 0) return SoeHandle::Status::stopped;
  return impl_->thread.handle().close(impl_->session, reason);
}

EventStatus SoeClient::next_event(SoeEvent& event, duration patience) {
  return impl_->thread.queue().take(event, patience);
}

void SoeClient::stop() { impl_->thread.stop(); }

}  // namespace muster::asio
