#include "backend/webdav/lock_keeper.h"

#include <algorithm>
#include <utility>

#include "backend/base/log.h"
#include "backend/webdav/dav_paths.h"

namespace cabinetfs::webdav {
namespace {

// After a refresh that did not get through; several fit into the shortest sensible lifetime.
constexpr std::chrono::milliseconds kAgain{10'000};

}  // namespace

LockKeeper::LockKeeper(std::chrono::seconds lifetime, Refresh refresh)
    : lifetime_(std::max(lifetime, std::chrono::seconds(2))), refresh_(std::move(refresh)) {}

LockKeeper::~LockKeeper() {
  stopping_.cancel();
  std::thread thread;
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.notify_all();
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
}

void LockKeeper::hold(const RemoteId& file, const std::string& token) {
  MutexLock lock(mutex_);
  held_[file.value] =
      Held{token, Clock::system().steady() + std::chrono::milliseconds(lifetime_) / 2};
  if (!thread_.joinable() && !stop_) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

void LockKeeper::drop(const RemoteId& file) {
  MutexLock lock(mutex_);
  held_.erase(file.value);
}

void LockKeeper::drop_within(const RemoteId& id) {
  MutexLock lock(mutex_);
  for (auto at = held_.begin(); at != held_.end();) {
    at = is_within(RemoteId{at->first}, id) ? held_.erase(at) : std::next(at);
  }
}

std::optional<std::string> LockKeeper::token(const RemoteId& file) const {
  MutexLock lock(mutex_);
  const auto found = held_.find(file.value);
  if (found == held_.end()) return std::nullopt;
  return found->second.token;
}

std::vector<std::pair<RemoteId, std::string>> LockKeeper::held_within(const RemoteId& id) const {
  std::vector<std::pair<RemoteId, std::string>> out;
  MutexLock lock(mutex_);
  for (const auto& [file, held] : held_) {
    if (is_within(RemoteId{file}, id)) out.emplace_back(RemoteId{file}, held.token);
  }
  return out;
}

void LockKeeper::run() {
  MutexLock lock(mutex_);
  while (!stop_) {
    auto next = held_.end();
    for (auto at = held_.begin(); at != held_.end(); ++at) {
      if (next == held_.end() || at->second.due < next->second.due) next = at;
    }
    if (next == held_.end()) {
      changed_.wait(mutex_);
      continue;
    }
    if (Clock::system().steady() < next->second.due) {
      changed_.wait_until(mutex_, next->second.due);
      continue;
    }
    const RemoteId file{next->first};
    const std::string token = next->second.token;
    lock.unlock();
    const Result<void> kept = refresh_(stopping_.token(), file, token);
    lock.lock();
    const auto found = held_.find(file.value);
    if (found == held_.end() || found->second.token != token) continue;
    if (kept) {
      found->second.due = Clock::system().steady() + std::chrono::milliseconds(lifetime_) / 2;
    } else if (is_transient(kept.error().code)) {
      found->second.due =
          Clock::system().steady() + std::min(kAgain, std::chrono::milliseconds(lifetime_) / 4);
    } else {
      held_.erase(found);
      lock.unlock();
      log_warn("the lock on {} is lost: {}", file.value, kept.error().context);
      lock.lock();
    }
  }
}

}  // namespace cabinetfs::webdav
