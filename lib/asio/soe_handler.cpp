// SPDX-License-Identifier: MIT
// What a handler does when it does nothing.
#include <muster/asio/soe_handler.hpp>

namespace muster::asio {

void SoeHandler::on_opened(soe::SessionId, const Address&, time_point) {}
void SoeHandler::on_writable(soe::SessionId, time_point) {}
void SoeHandler::on_closed(soe::SessionId, const Address&, soe::DisconnectReason, bool,
                           time_point) {}
void SoeHandler::on_not_connected(const Address&, errc, time_point) {}

}  // namespace muster::asio
