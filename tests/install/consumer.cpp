// SPDX-License-Identifier: MIT
// What a user's first program does: includes headers of several components and links them.
#include <muster/error.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/version.hpp>
#include <muster/wire/byte_writer.hpp>

#include <cstdio>
#include <system_error>

int main() {
  const std::error_code code = muster::errc::timed_out;
  std::printf("muster %s: %s\n", MUSTER_VERSION_STRING, code.message().c_str());
  return code == muster::errc::timed_out ? 0 : 1;
}
