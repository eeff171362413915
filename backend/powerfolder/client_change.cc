// PowerFolderStore: changes, and what may not be changed at the top level.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/powerfolder/client.h"
#include "backend/powerfolder/quirks.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace powerfolder;
using webdav::child_of;
using webdav::name_of;
using webdav::parent_of;

namespace {

// Between the API and WebDAV things show up late.
constexpr int kLooks = 5;

// Of a folder whose answer is missing or says nothing, each after a look.
constexpr int kDeleteTries = 3;

Error top_level(const char* what) {
  return {ErrorCode::kNotPermitted,
          fmt::format("{}: top-level folders are shared units; this remote is not set up to do "
                      "that",
                      what)};
}

Error only_folders(const char* what) {
  return {ErrorCode::kNotPermitted,
          fmt::format("{}: the top level of the account holds folders only", what)};
}

// Final for this pair of places, as opposed to "try again" or "taken".
bool means_impossible(ErrorCode code) {
  return code == ErrorCode::kDenied || code == ErrorCode::kNotSupported ||
         code == ErrorCode::kCrossDevice || code == ErrorCode::kConflict ||
         code == ErrorCode::kInternal;
}

}  // namespace

Result<void> PowerFolderStore::check_upload(const CallContext& call, const UploadTarget& target) {
  if (!target.file.empty()) return check_twin(call, target.file);
  if (has_all_folders() && is_root(target.parent)) return fail(only_folders("upload"));
  TRY(check_reserved(target.name, false));
  return check_twin(call, target.parent);
}

Result<RemoteEntry> PowerFolderStore::put(const CallContext& call, const UploadTarget& target,
                                          Bytes content) {
  TRY(check_upload(call, target));
  return finish(call, files_.put(call, target, content));
}

Result<RemoteEntry> PowerFolderStore::put_stream(const CallContext& call,
                                                 const UploadTarget& target,
                                                 const ContentSource& content) {
  TRY(check_upload(call, target));
  return finish(call, files_.put_stream(call, target, content));
}

Result<RemoteEntry> PowerFolderStore::create_folder(const CallContext& call, const RemoteId& parent,
                                                    const std::string& name) {
  if (has_all_folders() && is_root(parent)) {
    if (!config_.create_top_folders) return fail(top_level("mkdir"));
    return create_top(call, name);
  }
  TRY(check_reserved(name, false));
  TRY(check_twin(call, parent));
  return finish(call, files_.create_folder(call, parent, name));
}

// A folder that WebDAV shows shows up at the folder service after a while.
Result<std::optional<FolderTable::Folder>> PowerFolderStore::find_late(const CallContext& call,
                                                                       const std::string& name) {
  std::optional<FolderTable::Folder> folder;
  for (int i = 0; !folder && i < kLooks; ++i) {
    TRY(webdav::wait_for(call, config_.second_look));
    folders_.forget();
    TRY_ASSIGN(folder, folders_.find(call, name));
  }
  return folder;
}

Result<RemoteEntry> PowerFolderStore::create_top(const CallContext& call, const std::string& name) {
  TRY(webdav::check_name(name_rules(config_.case_sensitive), name));
  TRY(check_reserved(name, true));
  if (is_special(name)) {
    return fail(ErrorCode::kInvalid, fmt::format("the name \"{}\" is kept for the server", name));
  }
  folders_.forget();
  // One that WebDAV does not show: a second one of that name could never be told from it.
  const auto known = folders_.find(call, name);
  if (known && *known) {
    return fail(ErrorCode::kExists, fmt::format("a folder \"{}\" exists in this account", name));
  }
  // MKCOL refuses a name that is taken; the API may make a twin, and is for servers whose WebDAV
  // makes no folders at the top.
  Result<RemoteEntry> made = files_.create_folder(call, RemoteId(), name);
  if (!made &&
      (made.error().code == ErrorCode::kDenied || made.error().code == ErrorCode::kNotSupported)) {
    made = create_top_by_api(call, name);
  }
  folders_.forget();
  return finish(call, std::move(made));
}

Result<RemoteEntry> PowerFolderStore::create_top_by_api(const CallContext& call,
                                                        const std::string& name) {
  TRY_ASSIGN(const auto taken, files_.find_child(call, RemoteId(), name));
  if (taken) return fail(ErrorCode::kExists, fmt::format("\"{}\" exists", name));
  const auto id = api_.create(call, name);
  // A lost answer: the caller looks by name, as the only thing that it knows.
  if (!id) return fail(id.error());
  for (int i = 0; i < kLooks; ++i) {
    if (i > 0) TRY(webdav::wait_for(call, config_.second_look));
    TRY_ASSIGN(const auto made, after_change(files_.find_child(call, RemoteId(), name)));
    if (made && made->kind == NodeKind::kFolder) return *made;
  }
  return fail(ErrorCode::kUnavailable,
              fmt::format("the folder \"{}\" was created, but WebDAV does not show it yet", name));
}

Result<RemoteEntry> PowerFolderStore::rename(const CallContext& call, NodeKind kind,
                                             const RemoteId& id, const std::string& name) {
  const bool top = has_all_folders() && is_top(id);
  if (top && (!config_.rename_top_folders || is_special(top_of(id)))) {
    return fail(top_level("rename"));
  }
  TRY(check_reserved(name, top));
  if (top && is_special(name)) {
    return fail(ErrorCode::kInvalid, fmt::format("the name \"{}\" is kept for the server", name));
  }
  TRY(check_twin(call, id));
  Result<RemoteEntry> renamed = files_.rename(call, kind, id, name);
  if (top) folders_.forget();
  return finish(call, std::move(renamed));
}

