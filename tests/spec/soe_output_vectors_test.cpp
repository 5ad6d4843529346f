// SPDX-License-Identifier: MIT
// What the published crate makes of messages, and how it takes acknowledgements: ours does the
// same, but for when it sends again, and for acknowledgements of what was never sent.
#include <muster/soe/length.hpp>

#include "support/catch.hpp"
#include "support/send_world.hpp"
#include "support/soe_vectors.hpp"

#include <array>
#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using nlohmann::json;
using test::SendWorld;

namespace {

const json& vectors() {
  static const json all = test::load_vectors("soe_vectors.json");
  return all;
}

// The datagram that a vector writes as op code and payload.
bool is_packet(const SendWorld::Bytes& datagram, const json& packet) {
  return std::to_integer<int>(datagram.at(0)) == 0 &&
         std::to_integer<int>(datagram.at(1)) == packet.at("op").get<int>() &&
         test::matches(byte_view{datagram}.subspan(2), packet.at("payload"));
}

std::uint16_t sequence_of(const SendWorld::Bytes& datagram) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(datagram.at(2)) << 8U |
                                    std::to_integer<unsigned>(datagram.at(3)));
}

}  // namespace

TEST_CASE("SOE vectors: output_fragmentation", "[soe]") {
  const json& cases = vectors().at("output_fragmentation");
  REQUIRE(cases.size() == 44);
  for (const json& each : cases) {
    INFO(each.at("app_data") << ", " << each.at("max_data_length") << ", " << each.at("rc4_key"));
    SendWorld world{each.at("max_data_length").get<std::size_t>()};
    world.config.send_window = 32767;
    world.framing.peer_window = 32767;
    if (!each.at("rc4_key").is_null()) {
      const soe::Rc4 cipher{test::from_hex(each.at("rc4_key").get<std::string>())};
      world.channel.set_cipher(&cipher);
    }
    REQUIRE(world.enqueue(test::soe_pattern(each.at("app_data").get<std::string>())) ==
            soe::EnqueueStatus::queued);
    const auto sent = world.send();
    REQUIRE(sent.size() == each.at("packet_count").get<std::size_t>());
    const json& packets = each.at("packets");
    for (std::size_t i = 0; i < packets.size(); ++i) CHECK(is_packet(sent[i], packets[i]));
    SendWorld::Bytes all;
    for (const auto& datagram : sent) all.insert(all.end(), datagram.begin() + 2, datagram.end());
    CHECK(soe::SeededCrc{0}(all) == each.at("concat_soe_crc_seed0").get<std::uint32_t>());
    CHECK(sent.front().size() - 2 == each.at("payload_lengths_first_last")[0].get<std::size_t>());
    CHECK(sent.back().size() - 2 == each.at("payload_lengths_first_last")[1].get<std::size_t>());
  }
}

TEST_CASE("SOE vectors: rc4_null_prefix", "[soe]") {
  const json& cases = vectors().at("rc4_null_prefix");
  REQUIRE(cases.size() == 7);
  for (const json& each : cases) {
    INFO(each.at("case").get<std::string>());
    SendWorld world{508};
    const soe::Rc4 cipher{test::from_hex(each.at("key").get<std::string>())};
    world.channel.set_cipher(&cipher);
    for (const json& message : each.at("messages")) {
      REQUIRE(world.enqueue(test::from_hex(message.get<std::string>())) ==
              soe::EnqueueStatus::queued);
    }
    const auto sent = world.send();
    REQUIRE(sent.size() == each.at("packets").size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(is_packet(sent[i], each.at("packets")[i]));
    }
  }
}

TEST_CASE("SOE vectors: output_ack_flows", "[soe]") {
  const json& flows = vectors().at("output_ack_flows");
  REQUIRE(flows.size() == 5);
  for (const json& flow : flows) {
    const auto name = flow.at("name").get<std::string>();
    INFO(name);
    SendWorld world{flow.at("max_data_length").get<std::size_t>()};
    world.config.send_window = flow.at("window").get<std::uint32_t>();
    const time_point start = world.now;
    // From here on the crate has lost data: it believes acknowledgements of what it never sent.
    bool is_defect = false;
    std::vector<std::uint16_t> first_times;  // sequences in the order of their first sending
    std::vector<std::uint16_t> crate_times;
    for (const json& step : flow.at("steps")) {
      INFO(step.dump());
      world.now = start + std::chrono::microseconds{step.at("t_us").get<std::int64_t>()};
      const json& action = step.at("do");
      if (action == "tick") {
        for (const auto& datagram : world.send()) {
          const std::uint16_t sequence = sequence_of(datagram);
          if (first_times.empty() || sequence > first_times.back()) first_times.push_back(sequence);
        }
        for (const json& sequence : step.at("sent_sequences")) {
          const auto number = sequence.get<std::uint16_t>();
          if (crate_times.empty() || number > crate_times.back()) crate_times.push_back(number);
        }
        if (!is_defect) CHECK(first_times == crate_times);
      } else if (action.contains("enqueue")) {
        CHECK(world.enqueue(test::soe_pattern(action.at("enqueue").get<std::string>())) ==
              soe::EnqueueStatus::queued);
      } else {
        const bool is_all = action.contains("acknowledge_all");
        const auto sequence =
            action.at(is_all ? "acknowledge_all" : "acknowledge").get<std::uint16_t>();
        const bool is_sent = !first_times.empty() && sequence <= first_times.back();
        // 65535 is what comes before 0: nothing.
        const bool is_known = is_sent || sequence == 65535;
        CHECK((is_all ? world.acknowledge_all(sequence) : world.acknowledge(sequence)) == is_known);
        is_defect = is_defect || !is_known;
      }
      if (!is_defect) CHECK(world.queued_packets() == step.at("queued").get<std::size_t>());
    }
    CHECK(is_defect == (name.find("never sent") != std::string::npos));
    if (is_defect) {
      // Nothing of it is lost: 21 packets, of which eight were acknowledged honestly.
      CHECK(world.queued_packets() == 13);
      CHECK(first_times.back() == 15);
    }
  }
}

TEST_CASE("SOE vectors: bundle lengths of every sender are below 255 in one byte", "[soe]") {
  for (const json& each : vectors().at("csharp_and_zig_facts").at("zig_bundle_lengths")) {
    std::array<std::byte, soe::max_length_size> out{};
    std::byte* const end =
        soe::write_bundle_length(out.data(), each.at("value").get<std::uint32_t>());
    CHECK(test::to_hex({out.data(), static_cast<std::size_t>(end - out.data())}) ==
          each.at("bytes").get<std::string>());
  }
}
