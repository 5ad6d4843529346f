// SPDX-License-Identifier: MIT
// Passes: input, services, flush, deadlines.
#include "loop_impl.hpp"

#include "mailbox_state.hpp"
#include "socket.hpp"
#include "tls_socket.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

namespace muster::asio {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t sockets_per_chunk = 64;

time_point read_clock() { return std::chrono::steady_clock::now(); }

}  // namespace

Loop::Impl::Impl(::asio::io_context& the_context, const Config& the_config)
    : context(the_context),
      config(the_config),
      backend(the_config.backend),
      outbox(the_config.outbox),
      buffer(buffer_size),
      now(read_clock()),
      timer_(the_context),
      alive_(std::make_shared<Impl*>(this)) {
  if (backend != Backend::portable) {
    poller = make_epoll_poller(context, *this);
    backend = Backend::epoll;
  }
  if (poller == nullptr) {
    poller = make_portable_poller(context, *this);
    backend = Backend::portable;
  }
  mailbox = std::make_shared<Mailbox::State>(context, alive_, config.mailbox_capacity);
  outbox.on_dirty([this] {
    expect_own_thread();
    if (!in_pass_) post_pass();
  });
}

Loop::Impl::~Impl() {
  mailbox->stop();
  empty_graveyard();
}

void Loop::Impl::expect_own_thread() const noexcept {
#ifndef NDEBUG
  const std::thread::id owner = thread_.load(std::memory_order_relaxed);
  if (owner == std::this_thread::get_id() || owner == std::thread::id{}) return;
  if (context.stopped()) return;  // nobody runs it now
  std::fputs(
      "muster: a loop, or what belongs to it, was used from a thread that does not run it; from "
      "other threads only Loop::post() may be called\n",
      stderr);
  std::abort();
#endif
}

template <class Call>
void Loop::Impl::shielded(Call call) noexcept {
  try {
    call();
  } catch (...) {
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
}

time_point Loop::Impl::current_time() {
  if (!in_pass_) now = read_clock();
  return now;
}

void Loop::Impl::begin_pass() {
  now = read_clock();
  in_pass_ = true;
  thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  if (mailbox->has_mail.load(std::memory_order_relaxed)) run_tasks();
  // What an earlier pass left unread, first: no edge will speak for it.
  unread_.swap(unread_before_);
  for (Socket* const socket : unread_before_) {
    if (socket == nullptr) continue;
    socket->set_listed(false);
    shielded([socket] { socket->pump(true); });
  }
  unread_before_.clear();
  for (Watched* const watched : std::exchange(unread_watched_, {})) {
    if (watched != nullptr) shielded([&] { watched->on_ready({.readable = true}, now); });
  }
}

void Loop::Impl::ready(Token token, Readiness what) {
  if ((token & 1U) != 0) {
    auto* const watched = reinterpret_cast<Watched*>(token & ~Token{1});
    const bool has_had_its_share =
        std::find(unread_watched_.begin(), unread_watched_.end(), watched) != unread_watched_.end();
    if (has_had_its_share) what.readable = what.hung_up = false;
    if (what.readable || what.writable || what.hung_up) {
      shielded([&] { watched->on_ready(what, now); });
    }
    return;
  }
  shielded([&] { reinterpret_cast<Socket*>(token)->on_ready(what); });
}

bool Loop::Impl::end_pass() {
  advance();
  shielded([this] { outbox.run(now); });
  finish();
  empty_graveyard();
  in_pass_ = false;
  if (outbox.is_dirty() || !unread_.empty() || !unread_watched_.empty()) post_pass();
  arm_timer();
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  return posted_;
}

// What is posted meanwhile waits for the next pass.
void Loop::Impl::run_tasks() {
  mailbox->take(tasks_);
  for (auto& task : tasks_) {
    shielded([&task] { task->run(); });
    task.reset();
  }
  tasks_.clear();
}

void Loop::Impl::look_into_mailbox() {
  {
    const std::lock_guard lock{mailbox->mutex};
    mailbox->is_waking = false;
  }
  begin_pass();
  end_pass();
}

void Loop::Impl::advance() {
  // A call may add or remove others, so no iterators.
  for (std::size_t i = 0; i < timed.size(); ++i) {
    if (timed[i]->next_deadline() <= now) shielded([&] { timed[i]->advance(now); });
  }
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (services[i]->next_deadline() <= now) shielded([&] { services[i]->advance(now); });
  }
}

