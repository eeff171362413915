#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backend/base/cancel.h"
#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "backend/remote_types.h"

namespace cabinetfs::webdav {

// The locks that we hold, kept alive: each is refreshed at half its lifetime, on a thread that
// starts with the first one. A refresh that the server refuses drops the lock; one that fails for
// another reason is tried again soon. Thread safe.
class LockKeeper {
 public:
  // `refresh` runs on the keeper's thread without any lock held, and stops when the token says so.
  using Refresh =
      std::function<Result<void>(const CancelToken&, const RemoteId&, const std::string& token)>;
  LockKeeper(std::chrono::seconds lifetime, Refresh refresh);
  ~LockKeeper();
  LockKeeper(const LockKeeper&) = delete;
  LockKeeper& operator=(const LockKeeper&) = delete;

  void hold(const RemoteId& file, const std::string& token) EXCLUDES(mutex_);
  // Not ours any more: released, removed, moved, or broken by the server.
  void drop(const RemoteId& file) EXCLUDES(mutex_);
  // Everything at the id and below it.
  void drop_within(const RemoteId& id) EXCLUDES(mutex_);
  std::optional<std::string> token(const RemoteId& file) const EXCLUDES(mutex_);
  // File and token, of the id and everything below it.
  std::vector<std::pair<RemoteId, std::string>> held_within(const RemoteId& id) const
      EXCLUDES(mutex_);

 private:
  struct Held {
    std::string token;
    SteadyTime due{};
  };
  void run() EXCLUDES(mutex_);

  const std::chrono::seconds lifetime_;
  const Refresh refresh_;
  CancelSource stopping_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::map<std::string, Held> held_ GUARDED_BY(mutex_);
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs::webdav
