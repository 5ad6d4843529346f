// SPDX-License-Identifier: MIT
// The front end of shards: it decides who joins, and carries inputs and snapshots.
#pragma once

#include <muster/connection.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/loop_post.hpp>
#include <muster/placement.hpp>
#include <muster/service.hpp>
#include <muster/shard/authenticator.hpp>
#include <muster/shard/credentials.hpp>
#include <muster/shard/envelope.hpp>
#include <muster/shard/error_body.hpp>
#include <muster/shard/join_ticket.hpp>
#include <muster/shard/match_wish.hpp>
#include <muster/shard/matchmaker.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/v2_message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::shard {

/// Lets subscribers into the shards of a registry, with the wire protocol of
/// docs/protocol/shard.md.
///
/// Give it to a transport; the registry is advanced with it:
///
///     shard::Service service{config, registry, outbox, entropy};
///     server.serve(service);
///
/// Everything is decided before an upgrade is answered: who is refused gets a status and an error
/// body, and clients that back off do so.
///
/// It serves SOE sessions (`soe::Endpoint`) as it is. A snapshot that lies in the session cannot be
/// replaced by a newer one any more, so give `soe::Config::send_budget` room for two or three.
///
/// **Several loops** have a service and a registry each (`join_loops`). Whatever is asked on one of
/// them about a shard of another is answered there, before the upgrade is; a place is kept
/// meanwhile so that no shard is oversold; and who is accepted moves there. A SOE session does not
/// move: it is closed with 1013 unless it came where the shard is.
/// @threads one loop per service
class MUSTER_API Service final : public muster::Service {
 public:
  struct Config {
    std::size_t max_message =
        64 * 1024;                      ///< bytes that a subscriber may send at once, 64 to 16 MiB
    std::uint16_t max_json_depth = 64;  ///< arrays and objects in each other, 1 to 127

    /// What may wait for a subscriber. It must hold two snapshots.
    Budget budget{.bytes = 4 * 1024 * 1024, .frames = 512};

    /// How often it is asked whether a session still holds, 1 s to 1 h; 0: never.
    duration revalidate_every = std::chrono::seconds{60};

    /// As the original does it: the upgrade is accepted, and then closed with 1008 or 1013. Its
    /// client in browsers then tries again twice a second, for ever.
    bool accepts_before_refusing = false;

    /// As the original does it: a message that is JSON, but no object, is the input null.
    bool lenient_envelope = false;
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config     valid
  /// @param registry   must outlive the service
  /// @param outbox     must outlive the service; whose connections must not be served after it
  Service(const Config& config, Registry& registry, Outbox& outbox, Entropy& entropy);
  ~Service() override;

  /// Who somebody is; null: everybody is anonymous. Must outlive the service.
  void set_authenticator(Authenticator* authenticator) noexcept { authenticator_ = authenticator; }

  /// Lets those in who present a ticket for the shard, as whom it names. A token that is no ticket
  /// is the authenticator's business, as without this.
  /// @param signer       must outlive the service
  /// @param matchmaker   whose seats the tickets are: each is then good once; null: until it
  ///                     expires; must outlive the service
  /// @param unix_now     the calendar's clock at `now`; say it again once in a while
  void accept_tickets(const TicketSigner& signer, Matchmaker* matchmaker, time_point now,
                      std::chrono::sys_seconds unix_now) noexcept;

  /// Answers what accounts ask below /api/match (docs/protocol/shard.md) about a matchmaker, which
  /// is advanced with this service from now on. To be let in, its tickets need `accept_tickets`.
  /// @param matchmaker   must outlive the service; nobody else may `watch` it
  /// @param rule         who may queue for what; empty: everybody alone, with the rating that it
  /// says
  void serve_matches(Matchmaker& matchmaker, MatchRule rule = {});

  /// A session that let somebody in does not hold any more: its connections are closed with 4401,
  /// on other loops soon. The authenticator has to know it first.
  /// @return how many on this loop
  std::size_t revoke(std::uint64_t session, time_point now);

