// SPDX-License-Identifier: MIT
// What all of the C interface shares.
//
// The interface has no I/O: the application owns the loop, the sockets and the clock, hands in what
// arrives and the time, and polls what is to be sent and what has happened; the library never calls
// back. Everything lives behind handles without global state, and one handle is used by one thread
// at a time. Calls return 0 or a negative number of <muster/c/error.h>, polls return 1 for
// something and 0 for nothing, and no exception leaves the library. Time is in microseconds of any
// monotonic clock, and all randomness comes from a seed that the caller draws. It only ever grows:
// see below.
//
//     muster_soe_receive(soe, &from, bytes, size, now);     // what the socket had
//     while (muster_soe_poll_event(soe, &event, sizeof event) == 1) ...
//     muster_soe_advance(soe, now);
//     while (muster_soe_poll_transmit(soe, &out, sizeof out) == 1) ...
//     // and again at muster_soe_next_deadline(soe), or when the socket is readable
//
// Rules of the binary interface, for what is built against any version of it:
//  - Functions, constants and fields are added, never changed or taken away. Fields are added at
//    the end of a struct. `muster_address` stays as it is.
//  - A struct that may grow is passed with the size that the caller knows. The library reads and
//    writes no more than that; what the caller leaves out has its default, and what the library
//    does not know is zero in what it gives, and has to be zero in what it is given.
//  - Callers skip events, and take errors, whose number they do not know.
//  - Each addition raises MUSTER_C_VERSION. A program that uses it asks muster_c_version() first.
#ifndef MUSTER_C_ABI_H
#define MUSTER_C_ABI_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(MUSTER_C_BUILDING)
#define MUSTER_C_API __declspec(dllexport)
#else
#define MUSTER_C_API __declspec(dllimport)
#endif
#else
#define MUSTER_C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// The version of these headers.
#define MUSTER_C_VERSION 1

/// The version of the library that is loaded; at least that of the headers it was built with.
MUSTER_C_API uint32_t muster_c_version(void);

/// The release of the library, for people: "0.1.0".
MUSTER_C_API const char* muster_release(void);

/// "Never", as a deadline.
#define MUSTER_NO_DEADLINE UINT64_MAX

/// The latest time that is accepted: 285 years. A time before that of an earlier call counts as
/// that.
#define MUSTER_MAX_TIME UINT64_C(0x20000000000000)

/// Bytes of a seed: from the operating system's source of randomness (getrandom, BCryptGenRandom),
/// and used for one handle only; who knows it can take over players. A test may use any that is not
/// all zero, and has the same run each time.
#define MUSTER_SEED_SIZE 32

/// An IP address and a port. IPv4 is kept in its mapped form: 80 bits of 0, 16 of 1, and the
/// address.
typedef struct muster_address {
  uint8_t ip[16];  ///< network byte order
  uint16_t port;   ///< host byte order
} muster_address;

/// Reads "192.0.2.1" or "2001:db8::1".
/// @error MUSTER_ERROR_BAD_VALUE   it is neither
MUSTER_C_API int muster_address_parse(const char* ip, uint16_t port, muster_address* address);

/// Enough for every text of an address, with its final zero.
#define MUSTER_ADDRESS_TEXT_SIZE 56

/// Writes "192.0.2.1:80" or "[2001:db8::1]:80", with a final zero.
/// @error MUSTER_ERROR_TOO_LARGE   it takes more than `size` bytes
MUSTER_C_API int muster_address_text(const muster_address* address, char* text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
