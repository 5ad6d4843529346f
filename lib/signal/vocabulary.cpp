// SPDX-License-Identifier: MIT
// The words themselves, in the order of their enumerators.
#include "vocabulary.hpp"

#include <array>
#include <cassert>
#include <cstddef>

namespace muster::signal {
namespace {

template <class Word>
constexpr std::array<std::string_view, 0> texts{};

template <>
constexpr std::array<std::string_view, 3> texts<GameDataFormat>{"json", "message_pack", "rkyv"};
template <>
constexpr std::array<std::string_view, 4> texts<RelayTransport>{"tcp", "udp", "websocket", "auto"};
template <>
constexpr std::array<std::string_view, 3> texts<LobbyState>{"waiting", "lobby", "finalized"};
template <>
constexpr std::array<std::string_view, 5> texts<SpectatorChange>{
    "joined", "voluntary_leave", "disconnected", "removed", "room_closed"};
template <>
constexpr std::array<std::string_view, 3> texts<DeliveryClass>{"reliable", "latest", "volatile"};
template <>
constexpr std::array<std::string_view, 4> texts<GapReason>{
    "latest_superseded", "latest_dropped_full", "volatile_dropped", "unsupported_format"};
template <>
constexpr std::array<std::string_view, 3> texts<ReplayStatus>{"complete", "truncated",
                                                              "unavailable"};
template <>
constexpr std::array<std::string_view, 3> texts<Topology>{"relay", "host", "mesh"};
template <>
constexpr std::array<std::string_view, 3> texts<Transport>{"relay", "direct", "webrtc"};

template <class Word>
std::string_view text_of(Word word) noexcept {
  const auto at = static_cast<std::size_t>(word);
  assert(at < texts<Word>.size());
  return texts<Word>[at];
}

}  // namespace

std::string_view to_string(GameDataFormat word) noexcept { return text_of(word); }
std::string_view to_string(RelayTransport word) noexcept { return text_of(word); }
std::string_view to_string(LobbyState word) noexcept { return text_of(word); }
std::string_view to_string(SpectatorChange word) noexcept { return text_of(word); }
std::string_view to_string(DeliveryClass word) noexcept { return text_of(word); }
std::string_view to_string(GapReason word) noexcept { return text_of(word); }
std::string_view to_string(ReplayStatus word) noexcept { return text_of(word); }
std::string_view to_string(Topology word) noexcept { return text_of(word); }
std::string_view to_string(Transport word) noexcept { return text_of(word); }

template <class Word>
std::optional<Word> read_word(std::string_view text) noexcept {
  for (std::size_t i = 0; i < texts<Word>.size(); ++i) {
    if (texts<Word>[i] == text) return static_cast<Word>(i);
  }
  return std::nullopt;
}

template std::optional<GameDataFormat> read_word(std::string_view) noexcept;
template std::optional<RelayTransport> read_word(std::string_view) noexcept;
template std::optional<LobbyState> read_word(std::string_view) noexcept;
template std::optional<SpectatorChange> read_word(std::string_view) noexcept;
template std::optional<DeliveryClass> read_word(std::string_view) noexcept;
template std::optional<GapReason> read_word(std::string_view) noexcept;
template std::optional<ReplayStatus> read_word(std::string_view) noexcept;
template std::optional<Topology> read_word(std::string_view) noexcept;
template std::optional<Transport> read_word(std::string_view) noexcept;

}  // namespace muster::signal
