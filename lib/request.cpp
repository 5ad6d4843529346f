// SPDX-License-Identifier: MIT
// Look-ups in a request, and the life of a decision.
#include <muster/request.hpp>

#include <muster/ascii.hpp>
#include <muster/outbox.hpp>

#include <algorithm>

namespace muster {

namespace {

// Percent-decoding of a query part; what is no escape stays as it is.
std::string decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view name) const noexcept {
  for (const HeaderField& field : headers) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string> Request::query_value(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t equals = std::min(item.find('='), item.size());
    if (decode(item.substr(0, equals)) != name) continue;
    return decode(item.substr(std::min(item.size(), equals + 1)));
  }
  return std::nullopt;
}

Decision& Decision::operator=(Decision&& other) noexcept {
  std::swap(outbox_, other.outbox_);
  std::swap(id_, other.id_);
  return *this;
}

Decision::~Decision() {
  if (!is_answered()) respond({.status = 503, .body = as_bytes("no answer\n")});
}

bool Decision::accept(Service& service, std::string_view subprotocol, void* context) {
  if (is_answered()) return false;
  Connection* const connection = std::exchange(outbox_, nullptr)->find(id_);
  if (connection == nullptr || connection->state_ != Connection::State::opening) return false;
  connection->answer_to(service);
  connection->set_context(context);
  connection->accept_upgrade(service, subprotocol);
  return true;
}

bool Decision::accept_stream(Service& service, std::span<const HeaderField> headers,
                             void* context) {
  if (is_answered()) return false;
  Connection* const connection = std::exchange(outbox_, nullptr)->find(id_);
  if (connection == nullptr || connection->state_ != Connection::State::opening) return false;
  connection->set_context(context);
  return connection->accept_stream(service, headers);
}

void Decision::respond(const Response& response) {
  if (is_answered()) return;
  Connection* const connection = std::exchange(outbox_, nullptr)->find(id_);
  if (connection != nullptr && connection->state_ == Connection::State::opening) {
    connection->respond(response);
  }
}

}  // namespace muster
