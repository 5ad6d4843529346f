// SPDX-License-Identifier: MIT
// Many WebSocket client connections on one epoll descriptor: the load generator's own I/O, with no
// library in it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "payload.hpp"
#include "server_probe.hpp"

namespace muster_bench {

/// Stops the program: the run cannot give a figure at all, so no JSON line is printed.
[[noreturn]] inline void fail(const std::string& why) {
  std::fprintf(stderr, "muster-bench-load: %s\n", why.c_str());
  std::exit(2);
}

class Client {
 public:
  enum class State : std::uint8_t { closed, connecting, upgrading, open };

  struct Connection {
    int fd = -1;
    State state = State::closed;
    bool is_dirty = false;
    bool awaits_writable = false;
    int receive_buffer = 0;  // bytes; 0: as the system has it
    std::uint64_t opened_ns = 0;
    std::string path;
    std::vector<unsigned char> unparsed;
    std::vector<unsigned char> unsent;
  };

  Client(std::uint16_t port, std::size_t message_size)
      : buffer_(std::max<std::size_t>(256 * 1024, 2 * message_size + 64 * 1024)) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(port);
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) fail("epoll_create1 failed");
  }

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  ~Client() {
    for (auto& connection : connections_) {
      if (connection.fd >= 0) ::close(connection.fd);
    }
    ::close(epoll_);
  }

  std::vector<Connection>& connections() { return connections_; }
  const sockaddr_in& address() const { return address_; }
  std::uint64_t errors() const { return errors_; }
  std::uint64_t receive_calls() const { return receive_calls_; }
  std::uint64_t pings() const { return pings_; }
  std::size_t open_count() const { return open_count_; }

  void report(const std::string& what) {
    // The count matters; the texts are for the person who looks for the cause, and ten are enough
    // for that.
    if (++errors_ <= 10) std::fprintf(stderr, "error: %s\n", what.c_str());
  }

  void count_missing(std::uint64_t count) {
    if (count == 0) return;
    report(std::to_string(count) + " deliveries are missing");
    errors_ += count - 1;
  }

  void start_open(std::uint32_t index) {
    auto& connection = connections_[index];
    connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) fail(std::string("socket: ") + std::strerror(errno));
    const int on = 1;
    ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connection.receive_buffer != 0) {
      ::setsockopt(connection.fd, SOL_SOCKET, SO_RCVBUF, &connection.receive_buffer,
                   sizeof connection.receive_buffer);
    }
    connection.state = State::connecting;
    connection.opened_ns = now_ns();
    if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) !=
            0 &&
        errno != EINPROGRESS) {
      fail(std::string("connect: ") + std::strerror(errno));
    }
    connection.awaits_writable = true;
    watch(EPOLL_CTL_ADD, index, EPOLLIN | EPOLLOUT);
  }

  /// Opens connections first, first + step, ... (`count` of them) with at most `parallel`
  /// handshakes under way.
  template <class Handler>
  void open_all(std::uint32_t first, std::uint32_t count, std::uint32_t parallel, Handler& handler,
                std::uint32_t step = 1) {
    const auto target = open_count_ + count;
    const auto deadline = now_ns() + 60'000'000'000u;
    std::uint32_t started = 0;
    while (open_count_ < target) {
      while (started < count && open_count_ + parallel > target - (count - started))
        start_open(first + step * started++);
      poll(handler, 100);
      flush();
      if (now_ns() > deadline) fail("connections did not open within 60 s");
    }
  }

  /// It stays open, and is not looked at until `read_again`.
  void stop_reading(std::uint32_t index) {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connections_[index].fd, nullptr);
  }
  void read_again(std::uint32_t index) { watch(EPOLL_CTL_ADD, index, EPOLLIN); }

  /// Closes with a reset, which leaves no TIME_WAIT entry behind and so does not use up the local
  /// ports.
  void reset(std::uint32_t index) {
    auto& connection = connections_[index];
    const linger none{1, 0};
    ::setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(index);
  }

  /// @param envelope   what goes in front of the payload, in the same message
  void append_message(std::uint32_t index, const Stamp& stamp, std::size_t size,
                      std::string_view envelope = {}) {
    auto& out = connections_[index].unsent;
    const auto whole = envelope.size() + size;
    const auto at = append_header(out, 0x82, whole);
    std::memcpy(out.data() + at, envelope.data(), envelope.size());
    write_payload(out.data() + at + envelope.size(), size, stamp);
    mask(out.data() + at, whole, out.data() + at - 4);
    mark_dirty(index);
  }

  /// A text message in the middle of which the content stands in hexadecimal digits, `size` of
  /// them.
  void append_text_message(std::uint32_t index, const Stamp& stamp, std::size_t size,
                           std::string_view before, std::string_view after) {
    content_.resize(size / 2);
    write_payload(content_.data(), content_.size(), stamp);
    text_.assign(before);
    for (const unsigned char byte : content_) {
      text_ += hex_digits[byte >> 4];
      text_ += hex_digits[byte & 15];
    }
    text_.append(after);
    append_bytes(index, text_, 0x81);
  }

  /// A message without a stamp.
  void append_bytes(std::uint32_t index, std::string_view bytes, unsigned char first = 0x82) {
    auto& out = connections_[index].unsent;
    const auto at = append_header(out, first, bytes.size());
    std::memcpy(out.data() + at, bytes.data(), bytes.size());
    mask(out.data() + at, bytes.size(), out.data() + at - 4);
    mark_dirty(index);
  }

  /// Hands everything that was appended to the kernel, one send per connection.
  void flush() {
    for (const auto index : dirty_) {
      connections_[index].is_dirty = false;
      if (connections_[index].state == State::open && !connections_[index].awaits_writable)
        send_unsent(index);
    }
    dirty_.clear();
  }

  /// One pass: waits (0 = only looks), reads every ready connection once and calls
  /// handler.on_open(index, now) and handler.on_message(index, bytes, size, now).
  template <class Handler>
  void poll(Handler& handler, int timeout_ms) {
    const int ready =
        ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
    for (int i = 0; i < ready; ++i) {
      const auto index = events_[static_cast<std::size_t>(i)].data.u32;
      const auto events = events_[static_cast<std::size_t>(i)].events;
      if ((events & EPOLLOUT) != 0) on_writable(index);
      if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && connections_[index].fd >= 0)
        on_readable(index, handler);
    }
  }

 private:
  template <class Handler>
  static constexpr bool takes_text = requires(Handler& handler) {
    handler.on_text(std::uint32_t{}, std::string_view{}, std::uint64_t{});
  };

  static constexpr std::string_view hex_digits = "0123456789abcdef";
  // The sample handshake of RFC 6455 section 1.3: a fixed key has a fixed answer, so no SHA-1 is
  // needed here.
  static constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
  static constexpr std::string_view accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

  void watch(int operation, std::uint32_t index, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u32 = index;
    if (::epoll_ctl(epoll_, operation, connections_[index].fd, &event) != 0)
      fail("epoll_ctl failed");
  }

  void mark_dirty(std::uint32_t index) {
    if (connections_[index].is_dirty) return;
    connections_[index].is_dirty = true;
    dirty_.push_back(index);
  }

  void close(std::uint32_t index) {
    auto& connection = connections_[index];
    if (connection.state == State::open) --open_count_;
    ::close(connection.fd);
    connection.fd = -1;
    connection.state = State::closed;
    connection.unparsed.clear();
    connection.unsent.clear();
  }

  void lose(std::uint32_t index, const std::string& why) {
    report("connection " + std::to_string(index) + ": " + why);
    close(index);
  }

  /// Writes a masked frame header with a fresh key and room for the payload; returns where the
  /// payload starts.
  std::size_t append_header(std::vector<unsigned char>& out, unsigned char first,
                            std::size_t size) {
    out.push_back(first);
    if (size < 126) {
      out.push_back(static_cast<unsigned char>(0x80 | size));
    } else {
      const int bytes = size < 65536 ? 2 : 8;
      out.push_back(static_cast<unsigned char>(0x80 | (bytes == 2 ? 126 : 127)));
      for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<unsigned char>(static_cast<std::uint64_t>(size) >> shift));
      }
    }
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    for (int shift = 0; shift < 32; shift += 8)
      out.push_back(static_cast<unsigned char>(random_ >> (16 + shift)));
    const auto payload = out.size();
    out.resize(payload + size);
    return payload;
  }

  static void mask(unsigned char* bytes, std::size_t size, const unsigned char* masking_key) {
    std::array<unsigned char, 8> twice;
    std::memcpy(twice.data(), masking_key, 4);
    std::memcpy(twice.data() + 4, masking_key, 4);
    std::uint64_t wide;
    std::memcpy(&wide, twice.data(), 8);
    std::size_t at = 0;
    for (; at + 8 <= size; at += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes + at, 8);
      word ^= wide;
      std::memcpy(bytes + at, &word, 8);
    }
    for (; at < size; ++at) bytes[at] ^= twice[at % 8];
  }

  void send_unsent(std::uint32_t index) {
    auto& connection = connections_[index];
    std::size_t sent = 0;
    while (sent < connection.unsent.size()) {
      const auto count = ::send(connection.fd, connection.unsent.data() + sent,
                                connection.unsent.size() - sent, MSG_NOSIGNAL);
      if (count >= 0) {
        sent += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        return lose(index, std::string("send: ") + std::strerror(errno));
      }
    }
    connection.unsent.erase(connection.unsent.begin(),
                            connection.unsent.begin() + static_cast<std::ptrdiff_t>(sent));
    const bool is_blocked = !connection.unsent.empty();
    if (is_blocked != connection.awaits_writable) {
      connection.awaits_writable = is_blocked;
      watch(EPOLL_CTL_MOD, index, is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
  }

  void on_writable(std::uint32_t index) {
    auto& connection = connections_[index];
    if (connection.state == State::connecting) {
      int error = 0;
      socklen_t length = sizeof error;
      ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) fail(std::string("connect: ") + std::strerror(error));
      connection.state = State::upgrading;
      const auto request = "GET " + connection.path +
                           " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n" +
                           "Connection: Upgrade\r\nSec-WebSocket-Key: " + std::string(key) +
                           "\r\nSec-WebSocket-Version: 13\r\n\r\n";
      connection.unsent.assign(request.begin(), request.end());
    }
    if (connection.fd >= 0) send_unsent(index);
  }

  template <class Handler>
  void on_readable(std::uint32_t index, Handler& handler) {
    auto& connection = connections_[index];
    if (connection.state == State::connecting) return;
    // What the last read left unparsed goes in front, so that the parser always sees contiguous
    // bytes.
    const auto kept = connection.unparsed.size();
    if (kept != 0) std::memcpy(buffer_.data(), connection.unparsed.data(), kept);
    const auto count = ::recv(connection.fd, buffer_.data() + kept, buffer_.size() - kept, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) return lose(index, std::string("recv: ") + std::strerror(errno));
    if (count == 0) return lose(index, "the server closed it");
    ++receive_calls_;
    const auto now = now_ns();
    const auto size = kept + static_cast<std::size_t>(count);
    std::size_t used = 0;
    if (connection.state == State::upgrading) {
      used = parse_response(index, size);
      if (used == 0) {
        if (connection.fd >= 0)
          connection.unparsed.assign(buffer_.begin(),
                                     buffer_.begin() + static_cast<std::ptrdiff_t>(size));
        return;
      }
      connection.state = State::open;
      ++open_count_;
      handler.on_open(index, now);
    }
    while (connection.state == State::open) {
      const auto frame = parse_frame(index, buffer_.data() + used, size - used, handler, now);
      if (frame == 0) break;
      used += frame;
    }
    if (connection.state == State::open) {
      connection.unparsed.assign(buffer_.begin() + static_cast<std::ptrdiff_t>(used),
                                 buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    }
  }

  /// Returns the length of the response head, 0 while it is incomplete or when it is wrong.
  std::size_t parse_response(std::uint32_t index, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(buffer_.data()), size);
    const auto end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    const auto head = text.substr(0, end);
    if (!head.starts_with("HTTP/1.1 101") || head.find(accept) == std::string_view::npos) {
      fail("upgrade of " + connections_[index].path +
           " refused: " + std::string(head.substr(0, head.find('\r'))));
    }
    if (head.find("xtensions:") != std::string_view::npos)
      fail("the server uses an extension that was not offered");
    return end + 4;
  }

  /// Returns the length of the first frame in the bytes, 0 if it is incomplete or the connection
  /// was given up.
  template <class Handler>
  std::size_t parse_frame(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                          Handler& handler, std::uint64_t now) {
    if (size < 2) return 0;
    std::uint64_t length = bytes[1] & 0x7f;
    std::size_t header = 2;
    if (length >= 126) {
      const std::size_t extra = length == 126 ? 2 : 8;
      if (size < header + extra) return 0;
      length = 0;
      for (std::size_t i = 0; i < extra; ++i) length = length << 8 | bytes[header + i];
      header += extra;
    }
    if ((bytes[1] & 0x80) != 0 || length > buffer_.size() - header) {
      lose(index, "a masked or oversized frame");
      return 0;
    }
    if (size < header + length) return 0;
    const auto payload = static_cast<std::size_t>(length);
    if (bytes[0] == 0x82) {
      handler.on_message(index, bytes + header, payload, now);
    } else if (bytes[0] == 0x81 && takes_text<Handler>) {
      if constexpr (takes_text<Handler>) {
        handler.on_text(index, {reinterpret_cast<const char*>(bytes + header), payload}, now);
      }
    } else if (bytes[0] == 0x89 && payload < 126) {
      ++pings_;
      auto& out = connections_[index].unsent;
      const auto at = append_header(out, 0x8a, payload);
      std::memcpy(out.data() + at, bytes + header, payload);
      mask(out.data() + at, payload, out.data() + at - 4);
      mark_dirty(index);
    } else {
      lose(index, "frame with first byte " + std::to_string(bytes[0]) +
                      " instead of a whole binary message");
      return 0;
    }
    return header + payload;
  }

  sockaddr_in address_{};
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> dirty_;
  std::vector<unsigned char> buffer_;
  std::vector<unsigned char> content_;  // of a text message
  std::string text_;
  std::array<epoll_event, 1024> events_{};
  std::uint64_t random_ = 0x2545f4914f6cdd1dULL;
  std::uint64_t errors_ = 0;
  std::uint64_t receive_calls_ = 0;
  std::uint64_t pings_ = 0;
  std::size_t open_count_ = 0;
};

}  // namespace muster_bench