// One may give another something to do.
void Loop::Impl::finish() {
  for (std::size_t i = 0; i < finishers.size(); ++i) {
    if (finishers[i]->has_to_finish()) shielded([&] { finishers[i]->finish(); });
  }
  for (const Finisher* const that : finishers) {
    if (that->has_to_finish()) post_pass();
  }
}

void Loop::Impl::post_pass() {
  expect_own_thread();
  if (posted_) return;
  posted_ = true;
  ::asio::post(context, [weak = std::weak_ptr<Impl*>{alive_}] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    (*self)->posted_ = false;
    (*self)->begin_pass();
    (*self)->end_pass();
  });
}

// One timer for everything; set anew only when something became due earlier.
void Loop::Impl::arm_timer() {
  time_point next = outbox.next_deadline();
  for (const Timed* const that : timed) next = std::min(next, that->next_deadline());
  for (const Service* const service : services) next = std::min(next, service->next_deadline());
  if (next >= armed_) return;
  armed_ = next;
  timer_.expires_at(next);
  timer_.async_wait([weak = std::weak_ptr<Impl*>{alive_}](const std::error_code& error) {
    const auto self = weak.lock();
    if (error || self == nullptr) return;
    (*self)->armed_ = no_deadline;
    (*self)->begin_pass();
    (*self)->end_pass();
  });
}

Socket& Loop::Impl::make_socket(websocket::Endpoint& endpoint, Framing framing, int fd,
                                const Address& remote, std::unique_ptr<TlsEngine> tls) {
  if (tls != nullptr) {
    plain.resize(buffer_size);
    return *new TlsSocket{endpoint, framing, fd, remote, std::move(tls)};
  }
  if (free_.empty()) {
    static_assert(alignof(Socket) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    auto& chunk = chunks_.emplace_back(new std::byte[sockets_per_chunk * sizeof(Socket)]);
    for (std::size_t i = sockets_per_chunk; i-- > 0;) {
      free_.push_back(chunk.get() + i * sizeof(Socket));
    }
  }
  void* const memory = free_.back();
  free_.pop_back();
  return *new (memory) Socket{endpoint, framing, fd, remote};
}

void Loop::Impl::empty_graveyard() noexcept {
  for (Socket* const socket : graveyard_) {
    forget(*socket);
    if (!socket->is_pooled()) {
      delete socket;
      continue;
    }
    socket->~Socket();
    free_.push_back(socket);
  }
  graveyard_.clear();
}

void Loop::Impl::list_unread(Socket& socket) {
  if (socket.is_listed()) return;
  socket.set_listed(true);
  unread_.push_back(&socket);
}

void Loop::Impl::list_unread(Watched& watched) { unread_watched_.push_back(&watched); }

void Loop::Impl::forget(Socket& socket) noexcept {
  if (socket.is_listed()) {
    std::replace(unread_.begin(), unread_.end(), &socket, static_cast<Socket*>(nullptr));
  }
}

void Loop::Impl::forget(Watched& watched) noexcept {
  std::replace(unread_watched_.begin(), unread_watched_.end(), &watched,
               static_cast<Watched*>(nullptr));
}

Loop::Loop(::asio::io_context& context) : Loop(context, Config{}) {}
Loop::Loop(::asio::io_context& context, const Config& config)
    : impl_(std::make_unique<Impl>(context, config)) {}
Loop::~Loop() = default;

Outbox& Loop::outbox() noexcept { return impl_->outbox; }
::asio::io_context& Loop::context() noexcept { return impl_->context; }
Backend Loop::backend() const noexcept { return impl_->backend; }
time_point Loop::now() const noexcept { return impl_->now; }
void Loop::wake() { impl_->post_pass(); }
void Loop::add(Service& service) {
  impl_->services.push_back(&service);
  wake();  // its deadline is not known to the timer
}
Mailbox Loop::mailbox() const noexcept { return Mailbox{impl_->mailbox}; }
void Loop::remove(Service& service) noexcept {
  auto& services = impl_->services;
  const auto found = std::find(services.begin(), services.end(), &service);
  if (found != services.end()) services.erase(found);
}

}  // namespace muster::asio
