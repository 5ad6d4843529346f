// SPDX-License-Identifier: MIT
// Versions and addresses.
#include <muster/c/abi.h>

#include <muster/version.hpp>

#include "handle.hpp"

#include <optional>
#include <string>

using namespace muster;
using namespace muster::c;

extern "C" {

uint32_t muster_c_version() { return MUSTER_C_VERSION; }

const char* muster_release() { return MUSTER_VERSION_STRING; }

int muster_address_parse(const char* ip, uint16_t port, muster_address* address) {
  if (ip == nullptr || address == nullptr) return MUSTER_ERROR_NULL;
  return guard([&] {
    std::optional<Address> parsed = Address::parse_ip(ip);
    if (!parsed) return MUSTER_ERROR_BAD_VALUE;
    parsed->port = port;
    *address = to_c(*parsed);
    return MUSTER_OK;
  });
}

int muster_address_text(const muster_address* address, char* text, size_t size) {
  if (address == nullptr || text == nullptr) return MUSTER_ERROR_NULL;
  return guard([&] {
    const std::string written = from_c(*address).to_string();
    if (written.size() >= size) return MUSTER_ERROR_TOO_LARGE;
    write_text(written, text, size);
    return MUSTER_OK;
  });
}

}  // extern "C"
