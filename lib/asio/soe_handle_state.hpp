// SPDX-License-Identifier: MIT
// What the handles on a socket share with it.
#pragma once

#include <muster/asio/mailbox.hpp>
#include <muster/asio/soe_handle.hpp>
#include <muster/asio/soe_socket.hpp>
#include <muster/bytes.hpp>
#include <muster/soe/event.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace muster::asio {

/// What is on its way to one session, or to those few whose numbers are as much apart as there are
/// gates.
struct SoeGate {
  std::atomic<std::size_t> bytes{0};

  /// The session that was refused something since it was told of room, packed; 0: none.
  std::atomic<std::uint64_t> refused{0};
};

struct MUSTER_LOCAL SoeHandle::State {
  State(Mailbox to, SoeSocket::Impl& owner, std::size_t gate_count, std::size_t the_share)
      : mailbox(std::move(to)), socket(&owner), share(the_share), gates(gate_count) {}

  [[nodiscard]] SoeGate& gate_of(soe::SessionId session) noexcept {
    return gates[session.index % gates.size()];
  }

  /// Takes a part of a session's share.
  [[nodiscard]] bool take(soe::SessionId session, std::size_t bytes) noexcept;

  /// Who was refused something at a gate and is to be told of room, once; generation 0: nobody. To
  /// be asked on the loop's thread after the gate's bytes have become fewer.
  [[nodiscard]] soe::SessionId take_refused(SoeGate& gate) const noexcept;

  /// @param session   whose message it is; generation 0: none's
  Status post(std::unique_ptr<Mailbox::Task> task, soe::SessionId session);

  const Mailbox mailbox;
  SoeSocket::Impl* socket;  // the loop's thread only; null: it is gone
  const std::size_t share;  // of a session, in bytes
  std::vector<SoeGate> gates;
  std::atomic<bool> is_stopped{false};
  std::atomic<bool> was_full{false};  // the mailbox, since a pass has looked
};

/// A message on its way from a handle to its session, which holds a part of its share.
class SoeParcel {
 public:
  /// The share was taken.
  SoeParcel(std::shared_ptr<SoeHandle::State> state, soe::SessionId session, soe::Channel channel,
            byte_view message)
      : state_(std::move(state)),
        session_(session),
        channel_(channel),
        message_(message.begin(), message.end()) {}
  SoeParcel(SoeParcel&&) noexcept = default;
  SoeParcel& operator=(SoeParcel&&) = delete;
  ~SoeParcel() { give_back(); }

  /// The message is not needed any more: its part of the share is free.
  void give_back() noexcept {
    if (state_ != nullptr) state_->gate_of(session_).bytes -= cost_of(message_.size());
    state_ = nullptr;
  }

  /// What a message takes: small ones cost memory too.
  [[nodiscard]] static std::size_t cost_of(std::size_t size) noexcept { return size + 128; }

  [[nodiscard]] soe::SessionId session() const noexcept { return session_; }
  [[nodiscard]] soe::Channel channel() const noexcept { return channel_; }
  [[nodiscard]] byte_view message() const noexcept { return message_; }

 private:
  std::shared_ptr<SoeHandle::State> state_;  // null: moved from
  soe::SessionId session_;
  soe::Channel channel_;
  std::vector<std::byte> message_;
};

}  // namespace muster::asio
