// SPDX-License-Identifier: MIT
#include "time_text.hpp"

#include <algorithm>
#include <chrono>

namespace muster::signal {

void write_time(wire::ByteWriter& out, std::int64_t unix_milliseconds) {
  using namespace std::chrono;
  constexpr std::int64_t end_of_9999 = 253'402'300'799'999;
  const milliseconds since_1970{std::clamp<std::int64_t>(unix_milliseconds, 0, end_of_9999)};
  const days whole_days = floor<days>(since_1970);
  const year_month_day date{sys_days{whole_days}};
  const hh_mm_ss clock{since_1970 - whole_days};
  const auto digits = [&out](std::int64_t value, std::int64_t unit) {
    for (; unit > 0; unit /= 10) out.u8(static_cast<std::uint8_t>('0' + value / unit % 10));
  };
  out.u8('"');
  digits(static_cast<int>(date.year()), 1000);
  out.u8('-');
  digits(static_cast<unsigned>(date.month()), 10);
  out.u8('-');
  digits(static_cast<unsigned>(date.day()), 10);
  out.u8('T');
  digits(clock.hours().count(), 10);
  out.u8(':');
  digits(clock.minutes().count(), 10);
  out.u8(':');
  digits(clock.seconds().count(), 10);
  if (clock.subseconds().count() != 0) {
    out.u8('.');
    digits(clock.subseconds().count(), 100);
  }
  out.text("Z\"");
}

}  // namespace muster::signal
