// SPDX-License-Identifier: MIT
// RC4.
#include <muster/soe/rc4.hpp>

#include <utility>

namespace muster::soe {

Rc4::Rc4(byte_view key) noexcept {
  assert(is_valid_key(key));
  for (std::size_t i = 0; i < state_.size(); ++i) state_[i] = static_cast<std::uint8_t>(i);
  std::uint8_t j = 0;
  std::size_t at = 0;  // i modulo the key's size
  for (std::size_t i = 0; i < state_.size(); ++i) {
    j = static_cast<std::uint8_t>(j + state_[i] + std::to_integer<std::uint8_t>(key[at]));
    std::swap(state_[i], state_[j]);
    if (++at == key.size()) at = 0;
  }
}

void Rc4::transform(byte_view in, std::byte* out) noexcept {
  assert(!is_erased());
  std::uint8_t i = i_;
  std::uint8_t j = j_;
  const auto step = [&](std::size_t at) {
    i = static_cast<std::uint8_t>(i + 1);
    const std::uint8_t a = state_[i];
    j = static_cast<std::uint8_t>(j + a);
    const std::uint8_t b = state_[j];
    state_[i] = b;
    state_[j] = a;
    out[at] = in[at] ^ std::byte{state_[static_cast<std::uint8_t>(a + b)]};
  };
  // Compilers do not unroll this by themselves, and four steps in one take a quarter less.
  std::size_t at = 0;
  for (; in.size() - at >= 4; at += 4) {
    step(at);
    step(at + 1);
    step(at + 2);
    step(at + 3);
  }
  for (; at < in.size(); ++at) step(at);
  i_ = i;
  j_ = j;
}

std::byte Rc4::peek() const noexcept {
  assert(!is_erased());
  const auto i = static_cast<std::uint8_t>(i_ + 1);
  const std::uint8_t a = state_[i];
  const auto j = static_cast<std::uint8_t>(j_ + a);
  const std::uint8_t b = state_[j];
  const auto at = static_cast<std::uint8_t>(a + b);
  // As if the two had been exchanged.
  if (at == i) return std::byte{b};
  if (at == j) return std::byte{a};
  return std::byte{state_[at]};
}

void Rc4::erase() noexcept {
  // A volatile write may not be left out, not even before the object's end.
  for (std::uint8_t& place : state_) *static_cast<volatile std::uint8_t*>(&place) = 0;
  *static_cast<volatile std::uint8_t*>(&i_) = 0;
  *static_cast<volatile std::uint8_t*>(&j_) = 0;
}

}  // namespace muster::soe
