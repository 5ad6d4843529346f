// SPDX-License-Identifier: MIT
#include <muster/soe/stats.hpp>

namespace muster::soe {

std::string_view to_string(Drop drop) noexcept {
  switch (drop) {
    case Drop::empty:
      return "empty";
    case Drop::too_long:
      return "too_long";
    case Drop::too_short:
      return "too_short";
    case Drop::unknown_kind:
      return "unknown_kind";
    case Drop::bad_checksum:
      return "bad_checksum";
    case Drop::bad_compression:
      return "bad_compression";
    case Drop::no_session:
      return "no_session";
    case Drop::wrong_state:
      return "wrong_state";
    case Drop::wrong_id:
      return "wrong_id";
    case Drop::not_admitted:
      return "not_admitted";
    case Drop::too_many_requests:
      return "too_many_requests";
    case Drop::bad_request:
      return "bad_request";
    case Drop::too_far:
      return "too_far";
    case Drop::never_sent:
      return "never_sent";
    case Drop::no_memory:
      return "no_memory";
    case Drop::unreliable_disabled:
      return "unreliable_disabled";
    case Drop::late:
      return "late";
    case Drop::not_polled:
      return "not_polled";
  }
  return "";
}

}  // namespace muster::soe
