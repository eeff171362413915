#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/remote_store.h"
#include "cache/content.h"
#include "cache/file_table.h"
#include "cache/meta_store.h"
#include "cache/name_codec.h"
#include "cache/net_state.h"
#include "cache/tree.h"
#include "cache/volume.h"

namespace cabinetfs {

// Answers that arrive late must not undo what a newer answer has said: remembers for a few minutes
// which nodes were confirmed, and which objects removed, when. Thread safe, leaf.
class RecentChanges {
 public:
  void confirmed(InodeNumber ino, SteadyTime at);
  void removed(const RemoteId& id, SteadyTime at);
  bool confirmed_since(InodeNumber ino, SteadyTime since) const;
  bool removed_since(const RemoteId& id, SteadyTime since) const;
  // Our own change of this object in the last seconds: the change feed will tell us of it.
  void wrote(const RemoteId& id, SteadyTime at);
  bool wrote_since(const RemoteId& id, SteadyTime since) const;
  // A listing's word about a deleted file that is being removed just now; taken by whoever removes
  // it.
  void told(InodeNumber ino, const Validator& validator);
  std::optional<Validator> take_told(InodeNumber ino);

 private:
  template <class Map, class Key>
  void note(Map& map, const Key& key, SteadyTime at) REQUIRES(mutex_);

  static constexpr std::size_t kSweepAbove = 4096;
  mutable Mutex mutex_;
  std::size_t sweep_above_ GUARDED_BY(mutex_) = kSweepAbove;
  std::map<InodeNumber, SteadyTime> confirmed_ GUARDED_BY(mutex_);
  std::map<std::string, SteadyTime> removed_ GUARDED_BY(mutex_);
  std::map<std::string, SteadyTime> wrote_ GUARDED_BY(mutex_);
  std::map<InodeNumber, Validator> told_ GUARDED_BY(mutex_);  // of files in flight: few
};

// What a change has to tell the kernel once no lock is held.
class Notices {
 public:
  void inode(InodeNumber ino, bool data) { inodes_[ino] |= data; }
  void entry(InodeNumber parent, const std::string& name) { entries_.emplace_back(parent, name); }
  void send(KernelNotifier* notifier);

 private:
  std::map<InodeNumber, bool> inodes_;
  std::vector<std::pair<InodeNumber, std::string>> entries_;
};

// Which nodes the reconciler is sending just now: their rows must not change identity under it.
class InFlight {
 public:
  virtual ~InFlight() = default;
  virtual bool in_flight(InodeNumber ino) const = 0;
  virtual std::vector<InodeNumber> flights() const = 0;
  // Until the node is not in flight any more; kTimeout, kCancelled.
  virtual Result<void> wait_landed(const CallContext& call, InodeNumber ino) = 0;
  // The node has changed, or the reason why it waited is gone: look at it again.
  virtual void wake(InodeNumber ino) = 0;
};

// What the parts of a volume share.
struct VolumeCore {
  VolumeCore(VolumeOptions volume_options, RemoteStore& remote_store, MetaStore& meta_store,
             ContentStore& content_store, Clock& time_source);
  ~VolumeCore();

  // Shown attributes; `live` overlays what is written but not committed.
  Attributes attributes(const NodeRecord& node) const;
  void overlay_live(Attributes& attributes);
  // The rights that the account has; all where the server did not say.
  static Rights rights(const NodeRecord& node);
  static ContentKey content_key(const RemoteEntry& entry);
  // The name under which `remote` is shown when nothing is in the way.
  bool shows_remote_name(const NodeRecord& node) const;
  // The shown child that the server would take for the same name; the exact one if there is one.
  Result<NodePtr> same_named(Tree::Txn& txn, InodeNumber folder, const std::string& name) const;
  CallContext background_call(Priority priority) const;
  // Limits a caller's deadline.
  CallContext bounded(const CallContext& call) const;
  WallTime now() const { return clock.wall(); }
  // Not longer ago than `span`, and not in the future: a clock that was set back makes nothing
  // young.
  bool is_recent(WallTime then, std::chrono::nanoseconds span) const {
    const auto age = now() - then;
    return age >= age.zero() && age <= span;
  }
  void wake(InodeNumber ino) {
    if (in_flight != nullptr) in_flight->wake(ino);
  }
  bool is_in_flight(InodeNumber ino) const {
    return in_flight != nullptr && in_flight->in_flight(ino);
  }
  // Passes a remote answer's outcome on to `net`.
  template <class T>
  Result<T> seen(Result<T> result) {
    if (result) {
      net.succeeded();
    } else {
      net.failed(result.error());
    }
    return result;
  }
  void notice(const NodeRecord& node, const std::string& path, const std::string& action,
              const std::string& message);

  // The one StagedContent of a dirty file, loaded from the row if need be; nullptr where the
  // content is the server's.
  Result<std::shared_ptr<StagedContent>> staged_of(FileState& file) REQUIRES(file.mutex);
  // The same for what is going to be dropped. nullptr too where nothing can be read of it any more:
  // that must not keep it from going.
  Result<std::shared_ptr<StagedContent>> staged_to_drop(FileState& file) REQUIRES(file.mutex);
  // Makes the writes so far part of the row. Without uncommitted writes it does nothing.
  Result<void> commit(FileState& file) REQUIRES(file.mutex);

  const VolumeOptions options;
  RemoteStore& remote;
  MetaStore& meta;
  ContentStore& contents;
  Clock& clock;
  Tree tree;
  // Set when the capabilities are known; names do not change meaning afterwards.
  NameCodec codec;
  NetState net;
  FileTable files;
  RecentChanges recent;
  CancelSource stopping;
  std::atomic<KernelNotifier*> notifier = nullptr;
  InFlight* in_flight = nullptr;  // set once, before threads start

  std::atomic<std::uint64_t> listings = 0, listings_ahead = 0, sent_bytes = 0, uploads_done = 0,
                             conflicts = 0;

  mutable Mutex notices_mutex;  // leaf
  std::deque<UnsentItem> notices GUARDED_BY(notices_mutex);
};

}  // namespace cabinetfs
