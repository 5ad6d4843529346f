// SPDX-License-Identifier: MIT
// The cipher of SOE sessions.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace muster::soe {

/// RC4, one direction of one channel. It hides data from a casual look and no more: the protocol
/// uses the same keystream in both directions and on every channel, and nothing protects from
/// changes.
///
/// A copy continues from the same place. Nothing prints it, and nobody should: whoever knows the
/// state can read what follows and what went before.
/// @threads       distinct objects: safe; shared objects: unsafe
class MUSTER_API Rc4 {
 public:
  [[nodiscard]] static constexpr bool is_valid_key(byte_view key) noexcept {
    return !key.empty() && key.size() <= 256;
  }

  /// @param key   one that `is_valid_key`: 1 to 256 bytes
  explicit Rc4(byte_view key) noexcept;

  /// Encrypts or decrypts, which are the same, and moves the keystream on by the size.
  /// @param out   room for `in.size()` bytes: `in` itself, or memory that does not overlap it
  void transform(byte_view in, std::byte* out) noexcept;
  void transform(mutable_byte_view bytes) noexcept { transform(bytes, bytes.data()); }

  /// The keystream's next byte, which stays the next: what a first zero byte would become. So a
  /// sender learns whether the ciphertext needs the protocol's escape before it makes it.
  [[nodiscard]] std::byte peek() const noexcept;

  /// Forgets the key, in a way that compilers do not leave out. From then on the object may only be
  /// assigned to or destroyed; debug builds assert it.
  void erase() noexcept;

 private:
  // Of a permutation no two places are equal; of an erased one all are.
  [[nodiscard]] bool is_erased() const noexcept { return state_[0] == state_[1]; }

  std::array<std::uint8_t, 256> state_;
  std::uint8_t i_ = 0;
  std::uint8_t j_ = 0;
};

static_assert(sizeof(Rc4) == 258);

}  // namespace muster::soe
