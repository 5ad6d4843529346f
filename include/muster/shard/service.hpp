// SPDX-License-Identifier: MIT
// The front end of shards: it decides who joins, and carries inputs and snapshots.
#pragma once

#include <muster/connection.hpp>
#include <muster/entropy.hpp>
#include <muster/service.hpp>
#include <muster/shard/authenticator.hpp>
#include <muster/shard/credentials.hpp>
#include <muster/shard/envelope.hpp>
#include <muster/shard/error_body.hpp>
#include <muster/shard/join_ticket.hpp>
#include <muster/shard/matchmaker.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/v2_message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
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
/// @threads one loop per service
class Service final : public muster::Service {
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

  /// A session that let somebody in does not hold any more: its connections are closed with 4401.
  /// @return how many
  std::size_t revoke(std::uint64_t session);

  void on_upgrade(const Request& request, Decision decision, time_point now) override;
  void on_request(const Request& request, Decision decision, time_point now) override;
  void on_open(Connection& connection, time_point now) override;
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
  };
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }
  [[nodiscard]] Registry& registry() const noexcept { return *registry_; }

 private:
  struct Ask;
  struct Arrival;

  [[nodiscard]] static Arrival* arrival_of(const Connection& connection) noexcept;
  [[nodiscard]] static Subscription* subscription_of(const Connection& connection) noexcept;

  // Why a request is not granted.
  struct Refusal {
    ErrorCode code;
    std::string message{};         // empty: the usual one
    std::uint16_t close_code = 0;  // for `Config::accepts_before_refusing`
    std::string_view allowed{};    // of `method_not_allowed`
  };

  void identify(std::unique_ptr<Ask> ask, const Credentials& credentials, const Request& request,
                time_point now);
  [[nodiscard]] bool has_presented_ticket(Ask& ask, std::string_view token, time_point now);
  void carry_out(Ask& ask, const Identity& identity, time_point now);
  void refuse(Ask& ask, const Refusal& refusal);
  [[nodiscard]] static Refusal refusal_of(const Ask& ask, const JoinCheck& check);
  [[nodiscard]] static Refusal not_found(const Ask& ask);
  [[nodiscard]] std::string guest_id();
  void join(Ask& ask, const Identity& identity, time_point now);
  bool accept(Ask& ask, std::list<Arrival>::iterator arrival);

  void show_all(Ask& ask, const Identity& identity);
  void show(Ask& ask, const Identity& identity);
  void take_posted(Ask& ask, const Identity& identity, time_point now);

  void receive_legacy(Subscription& from, const Message& message, time_point now);
  void receive_v2(Subscription& from, const Message& message, time_point now);
  void take_input(Subscription& from, const v2::Input& input, time_point now);
  void close_flooding(Subscription& from);

  // Somebody whose session is asked about from time to time.
  struct Watched {
    ConnectionId connection;
    std::uint64_t session;
    time_point next;
  };

  [[nodiscard]] duration watch_every() const noexcept;
  bool close_revoked(const Watched& watched);
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
  std::list<Arrival> arrivals_;      // who is accepted, and not open yet
  std::deque<Watched> watched_;      // the next first: all wait equally long
  std::shared_ptr<Service*> alive_;  // what authentications hold weakly
  bool is_draining_ = false;
};

}  // namespace muster::shard
