#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backend/base/executor.h"
#include "backend/base/log.h"
#include "cache/listing.h"
#include "cache/pin_keeper.h"
#include "cache/reconciler.h"
#include "cache/volume.h"
#include "cache/volume_core.h"
#include "cache/walk_ahead.h"

namespace cabinetfs {

// Volume's calls, by family: volume_names.cc, volume_changes.cc, volume_place.cc, volume_data.cc,
// volume_check.cc, volume_remote.cc, volume_unsent.cc. What they share stands in VolumeCore; the
// work in the background belongs to ListingService, Reconciler and WalkAhead.
class VolumeImpl final : public Volume {
 public:
  VolumeImpl(VolumeOptions options, RemoteStore& remote, MetaStore& meta, ContentStore& contents,
             Clock& clock);
  ~VolumeImpl() override;
  Result<void> load();

  void set_notifier(KernelNotifier* notifier) override;
  void start() override;
  void stop() override;

  Result<Attributes> lookup(const CallContext& call, InodeNumber parent,
                            const std::string& name) override;
  Result<Attributes> getattr(const CallContext& call, InodeNumber ino) override;
  Result<Attributes> setattr(const CallContext& call, InodeNumber ino, const SetAttributes& set,
                             OpenFile* file) override;
  Result<void> access(const CallContext& call, InodeNumber ino, unsigned mask) override;
  Result<DirListing> list(const CallContext& call, InodeNumber folder) override;
  Result<Quota> quota(const CallContext& call) override;
  void remember(InodeNumber ino) override;
  void forget(InodeNumber ino, std::uint64_t count) override;

  Result<Attributes> mkdir(const CallContext& call, InodeNumber parent, const std::string& name,
                           std::uint32_t mode) override;
  Result<void> unlink(const CallContext& call, InodeNumber parent,
                      const std::string& name) override;
  Result<void> rmdir(const CallContext& call, InodeNumber parent, const std::string& name) override;
  Result<void> rename(const CallContext& call, InodeNumber parent, const std::string& name,
                      InodeNumber new_parent, const std::string& new_name,
                      RenameMode mode) override;

  Result<Created> create(const CallContext& call, InodeNumber parent, const std::string& name,
                         std::uint32_t mode, OpenFlags flags, bool exclusive) override;
  Result<std::shared_ptr<OpenFile>> open_file(const CallContext& call, InodeNumber ino,
                                              OpenFlags flags) override;
  Result<std::size_t> read(const CallContext& call, OpenFile& file, std::uint64_t offset,
                           MutableBytes out) override;
  Result<void> write(const CallContext& call, OpenFile& file, std::uint64_t offset,
                     Bytes bytes) override;
  Result<void> append(const CallContext& call, OpenFile& file, std::uint64_t expected,
                      Bytes bytes) override;
  Result<void> flush(const CallContext& call, OpenFile& file) override;
  Result<void> fsync(const CallContext& call, OpenFile& file) override;
  Result<void> fsync_folder(const CallContext& call, InodeNumber folder) override;
  void release(std::shared_ptr<OpenFile> file) override;
  Result<void> allocate(const CallContext& call, OpenFile& file, std::uint64_t offset,
                        std::uint64_t length, AllocateMode mode) override;
  Result<std::uint64_t> seek(const CallContext& call, OpenFile& file, std::uint64_t offset,
                             bool data) override;
  Result<std::uint64_t> copy_range(const CallContext& call, OpenFile& in, std::uint64_t in_offset,
                                   OpenFile& out, std::uint64_t out_offset,
                                   std::uint64_t length) override;

  Result<std::string> get_xattr(InodeNumber ino, const std::string& name) override;
  Result<std::vector<std::string>> list_xattrs(InodeNumber ino) override;
  Result<void> set_xattr(InodeNumber ino, const std::string& name, const std::string& value,
                         XattrMode mode) override;
  Result<void> remove_xattr(InodeNumber ino, const std::string& name) override;

