// SPDX-License-Identifier: MIT
// How often the program asks the heap for memory: counted, not taken from the code's own word.
#pragma once

// Sanitizers bring an allocator of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MUSTER_TEST_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define MUSTER_TEST_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef MUSTER_TEST_COUNTS_ALLOCATIONS
#define MUSTER_TEST_COUNTS_ALLOCATIONS 1
#endif

#if MUSTER_TEST_COUNTS_ALLOCATIONS

namespace test {

extern int allocations;  ///< ever
extern int live;         ///< blocks that are held now

}  // namespace test

#endif
