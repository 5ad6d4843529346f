// SPDX-License-Identifier: MIT
// How often the unit tests' program asks the heap for memory.
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

/// Counted by the operators in tests/unit/websocket/frame_allocation_test.cpp.
extern int allocations;
extern int live;

}  // namespace test
#endif
