// SPDX-License-Identifier: MIT
// The JSON scanner: what it refuses and why, and nlohmann::json as its judge.
#include <muster/utf8.hpp>
#include <muster/wire/json_scanner.hpp>

#include "support/catch.hpp"
#include "support/heap_count.hpp"
#include "support/json_oracle.hpp"
#include "support/json_texts.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using muster::as_bytes;
using muster::as_text;
using muster::errc;
using muster::wire::check_json;
using muster::wire::JsonKind;
using muster::wire::JsonScanner;

namespace {

// Why the text is no JSON; nothing when it is.
std::optional<errc> failure(std::string_view text, std::size_t max_depth = 64) {
  JsonScanner scanner{as_bytes(text), max_depth};
  scanner.finish();
  if (scanner.ok()) return std::nullopt;
  return scanner.error();
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::vector<std::pair<std::string, std::string>> members_of(std::string_view text) {
  JsonScanner scanner{as_bytes(text), 64};
  std::vector<std::pair<std::string, std::string>> members;
  while (const auto member = scanner.next_member()) {
    members.emplace_back(member->name, as_text(member->value));
  }
  REQUIRE(scanner.ok());
  return members;
}

}  // namespace

TEST_CASE("json scanner: what is JSON", "[wire][json]") {
  for (const std::string_view text : {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "-0",
                                      "10",
                                      "1.5",
                                      "-1.5e+7",
                                      "1E2",
                                      "0e0",
                                      "0.0e-999",
                                      "\"\"",
                                      "\"a\"",
                                      "[]",
                                      "{}",
                                      " [ ] ",
                                      "\t\r\n{ \"a\" : [ 1 , { } ] } ",
                                      "\"\x7F\"",
                                      "\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                      "\"\\uD83D\\uDE00\"",
                                      "\"\xF0\x9F\x98\x80\"",
                                      "{\"\":1,\"\":2}",
                                      "[[[]],{\"a\":{}}]"}) {
    CAPTURE(text);
    CHECK(failure(text) == std::nullopt);
  }
}

TEST_CASE("json scanner: what is no JSON", "[wire][json]") {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "\xEF\xBB\xBF{}"sv,
                                      "{} x"sv,
                                      "{}{}"sv,
                                      "nul"sv,
                                      "nulll"sv,
                                      "True"sv,
                                      "NaN"sv,
                                      "Infinity"sv,
                                      "-"sv,
                                      "+1"sv,
                                      "01"sv,
                                      "-01"sv,
                                      "1."sv,
                                      ".5"sv,
                                      "1e"sv,
                                      "1e+"sv,
                                      "0x1"sv,
                                      "1 2"sv,
                                      "\""sv,
                                      "\"a"sv,
                                      "'a'"sv,
                                      "\"\t\""sv,
                                      "\"\0\""sv,
                                      "\"\\\""sv,
                                      "\"\\x\""sv,
                                      "\"\\u12\""sv,
                                      "\"\\u12G4\""sv,
                                      "\"\\ud800\""sv,
                                      "\"\\udc00\""sv,
                                      "\"\\ud800\\n\""sv,
                                      "\"\\ud800\\ud800\""sv,
                                      "\"\\ud800x\""sv,
                                      "["sv,
                                      "]"sv,
                                      "[1"sv,
                                      "[1,"sv,
                                      "[1,]"sv,
                                      "[,1]"sv,
                                      "[1 1]"sv,
                                      "[1}"sv,
                                      "{"sv,
                                      "{]"sv,
                                      "{\"a\""sv,
                                      "{\"a\":"sv,
                                      "{\"a\":1"sv,
                                      "{\"a\":1,"sv,
                                      "{\"a\":1,}"sv,
                                      "{\"a\" 1}"sv,
                                      "{a:1}"sv,
                                      "{1:1}"sv,
                                      "{,}"sv,
                                      "{\"a\":1]"sv,
                                      "// x\n1"sv,
                                      "/**/1"sv,
                                      "1\0"sv,
                                      "\0"sv,
                                      "\xC2\xA0"
                                      "1"sv}) {
    CAPTURE(text);
    CHECK(failure(text) == errc::bad_syntax);
  }
}

