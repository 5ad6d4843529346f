// SPDX-License-Identifier: MIT
// One edge-triggered epoll descriptor for all sockets of a loop, nested in the io_context.
#include "poller.hpp"

#if defined(__linux__)

#include <asio/posix/stream_descriptor.hpp>

#include <array>
#include <cerrno>
#include <system_error>

#include <sys/epoll.h>

namespace muster::asio {

namespace {

// In events: a full pass, and what is handled before other handlers get their turn.
constexpr int busy_pass = 8;
constexpr int busy_events = 512;

class EpollPoller final : public Poller {
 public:
  EpollPoller(::asio::io_context& context, int descriptor, PollerSink& sink)
      : sink_(sink), descriptor_(context, descriptor) {
    wait();
  }

  bool add(int fd, Token token, bool writable) override {
    // Without EPOLLRDHUP a FIN that arrives with the last data would bring no edge of its own.
    return control(EPOLL_CTL_ADD, fd, token,
                   EPOLLIN | EPOLLRDHUP | EPOLLET | (writable ? EPOLLOUT : 0U));
  }

  void want_write(int fd, Token token) override {
    control(EPOLL_CTL_MOD, fd, token, EPOLLIN | EPOLLRDHUP | EPOLLET | EPOLLOUT);
  }

  // An edge is told once, so there is nothing to silence.
  void stop_read(int) noexcept override {}
  void resume_read(int) override {}

  // Closing the socket would do it too, but not while a forked child still holds a copy of it.
  void remove(int fd) noexcept override { control(EPOLL_CTL_DEL, fd, 0, 0); }

 private:
  bool control(int operation, int fd, Token token, std::uint32_t events) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = token;
    return ::epoll_ctl(descriptor_.native_handle(), operation, fd, &event) == 0;
  }

  // The io_context says that the descriptor has events; they are taken here, without waiting.
  void wait() {
    descriptor_.async_wait(::asio::posix::descriptor_base::wait_read,
                           [this](const std::error_code& error) {
                             if (error) return;  // this object is gone
                             try {
                               drain();
                             } catch (...) {  // a service's: the loop may be run again
                               wait();
                               throw;
                             }
                             wait();
                           });
  }

  // A full pass is followed by another look, which costs one call instead of the three of a detour
  // through the io_context; but its other handlers get their turn after some hundred events, which
  // take a few milliseconds.
  void drain() {
    int handled = 0;
    for (;;) {
      const int count = ::epoll_wait(descriptor_.native_handle(), events_.data(),
                                     static_cast<int>(events_.size()), 0);
      if (count <= 0 && handled != 0) return;
      sink_.begin_pass();
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events_[static_cast<std::size_t>(i)];
        sink_.ready(event.data.u64, {(event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0,
                                     (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0});
      }
      const bool has_more_to_do = sink_.end_pass();
      if (count < busy_pass || has_more_to_do) return;
      handled += count;
      if (handled >= busy_events) return;
    }
  }

  PollerSink& sink_;
  ::asio::posix::stream_descriptor descriptor_;
  std::array<epoll_event, 1024> events_;
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller(::asio::io_context& context, PollerSink& sink) {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::system_error{errno, std::generic_category(), "epoll_create1"};
  return std::make_unique<EpollPoller>(context, descriptor, sink);
}

}  // namespace muster::asio

#else

namespace muster::asio {
std::unique_ptr<Poller> make_epoll_poller(::asio::io_context&, PollerSink&) { return nullptr; }
}  // namespace muster::asio

#endif
