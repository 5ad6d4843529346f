// SPDX-License-Identifier: MIT
// What the handles of the C interface share: errors, time, sizes of structs, text and addresses.
#pragma once

#include <muster/c/abi.h>
#include <muster/c/error.h>
#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>

namespace muster::c {

/// Runs a call, and turns what it throws into a code.
template <class Call>
int guard(Call call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return MUSTER_ERROR_NO_MEMORY;
  } catch (...) {
    return MUSTER_ERROR_INTERNAL;
  }
}

/// The base of every handle.
struct Handle {
  time_point now{};  ///< of the latest call
  int fault = 0;     ///< not 0: what it threw left it in a state that nobody knows

  /// Notes the time. False: it is out of range.
  bool set_time(std::uint64_t now_us) noexcept {
    if (now_us > MUSTER_MAX_TIME) return false;
    now = std::max(now, time_point{std::chrono::microseconds{now_us}});
    return true;
  }
};

/// The same for what a handle does.
template <class Self, class Call>
int guard(Self* self, Call call) noexcept {
  if (self == nullptr) return MUSTER_ERROR_NULL;
  if (self->fault != 0) return self->fault;
  const int code = guard([&] { return call(*self); });
  if (code == MUSTER_ERROR_NO_MEMORY || code == MUSTER_ERROR_INTERNAL) self->fault = code;
  return code;
}

/// A call at a time, which is noted first.
template <class Call>
auto at(std::uint64_t now_us, Call call) noexcept {
  return [now_us, call](auto& self) {
    if (!self.set_time(now_us)) return static_cast<int>(MUSTER_ERROR_BAD_VALUE);
    return static_cast<int>(call(self));
  };
}

/// ... and for calls that bring the time.
template <class Self, class Call>
int guard_at(Self* self, std::uint64_t now_us, Call call) noexcept {
  return guard(self, at(now_us, call));
}

/// ... and for those that only look.
template <class Self, class Call>
int look(const Self* self, Call call) noexcept {
  if (self == nullptr) return MUSTER_ERROR_NULL;
  if (self->fault != 0) return self->fault;
  return guard([&] { return static_cast<int>(call(*self)); });
}

inline int code_of(errc code) noexcept { return -static_cast<int>(code); }
inline int code_of(std::error_code code) noexcept { return -code.value(); }

/// Rounded up: at that time something is due.
inline std::uint64_t to_c(time_point when) noexcept {
  if (when == no_deadline) return MUSTER_NO_DEADLINE;
  if (when.time_since_epoch() <= duration{0}) return 0;
  const auto us = std::chrono::ceil<std::chrono::microseconds>(when.time_since_epoch());
  return static_cast<std::uint64_t>(us.count());
}

inline std::uint64_t to_c(duration length) noexcept {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(length).count());
}

/// What is above the range of `duration` is so long that every `validate` refuses it.
inline duration to_duration(std::uint64_t us) noexcept {
  return std::chrono::microseconds{std::min(us, MUSTER_MAX_TIME)};
}

inline muster_address to_c(const Address& address) noexcept {
  muster_address out;
  std::memcpy(out.ip, address.ip.data(), sizeof out.ip);
  out.port = address.port;
  return out;
}

inline Address from_c(const muster_address& address) noexcept {
  Address out;
  std::memcpy(out.ip.data(), address.ip, sizeof address.ip);
  out.port = address.port;
  return out;
}

inline byte_view view(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const std::byte*>(bytes), size};
}

inline const std::uint8_t* data_of(byte_view bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

/// Two halves of an id's number; 0 is never one, since no generation is.
template <class Id>
std::uint64_t number_of(Id id) noexcept {
  return std::uint64_t{id.generation} << 32U | id.index;
}
template <class Id>
Id id_of(std::uint64_t number) noexcept {
  return {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32U)};
}

/// As much of the text as fits, with its final zero.
inline void write_text(std::string_view text, char* out, std::size_t size) noexcept {
  if (out == nullptr || size == 0) return;
  const std::size_t length = std::min(text.size(), size - 1);
  text.copy(out, length);  // which may be empty, without an address
  out[length] = '\0';
}

/// Gives a struct to a caller who knows `size` bytes of it.
template <class Struct>
int give(const Struct& value, Struct* out, std::size_t size) noexcept {
  if (out == nullptr) return MUSTER_ERROR_NULL;
  if (size == 0) return MUSTER_ERROR_BAD_VALUE;
  auto* const bytes = reinterpret_cast<std::byte*>(out);
  const std::size_t known = std::min(size, sizeof value);
  std::memcpy(bytes, &value, known);
  std::memset(bytes + known, 0, size - known);
  return MUSTER_OK;
}

/// Fills in the defaults of a configuration for a caller who knows `size` bytes of it.
template <class Struct>
int init(const Struct& defaults, Struct* config, std::size_t size) noexcept {
  if (config == nullptr) return MUSTER_ERROR_NULL;
  if (size < sizeof config->size) return MUSTER_ERROR_BAD_VALUE;
  const int code = give(defaults, config, size);
  config->size = size;
  return code;
}

/// Takes a configuration of a caller who knows `config->size` bytes of it, into one with the
/// defaults.
/// @return false: it was not initialised, or asks for what this version does not know
template <class Struct>
bool take(const Struct& config, Struct& out) noexcept {
  if (config.size < sizeof config.size) return false;
  const auto* const bytes = reinterpret_cast<const std::byte*>(&config);
  const std::size_t known = std::min(config.size, sizeof out);
  std::memcpy(&out, bytes, known);
  out.size = sizeof out;
  return std::all_of(bytes + known, bytes + config.size,
                     [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace muster::c
