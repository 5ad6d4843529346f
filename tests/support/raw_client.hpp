// SPDX-License-Identifier: MIT
// A WebSocket or HTTP peer that does exactly what a test tells it to, on a plain socket.
#pragma once

#include "support/catch.hpp"
#include "support/frames.hpp"

#include <muster/bytes.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test {

/// A frame that a server sent.
struct ServerFrame {
  unsigned opcode = 0;
  std::string payload;
};

/// Never blocks: `step` writes what is queued and reads what is there.
class RawClient {
 public:
  /// Connects to a port of 127.0.0.1. A small receive buffer makes a peer that takes little.
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd_ >= 0);
    if (receive_buffer != 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  }

  /// Takes over a connected socket.
  struct Accepted {
    int fd;
  };
  explicit RawClient(Accepted accepted) : fd_(accepted.fd) {
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  }

  RawClient(RawClient&& other) noexcept
      : is_reading(other.is_reading),
        input(std::move(other.input)),
        output(std::move(other.output)),
        fd_(std::exchange(other.fd_, -1)),
        at_end_(other.at_end_),
        was_reset_(other.was_reset_) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() { close(); }

  static std::string upgrade_request(std::string_view path = "/", std::string_view more = {}) {
    std::string text = "GET ";
    text += path;
    text +=
        " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    text += more;
    text += "\r\n";
    return text;
  }

  static std::string frame(std::string_view payload, unsigned first = 0x82) {
    return encode({first, std::string{payload}}, muster::websocket::Role::server);
  }
  static std::string close_frame(unsigned code = 1000) {
    return frame(std::string{static_cast<char>(code >> 8U), static_cast<char>(code & 0xffU)}, 0x88);
  }

  void send(std::string_view bytes) {
    output += bytes;
    step();
  }

  /// Also reports what the system knows of the socket's end.
  void step() {
    while (fd_ >= 0 && written_ < output.size()) {
      const auto count = ::send(fd_, output.data() + written_, output.size() - written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0) {
        if (errno == EPIPE || errno == ECONNRESET) was_reset_ = true;
        break;
      }
      written_ += static_cast<std::size_t>(count);
    }
    if (written_ == output.size()) {
      output.clear();
      written_ = 0;
    }
    if (is_reading) read(std::string::npos);
  }

  /// Reads up to that many bytes.
  void read(std::size_t limit) {
    char buffer[65536];
    while (fd_ >= 0 && !at_end_ && limit != 0) {
      const auto count = ::recv(fd_, buffer, std::min(sizeof(buffer), limit), MSG_DONTWAIT);
      if (count > 0) {
        input.append(buffer, static_cast<std::size_t>(count));
        limit -= static_cast<std::size_t>(count);
      } else if (count == 0) {
        at_end_ = true;
      } else {
        if (errno != EAGAIN && errno != EINTR) at_end_ = was_reset_ = true;
        return;
      }
    }
  }

  [[nodiscard]] bool has_sent_all() const { return output.empty(); }
  void half_close() { ::shutdown(fd_, SHUT_WR); }

  /// Closes with a TCP reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  /// The whole HTTP head, or nothing.
  [[nodiscard]] std::string head() const {
    const std::size_t end = input.find("\r\n\r\n");
    return end == std::string::npos ? std::string{} : input.substr(0, end + 4);
  }
  [[nodiscard]] std::string body() const { return input.substr(head().size()); }
  [[nodiscard]] bool is_upgraded() const { return head().starts_with("HTTP/1.1 101 "); }

  /// All whole frames behind the head.
  [[nodiscard]] std::vector<ServerFrame> frames() const {
    std::vector<ServerFrame> out;
    std::size_t at = head().size();
    const auto octet = [this](std::size_t i) {
      return static_cast<std::uint64_t>(static_cast<unsigned char>(input[i]));
    };
    while (at + 2 <= input.size()) {
      std::uint64_t size = octet(at + 1);
      std::size_t header = 2;
      if (size >= 126) {
        const std::size_t bytes = size == 126 ? 2 : 8;
        if (at + 2 + bytes > input.size()) break;
        size = 0;
        for (std::size_t i = 0; i < bytes; ++i) size = size << 8U | octet(at + 2 + i);
        header += bytes;
      }
      if (input.size() - at - header < size) break;
      out.push_back({static_cast<unsigned>(octet(at) & 0x0fU), input.substr(at + header, size)});
      at += header + size;
    }
    return out;
  }

  /// The payloads of the data frames.
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (ServerFrame& frame : frames()) {
      if (frame.opcode < 8) out.push_back(std::move(frame.payload));
    }
    return out;
  }

  /// The code of the close frame, or 0.
  [[nodiscard]] unsigned close_code() const {
    for (const ServerFrame& frame : frames()) {
      if (frame.opcode != 8 || frame.payload.size() < 2) continue;
      return static_cast<unsigned char>(frame.payload[0]) * 256U +
             static_cast<unsigned char>(frame.payload[1]);
    }
    return 0;
  }

  [[nodiscard]] bool is_at_end() const { return at_end_; }
  [[nodiscard]] bool was_reset() const { return was_reset_; }
  [[nodiscard]] int fd() const { return fd_; }

  bool is_reading = true;
  std::string input;
  std::string output;  ///< not yet taken by the system, but for its start

 private:
  int fd_ = -1;
  std::size_t written_ = 0;
  bool at_end_ = false;
  bool was_reset_ = false;
};

}  // namespace test
