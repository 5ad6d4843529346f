// SPDX-License-Identifier: MIT
// Look-ups in a request, and the life of a decision.
#include <muster/request.hpp>

#include "support/catch.hpp"
#include "support/wire_connection.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("request: headers are found whatever their case, the first one first", "[request]") {
  const std::array<HeaderField, 3> fields{
      {{"Host", "a.example"}, {"X-Token", "one"}, {"x-token", "two"}}};
  const Request request{.headers = fields};
  CHECK(request.header("HOST") == "a.example");
  CHECK(request.header("x-TOKEN") == "one");
  CHECK_FALSE(request.header("Hos"));
  CHECK_FALSE(request.header("Hosts"));
  CHECK_FALSE(request.header(""));
}

TEST_CASE("request: query values are decoded, the first one wins", "[request]") {
  const auto value = [](std::string_view query, std::string_view name) {
    return Request{.query = query}.query_value(name);
  };
  CHECK(value("a=1&b=2&a=3", "a") == "1");
  CHECK(value("a=1&b=2", "b") == "2");
  CHECK(value("a=%41%62+c", "a") == "Ab c");
  CHECK(value("a=%4", "a") == "%4");
  CHECK(value("a=%", "a") == "%");
  CHECK(value("a=%zz%41", "a") == "%zzA");
  CHECK(value("%61=x", "a") == "x");
  CHECK(value("a", "a") == "");
  CHECK(value("a=", "a") == "");
  CHECK(value("a=b=c", "a") == "b=c");
  CHECK(value("&&a=1&", "a") == "1");
  CHECK_FALSE(value("", "a"));
  CHECK_FALSE(value("ab=1", "a"));
  CHECK_FALSE(value("b=a", "a"));
}

namespace {

class Asking final : public Connection {
 public:
  explicit Asking(Outbox& outbox) : Connection(outbox, Framing::messages) {}
  ~Asking() override = default;
  using Connection::ended;
  int accepted = 0;
  int streams = 0;
  std::vector<unsigned> answers;

 private:
  void accept_upgrade(Service&, std::string_view) noexcept override { ++accepted; }
  void respond(const Response& response) noexcept override { answers.push_back(response.status); }
  bool accept_stream(Service&, std::span<const HeaderField> headers) noexcept override {
    streams += static_cast<int>(headers.size());
    return headers.size() == 1;
  }
  void finish(const CloseInfo&) noexcept override {}
  void release() noexcept override {}
};

}  // namespace

TEST_CASE("decision: it is answered once, unanswered it refuses", "[request]") {
  Outbox outbox;
  RecordingService service;
  Asking peer{outbox};
  int context = 0;
  {
    Decision decision{outbox, peer.id()};
    CHECK_FALSE(decision.is_answered());
    Decision moved = std::move(decision);
    CHECK(decision.is_answered());
    CHECK(moved.accept(service, {}, &context));
    CHECK(moved.is_answered());
    CHECK_FALSE(moved.accept(service));
    moved.respond({});
  }
  CHECK(peer.accepted == 1);
  CHECK(peer.answers.empty());
  CHECK(peer.context<int>() == &context);
  {
    Decision decision{outbox, peer.id()};
    Decision other{outbox, peer.id()};
    other.respond({.status = 200});
    other = std::move(decision);
  }
  CHECK(peer.answers == std::vector<unsigned>{200, 503});
}

TEST_CASE("decision: a stream is one answer, and whether there is one is the transport's word",
          "[request]") {
  Outbox outbox;
  RecordingService service;
  Asking peer{outbox};
  int context = 0;
  const HeaderField fields[] = {{"A", "1"}, {"B", "2"}};
  Decision decision{outbox, peer.id()};
  CHECK(decision.accept_stream(service, {fields, 1}, &context));
  CHECK(decision.is_answered());
  CHECK_FALSE(decision.accept_stream(service, {fields, 1}));
  CHECK(peer.streams == 1);
  CHECK(peer.context<int>() == &context);
  Decision other{outbox, peer.id()};
  CHECK_FALSE(other.accept_stream(service, fields));
  CHECK(peer.streams == 3);
  CHECK(peer.answers.empty());
}

TEST_CASE("decision: an answer for a peer that is gone is dropped", "[request]") {
  Outbox outbox;
  RecordingService service;
  auto peer = std::make_unique<Asking>(outbox);
  Decision early{outbox, peer->id()};
  Decision late{outbox, peer->id()};
  peer->ended(CloseReason::connection_lost, true);
  CHECK_FALSE(early.accept(service));
  CHECK(peer->accepted == 0);
  outbox.run(time_point{});
  CHECK(service.closed.empty());
  peer.reset();
  CHECK_FALSE(late.accept(service));
}

TEST_CASE("decision: an accepted peer that never opens is still told of its end", "[request]") {
  Outbox outbox;
  RecordingService service;
  Asking peer{outbox};
  CHECK(Decision{outbox, peer.id()}.accept(service));
  peer.ended(CloseReason::timed_out, false);
  outbox.run(time_point{});
  REQUIRE(service.closed.size() == 1);
  CHECK(service.closed[0].reason == CloseReason::timed_out);
}