Result<RemoteEntry> PowerFolderStore::move(const CallContext& call, NodeKind kind,
                                           const RemoteId& id, const RemoteId& new_parent) {
  if (has_all_folders() && !is_root(id)) {
    if (parent_of(id) == new_parent) return stat(call, kind, id);
    if (is_root(new_parent) && kind == NodeKind::kFile) return fail(only_folders("move"));
    if (is_top(id) || is_root(new_parent)) {
      return fail(ErrorCode::kCrossDevice,
                  fmt::format("move id={} to={}: between the top level and a folder in it, rights "
                              "and members would change; copy it instead",
                              id.value, new_parent.value));
    }
  }
  TRY(check_twin(call, id));
  TRY(check_twin(call, new_parent));
  Result<RemoteEntry> moved = files_.move(call, kind, id, new_parent);
  if (!moved && top_of(id) != top_of(new_parent) && means_impossible(moved.error().code)) {
    // They may live on different machines.
    return fail(ErrorCode::kCrossDevice,
                moved.error().context + "; the server does not move between these two folders");
  }
  return finish(call, std::move(moved));
}

Result<RemoteEntry> PowerFolderStore::copy_file(const CallContext& call, const RemoteId& id,
                                                const RemoteId& new_parent,
                                                const std::string& name) {
  if (has_all_folders() && is_root(new_parent)) return fail(only_folders("copy"));
  TRY(check_reserved(name, false));
  TRY(check_twin(call, new_parent));
  return finish(call, files_.copy_file(call, id, new_parent, name));
}

Result<void> PowerFolderStore::remove(const CallContext& call, NodeKind kind, const RemoteId& id) {
  if (has_all_folders() && is_top(id) && kind == NodeKind::kFolder) return remove_top(call, id);
  TRY(check_twin(call, id));
  return files_.remove(call, kind, id);
}

// What is deleted is the folder of that ID, whatever WebDAV shows under the name.
Result<void> PowerFolderStore::check_empty_by_id(const CallContext& call, const std::string& name,
                                                 const std::string& folder) {
  const auto full = api_.has_entries(call, folder, "");
  if (!full) {
    const ErrorCode code = full.error().code;
    if (is_transient(code) || code == ErrorCode::kCancelled) return fail(full.error());
    return {};  // no server has to offer it
  }
  if (!*full) return {};
  return fail(ErrorCode::kNotEmpty,
              fmt::format("rmdir \"{}\": what the folder service calls so is not empty", name));
}

Result<void> PowerFolderStore::remove_top(const CallContext& call, const RemoteId& id) {
  const std::string name = top_of(id);
  if (config_.remove_top_folders == PowerFolderConfig::RemoveTop::kOff || is_special(name)) {
    return fail(top_level("rmdir"));
  }
  folders_.forget();
  TRY_ASSIGN(auto known, folders_.find(call, name));
  const auto there = files_.stat(call, NodeKind::kFolder, id);
  if (!there) {
    // The folder service may be late: what it still calls so can be a folder that somebody renamed
    // and filled since.
    if (there.error().code == ErrorCode::kNotFound) return {};
    return fail(there.error());
  }
  if (!known) {
    TRY_ASSIGN(known, find_late(call, name));
  }
  TRY(check_twin(call, id));
  if (!known) {
    return fail(ErrorCode::kTryAgain,
                fmt::format("rmdir \"{}\": the folder service does not know it yet", name));
  }
  if (folders_.level(call, name) != AccessLevel::kOwner) {
    return fail(ErrorCode::kDenied,
                fmt::format("rmdir \"{}\": this account is not its owner", name));
  }
  const bool purge = config_.remove_top_folders == PowerFolderConfig::RemoveTop::kPurgeData;
  std::optional<Error> lost;
  for (int tries = 1;; ++tries) {
    // What is in it by then would go along.
    Result<void> empty = files_.check_empty(call, id);
    // Of another try: gone with the one before.
    if (!empty && lost && empty.error().code == ErrorCode::kNotFound) break;
    if (empty) empty = check_empty_by_id(call, name, known->id);
    if (!empty && empty.error().code != ErrorCode::kNotEmpty && lost) return fail(*lost);
    TRY(empty);
    const Result<void> removed = api_.remove(call, known->id, purge);
    folders_.forget();
    if (removed) break;
    const bool again = is_lost(removed.error()) && tries < kDeleteTries;
    if (!again || !webdav::wait_for(call, config_.second_look)) return removed;
    lost = removed.error();
  }
  files_.forget(id);
  // WebDAV may show it for a moment; whoever looks after us should not see it again.
  for (int i = 0; i < kLooks; ++i) {
    if (i > 0) TRY(webdav::wait_for(call, config_.second_look));
    const auto left = files_.find_child(call, RemoteId(), name);
    if (!left || !*left) return {};
  }
  log_info("powerfolder: \"{}\" is removed, and WebDAV still shows it", name);
  return {};
}

Result<RemoteEntry> PowerFolderStore::lock(const CallContext& call, const RemoteId& file) {
  TRY(check_twin(call, file));
  return finish(call, files_.lock(call, file));
}

Result<RemoteEntry> PowerFolderStore::unlock(const CallContext& call, const RemoteId& file,
                                             const std::string& comment) {
  return finish(call, files_.unlock(call, file, comment));
}

}  // namespace cabinetfs
