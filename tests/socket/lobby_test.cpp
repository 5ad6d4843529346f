// SPDX-License-Identifier: MIT
// The lobby client over real WebSockets.
#include "support/lobby_script.hpp"
#include "support/socket_world.hpp"

#include <muster/asio/handler_threads.hpp>
#include <muster/websocket/session.hpp>

#include <atomic>
#include <mutex>
#include <thread>

namespace muster {
namespace {

using namespace std::chrono_literals;
using ::test::Backend;
using ::test::each_backend;
using test::json;
using test::LobbyLine;
using ::test::LoopWorld;

// What becomes of the dials of a transcript, in their order.
struct Plan {
  bool is_refused = false;  // nobody listens
  bool hangs = false;
  unsigned status = 0;  // of a refusal
  std::string selected{};
};

std::vector<Plan> plan_of(const json& steps) {
  std::vector<Plan> plans;
  for (const json& step : steps) {
    if (step.contains("parallel")) {
      plans.resize(plans.size() + step["parallel"].size(), Plan{.hangs = true});
    } else if (step.contains("client_dials")) {
      Plan plan;
      plan.hangs = step.value("fails", "") == "never completes";
      plan.is_refused = step.contains("fails") && !plan.hangs;
      plan.status = step.value("http_status", 0U);
      const json selected = step.value("server_selects", json());
      if (selected.is_string()) plan.selected = selected.get<std::string>();
      plans.push_back(plan);
    }
  }
  return plans;
}

// Dials the local server in place of the hosts that the transcripts name, and numbers the dials.
class LocalDialer final : public Dialer {
 public:
  LocalDialer(Dialer& real, std::vector<Plan> plan) : plans(std::move(plan)), real_(&real) {}

  ConnectionId dial(const DialRequest& request, Service& service) override {
    const std::size_t number = lines.size();
    lines.push_back(std::make_unique<LobbyLine>());
    lines.back()->dial = request;
    DialRequest local = request;
    const std::size_t path = request.url.find('/', request.url.find("://") + 3);
    const bool is_refused = number < plans.size() && plans[number].is_refused;
    local.url =
        "ws://127.0.0.1:" + std::to_string(is_refused ? 1 : port) + request.url.substr(path);
    local.headers.emplace_back("X-Dial", std::to_string(number));
    return real_->dial(local, service);
  }

  std::uint16_t port = 0;
  std::vector<Plan> plans;
  std::vector<std::unique_ptr<LobbyLine>> lines;

 private:
  Dialer* real_;
};

// The server's side: does what the plan says, and keeps what is sent.
class ScriptedServer final : public Service {
 public:
  explicit ScriptedServer(LocalDialer& dialer) : dialer_(&dialer) {}

  void on_upgrade(const Request& request, Decision decision, time_point) override {
    const std::size_t number = std::stoul(std::string{request.header("X-Dial").value_or("999")});
    REQUIRE(number < dialer_->plans.size());  // an unexpected dial
    const Plan& plan = dialer_->plans[number];
    if (plan.hangs) {
      held_.push_back(std::move(decision));
    } else if (plan.status != 0) {
      const HeaderField location{"Location", "ws://127.0.0.1:1/elsewhere"};
      decision.respond({.status = plan.status, .headers = {&location, 1}});
    } else {
      decision.accept(*this, plan.selected, dialer_->lines[number].get());
    }
  }
  void on_open(Connection& connection, time_point) override {
    connection.set_budget({.bytes = 64 * 1024 * 1024, .frames = 1024});
    connections[connection.context<LobbyLine>()] = connection.id();
  }
  void on_message(Connection& connection, const Message& message, time_point) override {
    connection.context<LobbyLine>()->sent.emplace_back(as_text(message.bytes));
  }
  void on_close(Connection& connection, const CloseInfo& info, time_point) override {
    LobbyLine* const line = connection.context<LobbyLine>();
    line->is_closed = info.by_peer;
    line->closed_with = info.code;
    connections.erase(line);
  }

  std::map<LobbyLine*, ConnectionId> connections;

 private:
  LocalDialer* dialer_;
  std::vector<Decision> held_;
};

// The counterpart of `test::LobbyWorld`, with sockets and the real clock.
class SocketLobby : public LoopWorld, public test::LobbyNotes {
 public:
  // Waits of more than five seconds are played forty times as fast.
  static int speed_of(const json& steps) {
    for (const json& step : steps) {
      if (step.value("advance_ms", 0) >= 5000) return 40;
    }
    return 1;
  }

  SocketLobby(const lobby::Config& config, Backend backend, const json& steps)
      : LoopWorld(backend),
        speed(speed_of(steps)),
        real_dialer(std::make_unique<asio::WebSocketClient>(loop, limits(), entropy)),
        dialer(*real_dialer, plan_of(steps)),
        server_service(dialer) {
    server = std::make_unique<asio::WebSocketServer>(loop, asio::WebSocketServer::Config{}, entropy,
                                                     server_service);
    REQUIRE_FALSE(server->listen("127.0.0.1:0"));
    dialer.port = server->port();
    client = std::make_unique<Client>(
        faster(config), dialer, loop.outbox(), entropy, executor,
        [this](const lobby::MatchInfo&) { return std::make_unique<test::PlayHandler>(play); },
        this);
    loop.add(*client);
  }
  ~SocketLobby() override {
    loop.remove(*client);
    real_dialer.reset();  // tells the client
    server.reset();
  }

