// SPDX-License-Identifier: MIT
// How a program's /metrics answers.
#pragma once

#include <muster/bytes.hpp>
#include <muster/service.hpp>

#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace examples {

/// @param text          in Prometheus' text format
/// @param cors_origin   a page elsewhere that may read it; empty: none
inline void reply_to_prometheus(muster::Decision decision, std::string_view text,
                                std::string_view cors_origin = {}) {
  const std::array<muster::HeaderField, 2> headers{
      {{"Cache-Control", "no-store"}, {"Access-Control-Allow-Origin", cors_origin}}};
  decision.respond({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                    .body = muster::as_bytes(text),
                    .headers = std::span{headers}.first(cors_origin.empty() ? 1 : 2)});
}

}  // namespace examples
