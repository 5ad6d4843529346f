// SPDX-License-Identifier: MIT
// Events in virtual time, and the ends of connections that they reach.
#include <muster/memory/network.hpp>

#include <algorithm>
#include <cassert>
#include <deque>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace muster::memory {

namespace {

constexpr std::string_view event_stream = "text/event-stream";

enum class EventKind : std::uint8_t { upgrade, open, message, close, resume };

struct Event {
  time_point at;
  std::uint64_t sequence = 0;
  EventKind kind = EventKind::message;
  ConnectionId target;
  MessageKind message_kind = MessageKind::binary;
  std::vector<std::byte> bytes{};  // a message, or the text of a close
  CloseReason reason = CloseReason::none;
  std::uint16_t code = 0;

  // The earliest first, in the order in which they were made.
  friend bool operator<(const Event& a, const Event& b) noexcept {
    return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
  }
};

// A request that outlives the caller's views.
struct StoredRequest {
  explicit StoredRequest(const Request& from)
      : texts{std::string{from.method}, std::string{from.path}, std::string{from.query},
              std::string{as_text(from.body)}},
        remote(from.remote) {
    for (const HeaderField& field : from.headers) {
      header_texts.emplace_back(field.name, field.value);
    }
    for (const std::string_view name : from.subprotocols) subprotocol_texts.emplace_back(name);
    for (const auto& [name, value] : header_texts) headers.push_back({name, value});
    for (const std::string& name : subprotocol_texts) subprotocols.push_back(name);
  }

  [[nodiscard]] Request view() const noexcept {
    return {texts[0], texts[1], texts[2], headers, subprotocols, as_bytes(texts[3]), remote};
  }

  std::vector<std::string> texts;
  std::vector<std::pair<std::string, std::string>> header_texts;
  std::vector<std::string> subprotocol_texts;
  std::vector<HeaderField> headers;
  std::vector<std::string_view> subprotocols;
  Address remote;
};

}  // namespace

struct MUSTER_LOCAL Network::World {
  World(std::uint64_t seed, const Outbox::Config& config) : random(seed), outbox(config) {}

  void schedule(Event event) {
    event.sequence = ++sequence;
    events.push(std::move(event));
  }
  void handle(Event event);
  [[nodiscard]] time_point next_event() const noexcept {
    time_point next = outbox.is_dirty() ? now : outbox.next_deadline();
    if (!events.empty()) next = std::min(next, events.top().at);
    for (const Service* const service : services) next = std::min(next, service->next_deadline());
    return next;
  }
  void reap() { ends_to_free.clear(); }

  std::mt19937_64 random;
  time_point now = time_point{} + std::chrono::hours{1};
  std::uint64_t sequence = 0;
  std::uint64_t writes = 0;
  std::uint64_t fail_at = 0;
  std::priority_queue<Event> events;
  std::vector<Service*> services;
  Outbox outbox;
  std::vector<std::unique_ptr<End>> ends;
  std::vector<std::unique_ptr<End>> ends_to_free;
};

class MUSTER_LOCAL Network::End final : public Connection {
 public:
  End(World& world, const Link& link)
      : Connection(world.outbox, Framing::messages), world_(world), link_(link) {}

  [[nodiscard]] Address remote() const noexcept override { return address_; }
  [[nodiscard]] std::string_view subprotocol() const noexcept override { return subprotocol_; }

  void connect_to(End& peer) noexcept { peer_ = peer.id(); }
  [[nodiscard]] End* peer() const noexcept { return static_cast<End*>(world_.outbox.find(peer_)); }

  bool write_message(Message message, Delivery::Class delivery) noexcept override {
    ++world_.writes;
    if (world_.fail_at != 0 && world_.writes == world_.fail_at) {
      cut();
      return false;
    }
    if (answer_ != nullptr) {
      answer_->body += as_text(message.bytes);
      return true;
    }
    const std::size_t size = message.bytes.size();
    if (under_way_ != 0 && under_way_ + size > link_.window) return false;
    if (delivery == Delivery::Class::volatile_ && link_.loss > 0 &&
        std::uniform_real_distribution<double>{0, 1}(world_.random) < link_.loss) {
      return true;
    }
    under_way_ += size;
    Event event{.at = arrival(size), .kind = EventKind::message, .target = peer_};
    event.message_kind = message.kind;
    event.bytes.assign(message.bytes.begin(), message.bytes.end());
    world_.schedule(std::move(event));
    return true;
  }

  void finish(const CloseInfo& info) noexcept override {
    if (!established_) {  // closed before the handshake was over
      fail(info.reason);
      return;
    }
    if (answer_ != nullptr) {
      ended(info.reason, false);
      return;
    }
    Event event{.at = arrival(0), .kind = EventKind::close, .target = peer_};
    if (is_stream_) {  // it has no close message: a response ends, or its reader is gone
      event.reason = is_plain_server_ ? CloseReason::finished : CloseReason::connection_lost;
    } else {
      const byte_view text = as_bytes(info.text);
      event.bytes.assign(text.begin(), text.end());
      event.reason = info.reason;
      event.code = info.code;
    }
    world_.schedule(std::move(event));
  }

