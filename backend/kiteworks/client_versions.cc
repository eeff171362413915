// KiteworksStore: versions and locks.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/kiteworks/client.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

Result<std::vector<WireVersion>> KiteworksStore::fetch_versions(const CallContext& call,
                                                                const RemoteId& file) {
  std::vector<WireVersion> all;
  const auto fetch = [&](std::uint64_t offset, std::uint64_t limit) -> Result<Page> {
    ApiRequest request;
    request.path = object_path(NodeKind::kFile, file, "/versions");
    request.query = {{"orderBy", "versionNumber:asc"},
                     {"limit", std::to_string(limit)},
                     {"offset", std::to_string(offset)}};
    request.label = "GET /rest/files/{id}/versions";
    request.about = "id=" + file.value;
    const auto response = api_.send(call, request);
    if (!response) return fail(explain(call, file, response.error()));
    TRY_ASSIGN(WirePage<WireVersion> page, parse_versions(response->body));
    Page keys;
    keys.total = page.total;
    for (WireVersion& version : page.items) {
      keys.keys.push_back(version.version.id.value);
      all.push_back(std::move(version));
    }
    return keys;
  };
  TRY(collect_pages(paging_.versions, config_.page_limit, fetch, [&] { all.clear(); }));
  // Pages overlap; 0 is the current one and older ones count up.
  std::sort(all.begin(), all.end(), [](const WireVersion& a, const WireVersion& b) {
    return a.server_number != b.server_number ? a.server_number < b.server_number
                                              : a.version.id < b.version.id;
  });
  all.erase(std::unique(all.begin(), all.end(),
                        [](const WireVersion& a, const WireVersion& b) {
                          return a.version.id == b.version.id;
                        }),
            all.end());
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const WireVersion& version) { return version.deleted; }),
            all.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].version.number = static_cast<std::uint32_t>(all.size() - i);
    all[i].version.current = i == 0;
  }
  return all;
}

Result<std::vector<RemoteVersion>> KiteworksStore::versions(const CallContext& call,
                                                            const RemoteId& file) {
  TRY_ASSIGN(std::vector<WireVersion> all, fetch_versions(call, file));
  std::vector<RemoteVersion> versions;
  versions.reserve(all.size());
  for (WireVersion& version : all) versions.push_back(std::move(version.version));
  return versions;
}

Result<void> KiteworksStore::post_promote(const CallContext& call, const RemoteId& file,
                                          const VersionId& version, std::uint64_t size) {
  ApiRequest request;
  request.method = "POST";
  request.path =
      object_path(NodeKind::kFile, file, path_of("/versions/", version.value, "/actions/promote"));
  request.label = "POST /rest/files/{id}/versions/{id}/actions/promote";
  request.about = fmt::format("id={} version={}", file.value, version.value);
  // The numbers shift; by id it is the same twice, but nothing says that the current version may be
  // promoted.
  request.idempotent = false;
  request.stall_timeout = patience_for(size);
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, file, response.error()));
  return {};
}

Result<RemoteEntry> KiteworksStore::promote(const CallContext& call, const RemoteId& file,
                                            const VersionId& version) {
  TRY_ASSIGN(const WireNode before, fetch_node(call, NodeKind::kFile, file));
  // Of the version it is not known; most are about as large.
  TRY(post_promote(call, file, version, before.entry.size));
  TRY_ASSIGN(RemoteEntry after, after_change(stat(call, NodeKind::kFile, file)));
  if (after.name == before.entry.name) return after;
  // The file takes the name that the version had (Kiteworks, 2026); nobody asked for that.
  Result<RemoteEntry> renamed = rename(call, NodeKind::kFile, file, before.entry.name);
  if (renamed) return renamed;
  log_warn("kiteworks: a restored file was renamed by the server and stays so: {}",
           renamed.error().context);
  return after;
}

Result<RemoteEntry> KiteworksStore::set_lock(const CallContext& call, const RemoteId& file,
                                             bool locked) {
  ApiRequest request;
  request.method = "PATCH";
  request.path = object_path(NodeKind::kFile, file, locked ? "/actions/lock" : "/actions/unlock");
  request.query = {{"returnEntity", "true"}, {"with", std::string(kWanted)}};
  request.label =
      locked ? "PATCH /rest/files/{id}/actions/lock" : "PATCH /rest/files/{id}/actions/unlock";
  request.about = "id=" + file.value;
  request.idempotent = false;
  const auto response = api_.send(call, request);
  if (response) return entity(call, *response, NodeKind::kFile, file);
  // Locks are not re-entrant, and not locked is an error for unlock: what counts is the result.
  const bool same = response.error().code == ErrorCode::kBusy ||
                    response.error().wire.code == "ERR_ENTITY_UNLOCKED";
  if (!same) return fail(explain(call, file, response.error()));
  TRY_ASSIGN(RemoteEntry entry, stat(call, NodeKind::kFile, file));
  if (entry.lock == (locked ? LockState::kHeldByUs : LockState::kFree)) return entry;
  return fail(ErrorCode::kBusy,
              fmt::format("{}: locked by {}", response.error().context, entry.lock_holder));
}

Result<RemoteEntry> KiteworksStore::lock(const CallContext& call, const RemoteId& file) {
  return set_lock(call, file, true);
}

// The vendor has no comment on unlocking.
Result<RemoteEntry> KiteworksStore::unlock(const CallContext& call, const RemoteId& file,
                                           const std::string&) {
  return set_lock(call, file, false);
}

}  // namespace cabinetfs
