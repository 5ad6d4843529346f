// SPDX-License-Identifier: MIT
// One more member of the first room, which does not behave.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "options.hpp"
#include "server_probe.hpp"

namespace muster_bench {

/// Speaks the relay protocol far enough to be a player, and then one of:
///
/// - never-reads: a small receive buffer, and nothing is read after the welcome
/// - garbage: random bytes, in turn instead of the HTTP head, of a WebSocket frame, of the
///   JoinRequest, and of a player's message; it goes away by itself after 50 ms
/// - floods: 20 000 messages of 64 bytes a second to the host
/// - trickles: one message of 4 KiB, a byte per second
///
/// Whenever the server ends the connection it comes back, at most 100 times a second.
class BadPeer {
 public:
  /// @param kind      empty: there is none
  /// @param requests   the messages that make it a player
  /// @param is_signal  they are texts of the signaling protocol
  BadPeer(std::string_view kind, const sockaddr_in& address, std::vector<std::string> requests,
          bool is_signal)
      : address_(address), requests_(std::move(requests)), is_signal_(is_signal) {
    static constexpr std::array<std::pair<std::string_view, Kind>, 5> kinds{
        {{"", Kind::none},
         {"never-reads", Kind::never_reads},
         {"garbage", Kind::garbage},
         {"floods", Kind::floods},
         {"trickles", Kind::trickles}}};
    for (const auto& [name, value] : kinds) {
      if (name != kind) continue;
      kind_ = value;
      return;
    }
    fail_usage("--bad must be never-reads, garbage, floods or trickles");
  }

  BadPeer(const BadPeer&) = delete;
  BadPeer& operator=(const BadPeer&) = delete;
  ~BadPeer() { close(); }

  std::uint64_t connections() const { return connections_; }
  std::uint64_t ended() const { return ended_; }

  void start() { is_started_ = true; }

  /// To be called often; does something once a millisecond.
  void step() {
    if (!is_started_ || kind_ == Kind::none) return;
    const auto now = now_ns();
    if (now < next_step_ns_) return;
    next_step_ns_ = now + 1'000'000;
    if (fd_ < 0) {
      if (now >= next_connect_ns_) connect(now);
      return;
    }
    if (kind_ == Kind::garbage && now >= opened_ns_ + 50'000'000) return close();
    if (!send_unsent()) return lose();
    if (stage_ != Stage::member || kind_ != Kind::never_reads) {
      if (!receive()) return lose();
    }
    if (stage_ == Stage::member) misbehave(now);
  }

 private:
  enum class Kind : std::uint8_t { none, never_reads, garbage, floods, trickles };
  enum class Stage : std::uint8_t { upgrading, joining, member };

  void connect(std::uint64_t now) {
    opened_ns_ = now;
    next_connect_ns_ = now + 10'000'000;
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return;
    if (kind_ == Kind::never_reads) {
      const int small = 4096;
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 &&
        errno != EINPROGRESS)
      return close();
    ++connections_;
    stage_ = Stage::upgrading;
    received_.clear();
    unsent_ =
        is_garbage_turn(0)
            ? garbage()
            : std::string{is_signal_ ? "GET /v3/ws" : "GET /ws"} +
                  " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "
                  "13\r\n\r\n";
  }

  bool send_unsent() {
    if (unsent_.empty()) return true;
    const auto count = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    unsent_.erase(0, static_cast<std::size_t>(count));
    return true;
  }

  bool receive() {
    std::array<char, 65536> bytes;
    const auto count = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (stage_ == Stage::member) return true;
    received_.append(bytes.data(), static_cast<std::size_t>(count));
    if (stage_ == Stage::upgrading) {
      const auto end = received_.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      received_.erase(0, end + 4);
      stage_ = Stage::joining;
      if (is_garbage_turn(1) || is_garbage_turn(2)) {
        unsent_ += is_garbage_turn(1) ? garbage() : frame(garbage());
      } else {
        for (const std::string& request : requests_)
          unsent_ += frame(request, is_signal_ ? 0x81 : 0x82);
      }
    }
    const bool is_in =
        is_signal_ ? received_.find("\"RoomJoined\"") != std::string::npos : !received_.empty();
    if (stage_ == Stage::joining && is_in) stage_ = Stage::member;
    return true;
  }

  void misbehave(std::uint64_t now) {
    constexpr std::size_t payload_size = 64;
    if (kind_ == Kind::garbage && unsent_.empty()) unsent_ = frame(garbage());
    if (kind_ == Kind::floods && unsent_.empty()) {
      for (int i = 0; i < 20; ++i) unsent_ += frame("\x02" + std::string(payload_size, 'f'));
    }
    if (kind_ == Kind::trickles && now >= next_byte_ns_) {
      next_byte_ns_ = now + 1'000'000'000;
      if (trickle_.empty()) trickle_ = frame("\x02" + std::string(4096, 't'));
      unsent_ += trickle_.front();
      trickle_.erase(0, 1);
    }
  }

  void lose() {
    ++ended_;
    close();
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    unsent_.clear();
    trickle_.clear();
  }

  bool is_garbage_turn(std::uint64_t turn) const {
    return kind_ == Kind::garbage && connections_ % 4 == turn;
  }

  std::string garbage() {
    std::string bytes(200, '\0');
    for (auto& byte : bytes) {
      random_ ^= random_ << 13;
      random_ ^= random_ >> 7;
      random_ ^= random_ << 17;
      byte = static_cast<char>(random_ >> 24);
    }
    return bytes;
  }

  /// A masked binary message; the key is zero, which the relay cannot mind.
  static std::string frame(std::string_view payload, int first = 0x82) {
    std::string bytes(1, static_cast<char>(first));
    if (payload.size() < 126) {
      bytes += static_cast<char>(0x80 | payload.size());
    } else {
      bytes += static_cast<char>(0x80 | 126);
      bytes += static_cast<char>(payload.size() >> 8);
      bytes += static_cast<char>(payload.size() & 0xff);
    }
    bytes.append(4, '\0');
    return bytes.append(payload);
  }

  sockaddr_in address_;
  std::vector<std::string> requests_;
  bool is_signal_;
  Kind kind_ = Kind::none;
  Stage stage_ = Stage::upgrading;
  int fd_ = -1;
  bool is_started_ = false;
  std::uint64_t next_step_ns_ = 0;
  std::uint64_t opened_ns_ = 0;
  std::uint64_t next_connect_ns_ = 0;
  std::uint64_t next_byte_ns_ = 0;
  std::uint64_t connections_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;
  std::string received_;
  std::string unsent_;
  std::string trickle_;
};

}  // namespace muster_bench
