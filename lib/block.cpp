// SPDX-License-Identifier: MIT
// Allocation of counted blocks.
#include <muster/block.hpp>

#include <new>

namespace muster {

Block Block::allocate(std::size_t capacity) {
  void* memory = ::operator new(sizeof(Header) + capacity);
  return Block{new (memory) Header{1, static_cast<std::uint32_t>(capacity), 0}};
}

void Block::destroy(Header* header) noexcept { ::operator delete(header); }

}  // namespace muster
