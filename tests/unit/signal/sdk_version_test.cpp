// SPDX-License-Identifier: MIT
#include "../lib/signal/sdk_version.hpp"

#include "support/catch.hpp"

using muster::signal::lower_case;
using muster::signal::read_sdk_version;
using muster::signal::SdkVersion;

TEST_CASE("signal SDK: three numbers are read, and compared as numbers", "[signal][sdk]") {
  CHECK(read_sdk_version("1.10.0") == SdkVersion{1, 10, 0});
  CHECK(*read_sdk_version("1.10.0") > *read_sdk_version("1.9.12"));
  CHECK(*read_sdk_version("2.0.0") > *read_sdk_version("1.99.99"));
  CHECK(read_sdk_version("0.0.4294967295") == SdkVersion{0, 0, 4294967295U});
}

TEST_CASE("signal SDK: what follows the numbers is not compared", "[signal][sdk]") {
  CHECK(read_sdk_version("1.2.3-rc.1") == SdkVersion{1, 2, 3});
  CHECK(read_sdk_version("1.2.3+build.7") == SdkVersion{1, 2, 3});
}

TEST_CASE("signal SDK: anything else is no version", "[signal][sdk]") {
  for (const char* const text :
       {"", "1", "1.2", "1.2.", ".1.2", "1..3", "v1.2.3", "1.2.3.4", "1.2.3 ", " 1.2.3", "1.2.x",
        "-1.2.3", "+1.2.3", "1.2.-3", "1.2.4294967296", "1,2,3"}) {
    INFO(text);
    CHECK_FALSE(read_sdk_version(text).has_value());
  }
}

TEST_CASE("signal SDK: a platform's name is compared in lower case", "[signal][sdk]") {
  CHECK(lower_case("Godot-Rust") == "godot-rust");
  CHECK(lower_case("") == "");
}