  const Capabilities& capabilities() const override;
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<NodeInfo> info(InodeNumber ino) override;
  Result<InodeNumber> find_path(const CallContext& call, const std::string& path) override;
  Result<std::vector<RemoteVersion>> versions(const CallContext& call, InodeNumber ino) override;
  Result<std::shared_ptr<CachedContent>> open_version(const CallContext& call, InodeNumber ino,
                                                      std::uint32_t number) override;
  Result<void> promote(const CallContext& call, InodeNumber ino, std::uint32_t number) override;
  Result<void> lock(const CallContext& call, InodeNumber ino) override;
  Result<void> unlock(const CallContext& call, InodeNumber ino,
                      const std::string& comment) override;
  Result<std::vector<RemotePermission>> permissions(const CallContext& call,
                                                    InodeNumber ino) override;
  Result<void> share(const CallContext& call, InodeNumber ino, const std::string& who,
                     AccessLevel level) override;
  Result<void> unshare(const CallContext& call, InodeNumber ino, const std::string& who) override;
  std::vector<Result<void>> lock_many(const CallContext& call,
                                      const std::vector<InodeNumber>& files) override;
  std::vector<Result<void>> unlock_many(const CallContext& call,
                                        const std::vector<InodeNumber>& files,
                                        const std::string& comment) override;
  std::vector<Result<void>> share_many(const CallContext& call,
                                       const std::vector<InodeNumber>& inos,
                                       const std::vector<std::string>& who,
                                       AccessLevel level) override;
  Result<void> discard_lock(const CallContext& call, InodeNumber ino) override;
  Result<RemotePermission> permission_of(const CallContext& call, InodeNumber ino,
                                         const std::string& who) override;
  Result<void> unshare_all(const CallContext& call, InodeNumber ino) override;
  NumberSequences* sequences() override;
  Result<std::vector<RemoteEvent>> history(const CallContext& call, InodeNumber ino) override;
  Result<void> set_description(InodeNumber ino, const std::string& text) override;
  Result<void> set_pin(InodeNumber ino, PinState state) override;
  Result<void> set_sync(InodeNumber ino, SyncMode mode) override;
  Result<void> send_mail(const CallContext& call, const Mail& mail) override;

  Result<void> flush_to_server(const CallContext& call, InodeNumber ino,
                               const std::function<void(const VolumeStatus&)>& progress) override;
  Result<void> retry(InodeNumber ino) override;
  Result<void> discard(const CallContext& call, InodeNumber ino) override;
  Result<void> prefetch(const CallContext& call, InodeNumber ino) override;
  Result<void> refresh(InodeNumber ino) override;
  VolumeStatus status() const override;

 private:
  struct CachedListing {
    std::uint64_t stamp = 0;
    DirListing listing;
  };

