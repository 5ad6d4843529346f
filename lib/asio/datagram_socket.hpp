// SPDX-License-Identifier: MIT
// A UDP socket that reads in batches and writes in groups, with the system's calls and no waiting.
#pragma once

#include <muster/address.hpp>
#include <muster/asio/datagram_options.hpp>
#include <muster/asio/datagram_stats.hpp>
#include <muster/bytes.hpp>
#include <muster/soe/multiplexer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace muster::asio {

#if defined(__linux__)
using MessageHeader = ::mmsghdr;
#else
struct MessageHeader {
  ::msghdr msg_hdr;
  unsigned msg_len;
};
#endif

/// The calls that carry datagrams. Tests put others in their place, which fail in ways that
/// loopback never does.
struct DatagramCalls {
  /// @return how many messages were taken, or -1 and errno
  int (*send)(int fd, MessageHeader* messages, unsigned count);
  int (*receive)(int fd, MessageHeader* messages, unsigned count);

  [[nodiscard]] static const DatagramCalls& system() noexcept;
};

/// Reads and writes never wait, and no error ends the socket: what the system does not take is
/// counted, and lost as datagrams are.
/// @threads distinct objects: safe; shared objects: unsafe
class DatagramSocket {
 public:
  using Datagram = SoeMultiplexer<>::Datagram;

  /// @param max_datagram   longer ones are of no use, 1 to 65507 bytes
  DatagramSocket(const DatagramOptions& options, std::size_t max_datagram,
                 const DatagramCalls& calls = DatagramCalls::system());
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;
  ~DatagramSocket();

  /// Opens it on a local address. The unspecified IPv6 address stands for both families.
  /// @error what the system says; it is not open then
  [[nodiscard]] std::error_code bind(const Address& local);

  /// Opens it on any port, for one peer alone.
  [[nodiscard]] std::error_code connect(const Address& peer);

  void close() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] bool is_connected() const noexcept { return is_connected_; }

  /// Whether datagrams can be sent there from here at all.
  [[nodiscard]] bool reaches(const Address& peer) const noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] Address local() const noexcept;
  [[nodiscard]] const DatagramStats& stats() const noexcept { return stats_; }

  // In.

  /// Takes some of what is there. None: there was nothing more. One that is longer than
  /// `max_datagram` may be cut, but not down to that.
  /// @param wish   bytes; the first piece of several datagrams after many that came alone may
  ///               exceed it by far
  /// @return valid until the next call
  [[nodiscard]] std::span<Datagram> receive(std::size_t wish);

  // Out: `put` while `has_room`, then `flush`.

  [[nodiscard]] bool has_room() const noexcept;

  /// Adds a group for one peer: at most 64 datagrams, all of the size of the first, the last
  /// perhaps shorter. They are not copied, so they must stay until `flush`.
  void put(const Address& to, std::span<const byte_view> datagrams) noexcept;

  /// Sends what was put.
  /// @return false: the system's buffer is full, and the rest was kept (`is_blocked`). `flush`
  ///         again when the socket is writable.
  bool flush();

  [[nodiscard]] bool is_blocked() const noexcept { return is_blocked_; }
  [[nodiscard]] bool is_empty() const noexcept { return used_ == 0; }

 private:
  static constexpr std::size_t max_slots = 32;
  static constexpr std::size_t max_messages = 128;
  static constexpr std::size_t max_parts = 1024;

  union Name {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  struct Control {
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> bytes;
  };
  struct Slot {
    Name name;
    Control control;
    iovec part;
  };

  [[nodiscard]] std::error_code open(int family);
  [[nodiscard]] std::error_code fail() noexcept;
  void enable_offload() noexcept;
  void take_slots();
  socklen_t to_name(const Address& address, Name& name) const noexcept;
  MessageHeader& add(const Address& to, const byte_view* first, std::size_t count) noexcept;
  void sent(unsigned count) noexcept;
  bool survive(int error) noexcept;
  void skip_first(bool whole) noexcept;
  void keep();

  DatagramOptions options_;
  const DatagramCalls* calls_;
  DatagramStats stats_;
  int fd_ = -1;
  int family_ = 0;
  bool is_connected_ = false;
  Address peer_;  // of a connected socket

  std::size_t max_datagram_;
  std::size_t slot_bytes_ = 0;
  std::size_t expected_ = 0;  // bytes of a message, after what the last ones had
  std::unique_ptr<std::byte[]> input_;
  std::vector<Slot> slots_;
  std::vector<MessageHeader> arrivals_;
  std::vector<Datagram> datagrams_;

  // What was put: messages of one datagram, or of a group, which has a control message. A group
  // without one was refused: its datagrams leave one by one.
  std::vector<MessageHeader> messages_;
  std::vector<Name> names_;
  std::vector<Control> controls_;
  std::vector<iovec> parts_;
  std::size_t used_ = 0;
  std::size_t used_parts_ = 0;
  std::size_t used_bytes_ = 0;
  std::size_t next_ = 0;         // first that has not left
  std::vector<std::byte> kept_;  // what was put, while the socket is blocked
  bool is_blocked_ = false;
  bool is_retry_ = false;  // the first message has failed once
  unsigned refusals_ = 0;  // of groups, in a row
};

}  // namespace muster::asio
