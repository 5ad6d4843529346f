// SPDX-License-Identifier: MIT
// The tree is built from events, so that depth and repeated keys are noticed while they are read.
#include "config_text.hpp"

#include <muster/error.hpp>
#include <muster/signal/config_document.hpp>
#include <muster/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace muster::signal {
namespace {

using Json = nlohmann::json;

// Each handler returns false to stop the parser; `error` then says why.
class TreeBuilder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  explicit TreeBuilder(std::string_view text) : text_(text) {}

  Json root;
  std::error_code error;
  std::string problem;

  bool null() { return value(nullptr); }
  bool boolean(bool given) { return value(given); }
  bool number_integer(number_integer_t given) { return value(given); }
  bool number_unsigned(number_unsigned_t given) { return value(given); }
  bool number_float(number_float_t given, const string_t&) { return value(given); }
  bool string(string_t& given) { return value(std::move(given)); }
  bool binary(binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(string_t& name) {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, is_new] = members.try_emplace(std::move(name));
    if (!is_new)
      return fail(errc::bad_syntax, "has the key " + in_quotes(member->first) + " twice");
    member_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    error = errc::bad_syntax;
    // The parser's own words would show what stands there.
    problem = "line " + std::to_string(line) + " is not JSON";
    return false;
  }

 private:
  template <class T>
  bool value(T&& given) {
    place(Json(std::forward<T>(given)));
    return true;
  }

  Json& place(Json&& given) {
    if (open_.empty()) return root = std::move(given);
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(given));
      return open_.back()->back();
    }
    return *member_ = std::move(given);
  }

  // What is open does not move: only its own list or object grows at the end of `open_`.
  bool open(Json&& empty) {
    if (open_.size() == ConfigDocument::max_depth) {
      return fail(errc::too_deep,
                  "is nested deeper than " + std::to_string(ConfigDocument::max_depth) + " levels");
    }
    open_.push_back(&place(std::move(empty)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  bool fail(errc reason, std::string what) {
    error = reason;
    problem = "the document " + std::move(what);
    return false;
  }

  std::string_view text_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;  // whose value comes next
};

}  // namespace

std::error_code read_config_text(std::string_view text, Json& out, std::string& problem) {
  if (text.size() > ConfigDocument::max_size) {
    problem = "the document has more than " + std::to_string(ConfigDocument::max_size) + " bytes";
    return errc::too_large;
  }
  TreeBuilder builder{text};
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    problem = std::move(builder.problem);
    return builder.error;
  }
  out = std::move(builder.root);
  return {};
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t max_shown = 40;
  return Json(utf8_prefix(name, max_shown)).dump(-1, ' ', true, Json::error_handler_t::replace) +
         (name.size() > max_shown ? "..." : "");
}

}  // namespace muster::signal
