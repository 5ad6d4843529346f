// SPDX-License-Identifier: MIT
// The receiving half of a reliable channel: order, reassembly, decryption, acknowledgements.
#include "receive_channel.hpp"

#include <muster/soe/length.hpp>
#include <muster/soe/sequence.hpp>
#include <muster/wire/byte_reader.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

#include "big_endian.hpp"

namespace muster::soe {
namespace {

constexpr std::size_t sequence_size = 2;
constexpr std::size_t total_size = 4;  // in front of the first fragment's data

// A sequence is compared over the whole range of 16 bits, not only over the window: what is older
// than a window must be acknowledged too, or a peer whose window is larger never goes on.
constexpr std::int64_t whole_range = 32767;

constexpr std::uint32_t first_reservation = 64 * 1024;  // of a fragmented message, at most
constexpr std::uint32_t smallest_stash = 16;
constexpr std::uint32_t kept_stash = 32;  // a larger ring goes when nothing is in it

// Single acknowledgements that wait, at least; with a larger window, one for each packet of it:
// when one packet is missing, all that were sent behind it may arrive before a flush. What finds no
// place is not lost: the peer sends again.
constexpr std::size_t least_due = 1024;

bool is_bundle(byte_view payload) noexcept {
  return payload.size() > 2 && payload[0] == std::byte{0} && payload[1] == std::byte{0x19};
}

}  // namespace

ReceiveChannel::ReceiveChannel(unsigned channel, time_point now, std::int64_t first) noexcept
    : next_(first),
      acknowledged_(first - 1),
      acknowledged_at_(now),
      channel_(static_cast<Channel>(channel)) {}

void ReceiveChannel::release(const ReceiveContext& context) noexcept {
  for (std::uint32_t i = 0; stash_size_ != 0; ++i) {
    if (stash_[i] == nullptr) continue;
    context.pool.give_back(*stash_[i]);
    context.reassembly.give_back_early(context.pool.footprint());
    --stash_size_;
  }
  stash_ = nullptr;
  stash_capacity_ = 0;
  context.reassembly.used -= message_.capacity;
  message_ = {};
  message_size_ = message_length_ = 0;
  set_cipher(nullptr);
}

void ReceiveChannel::set_cipher(const Rc4* cipher) {
  if (cipher_) cipher_->erase();
  cipher_ = cipher != nullptr ? std::make_unique<Rc4>(*cipher) : nullptr;
}

ReceiveChannel::Outcome ReceiveChannel::receive(const ReceiveContext& context,
                                                mutable_byte_view body, bool is_fragment,
                                                bool is_stable) {
  ++stats_.packets;
  if (body.size() < sequence_size) return Outcome::corrupt;
  const auto wire = read_u16(body);
  const std::int64_t sequence = expand_sequence(wire, next_, whole_range);
  mutable_byte_view data = body.subspan(sequence_size);
  if (sequence != next_) [[unlikely]] {
    return sequence < next_ ? repeat(context.config, sequence)
                            : keep_early(context, sequence, data, is_fragment);
  }

  Outcome outcome = Outcome::accepted;
  if (data.empty()) {
    outcome = Outcome::empty;
  } else if (is_fragment) {
    outcome = append_fragment(context, data, Arrival::fresh);
    if (outcome != Outcome::accepted) return outcome;
  } else {
    if (!is_stable) data = copy(context, data);
    if (!deliver(context, data)) return Outcome::corrupt;
  }
  ++next_;
  if (context.config.acknowledges_each) acknowledge(context.config, wire);
  if (stash_size_ != 0 && !deliver_stash(context)) return Outcome::corrupt;
  if (context.config.acknowledges_each) acknowledged_ = next_ - 1;
  return outcome;
}

// Whatever the peer sends again it believes lost, so it must be told, however often.
ReceiveChannel::Outcome ReceiveChannel::repeat(const Config& config, std::int64_t sequence) {
  if (sequence < 0) {  // there was no such packet
    ++stats_.too_far;
    return Outcome::too_far;
  }
  ++stats_.duplicates;
  if (config.acknowledges_each) {
    acknowledge_again(config, static_cast<std::uint16_t>(sequence));
  } else {
    repeats_ = true;
  }
  return Outcome::duplicate;
}

ReceiveChannel::Outcome ReceiveChannel::keep_early(const ReceiveContext& context,
                                                   std::int64_t sequence, byte_view data,
                                                   bool is_fragment) {
  const std::int64_t ahead = sequence - next_;
  if (ahead > context.config.receive_window) {
    ++stats_.too_far;
    return Outcome::too_far;
  }
  if (ahead <= stash_capacity_ && slot(sequence) != nullptr) {
    ++stats_.duplicates;
    acknowledge_again(context.config, static_cast<std::uint16_t>(sequence));
    return Outcome::duplicate;
  }
  // Only inflated data can be larger than a packet, and no sender known makes such. In its turn it
  // is accepted.
  const std::size_t footprint = context.pool.footprint();
  // However many peers leave gaps, messages keep their half, and no channel takes more than it
  // leaves.
  const std::size_t of_this = (stash_size_ + std::size_t{1}) * footprint;
  if (data.size() > context.pool.capacity() || of_this > context.reassembly.early_room()) {
    return Outcome::overflow;
  }
  // The place of `next_` is always free, so a ring of `ahead` places is enough.
  if (ahead > stash_capacity_) grow_stash(static_cast<std::uint32_t>(ahead));
  context.reassembly.take_early(footprint);
  Packet& packet = context.pool.take();
  packet.state = Packet::State::stashed;
  packet.sequence = sequence;
  packet.size = static_cast<std::uint16_t>(data.size());
  packet.is_fragment = is_fragment;
  if (!data.empty()) std::memcpy(packet.bytes(), data.data(), data.size());
  slot(sequence) = &packet;
  ++stash_size_;
  ++stats_.out_of_order;
  acknowledge(context.config, static_cast<std::uint16_t>(sequence));
  return Outcome::accepted;
}

void ReceiveChannel::grow_stash(std::uint32_t at_least) {
  const std::uint32_t capacity = std::bit_ceil(std::max(at_least, smallest_stash));
  auto larger = std::make_unique<Packet*[]>(capacity);
  std::swap(stash_, larger);
  for (std::uint32_t i = std::exchange(stash_capacity_, capacity); i-- != 0;) {
    if (larger[i] != nullptr) slot(larger[i]->sequence) = larger[i];
  }
}

// Whatever is next by now. False: it is corrupt.
bool ReceiveChannel::deliver_stash(const ReceiveContext& context) {
  while (stash_size_ != 0 && slot(next_) != nullptr) {
    Packet& packet = *std::exchange(slot(next_), nullptr);
    --stash_size_;
    ++next_;
    context.reassembly.give_back_early(context.pool.footprint());
    const mutable_byte_view data{packet.bytes(), packet.size};
    if (packet.is_fragment || data.empty()) {
      const bool is_good = data.empty() || append_fragment(context, data, Arrival::acknowledged) ==
                                               Outcome::accepted;
      context.pool.give_back(packet);
      if (!is_good) return false;
    } else {
      context.inbox.keep(packet);
      if (!deliver(context, data)) return false;
    }
  }
  if (stash_size_ == 0 && stash_capacity_ > kept_stash) {
    stash_ = nullptr;
    stash_capacity_ = 0;
  }
  return true;
}

ReceiveChannel::Outcome ReceiveChannel::append_fragment(const ReceiveContext& context,
                                                        byte_view data, Arrival arrival) {
  std::uint32_t length = message_length_;
  if (length == 0) {
    if (data.size() < total_size) return Outcome::corrupt;
    length = wire::ByteReader{data}.u32_be();
    if (length == 0 || length > context.config.max_message) return Outcome::corrupt;
    data = data.subspan(total_size);
  }
  if (data.size() > length - message_size_) return Outcome::corrupt;
  const std::uint32_t size = message_size_ + static_cast<std::uint32_t>(data.size());
  if (!reserve(context, size, length, arrival)) return Outcome::overflow;
  message_length_ = length;
  if (!data.empty()) std::memcpy(message_.bytes.get() + message_size_, data.data(), data.size());
  message_size_ = size;
  if (size != length) return Outcome::accepted;

  const mutable_byte_view message{message_.bytes.get(), size};
  context.reassembly.used -= message_.capacity;
  context.inbox.keep(std::exchange(message_, {}));
  message_size_ = message_length_ = 0;
  return deliver(context, message) ? Outcome::accepted : Outcome::corrupt;
}

// Room for `size` bytes of a message of `length`. What was only announced costs nothing: the buffer
// doubles with what has come. Near the limit it grows by an eighth, and for what the peer believes
// delivered even beyond: that was counted already while it was kept.
bool ReceiveChannel::reserve(const ReceiveContext& context, std::uint32_t size,
                             std::uint32_t length, Arrival arrival) {
  if (size <= message_.capacity) return true;
  ReassemblyBudget& budget = context.reassembly;
  SpareBuffers& spares = context.inbox.spares();
  budget.used -= message_.capacity;
  std::uint32_t grown =
      std::min(length, std::max({size, message_.capacity * 2, first_reservation}));
  MessageBuffer larger = spares.take(grown, std::min(std::size_t{length} * 2, budget.room()));
  if (larger.bytes == nullptr) {
    if (grown > budget.room()) {
      grown = std::min(length, size + size / 8);
      if (grown > budget.room() && arrival == Arrival::fresh) {
        budget.used += message_.capacity;
        return false;
      }
    }
    larger = {std::make_unique_for_overwrite<std::byte[]>(grown), grown};
  }
  budget.used += larger.capacity;
  if (message_size_ != 0) std::memcpy(larger.bytes.get(), message_.bytes.get(), message_size_);
  spares.give_back(std::exchange(message_, std::move(larger)));
  return true;
}

bool ReceiveChannel::deliver(const ReceiveContext& context, mutable_byte_view payload) {
  if (is_bundle(payload)) return deliver_bundle(context, payload.subspan(2));
  deliver_item(context, payload);
  return true;
}

// All lengths are checked before anything is delivered or decrypted.
bool ReceiveChannel::deliver_bundle(const ReceiveContext& context, mutable_byte_view items) {
  std::uint32_t size = 0;
  for (byte_view rest = items; !rest.empty(); rest = rest.subspan(size)) {
    if (!read_bundle_length(rest, size) || size > rest.size()) return false;
  }
  for (byte_view rest = items; read_bundle_length(rest, size); rest = rest.subspan(size)) {
    if (size != 0) {
      deliver_item(context, items.subspan(items.size() - rest.size(), size));
    }
  }
  return true;
}

// An encrypted message that begins with zero always has another in front, which is not encrypted;
// of others it depends on the peer.
inline void ReceiveChannel::deliver_item(const ReceiveContext& context, mutable_byte_view item) {
  if (item[0] == std::byte{0} && item.size() > 1 &&
      (cipher_ != nullptr || context.config.escape == Escape::always)) {
    item = item.subspan(1);
  }
  if (cipher_ != nullptr) cipher_->transform(item);
  ++stats_.messages;
  stats_.bytes += item.size();
  context.inbox.push_data(context.session, channel_, item);
}

// Of bytes that will not stay.
mutable_byte_view ReceiveChannel::copy(const ReceiveContext& context, byte_view data) {
  std::byte* to = nullptr;
  if (data.size() <= context.pool.capacity()) {
    Packet& packet = context.pool.take();
    to = packet.bytes();
    context.inbox.keep(packet);
  } else {
    auto buffer = std::make_unique_for_overwrite<std::byte[]>(data.size());
    to = buffer.get();
    context.inbox.keep(std::move(buffer));
  }
  std::memcpy(to, data.data(), data.size());
  return {to, data.size()};
}

void ReceiveChannel::acknowledge(const Config& config, std::uint16_t sequence) {
  const std::size_t most = std::max<std::size_t>(least_due, config.receive_window);
  if (due_.size() >= most) {
    due_.erase(due_.begin(), due_.begin() + std::exchange(due_taken_, 0));
  }
  if (due_.size() >= most) {
    repeats_ = !config.acknowledges_each;
    return;
  }
  due_.push_back(sequence);
}

// Unless it waits already: a peer that repeats itself gets one answer for each flush.
void ReceiveChannel::acknowledge_again(const Config& config, std::uint16_t sequence) {
  if (std::find(due_.begin() + due_taken_, due_.end(), sequence) == due_.end()) {
    acknowledge(config, sequence);
  }
}

bool ReceiveChannel::next_acknowledge(std::uint16_t& sequence) noexcept {
  if (due_.empty()) return false;
  sequence = due_[due_taken_++];
  if (due_taken_ == due_.size()) {
    due_.clear();
    due_taken_ = 0;
  }
  return true;
}

bool ReceiveChannel::has_acknowledge_all() const noexcept {
  return next_ != 0 && (repeats_ || acknowledged_ != next_ - 1);
}

bool ReceiveChannel::is_due_at_once(const Config& config) const noexcept {
  return repeats_ || next_ - 1 - acknowledged_ >= config.acknowledge_every;
}

bool ReceiveChannel::is_acknowledge_all_due(const Config& config, time_point now) const noexcept {
  return has_acknowledge_all() &&
         (is_due_at_once(config) || now - acknowledged_at_ >= config.acknowledge_delay);
}

time_point ReceiveChannel::acknowledge_deadline(const Config& config) const noexcept {
  if (!has_acknowledge_all()) return no_deadline;
  return is_due_at_once(config) ? acknowledged_at_ : acknowledged_at_ + config.acknowledge_delay;
}

std::uint16_t ReceiveChannel::take_acknowledge_all(time_point now) noexcept {
  acknowledged_ = next_ - 1;
  acknowledged_at_ = now;
  repeats_ = false;
  const auto last = static_cast<std::uint16_t>(acknowledged_);
  if (!due_.empty()) {  // it tells what some of them would
    due_.erase(due_.begin(), due_.begin() + std::exchange(due_taken_, 0));
    std::erase_if(due_, [last](std::uint16_t sequence) {
      return static_cast<std::int16_t>(sequence - last) <= 0;
    });
  }
  return last;
}

}  // namespace muster::soe
