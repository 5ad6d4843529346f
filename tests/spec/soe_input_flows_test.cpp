// SPDX-License-Identifier: MIT
// What a receiving channel answers and delivers, step by step, against what another implementation
// of the SOE protocol did; where that one is at fault, the step says what is right.
#include "support/catch.hpp"
#include "support/receive_world.hpp"
#include "support/vectors.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using muster::byte_view;
using test::Outcome;
using test::ReceiveWorld;

namespace {

constexpr unsigned reliable = 9;
constexpr unsigned fragment = 13;
constexpr unsigned acknowledge = 17;
constexpr unsigned acknowledge_all = 21;

using Acknowledgements = std::vector<std::pair<unsigned, unsigned>>;  // op code, sequence
using Messages = std::vector<std::string>;                            // hexadecimal

struct Expected {
  bool is_corrupt = false;
  Acknowledgements acknowledgements;
  Messages messages;
};

const nlohmann::json& flows() {
  static const nlohmann::json all = test::load_vectors("soe_vectors.json").at("input_flows");
  return all;
}

class Flow {
 public:
  explicit Flow(const std::string& name) {
    for (const nlohmann::json& flow : flows()) {
      if (flow.at("name") == name) flow_ = flow;
    }
    REQUIRE(flow_.is_object());
    const nlohmann::json& given = flow_.at("config");
    config_.receive_window = given.at("max_queued_incoming");
    config_.acknowledges_each = given.at("acknowledge_all_data");
    config_.acknowledge_every = given.at("data_ack_window").get<std::uint32_t>() / 2;
    config_.acknowledge_delay =
        std::chrono::microseconds{given.at("max_ack_delay_us").get<std::int64_t>()};
    if (given.at("rc4_key").is_string()) {
      cipher_.emplace(byte_view{test::from_hex(given.at("rc4_key").get<std::string>())});
    }
  }

  /// In place of what the vectors say.
  Flow& at(std::size_t step, Expected expected) {
    corrections_[step] = std::move(expected);
    return *this;
  }

  void run() {
    start_at(0);
    std::size_t number = 0;
    bool is_over = false;
    for (const nlohmann::json& step : flow_.at("steps")) {
      INFO("step " << number << ": " << step.dump());
      const bool is_tick = step.at("op") == "tick";
      const test::Bytes body = test::from_hex(step.at("payload").get<std::string>());
      // A session ends with a corrupt packet. What the vectors show after it happens to another,
      // that has come as far.
      if (std::exchange(is_over, false)) start_at(sequence_of(body));
      world_->now = start_ + std::chrono::microseconds{step.at("t_us").get<std::int64_t>()};

      std::optional<Outcome> outcome;
      if (!is_tick) {
        REQUIRE((step.at("op") == reliable || step.at("op") == fragment));
        outcome = world_->receive(body, step.at("op") == fragment);
        REQUIRE(outcome != Outcome::overflow);
      }
      is_over = outcome == Outcome::corrupt;
      Acknowledgements acknowledgements;
      for (const std::uint16_t sequence : world_->take_singles()) {
        acknowledgements.emplace_back(acknowledge, sequence);
      }
      // In order: with the next tick. A repeated packet is answered with what leaves next.
      const bool is_repeated = outcome == Outcome::duplicate || outcome == Outcome::too_far;
      if ((is_tick || is_repeated) && world_->is_all_due()) {
        acknowledgements.emplace_back(acknowledge_all,
                                      world_->channel.take_acknowledge_all(world_->now));
      }
      Messages messages;
      for (const std::string& message : world_->take()) {
        messages.push_back(test::to_hex(muster::as_bytes(message)));
      }

      const Expected expected =
          corrections_.count(number) != 0 ? corrections_.at(number) : given(step);
      CHECK(is_over == expected.is_corrupt);
      CHECK(acknowledgements == expected.acknowledgements);
      CHECK(messages == expected.messages);
      ++number;
    }
    for (const auto& [step, expected] : corrections_) REQUIRE(step < number);
    CHECK(world_->pool.used() == stashed_);
  }