  /// Makes it one of several, each on a loop of its own. Before the first connection.
  /// @param placement   the same for all
  /// @param here        the number of this one's loop
  /// @param services    one for each loop, by number; only their addresses are used here. All must
  ///                    be there for as long as one of them is served
  /// @param post        reaches all loops
  void join_loops(const Placement& placement, std::uint32_t here, std::vector<Service*> services,
                  LoopPost post);

  /// The number of the loop of a shard: this one, if its registry has it, else where the placement
  /// says. A shard that others are to find has to be made there.
  [[nodiscard]] std::uint32_t home_of(std::string_view shard) const;

  /// The matchmaker is that of the service on that loop: tickets are claimed there, and what is
  /// asked about matches is answered there. After `join_loops`; unless it is said, each loop has
  /// its own, or none.
  void matchmaker_on(std::uint32_t loop) noexcept { matchmaker_on_ = loop; }

  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_request(const Request& request, Decision decision, time_point now) override;
  void on_open(Connection& connection, time_point now) override;
  void on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage,
                  time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_drain(time_point now) override;
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

  struct Stats {
    std::uint64_t accepted = 0;     ///< upgrades and event streams
    std::uint64_t refused_4xx = 0;  ///< requests and upgrades
    std::uint64_t refused_5xx = 0;
    std::uint64_t bad_messages = 0;  ///< no envelope, or one of another kind
    std::uint64_t closed_flooding = 0;
    std::uint64_t closed_revoked = 0;
    std::uint64_t connections_given = 0;  ///< to the loops where their shards live
    std::uint64_t questions = 0;          ///< to other loops
    std::uint64_t unanswered = 0;         ///< of those: not in time, or not taken
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] Registry& registry() const noexcept { return *registry_; }

 private:
  struct Question;
  struct Reply;
  struct Ask;
  struct Arrival;
  struct Passenger;
  struct MatchDesk;

  // A connection's context is its subscription; or its `Arrival` with the first bit, until it has
  // opened; or, with the second, who a stream of matches is for.
  static constexpr std::uintptr_t arrival_bit = 1;
  static constexpr std::uintptr_t watcher_bit = 2;

  [[nodiscard]] static Arrival* arrival_of(const Connection& connection) noexcept;
  [[nodiscard]] static Subscription* subscription_of(const Connection& connection) noexcept;

  // Why a request is not granted.
  struct Refusal {
    ErrorCode code;
    std::string message{};         // empty: the usual one
    std::uint16_t close_code = 0;  // for `Config::accepts_before_refusing`
    std::string_view allowed{};    // of `method_not_allowed`
  };

  // On the loop where it was asked.
  void identify(std::shared_ptr<Ask> ask, const Credentials& credentials, const Request& request,
                time_point now);
  [[nodiscard]] bool has_presented_ticket(const std::shared_ptr<Ask>& ask, std::string_view token,
                                          time_point now);
  void carry_out(const std::shared_ptr<Ask>& ask, const Identity& identity, time_point now);
  void put(const std::shared_ptr<Ask>& ask, std::uint32_t loop, time_point now);
  void gather(const std::shared_ptr<Ask>& ask, time_point now);
  [[nodiscard]] std::shared_ptr<Ask> take_asked(std::uint64_t id);
  void await_reply(std::uint64_t id, const std::shared_ptr<Ask>& ask, time_point until);
  [[nodiscard]] bool send_question(std::uint64_t id, const Question& question, std::uint32_t loop);
  void receive_reply(std::uint64_t id, Reply reply, time_point now);
  void take(const std::shared_ptr<Ask>& ask, Reply reply, time_point now);
  static void respond_rows(Ask& ask);
  void give_up(Ask& ask, const Refusal& refusal, time_point now);
  void give_up_late(time_point now);
  void refuse(Ask& ask, const Refusal& refusal);
  void admit(Ask& ask, time_point now);
  bool accept(Ask& ask, std::list<Arrival>::iterator arrival);
  void send_home(Connection& connection, const Arrival& arrival, time_point now);
  void release(std::uint32_t loop, std::uint64_t hold, time_point now);

