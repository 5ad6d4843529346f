// SPDX-License-Identifier: MIT
// Batches in, groups out, and what happens when the system says no.
#include "datagram_socket.hpp"

#include "address.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>

#include <fcntl.h>
#include <netinet/udp.h>
#include <unistd.h>

namespace muster::asio {

namespace {

#if defined(__linux__)
// Both are newer than some C libraries' headers.
constexpr int option_udp_segment = 103;
constexpr int option_udp_gro = 104;
#endif

#if defined(MSG_NOSIGNAL)
constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int send_flags = MSG_DONTWAIT;
#endif

constexpr std::size_t max_group = 64;          // datagrams
constexpr std::size_t large_group = 16;        // datagrams
constexpr std::size_t group_slot = 64 * 1024;  // bytes: the largest piece
constexpr std::size_t bytes_at_once = 256 * 1024;

// A refusal may concern one route only, such as one of a smaller MTU: then groups to others
// succeed in between. So many in a row mean that it is of no use to try.
constexpr unsigned refusals_to_give_up = 16;

// Errors in a row after which the socket is left alone until it is readable again.
constexpr int errors_at_once = 16;

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

// Whether a group failed for being one: the device or the kernel cannot cut it, or a datagram of it
// is larger than the route takes whole.
bool is_of_group(int error) noexcept {
  return error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP ||
         error == ENOPROTOOPT;
}

#if defined(__linux__)

int system_send(int fd, MessageHeader* messages, unsigned count) {
  return ::sendmmsg(fd, messages, count, send_flags);
}

int system_receive(int fd, MessageHeader* messages, unsigned count) {
  return ::recvmmsg(fd, messages, count, MSG_DONTWAIT, nullptr);
}

#else

template <class Call>
int for_each_message(MessageHeader* messages, unsigned count, Call call) {
  for (unsigned i = 0; i < count; ++i) {
    const ssize_t size = call(messages[i].msg_hdr);
    if (size < 0) return i != 0 ? static_cast<int>(i) : -1;
    messages[i].msg_len = static_cast<unsigned>(size);
  }
  return static_cast<int>(count);
}

int system_send(int fd, MessageHeader* messages, unsigned count) {
  return for_each_message(
      messages, count, [fd](const msghdr& message) { return ::sendmsg(fd, &message, send_flags); });
}

int system_receive(int fd, MessageHeader* messages, unsigned count) {
  return for_each_message(messages, count,
                          [fd](msghdr& message) { return ::recvmsg(fd, &message, MSG_DONTWAIT); });
}

#endif

// Of the datagrams in a piece; 0: it is one datagram.
std::size_t segment_of([[maybe_unused]] msghdr& message) noexcept {
#if defined(__linux__)
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != IPPROTO_UDP || at->cmsg_type != option_udp_gro) continue;
    int segment = 0;
    std::memcpy(&segment, CMSG_DATA(at), sizeof(segment));
    return segment > 0 ? static_cast<std::size_t>(segment) : 0;
  }
#endif
  return 0;
}

// The system doubles the number for its own overhead, and may cut it down.
std::size_t set_buffer(int fd, int option, [[maybe_unused]] int force, std::size_t bytes) noexcept {
  const int wish = static_cast<int>(bytes);
  int given = 0;
  socklen_t size = sizeof(given);
  ::setsockopt(fd, SOL_SOCKET, option, &wish, sizeof(wish));
  ::getsockopt(fd, SOL_SOCKET, option, &given, &size);
#if defined(__linux__)
  // A privileged process may have more than the others.
  if (given < wish && ::setsockopt(fd, SOL_SOCKET, force, &wish, sizeof(wish)) == 0) {
    ::getsockopt(fd, SOL_SOCKET, option, &given, &size);
  }
#endif
  return static_cast<std::size_t>(std::max(given, 0));
}

}  // namespace

const DatagramCalls& DatagramCalls::system() noexcept {
  static constexpr DatagramCalls calls{system_send, system_receive};
  return calls;
}

DatagramSocket::DatagramSocket(const DatagramOptions& options, std::size_t max_datagram,
                               const DatagramCalls& calls)
    : options_(options), calls_(&calls), max_datagram_(max_datagram) {}

