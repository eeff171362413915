#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "backend/base/executor.h"
#include "backend/base/mutex.h"
#include "cache/volume_core.h"

namespace cabinetfs {

// Asks the server what is in a folder and brings the tree up to date with the answer. One request
// for a folder at a time: who comes later waits for it, or takes it over from the queue of listings
// ahead. Thread safe.
class ListingService {
 public:
  explicit ListingService(VolumeCore& core);
  ~ListingService();

  // Until the listing is at most `max_age` old, or ten times as old as it took to get where that is
  // more: a large folder is not listed over and over by a program that works in it. Served as it is
  // while the remote cannot be reached. kWouldBlock as usual.
  Result<void> ensure(const CallContext& call, InodeNumber folder, std::chrono::nanoseconds max_age)
      EXCLUDES(mutex_);
  // Asks in any case.
  Result<void> refresh(const CallContext& call, InodeNumber folder) EXCLUDES(mutex_);
  // Soon, in the background, if nobody knows the folder yet (or `again`). `then` runs afterwards,
  // on the pool.
  void refresh_ahead(InodeNumber folder, bool again, std::function<void()> then = {},
                     std::function<void()> otherwise = {}) EXCLUDES(mutex_);
  // One object's state, by its id: cheaper than its folder. What is gone is removed from the tree.
  Result<void> revalidate(const CallContext& call, InodeNumber file);
  // The node of the mount root knows its remote id.
  Result<void> ensure_root(const CallContext& call);
  void shutdown();

 private:
  struct Flight {
    bool running = false;
    bool done = false;
    Error error;
    bool failed = false;
    bool again = false;  // somebody knows of a change that the running question may have missed
  };

  Result<void> fetch(const CallContext& call, InodeNumber folder) EXCLUDES(mutex_);
  void note_cost(InodeNumber folder, std::chrono::nanoseconds cost) EXCLUDES(mutex_);
  std::chrono::nanoseconds worth_keeping(InodeNumber folder) EXCLUDES(mutex_);
  // False: the folder is not `id` any more.
  Result<bool> merge(InodeNumber folder, const RemoteId& id,
                     const std::vector<RemoteEntry>& entries, SteadyTime asked);
  Result<bool> merge_rows(InodeNumber folder, const RemoteId& id,
                          const std::vector<RemoteEntry>& entries, SteadyTime asked,
                          Notices& notices);
  Result<void> check_vanished(const CallContext& call, InodeNumber folder, const RemoteId& id,
                              const std::vector<RemoteEntry>& entries, SteadyTime asked);
  Result<bool> moved_on(const CallContext& call, InodeNumber folder, const RemoteId& id)
      EXCLUDES(mutex_);
  Result<void> free_twin_names(Tree::Txn& txn, InodeNumber folder, Notices& notices);

  VolumeCore& core_;
  Mutex mutex_;
  CondVar landed_;
  std::unordered_map<InodeNumber, std::shared_ptr<Flight>> flights_ GUARDED_BY(mutex_);
  // How long the last listing took, of folders where that counts.
  std::unordered_map<InodeNumber, std::chrono::nanoseconds> costs_ GUARDED_BY(mutex_);
  Executor pool_;
};

// The rules by which a server's word changes a node; each inside the caller's transaction.
// `asked`: when the question was sent; what was confirmed after it stands.
Result<void> apply_entry(VolumeCore& core, Tree::Txn& txn, InodeNumber folder,
                         const RemoteEntry& entry, SteadyTime asked, Notices& notices);
// The folder's complete listing does not have this node any more.
Result<void> apply_gone(VolumeCore& core, Tree::Txn& txn, const NodeRecord& node, SteadyTime asked,
                        Notices& notices);
// A row that was deleted here, or on its way elsewhere, is shown again where the server has it; or,
// when a part of that way has been gone, where it began: that is sent.
Result<void> put_back(VolumeCore& core, Tree::Txn& txn, NodeRecord& node, Notices& notices);
// A free shown name in `folder` for a server object: its own, or the twin's.
Result<std::string> free_shown_name(VolumeCore& core, Tree::Txn& txn, InodeNumber folder,
                                    const RemoteEntry& entry, InodeNumber self);
// A mutation that failed so was perhaps done all the same.
inline bool may_have_happened(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
         code == ErrorCode::kCancelled;
}
// The object is certainly what was sent when no answer came; false where that cannot be told.
bool is_what_was_sent(const Intent& intent, const RemoteEntry& entry);
// It may be, and only its bytes tell: where the server gives no fingerprint.
bool may_be_what_was_sent(const Intent& intent, const RemoteEntry& entry);
// Takes the server's size and times into the shown state.
void show_remote(NodeRecord& node, bool content_changed);

}  // namespace cabinetfs