  static websocket::Config limits() {
    websocket::Config config;
    config.max_message = 16 * 1024 * 1024;
    return config;
  }
  [[nodiscard]] lobby::Config faster(lobby::Config config) const {
    config.retry.initial_backoff /= speed;
    config.retry.max_backoff /= speed;
    config.lobby_idle_timeout /= speed;
    if (config.drain_grace) *config.drain_grace /= speed;
    return config;
  }

  void start() { REQUIRE_FALSE(client->start(loop.now())); }
  void stop() {
    client->stop(loop.now());
    settle();
  }

  [[nodiscard]] std::size_t lines() const { return dialer.lines.size(); }
  [[nodiscard]] LobbyLine& line_at(std::size_t i) { return *dialer.lines[i]; }

  // Runs the handlers where the loop runs, in between.
  void run_handlers() {
    while (executor.step(loop.now())) {
    }
    loop.wake();
  }
  template <class Done>
  bool wait(Done done) {
    return run_until([&] {
      run_handlers();
      return done();
    });
  }
  void settle() {
    int passes = 0;
    wait([&passes] { return ++passes > 20; });
  }
  void advance(duration span) {
    const auto until = std::chrono::steady_clock::now() + span / speed;
    wait([until] { return std::chrono::steady_clock::now() >= until; });
  }

  // What the plan did not say already.
  void accept(std::size_t i, const std::string&) {
    // If the client does not like what was selected, its close may come first.
    REQUIRE(wait(
        [&] { return server_service.connections.contains(&line_at(i)) || line_at(i).is_closed; }));
  }
  void fail(LobbyLine&, CloseReason, std::uint16_t, std::string_view) {
    ++failed_dials;
    CHECK(wait(
        [this] { return count("connect_failed") + count("handshake_failed") == failed_dials; }));
  }

  [[nodiscard]] Connection& server_end(LobbyLine& line) {
    REQUIRE(server_service.connections.contains(&line));
    return *loop.outbox().find(server_service.connections[&line]);
  }
  void close(LobbyLine& line, std::uint16_t code, std::string_view text) {
    // What was sent is seen to arrive first.
    server_end(line).close(CloseReason::finished, code, text);
    wait([&] { return !server_service.connections.contains(&line); });
  }
  void reset(LobbyLine& line) {
    static_cast<websocket::Session&>(server_end(line)).broke();
    loop.wake();
    wait([&] { return !server_service.connections.contains(&line); });
  }
  void say(LobbyLine& line, std::string_view text, MessageKind kind = MessageKind::text) {
    if (!server_service.connections.contains(&line)) return;
    const std::uint64_t before = client->stats().frames;
    server_end(line).send(Message{as_bytes(text), kind});
    wait([&] { return client->stats().frames > before || line.is_closed; });
  }
  void say(LobbyLine& line, const json& frame) { say(line, std::string_view{frame.dump()}); }
  void say_too_much(LobbyLine& line, std::size_t size) {
    server_end(line).send(Message{as_bytes(std::string(size, ' ')), MessageKind::text});
    wait([&] { return line.is_closed; });
  }

  int speed;
  std::size_t failed_dials = 0;
  std::unique_ptr<asio::WebSocketClient> real_dialer;
  LocalDialer dialer;
  ScriptedServer server_service;
  std::unique_ptr<asio::WebSocketServer> server;
  test::QueueExecutor executor;
  std::unique_ptr<Client> client;
};

}  // namespace

TEST_CASE("socket lobby: every recorded conversation", "[lobby][vectors]") {
  const Backend backend = each_backend();
  const json vectors = ::test::load_vectors("lobby_vectors.json");
  for (const json& transcript : vectors["transcripts"]) {
    const std::string id = transcript["id"].get<std::string>();
    if (id == "L22") continue;  // nothing is dialled
    INFO(id << ": " << transcript["title"].get<std::string>());
    test::run_transcript<SocketLobby>(transcript, backend, transcript["steps"]);
  }
}

namespace {

// Answers from another thread, later, and notes what would be a race.
class ThreadedHandler {
 public:
  struct Shared {
    std::atomic<int> running{0};
    std::atomic<int> most_running{0};
    std::atomic<int> overlaps{0};  // two calls of one match at a time
    std::atomic<int> on_loop{0};   // calls on the loop's thread
    std::thread::id loop_thread = std::this_thread::get_id();
    std::mutex mutex;
    std::vector<lobby::TurnReply<lobby::RawGame>> held;
  };
  explicit ThreadedHandler(Shared& shared) : shared_(&shared) {}

