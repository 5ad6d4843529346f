// SPDX-License-Identifier: MIT
// Cards, decks, and which hand is the better one.
#include "cards.hpp"

#include "digest.hpp"
#include "seed.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace lobby_program;
using Category = HandValue::Category;

namespace {

Card card(std::string_view text) {
  const std::size_t rank = std::string_view{"23456789TJQKA"}.find(text[0]);
  const std::size_t suit = std::string_view{"cdhs"}.find(text[1]);
  REQUIRE(rank < 13);
  REQUIRE(suit < 4);
  return {static_cast<std::uint8_t>(rank + 2), static_cast<std::uint8_t>(suit)};
}

std::vector<Card> cards(const std::string& text) {
  std::vector<Card> out;
  std::istringstream in{text};
  for (std::string word; in >> word;) out.push_back(card(word));
  return out;
}

std::string text_of(const HandValue& value) {
  std::string text;
  for (const Card each : value.cards) text += (text.empty() ? "" : " ") + to_string(each);
  return text;
}

std::uint32_t strength(const std::string& text) { return best_hand(cards(text)).strength; }

/// What five cards are worth, by the rules as they are told: ranks grouped by how often they are
/// there. Nothing in it is taken from the code under test.
std::vector<int> told_value(const std::vector<Card>& five) {
  std::vector<std::pair<int, int>> groups;  // how many, rank
  for (int rank = 2; rank <= 14; ++rank) {
    const auto count = static_cast<int>(
        std::count_if(five.begin(), five.end(), [&](Card each) { return each.rank == rank; }));
    if (count > 0) groups.emplace_back(count, rank);
  }
  std::sort(groups.rbegin(), groups.rend());
  const bool is_flush =
      std::all_of(five.begin(), five.end(), [&](Card each) { return each.suit == five[0].suit; });
  const bool is_run = groups.size() == 5 && groups[0].second - groups[4].second == 4;
  const bool is_wheel = groups.size() == 5 && groups[0].second == 14 && groups[1].second == 5;

  std::vector<int> value;
  if (is_run || is_wheel) {
    value = {is_flush ? 8 : 4, is_wheel ? 5 : groups[0].second};
    return value;
  }
  int category = 0;
  if (groups[0].first == 4)
    category = 7;
  else if (groups[0].first == 3 && groups[1].first == 2)
    category = 6;
  else if (is_flush)
    category = 5;
  else if (groups[0].first == 3)
    category = 3;
  else if (groups[0].first == 2 && groups[1].first == 2)
    category = 2;
  else if (groups[0].first == 2)
    category = 1;
  value.push_back(category);
  for (const auto& [count, rank] : groups) value.push_back(rank);
  return value;
}

/// The best of all choices of five.
std::vector<int> told_best(const std::vector<Card>& seven) {
  std::vector<int> best;
  for (std::size_t a = 0; a < seven.size(); ++a) {
    for (std::size_t b = a + 1; b < seven.size(); ++b) {
      std::vector<Card> five;
      for (std::size_t i = 0; i < seven.size(); ++i) {
        if (i != a && i != b) five.push_back(seven[i]);
      }
      best = std::max(best, told_value(five));
    }
  }
  return best;
}

Seed seed_of(std::uint8_t number) {
  Seed seed{};
  seed[0] = std::byte{number};
  return seed;
}

}  // namespace

