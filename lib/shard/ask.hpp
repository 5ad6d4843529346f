// SPDX-License-Identifier: MIT
// A request to the front end, from its arrival to its answer.
#pragma once

#include <muster/address.hpp>
#include <muster/luggage.hpp>
#include <muster/request.hpp>
#include <muster/shard/service.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::shard {

/// What is asked of the loop where a shard lives. It holds copies: it may cross from one loop to
/// another, and its answer may take a look-up that outlives the request.
struct MUSTER_LOCAL Service::Question {
  enum class What : std::uint8_t {
    join,    ///< an upgrade
    events,  ///< a stream of server-sent events
    list,    ///< all shards
    info,    ///< one shard
    input,   ///< an input by POST
    claim,   ///< whether a ticket is still good

    queue,    ///< to be matched
    unqueue,  ///< to be so no more
    status,   ///< what has become of that
    watch,    ///< the same as a stream of server-sent events
  };

  What what = What::list;
  Address remote{};
  Identity identity{};
  std::string shard{};                      // its id
  std::optional<std::string> subscriber{};  // the id that is wished
  Wire wire = Wire::legacy;
  Format format = Format::json;
  std::vector<std::byte> body{};              // of a POST
  std::optional<std::uint64_t> last_event{};  // the tick that a returning reader of events has
  JoinTicket ticket{};                        // of a claim
  duration wait{0};                           // of a status: how long it may stay as it is
};

/// The answer, which crosses back.
struct MUSTER_LOCAL Service::Reply {
  std::uint32_t loop = 0;  // where it was asked
  std::optional<Refusal> refusal{};
  std::uint64_t hold = 0;  // of a place that is kept there; 0: none
  std::string body{};      // JSON
  std::vector<std::pair<std::string, std::string>> rows{};  // of a list: ids, and JSON
};

/// What waits for its answer, and never leaves its loop.
struct MUSTER_LOCAL Service::Ask {
  Ask(Question::What what_is, Decision decision_of, const Address& remote) noexcept
      : what(what_is), decision(std::move(decision_of)) {
    question.what = what_is;
    question.remote = remote;
  }

  Question::What what;
  Decision decision;
  Question question{};                 // the one that is asked now
  std::string subprotocol{};           // to be answered; empty: none
  std::optional<JoinTicket> ticket{};  // to be claimed
  std::uint32_t home = 0;              // the shard's loop
  std::uint64_t hold = 0;              // the place there; 0: none yet
  std::size_t missing = 0;             // of a list: loops that have not answered
  std::vector<std::pair<std::string, std::string>> rows{};
};

/// Somebody who was accepted. The shard may be gone before the connection opens.
struct MUSTER_LOCAL Service::Arrival {
  std::uint32_t home = 0;
  std::uint64_t hold = 0;     // of a place
  std::string player{};       // or: of whom a stream of matches is
  std::uint64_t session = 0;  // whose
  bool is_refused = false;    // or neither: to be closed with what follows
  std::uint16_t code = 0;
  std::string text{};
  std::list<Arrival>::iterator self{};
};

/// What goes along to the shard's loop.
struct MUSTER_LOCAL Service::Passenger final : Luggage {
  explicit Passenger(const Arrival& arrival)
      : hold(arrival.hold), player(arrival.player), session(arrival.session) {}
  std::uint64_t hold;
  std::string player;
  std::uint64_t session;
};

}  // namespace muster::shard