  // On the loop that is asked.
  void receive_question(std::uint64_t id, const Question& question, std::uint32_t from,
                        time_point now);
  void send_reply(std::uint64_t id, const Reply& reply, std::uint32_t to, time_point now);
  [[nodiscard]] Reply answer(const Question& question, time_point now);
  [[nodiscard]] static Refusal refusal_of(const Question& question, const JoinCheck& check);
  [[nodiscard]] static Refusal not_found(const Question& question);
  [[nodiscard]] std::string guest_id();
  void keep_place(const Question& question, Reply& reply, time_point now);
  [[nodiscard]] Subscription* take_place(std::uint64_t hold);
  void give_back(std::uint64_t hold, time_point now);
  void give_back_late(time_point now);
  void enter(Connection& connection, std::uint64_t hold, time_point now);

  void show_all(const Question& question, Reply& reply);
  void show(const Question& question, Reply& reply);
  void take_posted(const Question& question, Reply& reply, time_point now);

  // Matches.
  void ask_match(const std::shared_ptr<Ask>& ask, const Request& request, std::string_view action,
                 time_point now);
  void answer_match(const Question& question, Reply& reply, time_point now);
  void enqueue(const Question& question, Reply& reply, time_point now);
  [[nodiscard]] bool keep_waiting(std::uint64_t id, const Question& question, std::uint32_t from,
                                  time_point now);
  void end_wait(const std::string& player, time_point now);
  void advance_matches(time_point now);
  [[nodiscard]] time_point next_match() const noexcept;
  void drain_matches(time_point now);
  void watch(Connection& connection, const std::string& player, std::uint64_t session,
             time_point now);
  void forget_watcher(Connection& connection);
  void send_status(Connection& connection, const std::string& player, time_point now);

  void receive_legacy(Subscription& from, const Message& message, time_point now);
  void receive_v2(Subscription& from, const Message& message, time_point now);
  void take_input(Subscription& from, const v2::Input& input, time_point now);
  void close_flooding(Subscription& from);

  // A place for somebody who is about to be accepted, or to come.
  struct Held {
    std::string shard;
    std::uint64_t handle;
    std::uint64_t session;
    time_point until;
  };

  // What was asked of another loop, or of all.
  struct Asked {
    std::shared_ptr<Ask> ask;
    time_point until;
  };

  // Somebody whose session is asked about from time to time.
  struct Watched {
    ConnectionId connection;
    std::uint64_t session;
    time_point next;
  };

  [[nodiscard]] duration watch_every() const noexcept;
  bool close_revoked(const Watched& watched);
  std::size_t revoke_here(std::uint64_t session, time_point now);
  void revalidate(time_point now);

  Config config_;
  Registry* registry_;
  Outbox* outbox_;
  Entropy* entropy_;
  Authenticator* authenticator_ = nullptr;
  const TicketSigner* signer_ = nullptr;
  Matchmaker* matchmaker_ = nullptr;
  time_point clock_read_{};
  std::chrono::sys_seconds clock_{};
  EnvelopeDecoder envelopes_;
  std::vector<std::byte> words_;  // a message that is being written
  Stats stats_;
  std::list<Arrival> arrivals_;         // who is accepted, and not open yet
  std::map<std::uint64_t, Held> held_;  // the next first: all are kept equally long
  std::map<std::uint64_t, Asked> asked_;
  std::set<std::pair<time_point, std::uint64_t>> asked_due_;
  std::unique_ptr<MatchDesk> desk_;  // with the matchmaker
  std::uint64_t next_hold_ = 1;
  std::uint64_t next_asked_ = 1;
  std::optional<Placement> placement_;
  std::uint32_t here_ = 0;
  std::uint32_t matchmaker_on_ = 0;
  std::vector<Service*> services_;                  // of all loops
  std::vector<std::weak_ptr<Service*>> addresses_;  // the same, for what is posted
  LoopPost post_;
  std::deque<Watched> watched_;      // the next first: all wait equally long
  std::shared_ptr<Service*> alive_;  // what authentications hold weakly
  bool is_draining_ = false;
};

}  // namespace muster::shard
