// SPDX-License-Identifier: MIT
// How many connections a program may have, as far as the system is concerned.
#pragma once

#if __has_include(<sys/resource.h>)
#include <sys/resource.h>
#endif

namespace examples {

/// Takes as many descriptors as the system allows: each connection is one, and the usual limit of
/// 1024 is soft.
inline void allow_many_descriptors() noexcept {
#if __has_include(<sys/resource.h>)
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
#endif
}

}  // namespace examples