  void release() noexcept override {
    const auto found = std::find_if(world_.ends.begin(), world_.ends.end(),
                                    [this](const auto& end) { return end.get() == this; });
    if (found == world_.ends.end()) return;
    world_.ends_to_free.push_back(std::move(*found));
    world_.ends.erase(found);
  }

  void accept_upgrade(Service& service, std::string_view subprotocol) noexcept override {
    pending_service_ = &service;
    if (End* const client = peer(); client != nullptr) client->subprotocol_ = subprotocol;
    world_.schedule({.at = world_.now, .kind = EventKind::open, .target = id()});
    world_.schedule({.at = arrival(0), .kind = EventKind::open, .target = peer_});
  }

  void respond(const Response& response) noexcept override {
    if (answer_ != nullptr) {
      answer_->status = response.status;
      answer_->body = as_text(response.body);
      answer_->content_type = response.content_type;
    } else if (End* const client = peer(); client != nullptr) {
      client->ended(CloseReason::refused, true, static_cast<std::uint16_t>(response.status),
                    as_text(response.body));
    }
    ended(CloseReason::refused, false);
  }

  bool accept_stream(Service& service, std::span<const HeaderField>) noexcept override {
    assert(is_plain_server_ && "a stream answers a plain request");
    if (!is_plain_server_ || is_head_) {
      respond({.status = is_plain_server_ ? 200U : 500U, .content_type = event_stream});
      return false;
    }
    answer_to(service);
    is_stream_ = true;
    if (answer_ != nullptr) {
      answer_->status = 200;
      answer_->content_type = event_stream;
    } else if (End* const client = peer(); client != nullptr) {
      client->is_stream_ = true;
    }
    accept_upgrade(service, {});
    return true;
  }

  // What events do.

  void ask() {
    if (has_ended() || is_closing()) return;
    const StoredRequest request = std::move(*request_);
    request_.reset();
    is_head_ = request.view().method == "HEAD";
    Decision decision{world_.outbox, id()};
    if (is_plain_server_) {
      pending_service_->on_request(request.view(), std::move(decision), world_.now);
    } else {
      pending_service_->on_upgrade(request.view(), std::move(decision), world_.now);
    }
  }

  void open() {
    if (has_ended() || is_closing()) return;
    established_ = true;
    opened(*pending_service_);
    announce(world_.now);
  }

  void receive(Event event) {
    if (stalled_ || !held_.empty()) {
      held_.push_back(std::move(event));
    } else {
      take(std::move(event));
    }
  }

  void take(Event event) {
    if (event.kind == EventKind::message) {
      if (End* const from = peer(); from != nullptr) from->delivered(event.bytes.size());
      if (is_open() && !is_plain_server_) {
        service()->on_message(*this, {event.bytes, event.message_kind}, world_.now);
      }
      return;
    }
    // A close: this end ends, and with it the one that sent it.
    End* const from = peer();
    if (from != nullptr) from->ended(event.reason, false, event.code);
    ended(event.reason, true, event.code, as_text(event.bytes));
  }

  void stall(bool stalled) {
    stalled_ = stalled;
    if (stalled) return;
    world_.schedule({.at = world_.now, .kind = EventKind::resume, .target = id()});
  }

  // What arrived while it was stalled comes first, in its order.
  void resume() {
    while (!stalled_ && !held_.empty()) {
      Event event = std::move(held_.front());
      held_.pop_front();
      take(std::move(event));
    }
  }

  void fail(CloseReason reason) noexcept {
    if (End* const other = peer(); other != nullptr) {
      other->ended(CloseReason::connection_lost, true);
    }
    ended(reason, true);
  }
  void cut() noexcept { fail(CloseReason::connection_lost); }

 private:
  friend class Network;

