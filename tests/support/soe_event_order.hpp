// SPDX-License-Identifier: MIT
// Checks that each session's events come in order: opened, then data and writable, then closed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "support/soe_end.hpp"

namespace test {

class SoeEventOrder {
 public:
  /// An attempt of a client's, which may be closed without having been opened.
  void asked(muster::soe::SessionId session) { asking_.push_back(session); }

  /// @return whether the event may come now
  [[nodiscard]] bool accepts(const SoeEvent& event) {
    const auto at = std::find(open_.begin(), open_.end(), event.session);
    switch (event.kind) {
      case SoeEvent::Kind::opened:
        if (at != open_.end()) return false;
        std::erase(asking_, event.session);
        open_.push_back(event.session);
        return true;
      case SoeEvent::Kind::closed:
        if (at == open_.end()) return std::erase(asking_, event.session) == 1;
        open_.erase(at);
        return true;
      default:
        return at != open_.end();
    }
  }

  /// Sessions that were opened and not closed.
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

 private:
  std::vector<muster::soe::SessionId> asking_;
  std::vector<muster::soe::SessionId> open_;
};

}  // namespace test
