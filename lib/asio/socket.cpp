// SPDX-License-Identifier: MIT
// Reading, writing and closing of one socket.
#include "socket.hpp"

#include "handover_state.hpp"

#include <array>
#include <cerrno>
#include <utility>

#if defined(__linux__)
#include <linux/sockios.h>
#endif
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace muster::asio {

namespace {

#if defined(MSG_NOSIGNAL)
constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int send_flags = MSG_DONTWAIT;  // the listener and the client set SO_NOSIGPIPE
#endif

#if defined(__linux__) && defined(__x86_64__)
// Ten thousand idle connections are ten thousand of these.
static_assert(sizeof(Socket) <= 144);
#endif

// Bytes that a socket has taken and its peer's system has not.
std::uint64_t in_flight(int fd) noexcept {
  int bytes = 0;
#if defined(__linux__)
  if (::ioctl(fd, SIOCOUTQ, &bytes) != 0) return 0;
#elif defined(SO_NWRITE)
  socklen_t size = sizeof(bytes);
  if (::getsockopt(fd, SOL_SOCKET, SO_NWRITE, &bytes, &size) != 0) return 0;
#else
  static_cast<void>(fd);
#endif
  return static_cast<std::uint64_t>(bytes);
}

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

void Socket::start_connecting(int fd, const Address& remote) noexcept {
  close_descriptor();
  fd_ = fd;
  set_remote(remote);
  connecting_ = true;
}

void Socket::close_descriptor() noexcept {
  if (fd_ < 0) return;
  owner().loop->poller->remove(fd_);
  ::close(fd_);
  fd_ = -1;
}

bool Socket::watch(bool writable) {
  Poller& poller = *owner().loop->poller;
  if (!poller.add(fd_, token(), writable)) return false;
  if (is_paused()) poller.stop_read(fd_);
  return true;
}

void Socket::on_ready(Readiness what) {
  if (has_ended()) return;
  if (connecting_) {
    owner().connector->connect_ready(*this, owner().loop->now);
    if (connecting_ || has_ended()) return;
  } else if (what.writable) {
    has_room();
  }
  // What is listed has had its share of this pass.
  if ((what.readable || what.hung_up) && !listed_) pump(what.hung_up);
}

void Socket::pump(bool to_the_end) {
  Loop::Impl& loop = *owner().loop;
  std::size_t total = 0;
  if (is_paused()) return;
  if (to_the_end && !is_moving()) resume();
  while (!has_ended() && !is_moving() && !is_paused()) {  // the other loop reads on
    const ssize_t count = ::recv(fd_, loop.buffer.data(), loop.buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      const auto size = static_cast<std::size_t>(count);
      try {
        arrived({loop.buffer.data(), size});
      } catch (...) {  // the service's: the rest of these bytes is lost
        ended(CloseReason::internal_error, false);
        throw;
      }
      // Less than was asked for: nothing is left, and what comes later brings a new edge.
      if (size < loop.buffer.size() && !to_the_end) return;
      total += size;
      if (total >= loop.config.pass_bytes) {
        loop.list_unread(*this);
        return;
      }
    } else if (count == 0) {
      peer_ended();
      loop.poller->stop_read(fd_);
      return;
    } else if (errno != EINTR) {
      if (!would_block(errno)) broke();
      return;
    }
  }
}

void Socket::take_over(Parcel& parcel, CloseReason refusal) {
  Loop::Impl& loop = *owner().loop;
  try {
    unpack(parcel);
    arrive(*parcel.transit(), refusal, loop.now);
    if (!has_ended()) resume();
  } catch (...) {  // the service's
    ended(CloseReason::internal_error, false);
    throw;
  }
  if (has_descriptor() && !watch(wants_to_write())) broke();
}

MoveStatus Socket::reserve(std::size_t loop) noexcept {
  Carrier* const carrier = owner().carrier;
  return carrier != nullptr ? carrier->reserve(loop) : MoveStatus::not_movable;
}

// All that a socket has beside its session goes along here.
bool Socket::carry(std::unique_ptr<websocket::Transit>& transit) noexcept {
  Loop::Impl& loop = *owner().loop;
  loop.poller->remove(fd_);
  Parcel parcel{std::exchange(fd_, -1), std::move(transit)};
  pack(parcel);
  if (owner().carrier->carry(parcel)) return true;
  unpack(parcel);
  fd_ = parcel.release_fd();
  transit = std::move(parcel.transit());
  if (!watch(true)) broke();
  loop.list_unread(*this);
  return false;
}

void Socket::give_up(std::size_t loop) noexcept {
  owner().carrier->give_up(loop);
  if (!has_ended()) owner().loop->list_unread(*this);  // no edge speaks for what was left
}

std::ptrdiff_t Socket::write(std::span<const byte_view> pieces) noexcept {
  std::size_t total = 0;
  ssize_t count = 0;
  do {
    if (pieces.size() == 1) {
      total = pieces[0].size();
      count = ::send(fd_, pieces[0].data(), total, send_flags);
    } else {
      std::array<iovec, 64> parts;
      total = 0;
      std::size_t used = 0;
      for (const byte_view piece : pieces) {
        if (used == parts.size()) break;
        parts[used++] = {const_cast<std::byte*>(piece.data()), piece.size()};
        total += piece.size();
      }
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = used;
      count = ::sendmsg(fd_, &message, send_flags);
    }
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (!would_block(errno)) {
      broke();
      return -1;
    }
    count = 0;
  }
  if (static_cast<std::size_t>(count) < total) {
    stalled();
    owner().loop->poller->want_write(fd_, token());
  }
  return count;
}

// A full socket takes nothing more before a third of its megabytes is gone, though its peer takes
// all the time what a slow line carries.
std::uint64_t Socket::delivered() const noexcept { return taken() - in_flight(fd_); }

void Socket::half_close() noexcept { ::shutdown(fd_, SHUT_WR); }

bool Socket::stop_reading() noexcept {
  owner().loop->poller->stop_read(fd_);
  return true;
}

// What came in between brings no edge any more.
void Socket::start_reading() noexcept {
  if (fd_ < 0) return;
  Loop::Impl& loop = *owner().loop;
  loop.poller->resume_read(fd_);
  loop.list_unread(*this);
  loop.finish_soon();
}

void Socket::destroy() noexcept {
  if (Connector* const connector = owner().connector) connector->forget(*this);
  close_descriptor();
  owner().loop->bury(*this);
}

}  // namespace muster::asio
