// SPDX-License-Identifier: MIT
#include <muster/deadline_wheel.hpp>
#include <muster/soe/engine.hpp>
#include <muster/soe/packet.hpp>

#include <algorithm>
#include <cassert>
#include <deque>
#include <string>
#include <unordered_map>

#include "half_open.hpp"
#include "request_limits.hpp"
#include "resources.hpp"
#include "session.hpp"

namespace muster::soe {
namespace {

constexpr std::size_t max_protocol_length = 32;

// Strangers are told that they have no session so often, all together.
constexpr std::uint32_t answers_to_strangers_per_second = 100;

}  // namespace

/// A slot is what an address leads to: a request that was answered, then a session, then, until its
/// last event has been polled, what is left of it.
class MUSTER_LOCAL Engine::Impl {
 public:
  Impl(const Config& config, Entropy& entropy, Directory& directory, time_point now)
      : resources_(config, entropy),
        directory_(directory),
        now_(now),
        transport_wheel_(now, NodeAt{&slots_, &Slot::transport}),
        life_wheel_(now, NodeAt{&slots_, &Slot::life}),
        requests_(config.requests_per_second, config.requests_per_second_per_host, now),
        strangers_(answers_to_strangers_per_second, 0, now) {}

  std::uint32_t receive(std::uint32_t at, mutable_byte_view datagram, time_point now) {
    count_received(datagram.size(), now);
    return slots_[at].kind == Slot::Kind::half_open ? receive_half_open(at, datagram, now)
                                                    : receive_session(at, datagram, now);
  }

  bool receive_from_stranger(byte_view datagram, time_point now) {
    count_received(datagram.size(), now);
    resources_.count(Drop::no_session);
    if (!resources_.config.answers_unknown_senders || datagram.size() < 2) return false;
    // Not to those whose own words would make the two of us talk for ever, and not to goodbyes.
    if (datagram[0] == std::byte{0} &&
        (op_of(datagram) == static_cast<std::uint16_t>(OpCode::unknown_sender) ||
         op_of(datagram) == static_cast<std::uint16_t>(OpCode::disconnect))) {
      return false;
    }
    return strangers_.admit(0, now);
  }

  std::optional<Request> screen_request(std::uint32_t at, std::uint64_t host_hash,
                                        byte_view datagram, time_point now) {
    count_received(datagram.size(), now);
    const auto request = SessionRequest::decode(datagram);
    if (!request || request->udp_length < min_udp_length || request->udp_length > max_udp_length ||
        datagram.size() > resources_.max_datagram()) {
      resources_.count(Drop::bad_request);
      return std::nullopt;
    }
    if (at != none && slots_[at].kind == Slot::Kind::session && slots_[at].session->is_client()) {
      Session& session = *slots_[at].session;
      if (session.is_connecting() && session.is_own_request(request->session_id)) {
        session.connected_to_self();
        retire(at);
      } else {
        resources_.count(Drop::wrong_state);
      }
      return std::nullopt;
    }
    if (request->version != protocol_version) {
      resources_.count(Drop::not_admitted);
      return std::nullopt;
    }
    if (!requests_.admit(host_hash, now)) {
      resources_.count(Drop::too_many_requests);
      return std::nullopt;
    }
    if (at != none && answer_again(slots_[at], request->session_id)) return std::nullopt;
    return Request{at, request->session_id, request->udp_length, request->receive_window,
                   request->protocol};
  }

  Admission admission_of(std::string_view protocol) const {
    const auto& known = resources_.config.protocols;
    if (std::find(known.begin(), known.end(), protocol) != known.end()) {
      return Admission::accept();
    }
    return resources_.config.explains_refusal
               ? Admission::refuse(DisconnectReason::protocol_mismatch)
               : Admission::drop();
  }

  std::uint32_t answer_request(const Request& request, const Admission& admission, time_point now) {
    if (admission.verdict != Admission::Verdict::accept) resources_.count(Drop::not_admitted);
    if (admission.verdict == Admission::Verdict::drop) return request.slot;
    HalfOpen made{request, admission, resources_, now};
    std::uint32_t at = request.slot;
    if (at != none && slots_[at].kind != Slot::Kind::ended) {  // who admits may have ended it
      // What is there stays until the client proves that it has the new response.
      slots_[at].rival = std::make_unique<HalfOpen>(std::move(made));
      slots_[at].rival->respond(resources_.outgoing, at, resources_.config);
      return at;
    }
    make_room();
    at = take_slot(Slot::Kind::half_open);
    half_open_order_.push_back({at, slots_[at].generation});
    ++half_open_count_;
    Slot& slot = slots_[at];
    slot.half_open = std::make_unique<HalfOpen>(std::move(made));
    life_wheel_.set(at, slot.half_open->expires);
    slot.half_open->respond(resources_.outgoing, at, resources_.config);
    return at;
  }

