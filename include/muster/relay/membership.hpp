// SPDX-License-Identifier: MIT
// What a player and a host share: one connection to the relay at a time, and coming back.
#pragma once

#include <muster/backoff.hpp>
#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/mac.hpp>
#include <muster/relay/extension.hpp>
#include <muster/relay/message.hpp>
#include <muster/relay/parting.hpp>
#include <muster/service.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::relay {

/// When a member that lost its room tries to come back.
struct Reconnect {
  bool enabled = true;              ///< false: the first loss is the end
  std::uint32_t max_attempts = 20;  ///< in a row without a welcome; 0: no limit

  /// How long it may be without a welcome before it gives up, 1 s to 24 h. A relay forgets tokens.
  duration give_up_after = std::chrono::minutes{5};
  Backoff::Config backoff{};
};

/// What a member uses of the protocol's extension, and what it says about itself and its room. A
/// relay that does not know the extension ignores all of it: `Membership::capabilities` says what
/// there is.
/// @source docs/protocol/relay.md, "The extension"
struct ExtensionConfig {
  Capabilities capabilities = 0;  ///< what the member wants to use

  std::string name{};  ///< to show to others; empty, or see `is_display_name`

  /// To watch only. A relay that would have it play instead is left: `refused`.
  bool is_spectator = false;  ///< players only

  std::optional<std::uint16_t> seat{};  ///< the seat that is wished for, 1 to 65534

  /// Of a host: who joins must know it, and a relay that cannot ask for it is left: `refused`. Of a
  /// player: proves that it does. Empty: none.
  std::string password{};
  Mac* mac = nullptr;  ///< for a password alone; must outlive the member

  // Of a host that creates a room.
  std::vector<std::byte> metadata{};           ///< about the room, at most 1024 bytes
  bool is_listed = false;                      ///< the relay may list the room
  std::optional<std::uint16_t> max_players{};  ///< a limit below the game's
};

/// Which room, where, and within which limits: for players and hosts alike.
struct MemberConfig {
  std::string url;                   ///< ws://HOST[:PORT]/PATH
  std::string game_id;               ///< UTF-8, at most 1024 bytes
  std::string room_id;               ///< UTF-8, at most 1024 bytes
  std::uint16_t rule_variation = 0;  ///< only the host's counts

  /// Of an earlier connection: come back as the same player.
  std::optional<std::uint64_t> token{};

  duration join_timeout =
      std::chrono::seconds{10};  ///< from the dial to the welcome, 100 ms to 10 min
  duration close_timeout =
      std::chrono::seconds{2};  ///< for the relay's close after its last words, 0 to 1 min
  Reconnect reconnect{};

  // The relay's limits, in bytes of a whole message.
  std::size_t max_host_message = 1024 * 1024;  ///< 1 KiB to 64 MiB
  std::size_t max_client_message = 64 * 1024;  ///< 64 to 64 MiB

  std::size_t max_away_actions = 64;       ///< a player's actions kept while it is away, 0 to 65536
  std::size_t max_away_bytes = 64 * 1024;  ///< and their bytes, 0 to 64 MiB

  /// What may wait for the relay; the largest message must fit.
  Budget budget{.bytes = 4 * 1024 * 1024};

  /// Nothing: the extension is not offered.
  std::optional<ExtensionConfig> extension{};
};

/// @error errc::invalid_config   with a sentence about the first field that is wrong in `problem`
[[nodiscard]] MUSTER_API std::error_code validate(const MemberConfig& config, std::string& problem);

/// Joins a room through a dialer and stays in it: a lost connection is followed by another one,
/// never two at once, until the ending is final or the policy gives up.
///
/// It is a service: add it to the loop, so that its deadlines are kept. It must live until `on_end`
/// was called, or its loop's connections are gone.
/// @threads one loop per member
/// @source docs/protocol/relay.md, "Handshake" and "Reconnecting"
class MUSTER_API Membership : public muster::Service {
 public:
  enum class State : std::uint8_t {
    idle,        ///< not started
    connecting,  ///< dialled
    joining,     ///< the JoinRequest is sent
    joined,      ///< in the room
    closing,     ///< the connection ends; what follows is decided by how
    away,        ///< waits for the next attempt
    ended,
  };

  /// What happens to any member. Calls come from the loop, never from within a verb, with one
  /// exception: leaving while there is no connection ends at once.
  class Handler {
   public:
    virtual ~Handler() = default;

    /// The member is out of the room and tries to come back.
    /// @param text   the relay's last words, or the transport's; for people, may be empty
    /// @param next   when it dials again
    virtual void on_away(Parting, std::string_view text, time_point next, time_point now) {
      (void)text, (void)next, (void)now;
    }

    /// It is over, once and for good. Afterwards the member may be destroyed, but not from within.
    /// @param parting   a passing one when reconnecting is switched off
    virtual void on_end(Parting parting, std::string_view text, time_point now) = 0;
  };

  struct Stats {
    std::uint64_t dials = 0;
    std::uint64_t welcomes = 0;
    std::uint64_t losses = 0;         ///< connections that ended, or never opened
    std::uint64_t malformed = 0;      ///< messages that ended the session with `protocol_error`
    std::uint64_t texts_ignored = 0;  ///< text messages, which the protocol skips
    std::uint64_t messages_sent = 0;  ///< after the JoinRequest
    std::uint64_t sends_refused = 0;  ///< the connection's budget was full
  };

  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// Dials. To be called once.
  /// @error errc::wrong_state   it was called before
  /// @error errc::bad_utf8      an id is not UTF-8
  std::error_code start(time_point now);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool is_joined() const noexcept { return state_ == State::joined; }

