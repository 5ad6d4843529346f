// SPDX-License-Identifier: MIT
// What is wrong with a Config, by field: each user of a range says the name in its own way.
#pragma once

#include <muster/signal/config.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace muster::signal {

struct ConfigFault {
  std::string_view field;  ///< of Config
  std::string must;        ///< "be from 1 to 255"
};

/// The first of them; nothing: it can be used.
[[nodiscard]] std::optional<ConfigFault> find_fault(const Config& config);

}  // namespace muster::signal
