#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "backend/powerfolder/api.h"
#include "backend/remote_types.h"

namespace cabinetfs::powerfolder {

// The bridge between names under /webdav and folders of the API, and what this account may do in
// each. Both are believed for a while; own changes end that. Thread safe; no lock is held during a
// request.
class FolderTable {
 public:
  // `api` outlives this.
  FolderTable(const FolderApi& api, std::chrono::seconds fresh);

  struct Folder {
    std::string id;
    bool twin = false;  // several folders have this name: it does not tell which one is meant
  };
  // nullopt: the API knows none of that name (it may lag behind WebDAV, or not show it at all).
  Result<std::optional<Folder>> find(const CallContext& call, const std::string& name)
      EXCLUDES(mutex_);
  Result<std::vector<std::string>> names(const CallContext& call) EXCLUDES(mutex_);
  // What this account may do in the folder; nullopt: the server does not tell.
  std::optional<AccessLevel> level(const CallContext& call, const std::string& name)
      EXCLUDES(mutex_);
  // The same without a request.
  std::optional<AccessLevel> known_level(const std::string& name) const EXCLUDES(mutex_);
  bool is_known_twin(const std::string& name) const EXCLUDES(mutex_);

  void set_own_names(std::vector<std::string> names) EXCLUDES(mutex_);
  void forget() EXCLUDES(mutex_);

 private:
  struct Known {
    std::optional<AccessLevel> level;
    SteadyTime until{};
  };
  Result<void> refresh(const CallContext& call) EXCLUDES(mutex_);

  const FolderApi& api_;
  const std::chrono::seconds fresh_;
  mutable Mutex mutex_;
  std::map<std::string, Folder> folders_ GUARDED_BY(mutex_);
  std::optional<SteadyTime> fetched_ GUARDED_BY(mutex_);
  std::map<std::string, Known> levels_ GUARDED_BY(mutex_);
  std::vector<std::string> own_names_ GUARDED_BY(mutex_);  // folded; mail addresses and ids
};

}  // namespace cabinetfs::powerfolder
