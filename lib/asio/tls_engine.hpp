// SPDX-License-Identifier: MIT
// One side of a TLS connection, without I/O.
#pragma once

#include <muster/asio/tls_client_context.hpp>
#include <muster/asio/tls_server_context.hpp>
#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace muster::asio {

/// Whether this build has TLS at all.
#if MUSTER_WITH_TLS
inline constexpr bool has_tls = true;
#else
inline constexpr bool has_tls = false;
#endif

/// Turns bytes from the network into plain bytes, and plain bytes into bytes for the network.
///
/// It belongs to no loop, no endpoint and no context: all of a connection's TLS is in here, and
/// goes with it.
/// @threads one at a time; any thread
class TlsEngine {
 public:
  enum class State : std::uint8_t {
    wants_input,  // all input is used up
    has_more,     // `out` is full, and there may be more
    ended,        // the peer has said that nothing more comes
    failed,       // what the peer sent is not right; `problem` says what
  };
  struct Read {
    State state = State::wants_input;
    std::size_t size = 0;  // bytes in `out`, whatever the state
  };

  TlsEngine() = default;
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  virtual ~TlsEngine() = default;

  /// Shakes hands, and decrypts. What is to be sent in answer is added to `output`. A client's
  /// first call, without input, begins the handshake.
  /// @param input   from the network; what is used is taken away. It is not kept.
  virtual Read read(byte_view& input, mutable_byte_view out) noexcept = 0;

  /// Encrypts all of it and adds it to `output`, one record for up to 16 KiB.
  /// @return false: it failed
  virtual bool write(byte_view plain) noexcept = 0;

  /// Tells the peer that nothing more comes (close_notify), once.
  virtual void finish() noexcept = 0;

  /// No handshake is under way, nor a later message of that layer that has come in part.
  [[nodiscard]] virtual bool may_write() const noexcept = 0;

  /// Why it failed, for a person.
  [[nodiscard]] std::string_view problem() const noexcept { return problem_; }

  /// Bytes for the network that were not sent yet.
  [[nodiscard]] byte_view output() const noexcept { return byte_view{output_}.subspan(sent_); }

  /// That many bytes of the output are on their way. The memory is given back with the last of
  /// them: an idle connection has none.
  void sent(std::size_t size) noexcept {
    sent_ += size;
    if (sent_ < output_.size()) return;
    sent_ = 0;
    std::vector<std::byte>{}.swap(output_);
  }

 protected:
  std::vector<std::byte> output_;
  std::string problem_;

 private:
  std::size_t sent_ = 0;
};

/// All that a socket has of TLS: what goes along when its connection moves to another loop.
struct TlsState {
  std::unique_ptr<TlsEngine> engine{};
  std::vector<std::byte> unread{};  // from the network, left for the other loop
  std::uint64_t sent = 0;           // bytes of TLS that the socket took
  bool keeps_back = false;          // that, or what the engine has decrypted
  bool is_secured = false;          // the handshake was over
  bool holds_back = false;          // the last byte that was encrypted is not reported as taken
  bool is_ending = false;           // a FIN follows the output
};

class MUSTER_LOCAL TlsServerContext::Impl {
 public:
  virtual ~Impl() = default;
  virtual std::error_code load(const std::string& certificate_file, const std::string& key_file,
                               std::string& problem) = 0;
  [[nodiscard]] virtual bool is_loaded() const noexcept = 0;

  /// Null if nothing is loaded, or if there is no memory.
  [[nodiscard]] virtual std::unique_ptr<TlsEngine> make_engine() const = 0;
};

class MUSTER_LOCAL TlsClientContext::Impl {
 public:
  virtual ~Impl() = default;
  virtual std::error_code load(const Config& config, std::string& problem) = 0;
  [[nodiscard]] virtual bool is_loaded() const noexcept = 0;

  /// @param host   a name or an address, without brackets
  [[nodiscard]] virtual std::unique_ptr<TlsEngine> make_engine(const std::string& host) const = 0;
};

/// OpenSSL's, or null in a build without it.
[[nodiscard]] std::unique_ptr<TlsServerContext::Impl> make_tls_server_context();
[[nodiscard]] std::unique_ptr<TlsClientContext::Impl> make_tls_client_context();

}  // namespace muster::asio