  /// So many packets wait at the end for what does not come.
  Flow& leaves(std::size_t count) {
    stashed_ = count;
    return *this;
  }

 private:
  static std::int64_t sequence_of(const test::Bytes& body) {
    return std::to_integer<std::int64_t>(body.at(0)) * 256 +
           (body.size() > 1 ? std::to_integer<std::int64_t>(body[1]) : 0);
  }

  static Expected given(const nlohmann::json& step) {
    Expected expected;
    expected.is_corrupt = step.at("result") == "corrupt";
    for (const nlohmann::json& each : step.at("acks")) {
      expected.acknowledgements.emplace_back(each.at("op").get<unsigned>(),
                                             each.at("sequence").get<unsigned>());
    }
    for (const nlohmann::json& each : step.at("app_data")) {
      expected.messages.push_back(each.at("hex").get<std::string>());
    }
    return expected;
  }

  void start_at(std::int64_t sequence) {
    world_ = std::make_unique<ReceiveWorld>(config_, sequence);
    start_ = world_->now;
    if (cipher_) world_->channel.set_cipher(&*cipher_);
  }

  nlohmann::json flow_;
  muster::soe::Config config_;
  std::optional<muster::soe::Rc4> cipher_;
  std::map<std::size_t, Expected> corrections_;
  std::size_t stashed_ = 0;
  std::unique_ptr<ReceiveWorld> world_;
  muster::time_point start_;
};

}  // namespace

TEST_CASE("soe input flows: each of the vectors has its test", "[soe]") {
  CHECK(flows().size() == 26);
}

TEST_CASE("soe input flow: C# TestSequentialFragmentInsert (ack every packet)", "[soe]") {
  Flow{"C# TestSequentialFragmentInsert (ack every packet)"}.run();
}
TEST_CASE("soe input flow: C# TestNonSequentialFragmentInsert (ack every packet)", "[soe]") {
  Flow{"C# TestNonSequentialFragmentInsert (ack every packet)"}.run();
}
TEST_CASE("soe input flow: C# TestNonFragmentInsert (ack every packet)", "[soe]") {
  Flow{"C# TestNonFragmentInsert (ack every packet)"}.run();
}
TEST_CASE("soe input flow: C# TestFragmentedInsertOfTwoDatas (ack every packet)", "[soe]") {
  Flow{"C# TestFragmentedInsertOfTwoDatas (ack every packet)"}.run();
}
TEST_CASE("soe input flow: C# TestSequenceWaitingOnData (ack every packet)", "[soe]") {
  Flow{"C# TestSequenceWaitingOnData (ack every packet)"}.run();
}
TEST_CASE("soe input flow: C# TestMultiData (ack every packet)", "[soe]") {
  Flow{"C# TestMultiData (ack every packet)"}.run();
}
TEST_CASE("soe input flow: C# TestSequentialFragmentInsert (windowed acks)", "[soe]") {
  Flow{"C# TestSequentialFragmentInsert (windowed acks)"}.run();
}
TEST_CASE("soe input flow: C# TestNonSequentialFragmentInsert (windowed acks)", "[soe]") {
  Flow{"C# TestNonSequentialFragmentInsert (windowed acks)"}.run();
}
TEST_CASE("soe input flow: C# TestNonFragmentInsert (windowed acks)", "[soe]") {
  Flow{"C# TestNonFragmentInsert (windowed acks)"}.run();
}
TEST_CASE("soe input flow: C# TestFragmentedInsertOfTwoDatas (windowed acks)", "[soe]") {
  Flow{"C# TestFragmentedInsertOfTwoDatas (windowed acks)"}.run();
}
TEST_CASE("soe input flow: C# TestSequenceWaitingOnData (windowed acks)", "[soe]") {
  Flow{"C# TestSequenceWaitingOnData (windowed acks)"}.run();
}
TEST_CASE("soe input flow: C# TestMultiData (windowed acks)", "[soe]") {
  Flow{"C# TestMultiData (windowed acks)"}.run();
}

