// SPDX-License-Identifier: MIT
// Places, parcels and their landing.
#include "handover_state.hpp"

#include <algorithm>
#include <iterator>

#include <unistd.h>

namespace muster::asio {

Parcel::~Parcel() {
  if (fd_ >= 0) ::close(fd_);
}

// A parcel in the mailbox.
class Berth::Landing final : public Mailbox::Task {
 public:
  Landing(std::shared_ptr<Berth> berth, Parcel parcel) noexcept
      : berth_(std::move(berth)), parcel_(std::move(parcel)) {}

  void run() override {
    {
      const std::lock_guard lock{berth_->mailbox_->mutex};
      --berth_->expected_;
    }
    if (berth_->server_ != nullptr) berth_->server_->adopt(std::move(parcel_));
  }

  [[nodiscard]] bool is_for(const Berth& berth) const noexcept { return berth_.get() == &berth; }

 private:
  std::shared_ptr<Berth> berth_;
  Parcel parcel_;
};

MoveStatus Berth::reserve() noexcept {
  const std::lock_guard lock{mailbox_->mutex};
  if (!is_open_ || mailbox_->stopped) return MoveStatus::stopped;
  if (mailbox_->is_full()) return MoveStatus::full;
  ++mailbox_->kept;
  ++expected_;
  return MoveStatus::moving;
}

void Berth::give_up() noexcept {
  const std::lock_guard lock{mailbox_->mutex};
  --mailbox_->kept;
  --expected_;
  // A server that drains may be waiting for this one.
  if (!is_open_ && has_server_ && !mailbox_->stopped) mailbox_->wake();
}

bool Berth::land(Parcel& parcel) {
  const std::lock_guard lock{mailbox_->mutex};
  --mailbox_->kept;
  if (!has_server_ || mailbox_->stopped) {
    --expected_;
    return false;
  }
  mailbox_->push(std::make_unique<Landing>(shared_from_this(), std::move(parcel)));
  return true;
}

void Berth::open(Adopter& server) noexcept {
  server_ = &server;
  const std::lock_guard lock{mailbox_->mutex};
  is_open_ = has_server_ = true;
}

void Berth::close() noexcept {
  const std::lock_guard lock{mailbox_->mutex};
  is_open_ = false;
}

bool Berth::is_quiet() const noexcept {
  const std::lock_guard lock{mailbox_->mutex};
  return expected_ == 0;
}

void Berth::abandon() {
  std::vector<std::unique_ptr<Mailbox::Task>> mine;
  {
    const std::lock_guard lock{mailbox_->mutex};
    is_open_ = has_server_ = false;
    auto& tasks = mailbox_->tasks;
    const auto others = std::stable_partition(tasks.begin(), tasks.end(), [this](const auto& task) {
      const auto* const landing = dynamic_cast<const Landing*>(task.get());
      return landing == nullptr || !landing->is_for(*this);
    });
    std::move(others, tasks.end(), std::back_inserter(mine));
    tasks.erase(others, tasks.end());
  }
  for (const auto& task : mine) task->run();
  server_ = nullptr;
}

Handover::Handover(std::span<const Mailbox> loops) : state_(std::make_shared<State>()) {
  for (const Mailbox& loop : loops) {
    state_->berths.push_back(std::make_shared<Berth>(loop.state()));
  }
}

std::size_t Handover::size() const noexcept { return state_->berths.size(); }

}  // namespace muster::asio
