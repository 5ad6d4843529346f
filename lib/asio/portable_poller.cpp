// SPDX-License-Identifier: MIT
// An Asio wait per socket, for systems without epoll.
#include "poller.hpp"

#include <asio/ip/tcp.hpp>

#include <memory>
#include <system_error>
#include <unordered_map>

namespace muster::asio {

namespace {

class PortablePoller final : public Poller {
 public:
  PortablePoller(::asio::io_context& context, PollerSink& sink) : context_(context), sink_(sink) {}

  ~PortablePoller() override {
    for (auto& [fd, watch] : watches_) {
      watch->removed = true;  // a wait that is over already is not cancelled any more
      std::error_code ignored;
      watch->socket.release(ignored);
    }
  }

  bool add(int fd, Token token, bool writable) override {
    auto watch = std::make_shared<Watch>(context_, token);
    std::error_code error;
    watch->socket.assign(::asio::ip::tcp::v6(), fd, error);  // the family matters to no wait
    if (error) return false;
    watches_[fd] = watch;
    wait_read(watch);
    if (writable) wait_write(watch);
    return true;
  }

  void want_write(int fd, Token) override {
    const auto found = watches_.find(fd);
    if (found != watches_.end()) wait_write(found->second);
  }

  // Waits are for a state and not for a change: without this, the end of a peer's stream would be
  // told over and over.
  void stop_read(int fd) noexcept override {
    const auto found = watches_.find(fd);
    if (found != watches_.end()) found->second->wants_read = false;
  }

  void resume_read(int fd) override {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return;
    found->second->wants_read = true;
    wait_read(found->second);
  }

  void remove(int fd) noexcept override {
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return;
    found->second->removed = true;
    std::error_code ignored;
    found->second->socket.cancel(ignored);
    // The descriptor is the caller's to close, so Asio has to let go of it first.
    found->second->socket.release(ignored);
    watches_.erase(found);
  }

 private:
  struct Watch {
    Watch(::asio::io_context& context, Token t) : socket(context), token(t) {}
    ::asio::ip::tcp::socket socket;
    Token token;
    bool removed = false;
    bool wants_read = true;
    bool reading = false;
    bool writing = false;
  };

  void wait_read(const std::shared_ptr<Watch>& watch) {
    if (watch->reading) return;
    watch->reading = true;
    watch->socket.async_wait(::asio::ip::tcp::socket::wait_read,
                             [this, watch](const std::error_code& error) {
                               watch->reading = false;
                               if (watch->removed || error || !watch->wants_read) return;
                               try {
                                 pass(watch->token, {.readable = true});
                               } catch (...) {  // a service's: the loop may be run again
                                 if (!watch->removed && watch->wants_read) wait_read(watch);
                                 throw;
                               }
                               if (!watch->removed && watch->wants_read) wait_read(watch);
                             });
  }

  void wait_write(const std::shared_ptr<Watch>& watch) {
    if (watch->writing) return;
    watch->writing = true;
    watch->socket.async_wait(::asio::ip::tcp::socket::wait_write,
                             [this, watch](const std::error_code& error) {
                               watch->writing = false;
                               if (watch->removed || error) return;
                               pass(watch->token, {.writable = true});
                             });
  }

  void pass(Token token, Readiness what) {
    sink_.begin_pass();
    sink_.ready(token, what);
    sink_.end_pass();
  }

  ::asio::io_context& context_;
  PollerSink& sink_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
};

}  // namespace

std::unique_ptr<Poller> make_portable_poller(::asio::io_context& context, PollerSink& sink) {
  return std::make_unique<PortablePoller>(context, sink);
}

}  // namespace muster::asio