  std::uint32_t find_remap(byte_view datagram, time_point now) noexcept {
    count_received(datagram.size(), now);
    const auto remap = RemapConnection::decode(datagram);
    if (!remap || !resources_.config.allows_port_remaps) return none;
    const auto found = by_identity_.find(identity(remap->session_id, remap->crc_seed));
    return found == by_identity_.end() ? none : found->second;
  }

  void remapped(std::uint32_t at, time_point now) noexcept { slots_[at].session->moved(now); }

  bool begin_batch() noexcept {
    if (!resources_.inbox.is_empty()) {
      resources_.count(Drop::not_polled);
      return false;
    }
    resources_.inbox.clear();
    begin_outgoing();
    return true;
  }

  void finish_batch(time_point now) {
    for (const std::uint32_t at : dirty_) {
      if (slots_[at].kind == Slot::Kind::session) slots_[at].session->finish_batch(now);
    }
  }

  result<std::uint32_t> connect(std::string_view protocol, time_point now) {
    if (protocol.size() > max_protocol_length || protocol.find('\0') != std::string_view::npos) {
      return errc::bad_value;
    }
    if (session_count_ >= resources_.config.max_sessions) return errc::limit_reached;
    resources_.outgoing.begin();
    const std::uint32_t at = take_slot(Slot::Kind::session);
    slots_[at].session = std::make_unique<Session>(resources_, id_of(at), protocol, now);
    ++session_count_;
    arm_life(at);
    return at;
  }

  Session* find(SessionId id) const noexcept {
    if (id.index >= slots_.size() || slots_[id.index].generation != id.generation) return nullptr;
    const Slot& slot = slots_[id.index];
    return slot.kind == Slot::Kind::session ? slot.session.get() : nullptr;
  }

  EnqueueStatus enqueue(SessionId id, byte_view message, Channel channel) {
    Session* const session = find(id);
    if (session == nullptr) return EnqueueStatus::not_open;
    const EnqueueStatus status = session->enqueue(message, channel);
    if (status == EnqueueStatus::queued) after(id.index);
    return status;
  }

  bool set_encryption(SessionId id, unsigned channels, byte_view key) {
    Session* const session = find(id);
    if (session == nullptr || (!key.empty() && !Rc4::is_valid_key(key))) return false;
    if (key.empty()) {
      session->set_encryption(channels, nullptr);
    } else {
      Rc4 cipher{key};
      session->set_encryption(channels, &cipher);
      cipher.erase();
    }
    return true;
  }

  bool terminate(SessionId id, DisconnectReason reason, time_point now) {
    Session* const session = find(id);
    if (session == nullptr) return false;
    resources_.outgoing.begin();
    session->flush(now);
    session->end(reason, false, true);
    retire(id.index);
    return true;
  }

  bool close(SessionId id, DisconnectReason reason, time_point now) {
    Session* const session = find(id);
    if (session == nullptr) return false;
    session->close(reason, now);
    if (session->has_ended()) {
      retire(id.index);
    } else {
      after(id.index);
    }
    return true;
  }

  void advance(time_point now) {
    now_ = std::max(now_, now);
    begin_outgoing();
    life_wheel_.advance(now, [&](std::uint32_t at) { advance_life(at, now); });
    transport_wheel_.advance(now, [&](std::uint32_t at) {
      slots_[at].session->advance_transport(now);
      after(at);
    });
    // What a session pushes to the end of the list while it is flushed belongs to the next turn.
    std::swap(dirty_, flushing_);
    for (const std::uint32_t at : flushing_) {
      Slot& slot = slots_[at];
      slot.is_dirty = false;
      if (slot.kind != Slot::Kind::session) continue;
      slot.session->flush(now);
      if (slot.session->has_ended()) {
        retire(at);
      } else {
        arm_transport(at);
        arm_life(at);
      }
    }
    flushing_.clear();
  }

  bool poll_event(Event& event) {
    if (!resources_.inbox.poll(event)) return false;
    if (event.kind == Event::Kind::data) ++resources_.totals.messages_received;
    if (event.kind == Event::Kind::closed) leaving_.push_back(event.session.index);
    return true;
  }

