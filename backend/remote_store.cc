#include "backend/remote_store.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cabinetfs {
namespace {

tl::unexpected<Error> not_supported(const char* what) {
  return fail(ErrorCode::kNotSupported, std::string(what) + ": this vendor has no such call");
}

constexpr std::array<std::pair<Right, std::string_view>, 9> kRightNames = {{
    {Right::kCreate, "create"},
    {Right::kDelete, "delete"},
    {Right::kList, "list"},
    {Right::kLock, "lock"},
    {Right::kRead, "read"},
    {Right::kRename, "rename"},
    {Right::kShare, "share"},
    {Right::kVersions, "versions"},
    {Right::kWrite, "write"},
}};

constexpr std::array<std::string_view, 6> kLevelNames = {"none",  "view",   "read",
                                                         "write", "manage", "owner"};

}  // namespace

std::string to_string(Rights rights) {
  std::string out;
  for (const auto& [right, name] : kRightNames) {
    if (!rights.has(right)) continue;
    if (!out.empty()) out += ',';
    out += name;
  }
  return out;
}

std::string_view to_string(AccessLevel level) {
  return kLevelNames.at(static_cast<std::size_t>(level));
}

std::optional<AccessLevel> parse_access_level(std::string_view text) {
  const auto* const found = std::find(kLevelNames.begin(), kLevelNames.end(), text);
  if (found == kLevelNames.end()) return std::nullopt;
  return static_cast<AccessLevel>(found - kLevelNames.begin());
}

std::string_view to_string(ScanState state) {
  switch (state) {
    case ScanState::kUnknown:
      return "unknown";
    case ScanState::kAllowed:
      return "allowed";
    case ScanState::kScanning:
      return "scanning";
    case ScanState::kRefused:
      return "refused";
  }
  return "unknown";
}

Result<void> RemoteStore::read_many(const CallContext&, const std::vector<RemoteEntry>&,
                                    const std::function<void(const RemoteId&, std::string)>&) {
  return not_supported("bulk read");
}

std::vector<Result<void>> RemoteStore::remove_files(const CallContext& call,
                                                    const std::vector<RemoteId>& ids) {
  std::vector<Result<void>> results;
  results.reserve(ids.size());
  for (const RemoteId& id : ids) results.push_back(remove(call, NodeKind::kFile, id));
  return results;
}

Result<RemoteEntry> RemoteStore::copy_file(const CallContext&, const RemoteId&, const RemoteId&,
                                           const std::string&) {
  return not_supported("copy");
}
Result<RemoteEntry> RemoteStore::put_stream(const CallContext&, const UploadTarget&,
                                            const ContentSource&) {
  return not_supported("upload in one stream");
}
Result<UploadSession> RemoteStore::upload_begin(const CallContext&, const UploadTarget&,
                                                std::uint64_t) {
  return not_supported("upload session");
}
Result<std::optional<RemoteEntry>> RemoteStore::upload_chunk(const CallContext&, UploadSession&,
                                                             Bytes) {
  return not_supported("upload session");
}
Result<UploadSession> RemoteStore::upload_resume(const CallContext&, const UploadSession&) {
  return not_supported("upload session");
}
Result<void> RemoteStore::upload_abort(const CallContext&, const UploadSession&) {
  return not_supported("upload session");
}
Result<std::vector<RemoteVersion>> RemoteStore::versions(const CallContext&, const RemoteId&) {
  return not_supported("versions");
}
Result<RemoteEntry> RemoteStore::promote(const CallContext&, const RemoteId&, const VersionId&) {
  return not_supported("promote a version");
}
Result<RemoteEntry> RemoteStore::lock(const CallContext&, const RemoteId&) {
  return not_supported("lock");
}
Result<RemoteEntry> RemoteStore::unlock(const CallContext&, const RemoteId&, const std::string&) {
  return not_supported("unlock");
}
Result<RemoteEntry> RemoteStore::discard_lock(const CallContext& call, const RemoteId& file) {
  return unlock(call, file, "");
}

std::vector<Result<RemoteEntry>> RemoteStore::lock_files(const CallContext& call,
                                                         const std::vector<RemoteId>& files) {
  std::vector<Result<RemoteEntry>> results;
  results.reserve(files.size());
  for (const RemoteId& file : files) results.push_back(lock(call, file));
  return results;
}

std::vector<Result<RemoteEntry>> RemoteStore::unlock_files(const CallContext& call,
                                                           const std::vector<RemoteId>& files,
                                                           const std::string& comment) {
  std::vector<Result<RemoteEntry>> results;
  results.reserve(files.size());
  for (const RemoteId& file : files) results.push_back(unlock(call, file, comment));
  return results;
}

Result<RemotePermission> RemoteStore::permission_of(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id, const std::string& who) {
  TRY_ASSIGN(auto known, permissions(call, kind, id));
  for (RemotePermission& one : known)
    if (one.who == who) return std::move(one);
  return fail(ErrorCode::kNoData, who + " has no permission of their own");
}

Result<std::vector<RemotePermission>> RemoteStore::permissions(const CallContext&, NodeKind,
                                                               const RemoteId&) {
  return not_supported("permissions");
}
Result<void> RemoteStore::share(const CallContext&, NodeKind, const RemoteId&, const std::string&,
                                AccessLevel) {
  return not_supported("share");
}
Result<void> RemoteStore::unshare(const CallContext&, NodeKind, const RemoteId&,
                                  const std::string&) {
  return not_supported("unshare");
}

std::vector<Result<void>> RemoteStore::share_many(const CallContext& call,
                                                  const std::vector<RemoteObject>& objects,
                                                  const std::vector<std::string>& who,
                                                  AccessLevel level) {
  std::vector<Result<void>> results;
  results.reserve(objects.size());
  for (const RemoteObject& object : objects) {
    Result<void> result;
    for (const std::string& person : who) {
      result = share(call, object.kind, object.id, person, level);
      if (!result) break;
    }
    results.push_back(std::move(result));
  }
  return results;
}

Result<void> RemoteStore::unshare_all(const CallContext&, NodeKind, const RemoteId&) {
  return not_supported("take all permissions away");
}
Result<std::vector<RemoteEvent>> RemoteStore::history(const CallContext&, NodeKind,
                                                      const RemoteId&) {
  return not_supported("history");
}
Result<void> RemoteStore::set_description(const CallContext&, NodeKind, const RemoteId&,
                                          const std::string&) {
  return not_supported("set the description");
}
Result<Quota> RemoteStore::quota(const CallContext&) { return not_supported("quota"); }
Result<ChangeSet> RemoteStore::changes(const CallContext&, const std::string&) {
  return not_supported("change feed");
}
Result<void> RemoteStore::send_mail(const CallContext&, const Mail&) {
  return not_supported("mail");
}
RemoteId RemoteStore::rebase(const RemoteId& id, const RemoteId&, const RemoteId&) const {
  return id;
}

}  // namespace cabinetfs
