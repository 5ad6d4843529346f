// SPDX-License-Identifier: MIT
// The receiving half of a reliable channel: order, reassembly, decryption, acknowledgements.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "message_buffer.hpp"
#include "packet_pool.hpp"

namespace muster::soe {

/// Where received messages go, and what their views stand on: everything handed to it stays valid
/// until the next `clear`. One for all sessions of a multiplexer.
class Inbox {
 public:
  explicit Inbox(PacketPool& pool) noexcept : pool_(&pool) {}

  void push(const Event& event) { events_.push_back(event); }

  /// The same for a message. It is written where it stays: a copy would load the view in one piece
  /// that was stored in two just before, for which the processor waits longer than all else takes.
  void push_data(SessionId session, Channel channel, byte_view data) {
    Event& event = events_.emplace_back();
    event.kind = Event::Kind::data;
    event.channel = channel;
    event.session = session;
    event.data = data;
  }

  /// Keeps a packet or buffer, whose bytes an event shows, until `clear`.
  void keep(Packet& packet) { packets_.push_back(&packet); }
  void keep(std::unique_ptr<std::byte[]> buffer) { keep(MessageBuffer{std::move(buffer)}); }
  void keep(MessageBuffer buffer) { buffers_.push_back(std::move(buffer)); }

  /// What `clear` has set free.
  [[nodiscard]] SpareBuffers& spares() noexcept { return spares_; }

  /// Nothing that was handed out is valid any more.
  void clear() noexcept {
    for (Packet* packet : packets_) pool_->give_back(*packet);
    packets_.clear();
    for (MessageBuffer& buffer : buffers_) spares_.give_back(std::move(buffer));
    buffers_.clear();
    events_.clear();
    polled_ = 0;
  }

  [[nodiscard]] bool is_empty() const noexcept { return polled_ == events_.size(); }
  bool poll(Event& event) noexcept {
    if (is_empty()) return false;
    event = events_[polled_++];
    return true;
  }

 private:
  PacketPool* pool_;
  std::vector<Event> events_;
  std::size_t polled_ = 0;
  std::vector<Packet*> packets_;
  std::vector<MessageBuffer> buffers_;
  SpareBuffers spares_;
};

/// Bytes that the unfinished of all sessions of a multiplexer may hold together: messages of which
/// fragments are missing, and packets that came before their turn, which have half of it at most.
struct ReassemblyBudget {
  std::size_t limit = 0;  // 0: none
  std::size_t used = 0;   // at most the limit and an eighth
  std::size_t early = 0;  // of `used`, by packets before their turn

  [[nodiscard]] std::size_t room() const noexcept {
    if (limit == 0) return std::numeric_limits<std::size_t>::max();
    return limit - std::min(limit, used);
  }
  [[nodiscard]] std::size_t early_room() const noexcept {
    if (limit == 0) return room();
    return std::min(room(), limit / 2 - std::min(limit / 2, early));
  }
  void take_early(std::size_t size) noexcept {
    used += size;
    early += size;
  }
  void give_back_early(std::size_t size) noexcept {
    used -= size;
    early -= size;
  }
};

/// What a receiving channel is part of.
struct ReceiveContext {
  const Config& config;
  SessionId session;
  PacketPool& pool;
  Inbox& inbox;
  ReassemblyBudget& reassembly;
};

/// One channel, one direction. Its user checks the datagram (op code, checksum, inflation) and
/// hands in the body behind the op code.
///
/// What is in order is delivered where it lies: nothing is copied or allocated. What comes early is
/// copied into a packet of the pool until its turn.
class ReceiveChannel {
 public:
  enum class Outcome : std::uint8_t {
    accepted,   ///< delivered, or kept until its turn
    duplicate,  ///< known already; it is acknowledged again
    too_far,    ///< beyond the window, dropped, not acknowledged
    empty,      ///< a sequence without data: acknowledged, nothing is delivered
    corrupt,    ///< the peer is faulty: the session has to end with `corrupt_packet`
    overflow,   ///< there is no memory for it (the reassembly budget, or, early, larger than a
                ///< packet of the pool): dropped, not acknowledged
  };

  /// @param channel   0 to 3
  /// @param first     the sequence that is expected first; only tests begin elsewhere than at 0
  ReceiveChannel(unsigned channel, time_point now, std::int64_t first = 0) noexcept;
  ReceiveChannel(const ReceiveChannel&) = delete;
  ReceiveChannel& operator=(const ReceiveChannel&) = delete;