  bool poll_transmit(std::uint32_t& at, std::span<const byte_view>& datagrams) {
    if (!resources_.outgoing.poll(at, datagrams)) return false;
    resources_.totals.datagrams_sent += datagrams.size();
    for (const byte_view datagram : datagrams) resources_.totals.bytes_sent += datagram.size();
    return true;
  }

  time_point next_deadline() const noexcept {
    if (!dirty_.empty()) return now_;
    return std::min(transport_wheel_.next_deadline(), life_wheel_.next_deadline());
  }

  SessionId id_of(std::uint32_t at) const noexcept {
    return slots_[at].kind == Slot::Kind::half_open ? SessionId{}
                                                    : SessionId{at, slots_[at].generation};
  }

  bool is_known(SessionId id) const noexcept {
    return id.index < slots_.size() && slots_[id.index].generation == id.generation &&
           (slots_[id.index].kind == Slot::Kind::session ||
            slots_[id.index].kind == Slot::Kind::ended);
  }

  std::size_t session_count() const noexcept { return session_count_; }
  std::size_t half_open_count() const noexcept { return half_open_count_; }
  Resources& resources() noexcept { return resources_; }

 private:
  struct Slot {
    enum class Kind : std::uint8_t { free, half_open, session, ended };
    std::uint32_t generation = 1;
    Kind kind = Kind::free;
    bool is_dirty = false;  // in the list of those to be flushed
    DeadlineNode transport;
    DeadlineNode life;
    std::unique_ptr<Session> session;
    std::unique_ptr<HalfOpen> half_open;
    std::unique_ptr<HalfOpen> rival;  // a newer request from the same address
  };
  struct NodeAt {
    std::vector<Slot>* slots;
    DeadlineNode Slot::*node;
    DeadlineNode& operator()(std::uint32_t at) const noexcept { return (*slots)[at].*node; }
  };
  struct Waiting {
    std::uint32_t slot;
    std::uint32_t generation;
  };

  static std::uint64_t identity(std::uint32_t session_id, std::uint32_t crc_seed) noexcept {
    return std::uint64_t{session_id} << 32U | crc_seed;
  }

  void count_received(std::size_t size, time_point now) noexcept {
    now_ = std::max(now_, now);
    ++resources_.totals.datagrams_received;
    resources_.totals.bytes_received += size;
  }

  // Something may have to be sent.
  void after(std::uint32_t at) {
    if (slots_[at].is_dirty) return;
    slots_[at].is_dirty = true;
    dirty_.push_back(at);
  }

  // A timer that is early costs a look; one that is set anew with every packet costs more.
  void arm(auto& wheel, DeadlineNode& node, std::uint32_t at, time_point deadline) {
    if (deadline == no_deadline) {
      wheel.clear(at);
    } else if (node.next == DeadlineNode::unlinked || deadline < wheel.time_of(node.tick)) {
      wheel.set(at, deadline);
    }
  }
  void arm_transport(std::uint32_t at) {
    arm(transport_wheel_, slots_[at].transport, at, slots_[at].session->transport_deadline());
  }
  void arm_life(std::uint32_t at) {
    arm(life_wheel_, slots_[at].life, at, slots_[at].session->life_deadline());
  }

  void advance_life(std::uint32_t at, time_point now) {
    Slot& slot = slots_[at];
    if (slot.kind == Slot::Kind::half_open) return expire_half_open(at, now);
    if (slot.rival && now >= slot.rival->expires) slot.rival.reset();
    slot.session->advance_life(now);
    if (slot.session->has_ended()) {
      retire(at);
    } else {
      arm_life(at);
    }
  }

  // Requests.

  // The same request again gets the same response.
  bool answer_again(Slot& slot, std::uint32_t session_id) {
    const auto at = static_cast<std::uint32_t>(&slot - slots_.data());
    if (slot.session && slot.session->is_own_request(session_id)) {
      slot.session->answer_again();
      return true;
    }
    for (const HalfOpen* const asked : {slot.half_open.get(), slot.rival.get()}) {
      if (asked == nullptr || asked->negotiated.session_id != session_id) continue;
      asked->respond(resources_.outgoing, at, resources_.config);
      return true;
    }
    return false;
  }

  std::uint32_t receive_session(std::uint32_t at, mutable_byte_view datagram, time_point now) {
    Slot& slot = slots_[at];
    Session& session = *slot.session;
    if (session.receive(datagram, now) == Session::Intake::bad_checksum && has_rival(slot, now) &&
        slot.rival->is_proven_by(datagram, resources_.config)) {
      // The client has started anew, and this is the first that it says.
      return succeed(at, datagram, now);
    }
    after(at);
    return session.has_ended() ? retire(at) : at;
  }