TEST_CASE("sha256: the vectors of FIPS 180-4", "[lobby_program][seed]") {
  CHECK(hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256({muster::as_bytes("abc")})) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256({muster::as_bytes("a"), {}, muster::as_bytes("bc")})) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(
      hex(sha256({muster::as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")})) ==
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("seed stream: the same seed gives the same bytes, however they are asked for",
          "[lobby_program][seed]") {
  SeedStream one{seed_of(1)};
  SeedStream other{seed_of(1)};
  std::array<std::byte, 100> whole{};
  std::array<std::byte, 100> pieces{};
  one.fill(whole);
  for (std::size_t i = 0; i < pieces.size(); i += 10) {
    other.fill(std::span{pieces}.subspan(i, 10));
  }
  CHECK(whole == pieces);
  const Seed first = derive(seed_of(1), "stream", 0);
  CHECK(std::equal(first.begin(), first.end(), whole.begin()));
  CHECK(derive(seed_of(1), "a") != derive(seed_of(1), "b"));
  CHECK(derive(seed_of(1), "a", 1) != derive(seed_of(1), "a", 2));
  CHECK(derive(seed_of(1), "a") != derive(seed_of(2), "a"));
}

TEST_CASE("seed stream: every number below the bound is drawn, and none above",
          "[lobby_program][seed]") {
  SeedStream stream{seed_of(3)};
  std::array<int, 7> drawn{};
  for (int i = 0; i < 7000; ++i) ++drawn.at(static_cast<std::size_t>(stream.below(7)));
  for (const int count : drawn) {
    CHECK(count > 800);
    CHECK(count < 1200);
  }
  CHECK(stream.below(1) == 0);

  // With a bound of three quarters of all numbers, the first quarter would come twice as often as
  // it should if the last one were not drawn again.
  constexpr std::uint64_t quarter = std::uint64_t{1} << 62U;
  int low = 0;
  for (int i = 0; i < 3000; ++i) low += stream.below(3 * quarter) < quarter ? 1 : 0;
  CHECK(low > 850);
  CHECK(low < 1150);
}

TEST_CASE("deck: all 52 cards, in an order that the seed decides", "[lobby_program][cards]") {
  const Deck deck = shuffled_deck(seed_of(1));
  std::set<std::string> names;
  for (const Card each : deck) names.insert(to_string(each));
  CHECK(names.size() == 52);
  CHECK(deck == shuffled_deck(seed_of(1)));
  CHECK_FALSE(deck == shuffled_deck(seed_of(2)));
}

TEST_CASE("deck: each card comes first about equally often", "[lobby_program][cards]") {
  std::array<int, 52> first{};
  for (int i = 0; i < 5200; ++i) {
    const Card each = shuffled_deck(derive(seed_of(9), "deal", static_cast<std::uint64_t>(i)))[0];
    ++first.at(std::size_t{each.suit} * 13 + each.rank - 2);
  }
  for (const int count : first) {
    CHECK(count > 50);
    CHECK(count < 160);
  }
}

TEST_CASE("deck: the commitment is the SHA-256 of the seed and the cards",
          "[lobby_program][cards]") {
  const Deck deck = shuffled_deck(seed_of(5));
  const Seed seed = seed_of(5);
  std::string text{muster::as_text(seed)};
  for (const Card each : deck) text += to_string(each);
  CHECK(text.size() == 32 + 104);
  CHECK(deck_commitment(seed, deck) == sha256({muster::as_bytes(text)}));
}

TEST_CASE("hands: categories and the five cards that count", "[lobby_program][cards]") {
  struct Known {
    std::string cards;
    std::string name;
    std::string best;
  };
  const Known known[] = {
      {"2c 4d 6h 8s Tc Qd Kh", "High Card", "Kh Qd Tc 8s 6h"},
      {"2c 2d 6h 8s Tc Qd Kh", "Pair", "2d 2c Kh Qd Tc"},
      {"2c 2d 6h 6s Tc Qd Kh", "Two Pair", "6s 6h 2d 2c Kh"},
      {"2c 2d 6h 6s Tc Td Kh", "Two Pair", "Td Tc 6s 6h Kh"},
      {"2c 2d 2h 8s Tc Qd Kh", "Three of a Kind", "2h 2d 2c Kh Qd"},
      {"2c 3d 4h 5s 6c Qd Kh", "Straight", "6c 5s 4h 3d 2c"},
      {"Ac 2c 3d 4h 5s Qd Kh", "Straight", "5s 4h 3d 2c Ac"},
      {"Ac Kc Qd Jh Ts 2d 3h", "Straight", "Ac Kc Qd Jh Ts"},
      {"2c 4c 6c 8c Tc Qd Kh", "Flush", "Tc 8c 6c 4c 2c"},
      {"2c 4c 6c 8c Tc Qc Kc", "Flush", "Kc Qc Tc 8c 6c"},
      {"2c 2d 2h 8s 8c Qd Kh", "Full House", "2h 2d 2c 8s 8c"},
      {"2c 2d 2h 8s 8c 8d Kh", "Full House", "8s 8d 8c 2h 2d"},
      {"2c 2d 2h 8s 8c Kd Kh", "Full House", "2h 2d 2c Kh Kd"},
      {"2c 2d 2h 2s 8c 8d Kh", "Four of a Kind", "2s 2h 2d 2c Kh"},
      {"2c 3c 4c 5c 6c 7d 8h", "Straight Flush", "6c 5c 4c 3c 2c"},
      {"Ac 2c 3c 4c 5c 6d 7h", "Straight Flush", "5c 4c 3c 2c Ac"},
      {"Ac Kc Qc Jc Tc 6d 7h", "Straight Flush", "Ac Kc Qc Jc Tc"},
      {"As Kd 9c 4h 2s", "High Card", "As Kd 9c 4h 2s"},
      {"As Ad 9c 4h 2s Kd", "Pair", "As Ad Kd 9c 4h"},
  };
  for (const Known& each : known) {
    CAPTURE(each.cards);
    const HandValue value = best_hand(cards(each.cards));
    CHECK(to_string(value.category()) == each.name);
    CHECK(text_of(value) == each.best);
  }
}

TEST_CASE("hands: kickers decide, and suits never do", "[lobby_program][cards]") {
  CHECK(strength("As Ad Kc 9h 2s") > strength("Ac Ah Qc 9d 2d"));
  CHECK(strength("As Ad Kc 9h 2s") == strength("Ac Ah Kd 9d 2d"));
  // The lowest straight is the lowest one: its ace counts as one.
  CHECK(strength("Ac 2c 3d 4h 5s") < strength("2c 3d 4h 5s 6d"));
  CHECK(strength("Ac 2c 3d 4h 5s") > strength("Ac Ad Ah Ks Qc"));
  // Five on the board play for both.
  CHECK(strength("2c 3d As Ks Qs Js Ts") == strength("4h 5h As Ks Qs Js Ts"));
  CHECK(strength("2h 2d 2c As Ah") < strength("3h 3d 3c 4s 4h"));
  // Aces around the corner are nothing.
  CHECK(best_hand(cards("Qc Kd Ah 2s 3c")).category() == Category::high_card);
}

TEST_CASE("hands: seven random cards rank as an evaluator written from the rules ranks them",
          "[lobby_program][cards]") {
  std::vector<int> before;
  HandValue before_value;
  std::set<int> seen;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const Deck deck = shuffled_deck(derive(seed_of(7), "random hand", i));
    const std::vector<Card> seven{deck.begin(), deck.begin() + 7};
    const std::vector<int> told = told_best(seven);
    const HandValue value = best_hand(seven);
    CAPTURE(i, text_of(value));
    REQUIRE(static_cast<int>(value.category()) == told[0]);
    REQUIRE(told_value({value.cards.begin(), value.cards.end()}) == told);
    for (const Card each : value.cards) {
      REQUIRE(std::find(seven.begin(), seven.end(), each) != seven.end());
    }
    if (i > 0) {
      REQUIRE((told < before) == (value.strength < before_value.strength));
      REQUIRE((told == before) == (value.strength == before_value.strength));
    }
    before = told;
    before_value = value;
    seen.insert(told[0]);
  }
  CHECK(seen.size() >= 7);
}

TEST_CASE("hands: each category comes as often among all hands of five as it is known to",
          "[lobby_program][cards]") {
  Deck deck = shuffled_deck(seed_of(1));
  std::array<int, 9> counts{};
  for (std::size_t a = 0; a < deck.size(); ++a) {
    for (std::size_t b = a + 1; b < deck.size(); ++b) {
      for (std::size_t c = b + 1; c < deck.size(); ++c) {
        for (std::size_t d = c + 1; d < deck.size(); ++d) {
          for (std::size_t e = d + 1; e < deck.size(); ++e) {
            const std::array<Card, 5> five{deck[a], deck[b], deck[c], deck[d], deck[e]};
            ++counts.at(static_cast<std::size_t>(best_hand(five).category()));
          }
        }
      }
    }
  }
  // From high card to straight flush; 2,598,960 in all.
  CHECK(counts ==
        std::array<int, 9>{1'302'540, 1'098'240, 123'552, 54'912, 10'200, 5'108, 3'744, 624, 40});
}
