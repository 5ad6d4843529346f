// SPDX-License-Identifier: MIT
// Several loops: who names a room of another one is taken there.
#include "service_impl.hpp"

#include <utility>

namespace muster::signal {

// What goes along when a connection moves to its room's loop. It is in no room then.
struct Service::Impl::Passenger final : Luggage {
  PortableSession session;
  std::string app_id;  // its app is another object there
};

void Service::join_loops(const Placement& placement, std::uint32_t here,
                         std::vector<Service*> services) {
  impl_->placement_ = placement;
  impl_->here_ = here;
  impl_->services_ = std::move(services);
  impl_->next_instance_ |= std::uint64_t{here} << 48U;
}

std::uint32_t Service::Impl::home_of(std::string_view game, std::string_view code) const {
  if (!placement_) return here_;
  std::string key = std::to_string(game.size());
  key.append(":").append(game).append(code);
  return placement_->of(as_bytes(key));
}

std::uint32_t Service::Impl::home_of(const Uuid& room_id) const {
  return placement_ ? placement_->of(room_id.bytes) : here_;
}

bool Service::Impl::send_home(Session& session, std::uint32_t home, time_point now) {
  delivery_.empty(session);
  if (!session.takes()) return true;  // it was too slow for that
  Connection& connection = *session.connection;
  auto passenger = std::make_unique<Passenger>();
  passenger->session = static_cast<const PortableSession&>(session);
  if (session.app != nullptr) passenger->app_id = session.app->id;
  if (connection.move_to(home, *services_[home], std::move(passenger)) != MoveStatus::moving) {
    return false;
  }
  // If it ends on the way there is nothing of it here any more.
  players_.erase(session.player_id);
  give_address(session, now);
  schedule(session, no_deadline);
  unwatch(session);
  --session_count_;
  was_moved_ = true;
  sessions_[connection.id().index].reset();
  return true;
}

void Service::Impl::arrive(Connection& connection, std::unique_ptr<Luggage> luggage,
                           time_point now) {
  auto& passenger = static_cast<Passenger&>(*luggage);
  auto session = std::make_unique<Session>();
  static_cast<PortableSession&>(*session) = std::move(passenger.session);
  const auto app = apps_.find(passenger.app_id);
  if (app != apps_.end()) session->app = app->second;
  if (session->binding) session->binding->use(*mac_);
  session->was_replayed = session->binding.has_value();
  Session& kept = welcome(std::move(session), connection);
  ++session_count_;
  (void)take_address(kept);  // it was let in where it came from
  watch(kept, now);
  if (is_draining) finish(kept, CloseReason::draining, CloseCode::server_shutdown, now);
}

}  // namespace muster::signal
