// SPDX-License-Identifier: MIT
// A server is a driver's thread that listens.
#include <muster/asio/soe_server.hpp>

#include "soe_thread.hpp"

namespace muster::asio {

class MUSTER_LOCAL SoeServer::Impl {
 public:
  Impl(const SoeOptions& options, const SoeEventLimits& limits) : thread(options, limits) {}

  SoeThread thread;
  Address local;
};

SoeServer::SoeServer(const SoeOptions& options, const SoeEventLimits& limits)
    : impl_(std::make_unique<Impl>(options, limits)) {}
SoeServer::~SoeServer() = default;

std::error_code SoeServer::listen(std::string_view address) {
  if (!impl_->thread.is_new()) return errc::wrong_state;
  if (const std::error_code error = impl_->thread.socket().bind(address)) return error;
  impl_->local = impl_->thread.socket().local();
  impl_->thread.start();
  return {};
}

Address SoeServer::local() const noexcept { return impl_->local; }
SoeHandle SoeServer::handle() const noexcept { return impl_->thread.handle(); }
EventStatus SoeServer::next_event(SoeEvent& event, duration patience) {
  return impl_->thread.queue().take(event, patience);
}
void SoeServer::stop() { impl_->thread.stop(); }

}  // namespace muster::asio
