// SPDX-License-Identifier: MIT
// What a service sends along with a connection that moves to another loop.
#pragma once

#include <muster/export.hpp>

namespace muster {

/// What the service that lets a connection go wants the service there to know. Derive from it.
///
/// It is made on one loop and used on another, so it must hold copies: no frame, no pointer to what
/// the first loop may still change. It is destroyed on either.
class MUSTER_API Luggage {
 public:
  Luggage() = default;
  Luggage(const Luggage&) = delete;
  Luggage& operator=(const Luggage&) = delete;
  virtual ~Luggage() = default;
};

}  // namespace muster
