#include "cache/base_version.h"

#include <algorithm>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

bool same_second(WallTime a, WallTime b) {
  return std::chrono::floor<std::chrono::seconds>(a) == std::chrono::floor<std::chrono::seconds>(b);
}

// By its fingerprint; else by size and time; where these do not tell, by its number.
const RemoteVersion* find_version(const std::vector<RemoteVersion>& all, const ContentKey& key,
                                  WallTime modified, std::uint32_t number) {
  std::vector<const RemoteVersion*> left;
  const auto narrow = [&left](const auto& fits) {
    std::vector<const RemoteVersion*> fitting;
    for (const RemoteVersion* version : left)
      if (fits(*version)) fitting.push_back(version);
    if (!fitting.empty()) left = std::move(fitting);
  };
  for (const RemoteVersion& version : all) {
    const bool other = !key.hashes.md5.empty() && !version.hashes.md5.empty() &&
                       version.hashes.md5 != key.hashes.md5;
    if (version.size == key.size && !other) left.push_back(&version);
  }
  // Equal fingerprints are equal bytes: any of them will do.
  for (const RemoteVersion* version : left)
    if (!key.hashes.md5.empty() && version->hashes.md5 == key.hashes.md5) return version;
  const auto is_number = [number](const RemoteVersion& version) {
    return version.number == number;
  };
  const auto is_time = [modified](const RemoteVersion& version) {
    return same_second(version.modified, modified);
  };
  // One of the two has to say yes, a matching size alone is no proof.
  const bool told = std::any_of(left.begin(), left.end(), [&](const RemoteVersion* version) {
    return is_time(*version) || (number != 0 && is_number(*version));
  });
  if (!told) return nullptr;
  narrow(is_time);
  if (left.size() > 1 && number != 0) narrow(is_number);
  return left.size() == 1 ? left.front() : nullptr;
}

}  // namespace

Result<void> stand_on_old_version(VolumeCore& core, const CallContext& call, InodeNumber ino) {
  const std::string kept =
      "others have saved a newer version, and parts of the one that was edited here were never "
      "fetched; what was written is kept";
  const std::shared_ptr<FileState> file = core.files.acquire(ino);
  ContentKey old;
  WallTime modified{};
  std::uint32_t number = 0;
  {
    MutexLock lock(file->mutex);
    TRY_ASSIGN(const std::shared_ptr<StagedContent> staged, core.staged_of(*file));
    if (staged == nullptr || !file->base || !file->base->version.empty())
      return fail(ErrorCode::kConflict, kept);
    old = *file->base;
    modified = file->base_modified;
    number = file->base_version;
  }
  if (!core.remote.capabilities().versions) return fail(ErrorCode::kConflict, kept);
  Result<std::vector<RemoteVersion>> all = core.seen(core.remote.versions(call, old.file));
  if (!all && is_transient(all.error().code)) return fail(std::move(all).error());
  const RemoteVersion* const found = all ? find_version(*all, old, modified, number) : nullptr;
  if (found == nullptr) return fail(ErrorCode::kConflict, kept);
  log_info("node {} stands on version {} of id={}", ino.value, found->number, old.file.value);
  ContentKey key = old;
  key.version = found->id;
  key.validator = Validator{};

  MutexLock lock(file->mutex);
  if (file->staged == nullptr || file->base != old) return {};  // decided otherwise meanwhile
  file->base = key;
  file->staged->rebase(key);
  Tree::Txn txn(core.tree);
  TRY_ASSIGN(const NodePtr node, txn.find(ino));
  if (node == nullptr || node->base != old) return {};
  NodeRecord next = *node;
  next.base = key;
  txn.put(std::move(next));
  return txn.commit();
}

}  // namespace cabinetfs
