// SPDX-License-Identifier: MIT
// A socket's part in the passes of its loop, and messages that wait for room.
#include <muster/asio/soe_socket.hpp>

#include "address.hpp"
#include "soe_socket_impl.hpp"

#include <algorithm>
#include <utility>

namespace muster::asio {

namespace {

std::uint64_t pack(soe::SessionId session) noexcept {
  return std::uint64_t{session.generation} << 32U | session.index;
}

}  // namespace

SoeSocket::Impl::Impl(Loop& loop, const SoeOptions& options, Entropy& entropy, SoeHandler& handler,
                      const DatagramCalls& calls)
    : owner_(loop), loop_(loop.impl()), handler_(handler), port_(options, entropy, *this, calls) {
  loop_.timed.push_back(this);
  loop_.finishers.push_back(this);
}

SoeSocket::Impl::~Impl() {
  if (state_ != nullptr) {
    state_->is_stopped = true;
    state_->socket = nullptr;
  }
  waiting_.clear();
  if (is_watched_) loop_.poller->remove(port_.socket().fd());
  loop_.forget(static_cast<Watched&>(*this));
  std::erase(loop_.timed, static_cast<Timed*>(this));
  std::erase(loop_.finishers, static_cast<Finisher*>(this));
}

std::error_code SoeSocket::Impl::bind(std::string_view address) {
  if (const std::error_code error = port_.bind(address)) return error;
  return watch();
}

std::error_code SoeSocket::Impl::open_for(std::string_view server) {
  if (const std::error_code error = port_.open_for(server)) return error;
  return watch();
}

std::error_code SoeSocket::Impl::watch() {
  if (is_watched_ || !port_.socket().is_open()) return {};
  if (!loop_.poller->add(port_.socket().fd(), token(), false)) return errc::limit_reached;
  is_watched_ = true;
  return {};
}

result<soe::SessionId> SoeSocket::Impl::connect(const Address& to, std::string_view protocol) {
  const auto session = port_.connect(to, protocol);
  if (watch()) return errc::connect_failed;
  if (!session) return session;
  waiting_[pack(*session)] = {};
  loop_.finish_soon();
  return session;
}

soe::EnqueueStatus SoeSocket::Impl::enqueue(soe::SessionId session, byte_view message,
                                            soe::Channel channel) {
  loop_.finish_soon();
  const soe::EnqueueStatus status = port_.enqueue(session, message, channel);
  if (status == soe::EnqueueStatus::over_budget) waiting_[pack(session)].is_told = true;
  return status;
}

bool SoeSocket::Impl::set_encryption(soe::SessionId session, unsigned channels, byte_view key) {
  return port_.set_encryption(session, channels, key);
}

bool SoeSocket::Impl::terminate(soe::SessionId session, soe::DisconnectReason reason) {
  loop_.finish_soon();
  return port_.terminate(session, reason);
}

void SoeSocket::Impl::terminate_all(soe::DisconnectReason reason) {
  loop_.finish_soon();
  port_.terminate_all(reason);
}

bool SoeSocket::Impl::close(soe::SessionId session, soe::DisconnectReason reason) {
  loop_.finish_soon();
  return port_.close(session, reason);
}

// The portable backend waits for a state, and would tell it over and over.
void SoeSocket::Impl::pause() {
  if (is_paused_) return;
  is_paused_ = true;
  if (is_watched_) loop_.poller->stop_read(port_.socket().fd());
}

void SoeSocket::Impl::resume() {
  if (!is_paused_) return;
  is_paused_ = false;
  if (!is_watched_) return;
  loop_.poller->resume_read(port_.socket().fd());
  list_unread();  // no edge speaks for what came meanwhile
  loop_.finish_soon();
}

void SoeSocket::Impl::on_ready(Readiness what, time_point) {
  if (what.writable && port_.socket().is_blocked()) is_due_ = true;
  if (what.readable || what.hung_up) {
    is_listed_ = false;
    read();
  }
}

void SoeSocket::Impl::read() {
  if (is_paused_) return;
  try {
    if (port_.receive(loop_.config.pass_bytes)) list_unread();
  } catch (...) {  // the handler's
    list_unread();
    throw;
  }
}

void SoeSocket::Impl::list_unread() {
  if (is_listed_) return;
  is_listed_ = true;
  loop_.list_unread(static_cast<Watched&>(*this));
}

void SoeSocket::Impl::finish() {
  is_due_ = false;
  port_.send();
  wait_for_room();
  if (state_ == nullptr || !state_->was_full.exchange(false)) return;
  for (SoeGate& gate : state_->gates) tell_of_room(gate);
}

// A datagram socket that is watched for room is said to have some after each datagram that leaves:
// so only while it is needed.
void SoeSocket::Impl::wait_for_room() {
  const int fd = port_.socket().fd();
  const std::uint64_t sent = port_.socket().stats().datagrams_sent;
  if (port_.socket().is_blocked()) {
    // Asked once per progress: should it be called writable and take nothing, time helps.
    if (!waits_for_room_ || sent != sent_before_) loop_.poller->want_write(fd, token());
    waits_for_room_ = true;
    sent_before_ = sent;
  } else if (waits_for_room_) {
    waits_for_room_ = false;
    loop_.poller->remove(fd);
    is_watched_ = false;
  }
  // For want of memory the system may refuse; then the next pass asks again.
  if (!is_watched_ && !watch() && is_paused_) loop_.poller->stop_read(fd);
}

// The port's clock runs on within a pass; what else the pass calls has the pass's time.
void SoeSocket::Impl::on_opened(soe::SessionId session, const Address& remote, time_point) {
  handler_.on_opened(session, remote, loop_.now);
  drain(session, false);
}

void SoeSocket::Impl::on_data(soe::SessionId session, byte_view data, soe::Channel channel,
                              time_point) {
  handler_.on_data(session, data, channel, loop_.now);
}

void SoeSocket::Impl::on_writable(soe::SessionId session, time_point) { drain(session, true); }

void SoeSocket::Impl::on_closed(soe::SessionId session, const Address& remote,
                                soe::DisconnectReason reason, bool by_peer, time_point) {
  waiting_.erase(pack(session));
  handler_.on_closed(session, remote, reason, by_peer, loop_.now);
}

void SoeSocket::Impl::connect_or_say(const Address& to, std::string_view protocol) {
  const auto session = connect(to, protocol);
  if (!session) handler_.on_not_connected(to, session.error(), loop_.now);
}

void SoeSocket::Impl::deliver(SoeParcel parcel) {
  const soe::SessionId session = parcel.session();
  // What may get lost anyway does not wait.
  const bool may_wait = parcel.channel() < soe::Channel::unreliable;
  auto found = waiting_.find(pack(session));
  if (found != waiting_.end() && may_wait) {
    found->second.parcels.push_back(std::move(parcel));
    return;
  }
  const soe::EnqueueStatus status = port_.enqueue(session, parcel.message(), parcel.channel());
  if (status == soe::EnqueueStatus::over_budget && may_wait) {
    waiting_[pack(session)].parcels.push_back(std::move(parcel));
    return;
  }
  parcel.give_back();
  tell_of_room(session);
}

void SoeSocket::Impl::close_after_parcels(soe::SessionId session, soe::DisconnectReason reason) {
  const auto found = waiting_.find(pack(session));
  if (found == waiting_.end() || found->second.parcels.empty()) {
    close(session, reason);
  } else {
    found->second.closes = reason;
  }
}

void SoeSocket::Impl::drain(soe::SessionId session, bool has_room) {
  const auto found = waiting_.find(pack(session));
  if (found == waiting_.end()) return;
  auto& parcels = found->second.parcels;
  while (!parcels.empty()) {
    const SoeParcel& next = parcels.front();
    if (port_.enqueue(session, next.message(), next.channel()) == soe::EnqueueStatus::over_budget) {
      break;
    }
    parcels.pop_front();
  }
  bool is_told = found->second.is_told;
  if (!parcels.empty() || (is_told && !has_room)) {
    is_told = false;  // later
  } else {
    const auto closes = found->second.closes;
    waiting_.erase(found);
    if (closes) close(session, *closes);
  }
  tell_of_room(session);
  if (is_told) handler_.on_writable(session, loop_.now);
}

// Of whoever was refused for want of a share.
void SoeSocket::Impl::tell_of_room(soe::SessionId session) {
  if (state_ != nullptr) tell_of_room(state_->gate_of(session));
}

void SoeSocket::Impl::tell_of_room(SoeGate& gate) {
  const soe::SessionId refused = state_->take_refused(gate);
  if (port_.mux().is_open(refused)) handler_.on_writable(refused, loop_.now);
}

const std::shared_ptr<SoeHandle::State>& SoeSocket::Impl::handle_state() {
  if (state_ == nullptr) {
    const soe::Config& config = port_.mux().config();
    state_ = std::make_shared<SoeHandle::State>(
        owner_.mailbox(), *this, config.max_sessions + config.max_half_open, config.send_budget);
  }
  return state_;
}

SoeSocket::SoeSocket(Loop& loop, const SoeOptions& options, Entropy& entropy, SoeHandler& handler)
    : impl_(std::make_unique<Impl>(loop, options, entropy, handler)) {}
SoeSocket::~SoeSocket() = default;

std::error_code SoeSocket::bind(std::string_view address) { return impl_->bind(address); }
std::error_code SoeSocket::open_for(std::string_view server) { return impl_->open_for(server); }
result<soe::SessionId> SoeSocket::connect(const Address& to, std::string_view protocol) {
  return impl_->connect(to, protocol);
}
result<soe::SessionId> SoeSocket::connect(std::string_view to, std::string_view protocol) {
  const result<Address> address = parse_address(to);
  if (!address) return address.error();
  return impl_->connect(*address, protocol);
}
soe::EnqueueStatus SoeSocket::enqueue(soe::SessionId session, byte_view message,
                                      soe::Channel channel) {
  return impl_->enqueue(session, message, channel);
}
bool SoeSocket::set_encryption(soe::SessionId session, unsigned channels, byte_view key) {
  return impl_->set_encryption(session, channels, key);
}
bool SoeSocket::terminate(soe::SessionId session, soe::DisconnectReason reason) {
  return impl_->terminate(session, reason);
}
void SoeSocket::terminate_all(soe::DisconnectReason reason) { impl_->terminate_all(reason); }
bool SoeSocket::close(soe::SessionId session, soe::DisconnectReason reason) {
  return impl_->close(session, reason);
}
void SoeSocket::pause() { impl_->pause(); }
void SoeSocket::resume() { impl_->resume(); }
Address SoeSocket::local() const noexcept { return impl_->port().socket().local(); }
const SoeMultiplexer<>& SoeSocket::multiplexer() const noexcept { return impl_->port().mux(); }
const DatagramStats& SoeSocket::stats() const noexcept { return impl_->port().socket().stats(); }
SoeHandle SoeSocket::handle() { return SoeHandle{impl_->handle_state()}; }

}  // namespace muster::asio