DatagramSocket::~DatagramSocket() { close(); }

void DatagramSocket::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  is_connected_ = false;
  is_blocked_ = false;
  used_ = used_parts_ = used_bytes_ = next_ = 0;
}

std::error_code DatagramSocket::fail() noexcept {
  const std::error_code error = last_error();
  close();
  return error;
}

std::error_code DatagramSocket::open(int family) {
  close();
  stats_ = {};
#if defined(__linux__)
  fd_ = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
  fd_ = ::socket(family, SOCK_DGRAM, 0);
  if (fd_ >= 0) {
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
    ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
  }
#endif
  if (fd_ < 0) return last_error();
  family_ = family;
  const int on = 1;
  const int off = 0;
#if defined(SO_NOSIGPIPE)
  ::setsockopt(fd_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
#if defined(SO_REUSEPORT)
  if (options_.reuse_port && ::setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
    return fail();
  }
#endif
  if (family == AF_INET6) ::setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
#if defined(__linux__)
  stats_.receive_buffer = set_buffer(fd_, SO_RCVBUF, SO_RCVBUFFORCE, options_.buffer_bytes);
  stats_.send_buffer = set_buffer(fd_, SO_SNDBUF, SO_SNDBUFFORCE, options_.buffer_bytes);
#else
  stats_.receive_buffer = set_buffer(fd_, SO_RCVBUF, 0, options_.buffer_bytes);
  stats_.send_buffer = set_buffer(fd_, SO_SNDBUF, 0, options_.buffer_bytes);
#endif
  enable_offload();
  take_slots();
  return {};
}

// A kernel that does not know the option would send a group as one large datagram, so ask it.
void DatagramSocket::enable_offload() noexcept {
#if defined(__linux__)
  int value = 0;
  socklen_t size = sizeof(value);
  stats_.gso =
      options_.gso && ::getsockopt(fd_, IPPROTO_UDP, option_udp_segment, &value, &size) == 0;
  value = 1;
  stats_.gro =
      options_.gro && ::setsockopt(fd_, IPPROTO_UDP, option_udp_gro, &value, sizeof(value)) == 0;
#endif
}

// One for each message of a batch. The odd distance keeps them out of each other's cache lines'
// way: at a power of two, the heads of all would compete for the same few places.
void DatagramSocket::take_slots() {
  const std::size_t slot_bytes = stats_.gro ? group_slot : max_datagram_ + 1;
  expected_ = max_datagram_;
  refusals_ = 0;
  if (slot_bytes == slot_bytes_) return;
  slot_bytes_ = slot_bytes;
  const std::size_t distance = (slot_bytes + 63) / 64 * 64 + 640;
  input_.reset(new std::byte[distance * max_slots]);  // touched where it is used
  slots_.resize(max_slots);
  arrivals_.assign(max_slots, MessageHeader{});
  datagrams_.reserve(max_slots);
  for (std::size_t i = 0; i < max_slots; ++i) {
    Slot& slot = slots_[i];
    slot.part = {input_.get() + i * distance, slot_bytes};
    msghdr& header = arrivals_[i].msg_hdr;
    header.msg_name = &slot.name;
    header.msg_iov = &slot.part;
    header.msg_iovlen = 1;
    header.msg_control = &slot.control;
  }
  messages_.resize(max_messages);
  names_.resize(max_messages);
  controls_.resize(max_messages);
  parts_.resize(max_parts);
}

std::error_code DatagramSocket::bind(const Address& local) {
  if (const std::error_code error = open(local.is_v4() ? AF_INET : AF_INET6)) return error;
  Name name{};
  const socklen_t size = to_name(local, name);
  return ::bind(fd_, &name.any, size) == 0 ? std::error_code{} : fail();
}

std::error_code DatagramSocket::connect(const Address& peer) {
  if (const std::error_code error = open(peer.is_v4() ? AF_INET : AF_INET6)) return error;
  Name name{};
  const socklen_t size = to_name(peer, name);
  if (::connect(fd_, &name.any, size) != 0) return fail();
  is_connected_ = true;
  peer_ = peer;
  return {};
}

bool DatagramSocket::reaches(const Address& peer) const noexcept {
  if (is_connected_) return peer == peer_;
  return is_open() && (family_ == AF_INET6 || peer.is_v4());
}

Address DatagramSocket::local() const noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (fd_ < 0 || ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return from_sockaddr(storage);
}

// An IPv6 socket reaches IPv4 peers by their mapped addresses, which is how ours are kept.
socklen_t DatagramSocket::to_name(const Address& address, Name& name) const noexcept {
  if (family_ == AF_INET) {
    name.v4 = {};
    name.v4.sin_family = AF_INET;
    name.v4.sin_port = htons(address.port);
    std::memcpy(&name.v4.sin_addr, address.ip.data() + 12, 4);
    return sizeof(name.v4);
  }
  name.v6 = {};
  name.v6.sin6_family = AF_INET6;
  name.v6.sin6_port = htons(address.port);
  std::memcpy(&name.v6.sin6_addr, address.ip.data(), address.ip.size());
  return sizeof(name.v6);
}

std::span<DatagramSocket::Datagram> DatagramSocket::receive(std::size_t wish) {
  datagrams_.clear();
  if (fd_ < 0) return {};
  const std::size_t slots = std::clamp<std::size_t>(wish / expected_, 1, max_slots);
  for (std::size_t i = 0; i < slots; ++i) {
    msghdr& header = arrivals_[i].msg_hdr;
    header.msg_namelen = sizeof(Name);
    header.msg_controllen = sizeof(Control);
  }
  int count = 0;
  for (int errors = 0;;) {
    ++stats_.receive_calls;
    count = calls_->receive(fd_, arrivals_.data(), static_cast<unsigned>(slots));
    if (count > 0) break;
    if (count == 0 || would_block(errno)) return {};
    if (errno == EINTR) continue;
    ++stats_.receive_errors;
    if (++errors == errors_at_once) return {};
  }
  expected_ = max_datagram_;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    msghdr& header = arrivals_[i].msg_hdr;
    const std::size_t size = arrivals_[i].msg_len;
    std::size_t segment = header.msg_controllen != 0 ? segment_of(header) : 0;
    if (segment >= size) segment = 0;
    stats_.datagrams_received += segment == 0 ? 1 : (size + segment - 1) / segment;
    stats_.bytes_received += size;
    if (segment != 0) {
      ++stats_.groups_received;
      expected_ = group_slot;
    }
    const Name& name = slots_[i].name;
    Address from;
    if (name.any.sa_family == AF_INET) {
      from = Address::v4(ntohl(name.v4.sin_addr.s_addr), ntohs(name.v4.sin_port));
    } else {
      std::memcpy(from.ip.data(), &name.v6.sin6_addr, from.ip.size());
      from.port = ntohs(name.v6.sin6_port);
    }
    datagrams_.push_back({from, {static_cast<std::byte*>(slots_[i].part.iov_base), size}, segment});
  }
  return datagrams_;
}

