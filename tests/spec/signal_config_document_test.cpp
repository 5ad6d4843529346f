// SPDX-License-Identifier: MIT
// docs/protocol/signal.md against the keys of the configuration and their defaults.
#include "support/catch.hpp"
#include "support/document.hpp"

#include <muster/signal/config_document.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

using muster::signal::ConfigDocument;

TEST_CASE("signal document: it has every key of the configuration with its default",
          "[signal][config][document]") {
  const test::Document document{"../../docs/protocol/signal.md"};
  const auto used = document.table("| key | default |");
  const auto unused = document.table("| key | why |");
  REQUIRE(used.size() > 80);
  REQUIRE(unused.size() > 10);

  muster::signal::Config config;
  muster::signal::ServerSettings settings;
  std::string problem;
  REQUIRE_FALSE(ConfigDocument{}.read(config, settings, problem));
  const auto printed = nlohmann::json::parse(ConfigDocument::print(config, settings));

  std::vector<std::string> used_keys;
  std::vector<std::string> unused_keys;
  for (const test::Row& row : used) {
    const std::string path = test::without_backticks(row.at(0));
    INFO(path);
    used_keys.push_back(path);
    std::string pointer = "/" + path;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    const nlohmann::json::json_pointer place{pointer};
    REQUIRE(printed.contains(place));
    CHECK(printed.at(place) == nlohmann::json::parse(test::without_backticks(row.at(1))));
  }
  for (const test::Row& row : unused) {
    unused_keys.push_back(test::without_backticks(row.at(0)));
  }

  std::vector<std::string> used_expected;
  std::vector<std::string> unused_expected;
  for (const ConfigDocument::KeyInfo& key : ConfigDocument::keys()) {
    (key.is_used ? used_expected : unused_expected).push_back(key.path);
  }
  for (auto* const keys : {&used_keys, &unused_keys, &used_expected, &unused_expected}) {
    std::sort(keys->begin(), keys->end());
  }
  CHECK(used_keys == used_expected);
  CHECK(unused_keys == unused_expected);
}