  void on_event(const lobby::GameEvent&) { const Call call{*this}; }
  void on_turn(const lobby::Turn<lobby::RawGame>&, lobby::TurnReply<lobby::RawGame> reply) {
    const Call call{*this};
    std::this_thread::sleep_for(2ms);
    const std::scoped_lock lock{shared_->mutex};
    shared_->held.push_back(std::move(reply));
  }

 private:
  struct Call {
    explicit Call(ThreadedHandler& handler) : of(handler) {
      if (of.is_called_.exchange(true)) ++of.shared_->overlaps;
      if (std::this_thread::get_id() == of.shared_->loop_thread) ++of.shared_->on_loop;
      const int running = ++of.shared_->running;
      int most = of.shared_->most_running;
      while (running > most && !of.shared_->most_running.compare_exchange_weak(most, running)) {
      }
    }
    ~Call() {
      --of.shared_->running;
      of.is_called_ = false;
    }
    ThreadedHandler& of;
  };
  Shared* shared_;
  std::atomic<bool> is_called_{false};
};

}  // namespace

TEST_CASE("socket lobby: handlers run on threads of their own, and answers come from anywhere",
          "[lobby]") {
  using Client = lobby::LobbyClient<lobby::RawGame, ThreadedHandler>;
  constexpr std::size_t matches = 4;
  LoopWorld world{each_backend()};
  auto real =
      std::make_unique<asio::WebSocketClient>(world.loop, websocket::Config{}, world.entropy);
  LocalDialer dialer{*real, std::vector<Plan>(1 + matches)};
  for (std::size_t i = 1; i <= matches; ++i) dialer.plans[i].selected = "chipzen-bot-token";
  ScriptedServer service{dialer};
  auto server = std::make_unique<asio::WebSocketServer>(world.loop, asio::WebSocketServer::Config{},
                                                        world.entropy, service);
  REQUIRE_FALSE(server->listen("127.0.0.1:0"));
  dialer.port = server->port();

  ThreadedHandler::Shared shared;
  auto threads = std::make_unique<asio::HandlerThreads>(world.loop, 3);
  auto client = std::make_unique<Client>(
      test::configure(json::object()), dialer, world.loop.outbox(), world.entropy, *threads,
      [&shared](const lobby::MatchInfo&) { return std::make_unique<ThreadedHandler>(shared); });
  world.loop.add(*client);
  REQUIRE_FALSE(client->start(world.loop.now()));
  const auto say = [&](std::size_t line, const json& frame) {
    REQUIRE(
        world.run_until([&] { return service.connections.contains(dialer.lines[line].get()); }));
    world.loop.outbox()
        .find(service.connections[dialer.lines[line].get()])
        ->send(Message{as_bytes(std::string_view{frame.dump()}), MessageKind::text});
  };
  REQUIRE(world.run_until([&] { return dialer.lines.size() == 1; }));
  say(0, {{"type", "hello"}});
  for (std::size_t i = 1; i <= matches; ++i) {
    const std::string id = "m" + std::to_string(i);
    say(0, {{"type", "matched"}, {"match_id", id}, {"gateway_ws_url", "/" + id}});
    REQUIRE(world.run_until([&] { return dialer.lines.size() == 1 + i; }));
    say(i, {{"type", "hello"}, {"selected_version", "1.0"}});
    say(i, {{"type", "round_start"}});
    for (int turn = 0; turn < 5; ++turn) say(i, {{"type", "phase_change"}});
    say(i, {{"type", "turn_request"},
            {"request_id", "r"},
            {"seat", 0},
            {"timeout_ms", 60000},
            {"valid_actions", {"check", "bet"}}});
  }
  const auto held = [&shared] {
    const std::scoped_lock lock{shared.mutex};
    return shared.held.size();
  };
  REQUIRE(world.run_until([&] { return held() == matches; }));
  std::thread elsewhere{[&shared] {
    const std::scoped_lock lock{shared.mutex};
    for (auto& reply : shared.held) reply({"bet", R"({"amount":1})"});
    shared.held.clear();
  }};
  for (std::size_t i = 1; i <= matches; ++i) {
    LobbyLine& line = *dialer.lines[i];
    REQUIRE(world.run_until([&line] { return line.sent.size() == 3; }));
    CHECK(json::parse(line.sent[2])["action"] == "bet");
  }
  elsewhere.join();
  CHECK(client->stats().turns == matches);
  CHECK(shared.overlaps == 0);
  CHECK(shared.on_loop == 0);
  CHECK(shared.most_running > 0);

  // A client that goes away while a handler is running is not missed.
  say(1, {{"type", "turn_request"}, {"request_id", "s"}, {"valid_actions", {"check"}}});
  REQUIRE(world.run_until([&] { return held() == 1 || shared.running > 0; }));
  world.loop.remove(*client);
  real.reset();  // its connections are the client's
  server.reset();
  client.reset();
  threads.reset();  // waits for the handler
  {
    const std::scoped_lock lock{shared.mutex};
    CHECK(shared.held.size() <= 1);
  }
}

}  // namespace muster