TEST_CASE("soe input flow: duplicates: stashed dup, processed dup early (<2ms) and late", "[soe]") {
  // What comes again more than 2 ms after the last AcknowledgeAll got no answer, so a peer that did
  // not get that one would send for ever. Each is answered.
  Flow{"duplicates: stashed dup, processed dup early (<2ms) and late"}
      .at(7, {false, {{acknowledge_all, 1}}, {}})
      .at(8, {false, {{acknowledge_all, 1}}, {}})
      .run();
}
TEST_CASE("soe input flow: far ahead: window edge 256 accepted, 257 dropped, 65535 at start = old",
          "[soe]") {
  Flow{"far ahead: window edge 256 accepted, 257 dropped, 65535 at start = old"}.leaves(1).run();
}
TEST_CASE("soe input flow: ack-all 65535 quirk: old duplicate within 2 ms of creation", "[soe]") {
  // Nothing has been received, so nothing is acknowledged: 65535 would be of packets to come.
  Flow{"ack-all 65535 quirk: old duplicate within 2 ms of creation"}.at(0, {false, {}, {}}).run();
}
TEST_CASE("soe input flow: ack window: 16 packets inside 2 ms trigger at half window", "[soe]") {
  Flow{"ack window: 16 packets inside 2 ms trigger at half window"}.run();
}
TEST_CASE("soe input flow: short first fragment", "[soe]") { Flow{"short first fragment"}.run(); }
TEST_CASE("soe input flow: total length zero", "[soe]") {
  // There is no message of no bytes, least of all with bytes.
  Flow{"total length zero"}.at(0, {true, {}, {}}).run();
}
TEST_CASE("soe input flow: more data than announced", "[soe]") {
  // A message is as long as was announced, or the peer is faulty.
  Flow{"more data than announced"}.at(1, {true, {}, {}}).run();
}
TEST_CASE("soe input flow: single fragment message", "[soe]") {
  Flow{"single fragment message"}.run();
}
TEST_CASE("soe input flow: plain data while reassembling", "[soe]") {
  Flow{"plain data while reassembling"}.run();
}
TEST_CASE("soe input flow: giant total length", "[soe]") {
  // 4 GiB are more than any message may have.
  Flow{"giant total length"}.at(0, {true, {}, {}}).run();
}
TEST_CASE("soe input flow: sequence without data, one byte body", "[soe]") {
  // No data is no message; and a body that cannot hold its sequence is a fault.
  Flow{"sequence without data; one byte body"}.at(0, {false, {}, {}}).at(1, {true, {}, {}}).run();
}
TEST_CASE("soe input flow: bundle: lengths 0,1,254(FE),254(FF00FE),255,bad", "[soe]") {
  // The item of no bytes is no message. A bundle with a bad length delivers nothing of what comes
  // before it, and is a fault: here a length beyond the end, and one that is cut off.
  const std::string name = "bundle: lengths 0,1,254(FE),254(FF00FE),255,bad";
  Flow flow{name};
  Messages first;
  for (const nlohmann::json& each : flows()) {
    if (each.at("name") != name) continue;
    for (const nlohmann::json& data : each.at("steps").at(0).at("app_data")) {
      if (data.at("len") != 0) first.push_back(data.at("hex").get<std::string>());
    }
  }
  REQUIRE(first.size() == 2);
  flow.at(0, {false, {}, first}).at(3, {true, {}, {}}).at(5, {true, {}, {}}).run();
}
TEST_CASE("soe input flow: bundle inside a fragmented message", "[soe]") {
  Flow{"bundle inside a fragmented message"}.run();
}
TEST_CASE("soe input flow: encrypted bundle then plain packet", "[soe]") {
  Flow{"encrypted bundle then plain packet"}.run();
}
