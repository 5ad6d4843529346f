// SPDX-License-Identifier: MIT
// What a service does when it does not say otherwise.
#include <muster/service.hpp>

namespace muster {

void Service::on_upgrade(const Request&, Decision decision, time_point) { decision.accept(*this); }

void Service::on_request(const Request&, Decision decision, time_point) {
  decision.respond({.status = 404, .body = as_bytes("not found\n")});
}

void Service::on_open(Connection&, time_point) {}

void Service::on_arrival(Connection& connection, std::unique_ptr<Luggage>, time_point) {
  connection.close(CloseReason::refused, 1011, "nobody expects this connection here");
}

void Service::on_writable(Connection&, time_point) {}
void Service::on_backlog(Connection&, time_point) {}

void Service::on_overrun(Connection& connection, std::uint32_t, time_point) {
  connection.discard_queue();
  connection.close(CloseReason::too_slow, 1008, "too slow");
}

void Service::on_fault(Connection&, const CloseInfo&, time_point) {}
void Service::on_drain(time_point) {}
void Service::on_close(Connection&, const CloseInfo&, time_point) {}
void Service::advance(time_point) {}
const Liveness* Service::liveness() const noexcept { return nullptr; }
time_point Service::next_deadline() const noexcept { return no_deadline; }

}  // namespace muster