  std::uint32_t receive_half_open(std::uint32_t at, mutable_byte_view datagram, time_point now) {
    Slot& slot = slots_[at];
    const bool is_rival =
        has_rival(slot, now) && slot.rival->is_proven_by(datagram, resources_.config);
    if (!is_rival && !slot.half_open->is_proven_by(datagram, resources_.config)) {
      resources_.count(datagram.size() < 2 ? Drop::empty : Drop::bad_checksum);
      return at;
    }
    if (session_count_ >= resources_.config.max_sessions) {
      resources_.count(Drop::not_admitted);
      return at;
    }
    const std::unique_ptr<HalfOpen> half_open = std::move(is_rival ? slot.rival : slot.half_open);
    slot.half_open.reset();
    --half_open_count_;
    open(at, *half_open, now);
    return receive_session(at, datagram, now);
  }

  void open(std::uint32_t at, const HalfOpen& half_open, time_point now) {
    Slot& slot = slots_[at];
    slot.kind = Slot::Kind::session;
    slot.session = std::make_unique<Session>(resources_, SessionId{at, slot.generation},
                                             half_open.negotiated, half_open.cipher.get(), now);
    ++session_count_;
    ++resources_.totals.sessions_opened;
    if (resources_.config.allows_port_remaps) {
      by_identity_[identity(slot.session->session_id(), slot.session->crc_seed())] = at;
    }
    resources_.inbox.push({.kind = Event::Kind::opened, .session = {at, slot.generation}});
    life_wheel_.clear(at);
    arm_life(at);
  }

  // The client at this address has begun anew: its old session ends.
  std::uint32_t succeed(std::uint32_t at, mutable_byte_view datagram, time_point now) {
    const std::unique_ptr<HalfOpen> rival = std::move(slots_[at].rival);
    const std::uint32_t successor = take_slot(Slot::Kind::half_open);
    directory_.redirect(at, successor);
    slots_[at].session->end(DisconnectReason::new_connection_attempt, true, false);
    finish(at);
    open(successor, *rival, now);
    return receive_session(successor, datagram, now);
  }

  // For one more: the oldest leave, and those that are half-open no longer are forgotten.
  void make_room() {
    for (; !half_open_order_.empty(); half_open_order_.pop_front()) {
      const Waiting oldest = half_open_order_.front();
      const Slot& slot = slots_[oldest.slot];
      if (slot.kind != Slot::Kind::half_open || slot.generation != oldest.generation) continue;
      if (half_open_count_ < resources_.config.max_half_open) return;
      ++resources_.totals.half_open_evicted;
      directory_.forget(oldest.slot);
      drop_half_open(oldest.slot);
    }
  }

  void expire_half_open(std::uint32_t at, time_point now) {
    Slot& slot = slots_[at];
    if (!has_rival(slot, now)) {
      directory_.forget(at);
      return drop_half_open(at);
    }
    // The newer request is the only one now; the order of age knows it by the generation.
    slot.half_open = std::move(slot.rival);
    count_up(slot.generation);
    half_open_order_.push_back({at, slot.generation});
    life_wheel_.set(at, slot.half_open->expires);
  }

  void drop_half_open(std::uint32_t at) {
    --half_open_count_;
    slots_[at].half_open.reset();
    slots_[at].rival.reset();
    life_wheel_.clear(at);
    slots_[at].kind = Slot::Kind::ended;
    leaving_.push_back(at);
  }

  static bool has_rival(const Slot& slot, time_point now) noexcept {
    return slot.rival && now < slot.rival->expires;
  }

  // Slots.

  static void count_up(std::uint32_t& generation) noexcept {
    if (++generation == 0) generation = 1;
  }

  std::uint32_t take_slot(Slot::Kind kind) {
    std::uint32_t at = 0;
    if (free_slots_.empty()) {
      at = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      at = free_slots_.back();
      free_slots_.pop_back();
    }
    slots_[at].kind = kind;
    return at;
  }

  // A slot's address is wanted for as long as anything is still to be sent to it, and while the
  // event of its end is handled.
  void begin_outgoing() {
    resources_.outgoing.begin();
    if (!resources_.outgoing.is_drained()) return;
    for (const std::uint32_t at : leaving_) {
      Slot& slot = slots_[at];
      slot.kind = Slot::Kind::free;
      count_up(slot.generation);
      free_slots_.push_back(at);
    }
    leaving_.clear();
  }

  // A session has ended: its address is free at once, its slot when the event has been polled.
  std::uint32_t retire(std::uint32_t at) {
    directory_.forget(at);
    finish(at);
    return none;
  }