TEST_CASE("json scanner: strings are UTF-8", "[wire][json]") {
  for (const std::string_view text :
       {"\"\x80\"", "\"\xFF\xFE\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
        "\"\xE2\x82\"", "{\"\xE9\":1}", "\"12345678\xC3\"", "[\"\xC3\xA9\", \"\xC3\"]"}) {
    CAPTURE(text);
    CHECK(failure(text) == errc::bad_utf8);
  }
}

TEST_CASE("json scanner: a number that a double holds as infinity is refused", "[wire][json]") {
  for (const std::string_view text :
       {"1e309", "-1e309", "1e400", "1.8e308", "17976931348623159e292", "1e99999999999999999999",
        "0.001e312",
        "1.7976931348623158079372897140530341507993413271003782693617377898044496829"
        "2764750946649017977587207096330286416692887910946555547851940402630657488671"
        "5058206819089020007083836762738548458177115317644757302700698555713669596228"
        "4291481986083493647529271907416844436551070434271155969950809304288017790417"
        "4497792e308"}) {
    CAPTURE(text);
    CHECK(failure(text) == errc::bad_value);
  }
  CHECK(failure(std::string(310, '9')) == errc::bad_value);
  CHECK(failure("2" + std::string(308, '0') + ".5") == errc::bad_value);
  for (const std::string_view text :
       {"1e308", "1.7976931348623157e308", "1.7976931348623158e308", "0e99999999999999999999",
        "-0.000e999", "1e-99999999999999999999", "0.00001e312",
        "1.7976931348623158079372897140530341507993413271003782693617377898044496829"
        "2764750946649017977587207096330286416692887910946555547851940402630657488671"
        "5058206819089020007083836762738548458177115317644757302700698555713669596228"
        "4291481986083493647529271907416844436551070434271155969950809304288017790417"
        "4497791e308"}) {
    CAPTURE(text);
    CHECK(failure(text) == std::nullopt);
  }
  CHECK(failure("1" + std::string(308, '0')) == std::nullopt);
  CHECK(failure("1" + std::string(400, '0') + "e-400") == std::nullopt);
  CHECK(failure("0." + std::string(400, '0') + "1e400") == std::nullopt);
}

TEST_CASE("json scanner: the depth is bounded by what the caller says", "[wire][json]") {
  CHECK(failure("1", 0) == std::nullopt);
  CHECK(failure("[]", 0) == errc::too_deep);
  CHECK(failure("{}", 0) == errc::too_deep);
  for (const std::size_t depth : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65},
                                  std::size_t{127}, JsonScanner::depth_limit}) {
    CAPTURE(depth);
    CHECK(failure(nested(depth), depth) == std::nullopt);
    CHECK(failure(nested(depth), depth - 1) == errc::too_deep);
    CHECK(failure("{\"a\":[" + nested(depth - 1) + "]}", depth) == errc::too_deep);
    if (depth > 1) CHECK(failure("{\"a\":" + nested(depth - 1) + "}", depth) == std::nullopt);
    CHECK(failure("[1,[]," + nested(depth) + "]", depth) == errc::too_deep);
  }
  // However deep it claims to be, and whether it ends or not.
  CHECK(failure(std::string(1'000'000, '['), JsonScanner::depth_limit) == errc::too_deep);
}

TEST_CASE("json scanner: an object and an array end with their own bracket", "[wire][json]") {
  // The bits of the containers of an outer level survive those of an inner one.
  std::string text;
  std::string ends;
  for (std::size_t i = 0; i < 200; ++i) {
    const bool is_object = (i * i) % 3 == 1;
    text += is_object ? "{\"k\":" : "[";
    ends.insert(0, is_object ? "}" : "]");
  }
  CHECK(failure(text + "1" + ends, 200) == std::nullopt);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    std::string wrong = ends;
    wrong[i] = wrong[i] == '}' ? ']' : '}';
    CHECK(failure(text + "1" + wrong, 200) == errc::bad_syntax);
  }
}