bool DatagramSocket::has_room() const noexcept {
  return !is_blocked_ && used_bytes_ < bytes_at_once && used_ + max_group <= max_messages &&
         used_parts_ + max_group <= max_parts;
}

void DatagramSocket::put(const Address& to, std::span<const byte_view> datagrams) noexcept {
  assert(has_room() && !datagrams.empty() && datagrams.size() <= max_group);
  if (!stats_.gso || datagrams.size() == 1) {
    for (const byte_view& datagram : datagrams) add(to, &datagram, 1);
    return;
  }
#if defined(__linux__)
  Control& control = controls_[used_];
  msghdr& header = add(to, datagrams.data(), datagrams.size()).msg_hdr;
  header.msg_control = &control;
  header.msg_controllen = CMSG_SPACE(sizeof(std::uint16_t));
  cmsghdr& segment = *CMSG_FIRSTHDR(&header);
  segment.cmsg_level = IPPROTO_UDP;
  segment.cmsg_type = option_udp_segment;
  segment.cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(datagrams.front().size());
  std::memcpy(CMSG_DATA(&segment), &size, sizeof(size));
#endif
}

MessageHeader& DatagramSocket::add(const Address& to, const byte_view* first,
                                   std::size_t count) noexcept {
  MessageHeader& message = messages_[used_];
  message = {};
  if (!is_connected_) {
    message.msg_hdr.msg_name = &names_[used_];
    message.msg_hdr.msg_namelen = to_name(to, names_[used_]);
  }
  message.msg_hdr.msg_iov = &parts_[used_parts_];
  for (std::size_t i = 0; i < count; ++i) {
    parts_[used_parts_++] = {const_cast<std::byte*>(first[i].data()), first[i].size()};
    used_bytes_ += first[i].size();
  }
  message.msg_hdr.msg_iovlen = count;
  ++used_;
  return message;
}

