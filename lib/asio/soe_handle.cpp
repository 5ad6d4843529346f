// SPDX-License-Identifier: MIT
// From any thread to the loop's.
#include <muster/asio/soe_handle.hpp>

#include "soe_handle_state.hpp"
#include "soe_socket_impl.hpp"

namespace muster::asio {

namespace {

std::uint64_t pack(soe::SessionId session) noexcept {
  return std::uint64_t{session.generation} << 32U | session.index;
}

soe::SessionId unpack(std::uint64_t packed) noexcept {
  return {static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32U)};
}

// Something that the socket does, if it is still there.
template <class Call>
class SocketTask final : public Mailbox::Task {
 public:
  SocketTask(std::shared_ptr<SoeHandle::State> state, Call call)
      : state_(std::move(state)), call_(std::move(call)) {}
  void run() override {
    if (state_->socket != nullptr) call_(*state_->socket);
  }

 private:
  std::shared_ptr<SoeHandle::State> state_;
  Call call_;
};

template <class Call>
std::unique_ptr<Mailbox::Task> make_task(const std::shared_ptr<SoeHandle::State>& state,
                                         Call call) {
  return std::make_unique<SocketTask<Call>>(state, std::move(call));
}

}  // namespace

// Whoever is refused and whoever makes room both write first and then look, so one sees the other.
// The first message may be of any size.
bool SoeHandle::State::take(soe::SessionId session, std::size_t bytes) noexcept {
  SoeGate& gate = gate_of(session);
  for (;;) {
    const std::size_t had = gate.bytes.fetch_add(bytes);
    if (had == 0 || had + bytes <= share) return true;
    gate.bytes -= bytes;
    gate.refused = pack(session);
    if (gate.bytes != 0) return false;  // whoever empties it further looks
  }
}

soe::SessionId SoeHandle::State::take_refused(SoeGate& gate) const noexcept {
  if (gate.bytes > share / 2 || gate.refused == 0) return {};
  return unpack(gate.refused.exchange(0));
}

SoeHandle::Status SoeHandle::State::post(std::unique_ptr<Mailbox::Task> task,
                                         soe::SessionId session) {
  if (is_stopped) return Status::stopped;
  switch (mailbox.post(std::move(task))) {
    case PostStatus::queued:
      return Status::queued;
    case PostStatus::stopped:
      return Status::stopped;
    case PostStatus::full:
      break;
  }
  if (session.generation != 0) {
    gate_of(session).refused = pack(session);
    was_full = true;
    // If this is not taken either then a pass that looks is still to come; else it makes one.
    mailbox.post([] {});
  }
  return Status::full;
}

SoeHandle::Status SoeHandle::connect(const Address& to, std::string protocol) const {
  return state_->post(
      make_task(state_, [to, protocol = std::move(protocol)](
                            SoeSocket::Impl& socket) { socket.connect_or_say(to, protocol); }),
      {});
}

SoeHandle::Status SoeHandle::enqueue(soe::SessionId session, byte_view message,
                                     soe::Channel channel) const {
  if (state_->is_stopped) return Status::stopped;
  if (message.size() > state_->share) return Status::too_large;
  if (!state_->take(session, SoeParcel::cost_of(message.size()))) return Status::full;
  return state_->post(
      make_task(state_,
                [parcel = SoeParcel{state_, session, channel, message}](
                    SoeSocket::Impl& socket) mutable { socket.deliver(std::move(parcel)); }),
      session);
}

SoeHandle::Status SoeHandle::terminate(soe::SessionId session, soe::DisconnectReason reason) const {
  return state_->post(
      make_task(state_,
                [session, reason](SoeSocket::Impl& socket) { socket.terminate(session, reason); }),
      {});
}

SoeHandle::Status SoeHandle::close(soe::SessionId session, soe::DisconnectReason reason) const {
  return state_->post(make_task(state_,
                                [session, reason](SoeSocket::Impl& socket) {
                                  socket.close_after_parcels(session, reason);
                                }),
                      {});
}

bool SoeHandle::is_stopped() const noexcept { return state_->is_stopped; }

}  // namespace muster::asio
