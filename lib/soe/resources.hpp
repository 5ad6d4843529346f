// SPDX-License-Identifier: MIT
// What all sessions of a multiplexer share.
#pragma once

#include <muster/entropy.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/soe/stats.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "compressor.hpp"
#include "deflate.hpp"
#include "outgoing.hpp"
#include "packet_pool.hpp"
#include "receive_channel.hpp"

namespace muster::soe {

struct Resources {
  /// No compressed body may become larger, whatever `udp_length` is.
  static constexpr std::size_t max_inflated = 64 * 1024;

  Resources(const Config& given, Entropy& source)
      : config(given),
        entropy(&source),
        pool(config.udp_length + packet_headroom),
        outgoing(pool),
        inbox(pool),
        reassembly{config.reassembly_budget} {
    if (!config.encryption_key.empty()) cipher.emplace(config.encryption_key);
  }
  ~Resources() {
    if (cipher) cipher->erase();
  }
  Resources(const Resources&) = delete;
  Resources& operator=(const Resources&) = delete;

  /// Longer datagrams are not taken. The published crate reads 2048 bytes, whatever it announces,
  /// and so its users could send more than they were allowed to.
  [[nodiscard]] std::size_t max_datagram() const noexcept {
    return std::max<std::size_t>(config.udp_length, 2048);
  }

  void count(Drop drop) noexcept { ++totals.drops[static_cast<std::size_t>(drop)]; }

  [[nodiscard]] std::uint32_t random_u32() noexcept {
    std::array<std::byte, 4> bytes{};
    entropy->fill(bytes);
    return std::bit_cast<std::uint32_t>(bytes);
  }

  /// Made when the first session needs it; null: this build compresses nothing.
  [[nodiscard]] Compressor* compressor() {
    if (config.compress_from == 0 || !Deflater::is_available()) return nullptr;
    if (!compressor_) compressor_ = std::make_unique<Compressor>();
    return compressor_.get();
  }

  /// Inflates into the shared scratch buffer.
  [[nodiscard]] std::optional<mutable_byte_view> inflate(byte_view zlib) {
    if (!Inflater::is_available()) return std::nullopt;
    if (!inflater_) {
      inflater_ = std::make_unique<Inflater>();
      inflated_size_ = std::min<std::size_t>(max_inflated, std::size_t{16} * config.udp_length);
      inflated_ = std::make_unique_for_overwrite<std::byte[]>(inflated_size_);
    }
    const mutable_byte_view out{inflated_.get(), inflated_size_};
    const auto size = inflater_->inflate(zlib, out);
    if (!size) return std::nullopt;
    return out.first(*size);
  }

  Config config;
  Entropy* entropy;
  PacketPool pool;
  Outgoing outgoing;
  Inbox inbox;
  ReassemblyBudget reassembly;
  Totals totals;
  std::optional<Rc4> cipher;  ///< as it is at the start of a session

 private:
  // A packet's bytes hold a datagram and what its layout keeps free in front of it.
  static constexpr std::size_t packet_headroom = 16;

  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Inflater> inflater_;
  std::unique_ptr<std::byte[]> inflated_;
  std::size_t inflated_size_ = 0;
};

}  // namespace muster::soe