  // When something of that size reaches the other end, if it leaves now.
  time_point arrival(std::size_t size) {
    time_point sent = std::max(world_.now, link_free_);
    if (link_.bytes_per_second != 0) {
      sent += std::chrono::nanoseconds{size * 1'000'000'000 / link_.bytes_per_second};
    }
    link_free_ = sent;
    duration late = link_.latency;
    if (link_.jitter > duration{0}) {
      late += duration{
          std::uniform_int_distribution<duration::rep>{0, link_.jitter.count()}(world_.random)};
    }
    last_arrival_ = std::max(last_arrival_, sent + late);
    return last_arrival_;
  }

  void delivered(std::size_t size) noexcept {
    under_way_ -= std::min(under_way_, size);
    if (is_blocked()) writable();
  }

  World& world_;
  Link link_;
  ConnectionId peer_;
  Address address_;
  std::string subprotocol_;
  Service* pending_service_ = nullptr;
  std::unique_ptr<StoredRequest> request_;
  std::shared_ptr<Answer> answer_;
  std::deque<Event> held_;
  std::size_t under_way_ = 0;
  time_point link_free_ = time_point::min();
  time_point last_arrival_ = time_point::min();
  bool established_ = false;
  bool stalled_ = false;
  bool is_plain_server_ = false;  // asked by a plain request: hears nothing after it
  bool is_head_ = false;
  bool is_stream_ = false;
};

void Network::World::handle(Event event) {
  auto* const end = static_cast<End*>(outbox.find(event.target));
  if (end == nullptr) return;
  switch (event.kind) {
    case EventKind::upgrade:
      end->ask();
      break;
    case EventKind::open:
      end->open();
      break;
    case EventKind::resume:
      end->resume();
      break;
    case EventKind::message:
    case EventKind::close:
      end->receive(std::move(event));
      break;
  }
}

Network::Network(std::uint64_t seed) : Network(seed, Outbox::Config{}) {}

Network::Network(std::uint64_t seed, const Outbox::Config& config)
    : world_(std::make_unique<World>(seed, config)) {}

Network::~Network() {
  world_->ends.clear();
  world_->ends_to_free.clear();
}

Outbox& Network::outbox() noexcept { return world_->outbox; }
time_point Network::now() const noexcept { return world_->now; }
void Network::add(Service& service) { world_->services.push_back(&service); }
void Network::remove(Service& service) noexcept { std::erase(world_->services, &service); }
void Network::fail_write(std::uint64_t n) noexcept {
  world_->fail_at = n == 0 ? 0 : world_->writes + n;
}
std::uint64_t Network::writes() const noexcept { return world_->writes; }

Network::End& Network::join(Service& client, Service& server, const Request& request,
                            const Link& link) {
  auto& ends = world_->ends;
  End& near = *ends.emplace_back(std::make_unique<End>(*world_, link));
  End& far = *ends.emplace_back(std::make_unique<End>(*world_, link));
  near.connect_to(far);
  far.connect_to(near);
  near.pending_service_ = &client;
  near.answer_to(client);
  far.pending_service_ = &server;
  far.address_ = request.remote;
  far.request_ = std::make_unique<StoredRequest>(request);
  world_->schedule({.at = near.arrival(0), .kind = EventKind::upgrade, .target = far.id()});
  return near;
}

Connection& Network::connect(Service& client, Service& server, const Request& request,
                             const Link& link) {
  return join(client, server, request, link);
}

Connection& Network::open_stream(Service& client, Service& server, const Request& request,
                                 const Link& link) {
  End& near = join(client, server, request, link);
  near.peer()->is_plain_server_ = true;
  return near;
}

std::shared_ptr<const Network::Answer> Network::request(Service& server, const Request& request) {
  End& far = *world_->ends.emplace_back(std::make_unique<End>(*world_, Link{}));
  far.pending_service_ = &server;
  far.is_plain_server_ = true;
  far.request_ = std::make_unique<StoredRequest>(request);
  far.answer_ = std::make_shared<Answer>();
  world_->schedule({.at = world_->now, .kind = EventKind::upgrade, .target = far.id()});
  return far.answer_;
}

Connection* Network::peer_of(const Connection& end) noexcept {
  return static_cast<const End&>(end).peer();
}
void Network::cut(Connection& end) noexcept { static_cast<End&>(end).cut(); }
void Network::stall(Connection& end, bool stalled) noexcept {
  static_cast<End&>(end).stall(stalled);
}

bool Network::step() {
  World& world = *world_;
  const time_point next = world.next_event();
  if (next == no_deadline) return false;
  world.now = std::max(world.now, next);
  while (!world.events.empty() && world.events.top().at <= world.now) {
    Event event = world.events.top();
    world.events.pop();
    world.handle(std::move(event));
  }
  for (std::size_t i = 0; i < world.services.size(); ++i) {
    if (world.services[i]->next_deadline() <= world.now) world.services[i]->advance(world.now);
  }
  world.outbox.run(world.now);
  world.reap();
  return true;
}

void Network::run_for(duration span) {
  World& world = *world_;
  const time_point end = world.now + span;
  while (world.next_event() <= end) step();
  world.reap();  // also what an exception of a service left for later
  world.now = end;
}

bool Network::run_until_quiet(std::size_t max_steps) {
  World& world = *world_;
  for (std::size_t i = 0; i < max_steps; ++i) {
    if (world.events.empty() && !world.outbox.is_dirty() &&
        world.outbox.next_deadline() == no_deadline) {
      return true;
    }
    step();
  }
  return false;
}

}  // namespace muster::memory
