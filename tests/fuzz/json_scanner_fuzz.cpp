// SPDX-License-Identifier: MIT
// Fuzzes the JSON scanner beside nlohmann::json: they must agree on every text, and on its members.
#include <muster/wire/json_scanner.hpp>

#include "support/json_oracle.hpp"
#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace {

using test::require;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  using wire::JsonScanner;
  // A block of its own, so that a read beyond the end is seen.
  const std::vector<std::uint8_t> copy(data, data + size);
  const byte_view text = std::as_bytes(std::span{copy});

  const bool is_json = test::is_json(as_text(text));
  const std::error_code outcome = wire::check_json(text, JsonScanner::depth_limit);
  if (!is_json) {
    require(static_cast<bool>(outcome));
    // Member by member it is refused too.
    JsonScanner scanner{text, JsonScanner::depth_limit};
    while (scanner.next_member()) {
    }
    scanner.finish();
    require(!scanner.ok() && scanner.error() == outcome);
    return 0;
  }
  const std::size_t depth = test::json_depth(as_text(text));
  require(outcome ==
          (depth > JsonScanner::depth_limit ? make_error_code(errc::too_deep) : std::error_code{}));
  if (outcome) return 0;
  require(!wire::check_json(text, depth));
  if (depth > 0) require(wire::check_json(text, depth - 1) == errc::too_deep);

  const auto expected = nlohmann::json::parse(as_text(text));
  JsonScanner scanner{text, depth};
  require((scanner.kind() == wire::JsonKind::object) == expected.is_object());
  std::map<std::string, nlohmann::json> found;
  while (const auto member = scanner.next_member()) {
    const std::string name = nlohmann::json::parse("\"" + std::string{member->name} + "\"");
    require(member->is_named(name));
    found[name] = nlohmann::json::parse(as_text(member->value));
  }
  scanner.finish();
  require(scanner.ok());
  if (expected.is_object()) require(nlohmann::json(found) == expected);
  return 0;
}
