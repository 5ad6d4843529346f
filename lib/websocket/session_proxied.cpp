// SPDX-License-Identifier: MIT
// Whose connection a proxy passes on, by the PROXY header in front of it or by the request's head.
#include <muster/websocket/session.hpp>

#include <muster/websocket/proxy_header.hpp>

#include "forwarded.hpp"
#include "opening.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace muster::websocket {

// The header's bytes are gathered where those of a head are; what follows them is not kept.
mutable_byte_view Session::take_proxy_header(mutable_byte_view bytes, time_point now) {
  if (has_ended() || is_closing()) return {};
  const Endpoint::Call call{*endpoint_, now};
  std::vector<std::byte> header;
  if (const auto kept = endpoint_->openings_.find(id().index); kept != endpoint_->openings_.end()) {
    header = std::move(kept->second->input);
  }
  const std::size_t before = header.size();
  const mutable_byte_view more = bytes.first(std::min(bytes.size(), max_proxy_header - before));
  header.insert(header.end(), more.begin(), more.end());
  ProxyHeader proxied;
  const HeadResult parsed = parse_proxy_header(header, proxied);
  if (parsed.state == HeadResult::State::incomplete) {
    opening().input = std::move(header);
    return {};
  }
  endpoint_->openings_.erase(id().index);
  if (parsed.state == HeadResult::State::malformed) {
    broke("no valid PROXY header");
    return {};
  }
  stage_ = Stage::head;  // with the deadline that it has
  if (proxied.source) take_source(*proxied.source, now);
  return has_ended() ? mutable_byte_view{} : bytes.subspan(parsed.size - before);
}

// Who is behind a proxy that speaks the PROXY protocol: the peer, or another proxy.
void Session::take_source(const Address& source, time_point now) {
  const bool is_peer = endpoint_->config_.trusted_proxy_hops == 0;
  if (endpoint_->take_place_instead(remote(), source, is_peer, now)) {
    set_remote(source);
  } else if (endpoint_->refuse(id().index, remote(), now)) {
    stage_ = Stage::refusal;
  } else {
    ended(CloseReason::refused, false);
  }
}

// Who is behind the proxies. False: too many come from there.
bool Session::take_forwarded(const RequestHead& head, time_point now) {
  const unsigned hops = endpoint_->config_.trusted_proxy_hops;
  if (hops == 0) return true;
  const std::optional<Address> forwarded = forwarded_address(head.headers, hops);
  if (!forwarded) return true;
  if (!endpoint_->take_place_instead(remote(), *forwarded, true, now)) return false;
  set_remote(*forwarded);
  return true;
}

}  // namespace muster::websocket
