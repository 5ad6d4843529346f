// SPDX-License-Identifier: MIT
// The error codes of the C interface.
#ifndef MUSTER_C_ERROR_H
#define MUSTER_C_ERROR_H

#include <muster/c/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Why a call was not carried out. The numbers are stable, and more may follow; those above -100
/// are the ones of `muster::errc`, negative.
enum {
  MUSTER_OK = 0,
  MUSTER_ERROR_CLOSED = -1,          ///< the session, connection or room is over
  MUSTER_ERROR_OVER_BUDGET = -2,     ///< too much waits already
  MUSTER_ERROR_NOT_FOUND = -3,       ///< no such session, connection, room or player
  MUSTER_ERROR_ALREADY_EXISTS = -4,  ///< the address has a session, or the name is taken
  MUSTER_ERROR_WRONG_STATE = -5,     ///< not possible now
  MUSTER_ERROR_LIMIT_REACHED = -6,   ///< a configured maximum
  MUSTER_ERROR_INVALID_CONFIG = -7,  ///< a field of a configuration is outside its range
  MUSTER_ERROR_BAD_VALUE = -25,      ///< an argument is outside its range
  MUSTER_ERROR_TOO_LARGE = -26,      ///< a message or a datagram is too large

  MUSTER_ERROR_NULL = -100,        ///< a pointer that must not be null is null
  MUSTER_ERROR_NO_MEMORY = -101,   ///< the handle can do nothing more but be destroyed
  MUSTER_ERROR_NOT_POLLED = -102,  ///< nothing was taken: poll the events first
  MUSTER_ERROR_INTERNAL = -103     ///< a fault of the library; as MUSTER_ERROR_NO_MEMORY
};

/// A code in words; never null, also for numbers that are no code.
MUSTER_C_API const char* muster_error_text(int code);

#ifdef __cplusplus
}
#endif

#endif
