#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/powerfolder/api.h"
#include "backend/powerfolder/config.h"
#include "backend/powerfolder/folder_table.h"
#include "backend/remote_store.h"
#include "backend/webdav/client.h"

namespace cabinetfs {

// A PowerFolder account: files over WebDAV, folders and members over /api/folders. Made by
// make_powerfolder_store(). Thread safe.
//
// With PowerFolderConfig::folder empty the root holds the top-level folders and no files. These are
// the units of sharing: rights are the same for everything inside of one. Nothing is moved between
// the top level and what lies deeper (kCrossDevice): it would change who sees it, and clients of
// other members would bring the old one back.
class PowerFolderStore final : public RemoteStore {
 public:
  // `server` without a slash at the end, `paths` the WebDAV collection at the root. `http` outlives
  // this.
  PowerFolderStore(HttpClient& http, const std::string& server, webdav::DavPaths paths,
                   const PowerFolderConfig& config);

  const Capabilities& capabilities() const override;
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<RemoteEntry> root(const CallContext& call) override;
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override;
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override;
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override;
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override;
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override;
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override;
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                const RemoteId& new_parent, const std::string& name) override;
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override;
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override;
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override;
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override;
  // Of the top-level folder that the object lies in.
  Result<RemotePermission> permission_of(const CallContext& call, NodeKind kind, const RemoteId& id,
                                         const std::string& who) override;
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override;
  // Of top-level folders only: below them it would reach further than it says (kNotPermitted).
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override;
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override;
  Result<void> unshare_all(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<Quota> quota(const CallContext& call) override;
  RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const override;

 private:
  // client.cc
  bool has_all_folders() const { return config_.folder.empty(); }
  // The name of the top-level folder; empty for the root above them.
  std::string top_of(const RemoteId& id) const;
  bool is_root(const RemoteId& id) const { return id.empty(); }
  bool is_top(const RemoteId& id) const;
  RemoteEntry decorated(RemoteEntry entry) const;
  // The same after asking for the rights, where they are not known.
  Result<RemoteEntry> finish(const CallContext& call, Result<RemoteEntry> entry);
  // kReadOnly: a name that two folders share.
  Result<void> check_twin(const CallContext& call, const RemoteId& id);
  std::optional<bool> has_entries(const CallContext& call, const RemoteId& folder);
  void warn_of_missing(const CallContext& call, const std::vector<RemoteEntry>& shown);

  // client_change.cc
  Result<void> check_upload(const CallContext& call, const UploadTarget& target);
  Result<std::optional<powerfolder::FolderTable::Folder>> find_late(const CallContext& call,
                                                                    const std::string& name);
  Result<RemoteEntry> create_top(const CallContext& call, const std::string& name);
  Result<RemoteEntry> create_top_by_api(const CallContext& call, const std::string& name);
  Result<void> remove_top(const CallContext& call, const RemoteId& id);
  Result<void> check_empty_by_id(const CallContext& call, const std::string& name,
                                 const std::string& folder);

  // client_sharing.cc
  Result<powerfolder::FolderTable::Folder> need_folder(const CallContext& call, const RemoteId& id);
  Result<powerfolder::FolderTable::Folder> need_top(const CallContext& call, const RemoteId& id,
                                                    const char* what);

  // Constants
  const PowerFolderConfig config_;
  const powerfolder::FolderApi api_;

  // Thread safe by themselves
  powerfolder::FolderTable folders_;
  WebDavStore files_;
  std::atomic<bool> warned_{false};
  const RangedCapabilities first_capabilities_;
  std::atomic<const RangedCapabilities*> capabilities_;

  // Mutable state
  mutable Mutex mutex_;
  std::unique_ptr<const RangedCapabilities> full_capabilities_ GUARDED_BY(mutex_);
  RemoteAccount account_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
