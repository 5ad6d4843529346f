// SPDX-License-Identifier: MIT
// The unit tests' allocator, which counts.
#include "support/heap_count.hpp"

#if MUSTER_TEST_COUNTS_ALLOCATIONS

#include <cstddef>
#include <cstdlib>
#include <new>

namespace test {

int allocations = 0;
int live = 0;

}  // namespace test

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  ++test::allocations;
  ++test::live;
  return memory;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) --test::live;
  std::free(memory);
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept { operator delete(memory); }

#endif
