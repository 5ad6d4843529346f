// SPDX-License-Identifier: MIT
// A value, or the reason why there is none (`std::expected` is missing from the oldest compilers we
// support).
#pragma once

#include <muster/error.hpp>

#include <cassert>
#include <utility>
#include <variant>

namespace muster {

/// A `T`, or the `errc` that says why there is none.
///
/// `value()` may be called only when there is one; debug builds assert it. It never throws.
template <class T>
class [[nodiscard]] result {
 public:
  // Implicit by design, so that a function returns the one or the other.
  result(T value)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<0>, std::move(value)) {}
  result(errc error)  // NOLINT(google-explicit-constructor)
      : state_(std::in_place_index<1>, error) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] T& value() & noexcept {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& noexcept {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && noexcept {
    assert(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] T& operator*() & noexcept { return value(); }
  [[nodiscard]] const T& operator*() const& noexcept { return value(); }
  [[nodiscard]] T&& operator*() && noexcept { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() noexcept { return &value(); }
  [[nodiscard]] const T* operator->() const noexcept { return &value(); }

  /// May be called only when there is no value.
  [[nodiscard]] errc error() const noexcept {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, errc> state_;
};

}  // namespace muster
