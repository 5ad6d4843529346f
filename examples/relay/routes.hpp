// SPDX-License-Identifier: MIT
// What the relay answers by plain HTTP about rooms and records, and to whom.
#pragma once

#include "../gatherer.hpp"
#include "fleet.hpp"
#include "journal.hpp"
#include "shared.hpp"

#include <muster/mac.hpp>
#include <muster/relay/service.hpp>
#include <muster/request.hpp>
#include <muster/router.hpp>

#include <asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace relay_program {

/// The routes of one loop:
///
///     GET  /rooms           the rooms that want to be listed
///     GET  /games/ID        a record
///     POST /games/result    how a game went; with the host's token or the administrator's
///     GET  /admin/rooms     all rooms                   } with the administrator's token,
///     GET  /admin/records   records, newest first       } and only if there is one
///     POST /admin/reload    as SIGHUP                   }
///
/// Answers are JSON; a refusal is {"error": "..."}. What the records know is answered from their
/// thread by a post to the loop, which goes on meanwhile.
/// @threads the loop's thread
class Routes {
 public:
  Routes(Fleet& fleet, std::uint32_t here, Shared& shared, muster::relay::Service& relay,
         const Journal& journal, muster::Mac& mac);

  /// Adds them. They must outlive the router's last request.
  void add_to(muster::Router& router);

  struct Stats {
    std::uint64_t unauthorized = 0;  ///< requests without the right token
    std::uint64_t limited = 0;       ///< refused for too many wrong ones
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

  /// A room as lists show it.
  struct Listed {
    std::string game;
    bool is_public = false;  ///< strangers may see it
    std::string json;        ///< for them
    std::string more;        ///< and for the administrator
  };

  /// The rooms of this loop.
  [[nodiscard]] std::vector<Listed> rooms() const;

  /// Who says that he may report a room's result.
  struct Claim {
    std::string game_id;
    std::string room_code;
    std::optional<std::uint64_t> token;  ///< the host's; nothing: the administrator's was right
    muster::Address remote;
  };
  struct Verdict {
    std::error_code error;
    std::int64_t room = 0;
  };

  /// On the loop where rooms of that name live.
  [[nodiscard]] Verdict judge(const Claim& claim, muster::time_point now);

 private:
  // Who sent a request, by its token.
  enum class Sender : std::uint8_t { nobody, host, administrator };

  // A decision that waits for an answer of the records.
  using Ticket = std::uint64_t;
  using Answer = std::function<void(muster::Decision)>;

  void list_rooms(const muster::Request& request, muster::Decision decision,
                  muster::time_point now);
  void list_all_rooms(const muster::Request& request, muster::Decision decision,
                      muster::time_point now);
  void show_record(const muster::Request& request, muster::Decision decision,
                   muster::time_point now);
  void list_records(const muster::Request& request, muster::Decision decision,
                    muster::time_point now);
  void take_result(const muster::Request& request, muster::Decision decision,
                   muster::time_point now);
  void report(Ticket ticket, const Verdict& verdict, GameResult result);
  void reload(const muster::Request& request, muster::Decision decision, muster::time_point now);

  [[nodiscard]] bool is_administrator(const muster::Request& request, muster::Decision& decision,
                                      muster::time_point now);
  void refuse(muster::Decision& decision);

  [[nodiscard]] Ticket keep(muster::Decision decision);

  /// What to call on the records' thread: it has `answer` called on the loop, with the decision.
  [[nodiscard]] std::function<void(Answer)> answer_later(Ticket ticket);

  Fleet* fleet_;
  std::uint32_t here_;
  ::asio::io_context* context_;
  Shared* shared_;
  muster::relay::Service* relay_;
  const Journal* journal_;
  muster::Mac* mac_;
  Stats stats_;

  // A list of rooms that strangers may ask for as often as they like is made once a second.
  examples::Gatherer<std::vector<Listed>> gatherer_;
  std::vector<Listed> listed_;
  muster::time_point listed_until_ = muster::time_point::min();

  std::map<Ticket, muster::Decision> kept_;
  Ticket next_ticket_ = 1;
  std::shared_ptr<Routes*> alive_;  // what is posted holds it weakly
};

}  // namespace relay_program
