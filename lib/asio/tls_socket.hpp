// SPDX-License-Identifier: MIT
// A socket with TLS between it and its session.
#pragma once

#include "socket.hpp"
#include "tls_engine.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace muster::asio {

/// Lies in memory of its own: a plain socket pays nothing for TLS, and a TLS connection costs far
/// more than an allocation.
class TlsSocket final : public Socket {
 public:
  TlsSocket(websocket::Endpoint& endpoint, Framing framing, int fd, const Address& remote,
            std::unique_ptr<TlsEngine> engine) noexcept
      : Socket(endpoint, framing, fd, remote), tls_{.engine = std::move(engine)} {}

  bool start_transport() override;
  [[nodiscard]] bool wants_to_write() const noexcept override {
    return !tls_.engine->output().empty();
  }
  [[nodiscard]] bool is_pooled() const noexcept override { return false; }

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override;
  [[nodiscard]] std::uint64_t taken() const noexcept override { return tls_.sent; }
  [[nodiscard]] bool holds_next() const noexcept override { return tls_.holds_back; }
  void half_close() noexcept override;
  void destroy() noexcept override;
  void pack(Parcel& parcel) noexcept override;
  void unpack(Parcel& parcel) noexcept override;
  void resume() override;
  void arrived(mutable_byte_view bytes) override;
  void peer_ended() override;
  void has_room() noexcept override;

  bool send_output() noexcept;
  std::size_t encrypt(std::span<const byte_view> pieces, std::size_t skip) noexcept;

  TlsState tls_;
};

}  // namespace muster::asio
