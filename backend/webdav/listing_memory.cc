#include "backend/webdav/listing_memory.h"

#include <algorithm>

#include "backend/webdav/dav_paths.h"

namespace cabinetfs::webdav {
namespace {

constexpr std::size_t kFolders = 4096;
// Spread over the listing; more would hardly say more.
constexpr std::size_t kSamples = 4;
// Below it, half of the entries may well go in one clean-up.
constexpr std::size_t kMany = 20;

}  // namespace

bool ListingMemory::is_doubtful(const RemoteId& folder, std::size_t count) const {
  MutexLock lock(mutex_);
  const auto known = folders_.find(folder.value);
  if (known == folders_.end() || known->second.count == 0) return false;
  const std::size_t before = known->second.count;
  return count == 0 || (before > kMany && count < before / 2);
}

std::optional<ListingMemory::Child> ListingMemory::witness(
    const RemoteId& folder, const std::vector<RemoteEntry>& entries) const {
  MutexLock lock(mutex_);
  const auto known = folders_.find(folder.value);
  if (known == folders_.end()) return std::nullopt;
  for (const Child& sample : known->second.samples) {
    const bool listed = std::any_of(entries.begin(), entries.end(), [&](const RemoteEntry& entry) {
      return entry.id == sample.id;
    });
    if (!listed) return sample;
  }
  return std::nullopt;
}

void ListingMemory::remember(const RemoteId& folder, const std::vector<RemoteEntry>& entries) {
  std::vector<Child> samples;
  const std::size_t step = std::max<std::size_t>(1, entries.size() / kSamples);
  for (std::size_t i = 0; i < entries.size() && samples.size() < kSamples; i += step) {
    samples.push_back({entries[i].id, entries[i].kind});
  }
  MutexLock lock(mutex_);
  const auto [known, added] = folders_.try_emplace(folder.value);
  if (added) {
    known->second.age = order_.insert(order_.end(), folder.value);
    if (order_.size() > kFolders) {
      folders_.erase(order_.front());
      order_.pop_front();
    }
  } else {
    order_.splice(order_.end(), order_, known->second.age);
  }
  known->second.count = entries.size();
  known->second.samples = std::move(samples);
}

void ListingMemory::removed(const RemoteId& id) {
  MutexLock lock(mutex_);
  const auto parent = folders_.find(parent_of(id).value);
  if (parent != folders_.end()) {
    Folder& folder = parent->second;
    if (folder.count > 0) --folder.count;
    folder.samples.erase(std::remove_if(folder.samples.begin(), folder.samples.end(),
                                        [&](const Child& child) { return child.id == id; }),
                         folder.samples.end());
  }
  for (auto at = folders_.begin(); at != folders_.end();) {
    if (is_within(RemoteId{at->first}, id) && !id.empty()) {
      order_.erase(at->second.age);
      at = folders_.erase(at);
    } else {
      ++at;
    }
  }
}

}  // namespace cabinetfs::webdav