TEST_CASE("json scanner: the members of an object, in order, as they stand", "[wire][json]") {
  using Members = std::vector<std::pair<std::string, std::string>>;
  CHECK(members_of(" { \"a\" : [1, 2] ,\"b\":{\"a\":3} , \"a\":\"x\\\"y\" } ") ==
        Members{{"a", "[1, 2]"}, {"b", "{\"a\":3}"}, {"a", "\"x\\\"y\""}});
  CHECK(members_of("{}") == Members{});
  CHECK(members_of("{\"\\u0069nput\":-0.50e1}") == Members{{"\\u0069nput", "-0.50e1"}});
}

TEST_CASE("json scanner: a name is the same however it is escaped", "[wire][json]") {
  const auto named = [](std::string_view raw, std::string_view text) {
    const std::string object = "{\"" + std::string{raw} + "\":1}";
    JsonScanner scanner{as_bytes(object), 1};
    const auto member = scanner.next_member();
    REQUIRE(member);
    return member->is_named(text);
  };
  CHECK(named("input", "input"));
  CHECK(named("\\u0069nput", "input"));
  CHECK(named("inpu\\u0074", "input"));
  CHECK(named("client\\u005Fseq", "client_seq"));
  CHECK(named("\\ud83d\\ude00\\n", "\xF0\x9F\x98\x80\n"));
  CHECK_FALSE(named("Input", "input"));
  CHECK_FALSE(named("input\\u0000", "input"));
  CHECK_FALSE(named("inpu", "input"));
  CHECK_FALSE(named("", "input"));
}

TEST_CASE("json scanner: the kind is known before the value is", "[wire][json]") {
  const auto kind = [](std::string_view text) { return JsonScanner{as_bytes(text), 8}.kind(); };
  CHECK(kind(" {") == JsonKind::object);
  CHECK(kind("[") == JsonKind::array);
  CHECK(kind("\"") == JsonKind::string);
  CHECK(kind("-x") == JsonKind::number);
  CHECK(kind("t") == JsonKind::boolean);
  CHECK(kind("n") == JsonKind::null);
  CHECK(kind("x") == JsonKind::none);
  CHECK(kind("") == JsonKind::none);
}

TEST_CASE("json scanner: after a failure there are no members", "[wire][json]") {
  JsonScanner scanner{as_bytes("{\"a\":1,\"b\":x,\"c\":2}"), 8};
  CHECK(scanner.next_member());
  CHECK_FALSE(scanner.next_member());
  CHECK_FALSE(scanner.next_member());
  scanner.finish();
  CHECK_FALSE(scanner.ok());
  CHECK(scanner.error() == errc::bad_syntax);

  JsonScanner array{as_bytes("[{\"a\":1}]"), 8};
  CHECK_FALSE(array.next_member());
  CHECK(array.ok());
  array.finish();
  CHECK(array.ok());
}

TEST_CASE("json scanner: thousands of texts, judged by nlohmann::json", "[wire][json]") {
  std::size_t refused = 0;
  for (std::uint32_t seed = 1; seed <= 4000; ++seed) {
    test::JsonTexts texts{seed};
    const std::string whole = texts.next();
    for (const std::string& text : {whole, texts.damaged(whole), texts.damaged(whole),
                                    whole.substr(0, texts.below(whole.size() + 1))}) {
      CAPTURE(seed, text);
      const bool is_json = test::is_json(text);
      refused += is_json ? 0 : 1;
      REQUIRE(!check_json(as_bytes(text), JsonScanner::depth_limit) == is_json);
      if (!is_json) continue;
      const std::size_t depth = test::json_depth(text);
      REQUIRE(!check_json(as_bytes(text), depth));
      if (depth > 0) REQUIRE(check_json(as_bytes(text), depth - 1) == errc::too_deep);
    }
  }
  // The damage is neither always fatal nor always harmless.
  CHECK(refused > 4000);
  CHECK(refused < 12000);
}

