// SPDX-License-Identifier: MIT
// Who gets in, byte by byte: every handshake of the vectors, and what is asked over HTTP.
#include "support/catch.hpp"
#include "support/shard_front.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using nlohmann::json;
using test::End;
using test::ShardFront;

namespace {

struct Answer {
  unsigned status = 0;
  std::string head;
  std::string rest;  // body, or frames

  explicit Answer(const std::string& bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return;
    head = bytes.substr(0, end + 2);
    rest = bytes.substr(end + 4);
    status = static_cast<unsigned>(std::stoul(head.substr(9, 3)));
  }
  // The value of a field, or what says that there is none.
  [[nodiscard]] std::string field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "<none>";
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

using Fields = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("shard handshake: every case of the vectors", "[shard][vectors]") {
  const json vectors = test::load_vectors("shard_vectors.json");
  int cases = 0;
  for (const json& vector : vectors.at("handshake")) {
    const std::string name = vector.at("name");
    if (name == "65th connection from one address") continue;  // below
    const json& expected = vector.at("ours") == "same" ? vector.at("seed") : vector.at("ours");
    INFO(name);
    ++cases;
    ShardFront front;
    End occupant = front.join("shard=full&sid=a");
    Fields fields;
    for (const json& field : vector.at("extra_headers")) fields.push_back({field[0], field[1]});
    if (name == "no key") fields.push_back({"Sec-WebSocket-Key", ""});
    const bool is_upgrade = name != "not an upgrade" && name != "POST";
    const std::string then =
        name.starts_with("frame pipelined")
            ? test::encode({0x81, R"({"input":"early"})"}, websocket::Role::server)
            : "";
    std::string line = vector.at("request_line");
    if (name == "POST") fields.push_back({"Content-Length", "0"});
    End end = front.request(line, fields, is_upgrade, then);
    const Answer answer{end.pipe->take()};
    CHECK(answer.status == expected.at("status").get<unsigned>());
    if (expected.contains("body")) {
      CHECK(json::parse(answer.rest).at("error").at("code") ==
            expected.at("body").at("error").at("code"));
    }
    if (expected.contains("headers")) {
      for (const auto& [field, value] : expected.at("headers").items()) {
        CHECK(answer.field(field) == value.get<std::string>());
      }
    }
    if (expected.contains("accept")) {
      CHECK(answer.field("Sec-WebSocket-Accept") == expected.at("accept").get<std::string>());
    }
    if (answer.status == 101 && expected.contains("echo_protocol")) {
      CHECK(answer.field("Sec-WebSocket-Protocol") ==
            (expected.at("echo_protocol").is_null()
                 ? "<none>"
                 : expected.at("echo_protocol").get<std::string>()));
    }
    if (answer.status != 101) {
      CHECK(front.service.stats().accepted == 1);
      continue;
    }
    // Subscribed: the snapshot is there, and the next tick's comes.
    std::size_t subscribers = 0;
    front.registry.list([&](std::string_view, const AnyShard& shard) {
      subscribers += shard.subscriber_count();
      return true;
    });
    CHECK(subscribers == 2);
    CHECK(answer.rest.size() == 2 + 8 + 1);
    front.wait(60ms);
    CHECK_FALSE(end.pipe->take().empty());
    if (!then.empty()) {
      CHECK(front.shard("m1").simulation().inputs.at(0).input == "\"early\"");
    }
    if (expected.contains("user")) {
      const std::string user = expected.at("user");
      bool is_there = false;
      front.registry.list([&](std::string_view id, const AnyShard&) {
        Subscription* const found = front.registry.find(id)->find(user);
        is_there = is_there || (found != nullptr && found->who.user == user);
        return true;
      });
      CHECK(is_there);
    }
  }
  CHECK(cases == 37);
}

TEST_CASE("shard defect 9: the 65th connection of an address is told so", "[shard][vectors]") {
  const json vectors = test::load_vectors("shard_vectors.json");
  const auto& handshakes = vectors.at("handshake");
  const auto vector = std::find_if(handshakes.begin(), handshakes.end(), [](const json& one) {
    return one.at("name") == "65th connection from one address";
  });
  REQUIRE(vector != handshakes.end());
  ShardFront front;
  std::vector<End> ends;
  for (int i = 0; i < 64; ++i) ends.push_back(front.join("shard=open&sid=c" + std::to_string(i)));
  const auto knock = [&] {
    End end = front.request(vector->at("request_line").get<std::string>(), {});
    const std::string bytes = end.pipe->take();
    front.world.finish(end);
    return bytes;
  };
  const std::string bytes = knock();
  CHECK(bytes ==
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 39\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
        "too many connections from this address\n");
  const Answer answer{bytes};
  const json& expected = vector->at("ours");
  CHECK(answer.status == expected.at("status").get<unsigned>());
  REQUIRE(expected.at("headers").at("Retry-After") == "<seconds>");
  CHECK(answer.field("Retry-After") == "5");
  CHECK(expected.at("upgrade") == false);
  CHECK(answer.field("Upgrade") == "<none>");
  CHECK(front.service.stats().accepted == 64);
  // Who comes from elsewhere is let in, and who comes after somebody has left.
  front.remote = Address::v4(0xc0000202, 1);
  CHECK(Answer{knock()}.status == 101);
  front.remote = Address::v4(0xc0000201, 1);
  CHECK(Answer{knock()}.status == 429);
  front.world.finish(ends[17]);
  CHECK(Answer{knock()}.status == 101);
}

TEST_CASE("shard handshake: two guests without an id are not one", "[shard]") {
  ShardFront front;
  End one = front.join("shard=open");
  End two = front.join("shard=open");
  CHECK(front.shard("open").subscriber_count() == 2);
  CHECK(front.shard("open").find("anon") == nullptr);
}

TEST_CASE("shard handshake: the original's way to refuse, for those who ask for it",
          "[shard][vectors]") {
  const json vectors = test::load_vectors("shard_vectors.json");
  int cases = 0;
  for (const json& vector : vectors.at("handshake")) {
    const json& seed = vector.at("seed");
    if (!seed.contains("code") || !seed.contains("reason")) continue;
    // What ours understands, and the original does not, is no refusal.
    if (vector.at("ours").contains("status") && vector.at("ours").at("status") == 101) continue;
    if (vector.at("name") == "non-Bearer header falls back to subprotocol") continue;
    INFO(vector.at("name").get<std::string>());
    ++cases;
    ShardFront front{{.accepts_before_refusing = true}};
    End occupant = front.join("shard=full&sid=a");
    Fields fields;
    for (const json& field : vector.at("extra_headers")) fields.push_back({field[0], field[1]});
    End end = front.request(vector.at("request_line").get<std::string>(), fields);
    const Answer answer{end.pipe->take()};
    CHECK(answer.status == 101);
    const std::string reason = seed.at("reason");
    const auto code = seed.at("code").get<unsigned>();
    CHECK(answer.rest == test::encode({0x88, std::string{static_cast<char>(code >> 8U)} +
                                                 static_cast<char>(code & 0xffU) + reason},
                                      websocket::Role::client));
  }
  CHECK(cases >= 6);
}

TEST_CASE("shard http: every case of the vectors", "[shard][vectors]") {
  const json vectors = test::load_vectors("shard_vectors.json");
  int cases = 0;
  for (const json& vector : vectors.at("http")) {
    if (vector.contains("registry")) continue;  // a service has one
    const std::string line = vector.at("req");
    const std::string auth = vector.value("auth", "user alice");
    INFO(line << ", " << auth);
    ++cases;
    ShardFront front;
    End occupant;
    if (line.find("/full/") != std::string::npos) occupant = front.join("shard=full&sid=a");
    for (int tick = 0; tick < 12; ++tick) front.wait(tick == 0 ? 1ms : 50ms);
    End alice;
    End bob;
    if (auth.find("alice, attached") != std::string::npos || auth == "user alice") {
      alice = front.join("shard=m1&sid=alice", "tok-alice");
    }
    if (auth.find("bob attached") != std::string::npos) {
      bob = front.join("shard=m1&sid=bob", "tok-bob");
    }
    Fields fields;
    if (auth.find("alice") != std::string::npos) fields = {{"Authorization", "Bearer tok-alice"}};
    if (auth == "admin") fields = {{"Authorization", "Bearer admin"}};
    const std::string body = vector.value("body_in", "");
    if (line.starts_with("POST")) {
      fields.push_back({"Content-Length", std::to_string(body.size())});
    }
    End end = front.request(line + " HTTP/1.1", fields, false, body);
    const Answer answer{end.pipe->take()};
    json expected = vector;
    if (vector.contains("ours")) {
      expected.erase("body");
      expected.update(vector.at("ours"));
    }
    CHECK(answer.status == expected.at("status").get<unsigned>());
    const json got = json::parse(answer.rest);
    if (expected.contains("code")) CHECK(got.at("error").at("code") == expected.at("code"));
    if (expected.contains("message")) {
      CHECK(got.at("error").at("message") == expected.at("message"));
    }
    if (expected.contains("message_prefix")) {
      CHECK(got.at("error").at("message").get<std::string>().starts_with(
          expected.at("message_prefix").get<std::string>()));
    }
    if (!expected.contains("body")) continue;
    if (expected.at("body").is_array()) {
      // Ours has more shards.
      CHECK(std::find(got.begin(), got.end(), expected.at("body").at(0)) != got.end());
    } else {
      CHECK(got == expected.at("body"));
      CHECK(answer.rest == expected.at("body").dump());  // with the members in that order
    }
  }
  CHECK(cases == 12);
}

TEST_CASE("shard http: snapshots as server-sent events", "[shard]") {
  ShardFront front;
  front.wait(60ms);  // two ticks
  const Fields alice{{"Authorization", "Bearer tok-alice"}};
  End end = front.request("GET /api/shards/m1/connect HTTP/1.1", alice, false);
  const Answer answer{end.pipe->take()};
  CHECK(answer.status == 200);
  CHECK(answer.field("Content-Type") == "text/event-stream");
  CHECK(answer.field("Cache-Control") == "no-cache");
  CHECK(answer.rest == "id: 2\ndata: 0\n\n");
  front.wait(50ms);
  CHECK(end.pipe->take() == "id: 3\ndata: 0\n\n");
  CHECK(front.shard("m1").find("alice") != nullptr);
  // What its reader posts is applied, and shows.
  End post = front.request("POST /api/shards/m1/input HTTP/1.1",
                           {{"Authorization", "Bearer tok-alice"}, {"Content-Length", "11"}}, false,
                           R"({"input":1})");
  CHECK(Answer{post.pipe->take()}.status == 200);
  front.wait(50ms);
  CHECK(end.pipe->take() == "id: 4\ndata: 1\n\n");
  front.world.finish(end);
  CHECK(front.shard("m1").subscriber_count() == 0);

  // Who has the newest already waits for the next; who has an older one gets it at once.
  for (const std::string last : {"4", "3", "x"}) {
    End again =
        front.request("GET /api/shards/m1/connect HTTP/1.1",
                      {{"Authorization", "Bearer tok-alice"}, {"Last-Event-ID", last}}, false);
    CHECK(Answer{again.pipe->take()}.rest == (last == "4" ? "" : "id: 4\ndata: 1\n\n"));
    front.world.finish(again);
  }
}

TEST_CASE("shard defect 16: when a shard ends, streams end too", "[shard]") {
  ShardFront front;
  End end = front.request("GET /api/shards/m1/connect HTTP/1.1",
                          {{"Authorization", "Bearer tok-alice"}}, false);
  front.shard("m1").end(Ending::stopped, front.world.now);
  front.world.run();
  CHECK(end.pipe->is_over());
}

TEST_CASE("shard defect 6: nobody acts for somebody else by POST", "[shard]") {
  ShardFront front;
  End alice = front.join("shard=m1&sid=alice", "tok-alice");
  End bob = front.join("shard=m1&sid=bob", "tok-bob");
  const auto post = [&](const std::string& body) {
    End end = front.request(
        "POST /api/shards/m1/input HTTP/1.1",
        {{"Authorization", "Bearer tok-alice"}, {"Content-Length", std::to_string(body.size())}},
        false, body);
    return Answer{end.pipe->take()}.status;
  };
  CHECK(post(R"({"input":1,"subscriber_id":"bob"})") == 403);
  CHECK(post(R"({"input":1,"subscriber\u005fid":"bob"})") == 403);
  CHECK(post(R"({"input":1,"subscriber_id":7})") == 403);
  CHECK(post(R"({"input":1,"subscriber_id":"ali\u0063e"})") == 200);
  front.wait(60ms);
  const auto& inputs = front.shard("m1").simulation().inputs;
  REQUIRE(inputs.size() == 1);
  CHECK(inputs[0].from == "alice");
}

TEST_CASE("shard defect 10: a session that holds no more is closed", "[shard]") {
  ShardFront front;
  End alice = front.join("shard=m1&sid=alice", "tok-alice");
  End bob = front.join("shard=m1&sid=bob", "tok-bob");
  front.wait(59s);
  CHECK(front.tokens.asked == 0);
  front.tokens.revoked = 2;
  front.wait(2s);
  CHECK(front.tokens.asked == 2);
  CHECK(bob.pipe->written.ends_with("\x11\x31session revoked"));
  CHECK(front.shard("m1").subscriber_count() == 2);  // until it answers, or does not
  front.wait(3s);
  CHECK(front.shard("m1").subscriber_count() == 1);
  CHECK(front.service.revoke(1, front.world.now) == 1);
  front.world.run();
  CHECK(alice.pipe->written.ends_with("\x11\x31session revoked"));
}

TEST_CASE("shard service: a session is revoked though nobody is asked about it", "[shard]") {
  ShardFront front{{.revalidate_every = 0s}};
  End alice = front.join("shard=m1&sid=alice", "tok-alice");
  front.wait(5min);
  CHECK(front.tokens.asked == 0);
  CHECK(front.service.revoke(1, front.world.now) == 1);
  front.world.run();
  CHECK(alice.pipe->written.ends_with("\x11\x31session revoked"));
}

TEST_CASE("shard defect 5 and 16: who is accepted, and then finds no shard, is told so",
          "[shard]") {
  ShardFront front;
  End end = front.world.accept();
  // The shard goes between the answer and the opening: in one pass here, by hand.
  front.world.service.when_upgrade = [&](const Request& request, Decision& decision) {
    front.service.on_upgrade(request, std::move(decision), front.world.now);
    CHECK(front.registry.remove("open", front.world.now));
  };
  end = front.request("GET /?shard=open HTTP/1.1", {});
  const Answer answer{end.pipe->take()};
  CHECK(answer.status == 101);
  CHECK(answer.rest.find("shard is stopped") != std::string::npos);
}

TEST_CASE("shard service: a drain refuses newcomers and closes those who are there", "[shard]") {
  ShardFront front;
  End alice = front.join("shard=m1&sid=alice", "tok-alice");
  front.service.on_drain(front.world.now);
  front.world.run();
  CHECK(
      alice.pipe->written.ends_with("\x03\xe9"
                                    "draining"));
  End late = front.request("GET /?shard=open HTTP/1.1", {});
  const Answer answer{late.pipe->take()};
  CHECK(answer.status == 503);
  CHECK(json::parse(answer.rest).at("error").at("code") == "DRAINING");
  CHECK(answer.field("Retry-After") == "5");
}
