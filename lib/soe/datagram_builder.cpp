// SPDX-License-Identifier: MIT
#include "datagram_builder.hpp"

#include <muster/soe/length.hpp>
#include <muster/soe/op_code.hpp>

#include <cstring>

#include "big_endian.hpp"

namespace muster::soe {
namespace {

constexpr std::size_t op_size = 2;

std::size_t with_length(std::size_t sub) noexcept {
  return multi_length_size(static_cast<std::uint32_t>(sub)) + sub;
}

}  // namespace

std::size_t DatagramBuilder::size_of(const Packet& packet) const noexcept {
  return with_length(packet.size - framing_.pad() + op_size);
}

void DatagramBuilder::open() {
  if (count_ != 0) return;
  datagram_ = outgoing_.reserve(framing_.max_datagram);
  framing_.begin(datagram_, static_cast<std::uint16_t>(OpCode::multi_packet));
  used_ = framing_.head();
}

void DatagramBuilder::add(std::uint16_t op, byte_view body) {
  if (with_length(op_size + body.size()) > room()) flush();
  open();
  std::byte* out =
      write_multi_length(datagram_ + used_, static_cast<std::uint32_t>(op_size + body.size()));
  if (count_ == 0) first_ = static_cast<std::size_t>(out - datagram_);
  out = write_u16(out, op);
  if (!body.empty()) std::memcpy(out, body.data(), body.size());
  used_ = static_cast<std::size_t>(out - datagram_) + body.size();
  only_ = nullptr;
  ++count_;
  if (!is_multi_) flush();
}

void DatagramBuilder::add(Packet& packet) {
  const byte_view datagram = packet.datagram();
  add(op_of(datagram), datagram.subspan(framing_.head(), datagram.size() - framing_.pad()));
  only_ = count_ == 1 ? &packet : nullptr;
}

void DatagramBuilder::send(Packet& packet) {
  flush();
  push(packet.datagram());
}

void DatagramBuilder::flush() {
  if (count_ == 0) return;
  if (only_ != nullptr) {
    outgoing_.trim(framing_.max_datagram);
    push(only_->datagram());
  } else {
    if (count_ == 1) {
      // The op code moves to the front, the flag between it and the body.
      const std::uint16_t op = op_of({datagram_ + first_, op_size});
      const std::size_t body = used_ - first_ - op_size;
      std::memmove(datagram_ + framing_.head(), datagram_ + first_ + op_size, body);
      framing_.begin(datagram_, op);
      used_ = framing_.head() + body;
    }
    const std::size_t size = framing_.finish(datagram_, used_);
    outgoing_.trim(framing_.max_datagram - size);
    push({datagram_, size});
  }
  count_ = 0;
  only_ = nullptr;
}

void DatagramBuilder::push(byte_view datagram) {
  ++sent_datagrams_;
  sent_bytes_ += datagram.size();
  outgoing_.push(slot_, datagram);
}

}  // namespace muster::soe