  /// Gives back what it holds.
  void release(const ReceiveContext& context) noexcept;

  /// Decrypts from the next item on; null: not any more.
  void set_cipher(const Rc4* cipher);

  /// One packet. Its bytes may be changed, and events may show them: they must stay until the
  /// inbox is cleared.
  /// @param body       from the sequence on
  /// @param is_stable  false: `body` does not outlive the call (a shared scratch buffer); whatever
  ///                   is delivered of it is copied first
  /// @return           of `corrupt`, what was delivered before stays delivered, and no more may
  ///                   be received
  [[nodiscard]] Outcome receive(const ReceiveContext& context, mutable_byte_view body,
                                bool is_fragment, bool is_stable);

  // Acknowledgements. Whoever composes datagrams asks for them and says when they have left.

  /// The sequence of the next single acknowledgement that is due at once, oldest first.
  [[nodiscard]] bool next_acknowledge(std::uint16_t& sequence) noexcept;

  /// Whether an AcknowledgeAll is due at `now`, by the rules of `Config::acknowledge`.
  [[nodiscard]] bool is_acknowledge_all_due(const Config& config, time_point now) const noexcept;

  /// Whether there is anything that an AcknowledgeAll would tell, due or not: what leaves anyway
  /// takes it along.
  [[nodiscard]] bool has_acknowledge_all() const noexcept;

  /// When it will be due if nothing else happens, or `no_deadline`.
  [[nodiscard]] time_point acknowledge_deadline(const Config& config) const noexcept;

  /// The sequence for an AcknowledgeAll that leaves now.
  [[nodiscard]] std::uint16_t take_acknowledge_all(time_point now) noexcept;

  struct Stats {
    std::uint64_t packets = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t out_of_order = 0;  // kept until their turn
    std::uint64_t too_far = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;  // of messages
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

 private:
  // Whether the bytes handed in are known to the peer as arrived. What is can no longer be refused:
  // it would not come again.
  enum class Arrival : std::uint8_t { fresh, acknowledged };

  [[nodiscard]] Outcome repeat(const Config& config, std::int64_t sequence);
  [[nodiscard]] Outcome keep_early(const ReceiveContext& context, std::int64_t sequence,
                                   byte_view data, bool is_fragment);
  [[nodiscard]] bool deliver_stash(const ReceiveContext& context);
  [[nodiscard]] Packet*& slot(std::int64_t sequence) noexcept {
    return stash_[static_cast<std::size_t>(sequence) & (stash_capacity_ - 1U)];
  }
  void grow_stash(std::uint32_t at_least);

  [[nodiscard]] Outcome append_fragment(const ReceiveContext& context, byte_view data,
                                        Arrival arrival);
  [[nodiscard]] bool reserve(const ReceiveContext& context, std::uint32_t size,
                             std::uint32_t length, Arrival arrival);

  [[nodiscard]] bool deliver(const ReceiveContext& context, mutable_byte_view payload);
  [[nodiscard]] bool deliver_bundle(const ReceiveContext& context, mutable_byte_view items);
  void deliver_item(const ReceiveContext& context, mutable_byte_view item);
  [[nodiscard]] static mutable_byte_view copy(const ReceiveContext& context, byte_view data);

  void acknowledge(const Config& config, std::uint16_t sequence);
  void acknowledge_again(const Config& config, std::uint16_t sequence);
  [[nodiscard]] bool is_due_at_once(const Config& config) const noexcept;

  Stats stats_;
  std::int64_t next_;           // the sequence that is delivered next
  std::int64_t acknowledged_;   // up to here the peer has been told
  time_point acknowledged_at_;  // when it was told by an AcknowledgeAll
  std::unique_ptr<Rc4> cipher_;

  std::unique_ptr<Packet*[]> stash_;  // ring of what came early, by sequence
  std::uint32_t stash_capacity_ = 0;  // a power of two, or 0
  std::uint32_t stash_size_ = 0;

  MessageBuffer message_;  // as much of a fragmented message as there is
  std::uint32_t message_size_ = 0;
  std::uint32_t message_length_ = 0;  // when it is complete; 0: none is under way

  std::uint32_t due_taken_ = 0;     // of due_
  std::vector<std::uint16_t> due_;  // sequences of single acknowledgements, oldest first
  bool repeats_ = false;            // an AcknowledgeAll is due, though it tells nothing new
  Channel channel_;
};

static_assert(sizeof(ReceiveChannel) <= 200);

}  // namespace muster::soe