  void finish(std::uint32_t at) {
    Slot& slot = slots_[at];
    transport_wheel_.clear(at);
    life_wheel_.clear(at);
    if (resources_.config.allows_port_remaps) {
      by_identity_.erase(identity(slot.session->session_id(), slot.session->crc_seed()));
    }
    slot.session.reset();
    slot.rival.reset();
    slot.kind = Slot::Kind::ended;
    --session_count_;
    ++resources_.totals.sessions_closed;
  }

  Resources resources_;
  Directory& directory_;
  time_point now_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> leaving_;  // free as soon as nothing more is to be sent to them
  std::vector<std::uint32_t> dirty_;
  std::vector<std::uint32_t> flushing_;
  DeadlineWheel<NodeAt, 1> transport_wheel_;
  DeadlineWheel<NodeAt> life_wheel_;
  std::size_t session_count_ = 0;
  std::size_t half_open_count_ = 0;
  std::deque<Waiting> half_open_order_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_identity_;  // only if ports may be remapped
  RequestLimits requests_;
  RequestLimits strangers_;
};

Engine::Engine(const Config& config, Entropy& entropy, Directory& directory, time_point now)
    : impl_(std::make_unique<Impl>(config, entropy, directory, now)) {}
Engine::~Engine() = default;

std::uint32_t Engine::receive(std::uint32_t slot, mutable_byte_view datagram, time_point now) {
  return impl_->receive(slot, datagram, now);
}
bool Engine::receive_from_stranger(byte_view datagram, time_point now) {
  return impl_->receive_from_stranger(datagram, now);
}
std::optional<Engine::Request> Engine::screen_request(std::uint32_t slot, std::uint64_t host_hash,
                                                      byte_view datagram, time_point now) {
  return impl_->screen_request(slot, host_hash, datagram, now);
}
Admission Engine::admission_of(std::string_view protocol) const {
  return impl_->admission_of(protocol);
}
std::uint32_t Engine::answer_request(const Request& request, const Admission& admission,
                                     time_point now) {
  return impl_->answer_request(request, admission, now);
}
std::uint32_t Engine::find_remap(byte_view datagram, time_point now) noexcept {
  return impl_->find_remap(datagram, now);
}
void Engine::remapped(std::uint32_t slot, time_point now) noexcept { impl_->remapped(slot, now); }
void Engine::count(Drop drop) noexcept { impl_->resources().count(drop); }
void Engine::finish_batch(time_point now) { impl_->finish_batch(now); }
bool Engine::begin_batch() noexcept { return impl_->begin_batch(); }
result<std::uint32_t> Engine::connect(std::string_view protocol, time_point now) {
  return impl_->connect(protocol, now);
}
EnqueueStatus Engine::enqueue(SessionId session, byte_view message, Channel channel) {
  return impl_->enqueue(session, message, channel);
}
bool Engine::set_encryption(SessionId session, unsigned channels, byte_view key) {
  return impl_->set_encryption(session, channels, key);
}
bool Engine::terminate(SessionId session, DisconnectReason reason, time_point now) {
  return impl_->terminate(session, reason, now);
}
bool Engine::close(SessionId session, DisconnectReason reason, time_point now) {
  return impl_->close(session, reason, now);
}
void Engine::advance(time_point now) { impl_->advance(now); }
bool Engine::poll_event(Event& event) { return impl_->poll_event(event); }
bool Engine::poll_transmit(std::uint32_t& slot, std::span<const byte_view>& datagrams) {
  return impl_->poll_transmit(slot, datagrams);
}
time_point Engine::next_deadline() const noexcept { return impl_->next_deadline(); }
SessionId Engine::id_of(std::uint32_t slot) const noexcept { return impl_->id_of(slot); }
bool Engine::is_known(SessionId session) const noexcept { return impl_->is_known(session); }
bool Engine::is_open(SessionId id) const noexcept {
  const Session* const session = impl_->find(id);
  return session != nullptr && session->is_open();
}
std::size_t Engine::session_count() const noexcept { return impl_->session_count(); }
std::size_t Engine::half_open_count() const noexcept { return impl_->half_open_count(); }
SessionStats Engine::stats(SessionId id) const noexcept {
  const Session* const session = impl_->find(id);
  return session != nullptr ? session->stats() : SessionStats{};
}
const Totals& Engine::totals() const noexcept { return impl_->resources().totals; }
const Config& Engine::config() const noexcept { return impl_->resources().config; }

}  // namespace muster::soe
