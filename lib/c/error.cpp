// SPDX-License-Identifier: MIT
// Error codes in words.
#include <muster/c/error.h>

#include <muster/error.hpp>

extern "C" const char* muster_error_text(int code) {
  switch (code) {
    case MUSTER_OK:
      return "no error";
    case MUSTER_ERROR_NULL:
      return "a pointer that must not be null is null";
    case MUSTER_ERROR_NO_MEMORY:
      return "out of memory";
    case MUSTER_ERROR_NOT_POLLED:
      return "events wait to be polled";
    case MUSTER_ERROR_INTERNAL:
      return "a fault of the library";
    default:
      break;
  }
  if (code > 0 || code < -99) return "unknown error";
  return muster::to_string(static_cast<muster::errc>(-code)).data();  // of a literal
}