  // The node, or kNotFound / kNotDirectory.
  Result<NodePtr> existing(InodeNumber ino);
  Result<NodePtr> existing_folder(InodeNumber ino);
  // May local programs add, change or remove things here? Checks read-only, rights and what the
  // vendor's root takes.
  Result<void> may_change_folder(const NodeRecord& folder, NodeKind kind);
  Result<void> may_remove(const NodeRecord& node) const;
  // The child that the call is about, with the folder's listing known.
  Result<NodePtr> existing_child(const CallContext& call, InodeNumber parent,
                                 const std::string& name);
  Result<void> check_name(const std::string& name) const;
  void touch_folder(Tree::Txn& txn, InodeNumber folder);
  bool waits_for_server(InodeNumber ino);
  Result<void> wait_if_remote(const CallContext& call, InodeNumber ino);
  Result<void> wait_sent(const CallContext& call, InodeNumber ino);
  // As wait_if_remote(); also where the bytes are nowhere else yet.
  Result<void> wait_at_server(const CallContext& call, FileState& file);
  // Close-to-open: the server's word about a clean file, at most `fresh` old.
  Result<NodePtr> fresh_file(const CallContext& call, NodePtr node);
  // `through`: the handle that is written to; null for a change by path.
  Result<std::shared_ptr<StagedContent>> stage(FileState& file, OpenFileImpl* through)
      REQUIRES(file.mutex);
  void mark_written(FileState& file, StagedContent& staged) REQUIRES(file.mutex);
  Result<std::size_t> read_once(const CallContext& call, OpenFile& file, std::uint64_t offset,
                                MutableBytes out);
  Result<std::shared_ptr<ReadableContent>> content_of(OpenFileImpl& file);
  // After a read that failed because what it wanted is not there under that id or version any more:
  // true when it is somewhere else, and the read may be repeated.
  Result<bool> look_elsewhere(const CallContext& call, OpenFileImpl& file, const ContentKey* key);
  // A content key of this file under the id that the file has now.
  Result<ContentKey> current_key(ContentKey key, FileState& file) REQUIRES(file.mutex);
  // Where new content is taken only from whoever holds the lock: takes it before the first change.
  // No lock held.
  // A lock that is being given back just now is none to build on.
  Result<void> wait_unlocked(const CallContext& call, InodeNumber ino);
  Result<std::uint64_t> write_at(const CallContext& call, OpenFileImpl& file, std::uint64_t offset,
                                 Bytes bytes, bool at_end);
  Result<void> own_lock(InodeNumber ino);
  Result<void> lock_for_change(const CallContext& call, InodeNumber ino);
  // What of this change of name or folder the server cannot do, in words; empty: nothing.
  Result<std::string_view> impossible_change(Tree::Txn& txn, const NodeRecord& from,
                                             const NodeRecord& to);
  // kCrossDevice where the server cannot do this change, and it is not a save over a file that the
  // server has (`target`, or one that was deleted there).
  Result<void> may_change_place(Tree::Txn& txn, const NodeRecord& from, const NodeRecord& to,
                                const NodeRecord* target);
  Result<std::shared_ptr<OpenFileImpl>> make_handle(InodeNumber ino, OpenFlags flags);
  // In the background: is what was fetched of this file still its version?
  void check_version(InodeNumber ino) EXCLUDES(mutex_);
  struct Unchecked;
  void check_versions(InodeNumber folder) EXCLUDES(mutex_);
  void check_alone(Unchecked& one);
  void conclude_check(Unchecked& one, bool still);
  // One answer of the server for each of the files; `ask` gets those that it has.
  std::vector<Result<void>> lock_together(
      const CallContext& call, const std::vector<InodeNumber>& files,
      const std::function<std::vector<Result<RemoteEntry>>(const std::vector<RemoteId>&)>& ask);
  Result<NodePtr> remote_file(const CallContext& call, InodeNumber ino);
  Result<void> set_times_and_mode(InodeNumber ino, const SetAttributes& set, FileState* file);
  Result<void> take_answer(InodeNumber ino, const RemoteEntry& entry);
  Result<void> update(InodeNumber ino, const std::function<Result<void>(NodeRecord&)>& change);
  // As update(), for nodes that are not shown any more too.
  Result<void> update_any(InodeNumber ino, const std::function<void(NodeRecord&)>& change);
  Result<void> discard_one(InodeNumber ino);
  Result<void> bring_back(Tree::Txn& txn, const RemoteId& source, InodeNumber discarded,
                          Notices& notices);
  void discard_lock_of(const CallContext& call, InodeNumber ino);
  Result<std::vector<InodeNumber>> unsent_below(InodeNumber ino) const;
  UnsentItem describe_unsent(const NodeRecord& node) const;
  std::string state_of(const NodeRecord& node) const;
  void poll_loop();
  void poll_once();
  bool doubt_listing(InodeNumber folder);

  // First, so that it outlives what refers to it.
  mutable VolumeCore core_;
  ListingService listings_;
  Reconciler reconciler_;
  WalkAhead walk_;
  PinKeeper pins_;
  Executor checks_{"check-version", 2, 256};

  mutable Mutex mutex_;  // leaf: the small caches below
  std::unordered_map<InodeNumber, CachedListing> listing_cache_ GUARDED_BY(mutex_);
  std::size_t listing_cache_entries_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<InodeNumber, std::string> opened_content_
      GUARDED_BY(mutex_);  // what the kernel's pages hold
  std::unordered_map<InodeNumber, std::pair<SteadyTime, std::vector<RemoteVersion>>> versions_
      GUARDED_BY(mutex_);
  std::optional<RemoteAccount> account_ GUARDED_BY(mutex_);
  std::optional<std::pair<SteadyTime, Quota>> quota_ GUARDED_BY(mutex_);
  std::unordered_map<InodeNumber, SteadyTime> in_use_
      GUARDED_BY(mutex_);  // folders that programs have looked into lately
  // Files that wait for check_versions() of their folder.
  std::unordered_map<InodeNumber, std::set<InodeNumber>> unchecked_ GUARDED_BY(mutex_);

  Mutex poll_mutex_;
  CondVar poll_wake_;
  bool poll_stop_ GUARDED_BY(poll_mutex_) = false;
  std::thread poller_;
};

}  // namespace cabinetfs