bool DatagramSocket::flush() {
  while (next_ < used_) {
    MessageHeader& first = messages_[next_];
    ++stats_.send_calls;
    int count = 0;
    if (first.msg_hdr.msg_iovlen > 1 && first.msg_hdr.msg_controllen == 0) {
      MessageHeader one = first;  // of a group that was refused
      one.msg_hdr.msg_iovlen = 1;
      count = calls_->send(fd_, &one, 1);
      if (count > 0) {
        ++stats_.datagrams_sent;
        stats_.bytes_sent += one.msg_hdr.msg_iov->iov_len;
        skip_first(false);
        continue;
      }
    } else {
      count = calls_->send(fd_, &first, static_cast<unsigned>(used_ - next_));
    }
    if (count > 0) {
      sent(static_cast<unsigned>(count));
    } else if (!survive(count == 0 ? EAGAIN : errno)) {
      ++stats_.times_blocked;
      if (!is_blocked_) keep();
      return false;
    }
  }
  used_ = used_parts_ = used_bytes_ = next_ = 0;
  is_blocked_ = false;
  return true;
}

// Counts messages that left, and goes on behind them.
void DatagramSocket::sent(unsigned count) noexcept {
  is_retry_ = false;
  for (unsigned i = 0; i < count; ++i) {
    const msghdr& header = messages_[next_++].msg_hdr;
    const std::size_t datagrams = header.msg_iovlen;
    stats_.datagrams_sent += datagrams;
    for (std::size_t k = 0; k < datagrams; ++k) stats_.bytes_sent += header.msg_iov[k].iov_len;
    if (datagrams == 1) continue;
    refusals_ = 0;
    ++stats_.groups_sent;
    stats_.datagrams_in_groups += datagrams;
    if (datagrams >= large_group) stats_.datagrams_in_large_groups += datagrams;
  }
}

// What to do about the first message, which failed. False: wait.
bool DatagramSocket::survive(int error) noexcept {
  if (would_block(error)) return false;
  if (error == EINTR) return true;
  msghdr& header = messages_[next_].msg_hdr;
  const bool is_group = header.msg_controllen != 0;
  if (is_group && is_of_group(error)) {
    ++stats_.groups_refused;
    if (++refusals_ == refusals_to_give_up) stats_.gso = false;
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    return true;
  }
  // A connected socket tells here what became of an earlier datagram.
  if (is_connected_ && !is_retry_) {
    is_retry_ = true;
    return true;
  }
  stats_.send_errors += is_group ? header.msg_iovlen : 1;
  skip_first(is_group);
  return true;
}

// Goes on behind the first message, or behind its first datagram.
void DatagramSocket::skip_first(bool whole) noexcept {
  is_retry_ = false;
  msghdr& header = messages_[next_].msg_hdr;
  if (whole || header.msg_iovlen == 1) {
    ++next_;
    return;
  }
  ++header.msg_iov;
  --header.msg_iovlen;
}

// Whoever put the datagrams is not asked to hold on to them: copies them, once.
void DatagramSocket::keep() {
  is_blocked_ = true;
  iovec* const first = messages_[next_].msg_hdr.msg_iov;
  iovec* const last = parts_.data() + used_parts_;
  std::size_t bytes = 0;
  for (const iovec* part = first; part != last; ++part) bytes += part->iov_len;
  kept_.resize(bytes);
  std::byte* to = kept_.data();
  for (iovec* part = first; part != last; ++part) {
    if (part->iov_len != 0) std::memcpy(to, part->iov_base, part->iov_len);
    part->iov_base = to;
    to += part->iov_len;
  }
}

}  // namespace muster::asio
