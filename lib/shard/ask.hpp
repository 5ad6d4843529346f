// SPDX-License-Identifier: MIT
// A request to the front end, from its arrival to its answer.
#pragma once

#include <muster/address.hpp>
#include <muster/request.hpp>
#include <muster/shard/service.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::shard {

/// What is asked for. It holds copies: the answer may take a look-up that outlives the request.
struct Service::Ask {
  enum class What : std::uint8_t {
    join,    ///< an upgrade
    events,  ///< a stream of server-sent events
    list,    ///< all shards
    info,    ///< one shard
    input,   ///< an input by POST
  };

  Ask(What what_is, Decision decision_of, const Address& remote_of) noexcept
      : what(what_is), decision(std::move(decision_of)), remote(remote_of) {}

  What what;
  Decision decision;
  Address remote;
  std::string shard{};                      // its id
  std::optional<std::string> subscriber{};  // the id that is wished
  std::string subprotocol{};                // to be answered; empty: none
  Wire wire = Wire::legacy;
  Format format = Format::json;
  std::vector<std::byte> body{};              // of a POST
  std::optional<std::uint64_t> last_event{};  // the tick that a returning reader of events has
};

}  // namespace muster::shard
