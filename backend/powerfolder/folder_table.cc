#include "backend/powerfolder/folder_table.h"

#include <algorithm>
#include <utility>

#include "backend/base/log.h"
#include "backend/base/text.h"
#include "backend/powerfolder/quirks.h"

namespace cabinetfs::powerfolder {
namespace {

// A name that is not there is looked up again at most this often.
constexpr std::chrono::seconds kUnknownAgain{2};

}  // namespace

FolderTable::FolderTable(const FolderApi& api, std::chrono::seconds fresh)
    : api_(api), fresh_(fresh) {}

void FolderTable::set_own_names(std::vector<std::string> names) {
  for (std::string& name : names) name = fold_name(name);
  MutexLock lock(mutex_);
  own_names_ = std::move(names);
}

void FolderTable::forget() {
  MutexLock lock(mutex_);
  fetched_.reset();
  levels_.clear();
}

Result<void> FolderTable::refresh(const CallContext& call) {
  TRY_ASSIGN(const std::vector<WireFolder> all, api_.folders(call));
  std::map<std::string, Folder> folders;
  for (const WireFolder& one : all) {
    const auto [at, added] = folders.try_emplace(one.dav_name(), Folder{one.id, false});
    // The same folder twice is no twin.
    if (!added && at->second.id != one.id) at->second.twin = true;
  }
  MutexLock lock(mutex_);
  for (const auto& [name, folder] : folders) {
    const auto known = folders_.find(name);
    if (folder.twin && (known == folders_.end() || !known->second.twin)) {
      log_warn("powerfolder: several folders are called \"{}\"; what is below is read-only here",
               name);
    }
    // Another folder took the name.
    if (known != folders_.end() && known->second.id != folder.id) levels_.erase(name);
  }
  folders_ = std::move(folders);
  fetched_ = Clock::system().steady();
  return {};
}

Result<std::optional<FolderTable::Folder>> FolderTable::find(const CallContext& call,
                                                             const std::string& name) {
  for (int round = 0;; ++round) {
    {
      MutexLock lock(mutex_);
      const auto age =
          fetched_ ? Clock::system().steady() - *fetched_ : SteadyTime::duration::max();
      const auto found = folders_.find(name);
      const bool there = found != folders_.end();
      if (round > 0 || age < (there ? fresh_ : std::min(fresh_, kUnknownAgain))) {
        if (!there) return std::optional<Folder>();
        return std::optional<Folder>(found->second);
      }
    }
    TRY(refresh(call));
  }
}

Result<std::vector<std::string>> FolderTable::names(const CallContext& call) {
  TRY(find(call, ""));
  std::vector<std::string> out;
  MutexLock lock(mutex_);
  for (const auto& [name, folder] : folders_) out.push_back(name);
  return out;
}

bool FolderTable::is_known_twin(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = folders_.find(name);
  return found != folders_.end() && found->second.twin;
}

std::optional<AccessLevel> FolderTable::known_level(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto known = levels_.find(name);
  return known == levels_.end() ? std::nullopt : known->second.level;
}

std::optional<AccessLevel> FolderTable::level(const CallContext& call, const std::string& name) {
  const SteadyTime now = Clock::system().steady();
  {
    MutexLock lock(mutex_);
    const auto known = levels_.find(name);
    if (known != levels_.end() && now < known->second.until) return known->second.level;
  }
  const auto keep = [&](std::optional<AccessLevel> level) {
    MutexLock lock(mutex_);
    levels_[name] = Known{level, now + fresh_};
    return level;
  };
  const auto folder = find(call, name);
  if (!folder) {
    // What was known stays; a server that does not tell is not asked each time.
    return is_transient(folder.error().code) ? known_level(name) : keep(std::nullopt);
  }
  if (!*folder || (*folder)->twin) return keep(std::nullopt);
  const auto members = api_.members(call, (*folder)->id);
  if (!members) {
    return is_transient(members.error().code) ? known_level(name) : keep(std::nullopt);
  }
  std::optional<AccessLevel> level;
  {
    MutexLock lock(mutex_);
    for (const WireMember& member : *members) {
      const bool own =
          std::any_of(own_names_.begin(), own_names_.end(), [&](const std::string& own_name) {
            return own_name == fold_name(member.username) || own_name == fold_name(member.id);
          });
      const auto told = level_of(member.permission);
      if (own && told) level = std::max(level.value_or(AccessLevel::kNone), *told);
    }
  }
  // Not among them: a member by a group, whose rights this call does not tell.
  return keep(level);
}

}  // namespace cabinetfs::powerfolder