  /// To come back later, in another process too. Nothing before the first welcome, unless
  /// configured.
  [[nodiscard]] std::optional<std::uint64_t> token() const noexcept { return token_; }

  /// Of the latest welcome; nothing before the first.
  [[nodiscard]] std::optional<std::uint16_t> player_id() const noexcept { return player_id_; }

  /// What the latest welcome grants; nothing before the first, and of a relay without the
  /// extension.
  [[nodiscard]] Capabilities capabilities() const noexcept {
    return trailer_ ? trailer_->capabilities : 0;
  }

  /// The seat that the latest welcome gave; nothing for spectators and hosts without one.
  [[nodiscard]] std::optional<std::uint16_t> seat() const noexcept {
    return trailer_ && trailer_->seat != no_seat ? trailer_->seat : std::nullopt;
  }

  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

 protected:
  enum class Role : std::uint8_t { player, host };

  Membership(const MemberConfig& config, Role role, Dialer& dialer, Outbox& outbox,
             Entropy& entropy, Handler& handler);
  ~Membership() override = default;

  // What the role adds.

  /// The relay said welcome. `again`: a token was presented, so the relay knew this member.
  /// `continues`: what follows goes on after the change that `known_sequence` named.
  virtual void welcomed(const HandshakeResponse& response, bool again, bool continues,
                        time_point now) = 0;

  /// A message in the room, not empty and no SERVER_ERROR. False: it is malformed.
  virtual bool received(byte_view message, time_point now) = 0;

  /// The connection takes messages again after a refusal.
  virtual void writable(time_point now) = 0;

  /// The member is out of its room, for now or for good.
  virtual void parted(bool is_final) = 0;

  /// The number of the last change that the role has seen, if it knows one.
  [[nodiscard]] virtual std::optional<std::uint64_t> known_sequence() const noexcept {
    return std::nullopt;
  }

  // What the role uses.

  /// The connection, while the member is in its room.
  [[nodiscard]] Connection* link() const noexcept;

  /// One message of an id and its payload.
  SendStatus send(std::uint8_t id, byte_view payload) noexcept;

  /// Says goodbye and closes, or ends at once if there is no connection.
  void depart(time_point now);

  /// The relay made this player the host. The connection stays until another one takes it over, at
  /// most `join_timeout`; then it is over.
  void promote(std::uint64_t token, time_point now);

  /// Whether the relay answered with a trailer, and so knows the extension.
  [[nodiscard]] bool is_extended() const noexcept { return trailer_.has_value(); }

  /// Whether the end is decided, though its connection may still be there.
  [[nodiscard]] bool is_over() const noexcept {
    return state_ == State::ended || (verdict_ && !is_passing(*verdict_));
  }

  [[nodiscard]] const MemberConfig& config() const noexcept { return config_; }
  [[nodiscard]] const Stats& link_stats() const noexcept { return stats_; }

 private:
  void on_open(Connection& connection, time_point now) final;
  void on_message(Connection& connection, const Message& message, time_point now) final;
  void on_writable(Connection& connection, time_point now) final;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) final;
  void on_drain(time_point now) final;

  void dial(time_point now);
  [[nodiscard]] std::vector<std::byte> make_request(const std::optional<Mac::Tag>& proof);
  void take_reply(Connection& connection, byte_view message, time_point now);
  void answer_challenge(Connection& connection, byte_view message);
  [[nodiscard]] bool is_disregarded(const std::optional<Trailer>& trailer) const noexcept;
  void hear_last_words(std::string text, time_point now);
  void reject(Connection& connection, std::string_view text);
  void break_off(Connection& connection, Parting verdict, CloseReason reason, std::uint16_t code,
                 std::string_view text, Message last_words = {});
  [[nodiscard]] std::array<std::byte, 1> goodbye() const noexcept;
  void lost(Parting parting, std::string_view text, time_point now);
  void end(Parting parting, std::string_view text, time_point now);
  [[nodiscard]] std::size_t receive_limit() const noexcept;

  MemberConfig config_;
  Role role_;
  State state_ = State::idle;
  bool knew_room_ = false;  // welcomed on the present connection
  Dialer* dialer_;
  Outbox* outbox_;
  Handler* handler_;
  Backoff backoff_;
  Stats stats_;
  ConnectionId connection_;
  std::vector<std::byte> request_;  // the JoinRequest of the present connection
  std::optional<std::uint64_t> token_;
  std::optional<std::uint16_t> player_id_;
  std::optional<Trailer> trailer_;               // of the latest welcome; without its views
  std::optional<std::uint64_t> asked_sequence_;  // in the present JoinRequest
  bool was_challenged_ = false;                  // on the present connection
  std::optional<Parting> verdict_;               // decided here, whatever the transport says
  std::string last_words_;
  std::uint32_t attempts_ = 0;  // since the last welcome
  time_point give_up_at_ = no_deadline;
  time_point deadline_ = no_deadline;  // of the present state
};

}  // namespace muster::relay
