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

}  // namespace cabinetfs