TEST_CASE("json scanner: the members of thousands of objects, judged by nlohmann::json",
          "[wire][json]") {
  std::size_t count = 0;
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    test::JsonTexts texts{seed};
    const std::string text = texts.next_object();
    CAPTURE(seed, text);
    if (!test::is_json(text)) continue;  // a number beyond a double
    const auto expected = nlohmann::json::parse(text);
    std::map<std::string, nlohmann::json> found;
    JsonScanner scanner{as_bytes(text), 64};
    while (const auto member = scanner.next_member()) {
      const std::string name = nlohmann::json::parse("\"" + std::string{member->name} + "\"");
      REQUIRE(member->is_named(name));
      REQUIRE_FALSE(member->is_named(name + "x"));
      found[name] = nlohmann::json::parse(as_text(member->value));  // the last one counts
      ++count;
    }
    REQUIRE(scanner.ok());
    REQUIRE(nlohmann::json(found) == expected);
  }
  CHECK(count > 2000);
}

#if MUSTER_TEST_COUNTS_ALLOCATIONS
TEST_CASE("json scanner: nothing is allocated", "[wire][json]") {
  const std::string text = "{\"\\u0069nput\":{\"name\":\"\xC3\xA9\",\"at\":[1.5,-2e3," +
                           nested(50) + "]},\"client_seq\":12}";
  const int before = test::allocations;
  JsonScanner scanner{as_bytes(text), 64};
  std::size_t found = 0;
  while (const auto member = scanner.next_member()) found += member->is_named("input") ? 1 : 0;
  const int after = test::allocations;
  CHECK(scanner.ok());
  CHECK(found == 1);
  CHECK(after == before);
}
#endif

TEST_CASE("json scanner: the elements of an array, in order, as they stand", "[wire][json]") {
  const auto elements = [](std::string_view text) {
    muster::wire::JsonScanner scanner{muster::as_bytes(text), 8};
    std::vector<std::string> out;
    while (const auto element = scanner.next_element()) {
      out.emplace_back(muster::as_text(element->value));
    }
    if (!scanner.ok()) out.emplace_back("failed");
    return out;
  };
  using Texts = std::vector<std::string>;
  CHECK(elements("[]") == Texts{});
  CHECK(elements(" [ 1 , \"a,]\" , [2,3], {\"b\":[4]} ,null ] ") ==
        Texts{"1", "\"a,]\"", "[2,3]", "{\"b\":[4]}", "null"});
  CHECK(elements("[1,]") == Texts{"1", "failed"});
  CHECK(elements("[1 2]") == Texts{"1", "failed"});
  CHECK(elements("[1") == Texts{"1", "failed"});
  CHECK(elements("[1] 2") == Texts{"1", "failed"});
  CHECK(elements("[1}") == Texts{"1", "failed"});
  CHECK(elements("[,1]") == Texts{"failed"});
  CHECK(elements("{\"a\":1}") == Texts{});  // an object has members
  CHECK(elements("[[[[[[[[1]]]]]]]]") == Texts{"[[[[[[[1]]]]]]]"});
  CHECK(elements("[[[[[[[[[1]]]]]]]]]") == Texts{"failed"});  // one too deep
}

TEST_CASE("json scanner: what is left of an array is checked at the end", "[wire][json]") {
  muster::wire::JsonScanner good{muster::as_bytes(std::string_view{"[1,2,3]"}), 2};
  REQUIRE(good.next_element());
  good.finish();
  CHECK(good.ok());
  muster::wire::JsonScanner bad{muster::as_bytes(std::string_view{"[1,2,x]"}), 2};
  REQUIRE(bad.next_element());
  bad.finish();
  CHECK_FALSE(bad.ok());
}
