// WebDavStore: listings and lookups.

#include <fmt/format.h>

#include <unordered_set>

#include "backend/base/log.h"
#include "backend/webdav/client.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace webdav;

Result<WebDavStore::Listing> WebDavStore::list_once(const CallContext& call,
                                                    const RemoteId& folder) {
  auto found = api_.propfind(call, folder, NodeKind::kFolder, Depth::kChildren, wanted());
  if (!found) {
    if (found.error().code == ErrorCode::kNotFound) {
      return fail(gone(call, about("PROPFIND", folder)));
    }
    return fail(std::move(found).error());
  }
  bool has_self = false;
  Listing entries;
  entries.reserve(found->size());
  std::unordered_set<std::string> seen;
  for (const DavApi::Found& one : *found) {
    if (one.id == folder) {
      has_self = true;
      if (one.resource.has_properties && !one.resource.collection) {
        return fail(ErrorCode::kNotFound, about("PROPFIND", folder) + ": it is a file now");
      }
      continue;
    }
    // Deeper ones come from servers that take Depth for a hint.
    if (parent_of(one.id) != folder) continue;
    const int status = one.resource.status;
    if (status == 404 || status == 410) continue;
    if (status >= 500) {
      return fail(
          ErrorCode::kUnavailable,
          fmt::format("{}: HTTP {} for {}", about("PROPFIND", folder), status, one.id.value));
    }
    if (!seen.insert(one.id.value).second) continue;
    RemoteEntry entry = entry_of(one);
    if (hooks_.is_hidden && hooks_.is_hidden(entry.name)) continue;
    if (one.resource.has_properties && entry.kind == NodeKind::kFile && !one.resource.length) {
      TRY(learn_size(call, entry));
    }
    entries.push_back(std::move(entry));
  }
  // RFC 4918 9.1: the collection itself is part of the answer. One that holds neither it nor any
  // child says nothing yet.
  if (!has_self && found->empty()) {
    TRY_ASSIGN(const auto self, look(call, folder, NodeKind::kFolder));
    if (!self) return fail(gone(call, about("PROPFIND", folder)));
    if (self->kind != NodeKind::kFolder) {
      return fail(ErrorCode::kNotFound, about("PROPFIND", folder) + ": it is a file now");
    }
  }
  return entries;
}

// A listing that lost too much to be believed at once (PowerFolder was seen to list full folders as
// empty, 2018): asked for again, then a child that should be there is asked for by name.
Result<WebDavStore::Listing> WebDavStore::list_again(const CallContext& call,
                                                     const RemoteId& folder) {
  TRY(wait_for(call, config_.second_look));
  TRY_ASSIGN(Listing entries, list_once(call, folder));
  if (!memory_.is_doubtful(folder, entries.size())) return entries;
  const Error lie{ErrorCode::kUnavailable,
                  fmt::format("{}: lists {} entries, and at least one more is there",
                              about("PROPFIND", folder), entries.size())};
  if (const auto child = memory_.witness(folder, entries)) {
    TRY_ASSIGN(const auto there, look(call, child->id, child->kind));
    if (there) return fail(lie);
  }
  if (entries.empty() && hooks_.has_entries && hooks_.has_entries(call, folder).value_or(false)) {
    return fail(lie);
  }
  log_info("{}: {} entries, after a second look", about("PROPFIND", folder), entries.size());
  return entries;
}

Result<std::vector<RemoteEntry>> WebDavStore::list(const CallContext& call,
                                                   const RemoteId& folder) {
  TRY_ASSIGN(Listing entries, list_once(call, folder));
  if (memory_.is_doubtful(folder, entries.size())) {
    TRY_ASSIGN(entries, list_again(call, folder));
  }
  memory_.remember(folder, entries);
  return entries;
}

Result<RemoteEntry> WebDavStore::stat(const CallContext& call, NodeKind kind, const RemoteId& id) {
  if (id.empty()) return root(call);
  TRY_ASSIGN(auto entry, look(call, id, kind));
  if (!entry) return fail(gone(call, about("PROPFIND", id)));
  if (entry->kind != kind) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: it is a {} now", about("PROPFIND", id),
                            entry->kind == NodeKind::kFile ? "file" : "folder"));
  }
  return *std::move(entry);
}

Result<std::optional<RemoteEntry>> WebDavStore::find_child(const CallContext& call,
                                                           const RemoteId& folder,
                                                           const std::string& name) {
  if (!check_name(NameRules(), name) || (hooks_.is_hidden && hooks_.is_hidden(name))) {
    return std::optional<RemoteEntry>();
  }
  if (config_.names.case_sensitive) return look(call, child_of(folder, name));
  // Asked by name, such a server may answer with our spelling instead of its own.
  auto entries = list(call, folder);
  if (!entries) {
    if (entries.error().code == ErrorCode::kNotFound) return std::optional<RemoteEntry>();
    return fail(std::move(entries).error());
  }
  for (RemoteEntry& one : *entries) {
    if (fold_name(one.name) == fold_name(name)) return std::optional<RemoteEntry>(std::move(one));
  }
  return std::optional<RemoteEntry>();
}

}  // namespace cabinetfs
