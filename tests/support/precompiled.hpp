// SPDX-License-Identifier: MIT
// What nearly every test includes. Tests do not rely on it: with a compiler cache it is not used.
#pragma once

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>
