#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "backend/base/executor.h"
#include "backend/base/mutex.h"
#include "cache/listing.h"
#include "cache/plan.h"
#include "cache/volume_core.h"

namespace cabinetfs {

// Makes the server agree with what is shown: plans each unsent node inside a tree transaction,
// sends it on a pool, and takes the answer back into the tree. One thread plans; nodes that wait
// for time, for another node or for a free lane come back by themselves. Crash recovery is nothing
// special: what was unsent is unsent again. Thread safe.
class Reconciler final : public InFlight {
 public:
  Reconciler(VolumeCore& core, ListingService& listings);
  ~Reconciler() override;

  void start();
  // Running transfers are given up (sessions stay at the server and are resumed at the next start).
  // Returns when none runs.
  void stop();

  bool in_flight(InodeNumber ino) const override EXCLUDES(mutex_);
  std::vector<InodeNumber> flights() const override EXCLUDES(mutex_);
  Result<void> wait_landed(const CallContext& call, InodeNumber ino) override EXCLUDES(mutex_);
  void wake(InodeNumber ino) override EXCLUDES(mutex_);
  void wake_all() EXCLUDES(mutex_);

  // Until the node is clean (ok), or its change was refused or taken back (that error), or the
  // call's deadline.
  Result<void> wait_settled(const CallContext& call, InodeNumber ino) EXCLUDES(mutex_);
  struct Progress {
    std::uint64_t sent = 0, total = 0;
  };
  std::optional<Progress> progress(InodeNumber ino) const EXCLUDES(mutex_);
  void set_progress(InodeNumber ino, std::uint64_t sent) EXCLUDES(mutex_);
  // A change begins whose outcome wait_settled() is to tell: what was refused before is not its.
  void expect(InodeNumber ino) EXCLUDES(mutex_);
  // Somebody asks for it: failures of the network do not hold it back any longer.
  void retry_now(InodeNumber ino) EXCLUDES(mutex_);
  // Waits until something has settled, at most `span`.
  void wait_for_change(std::chrono::milliseconds span) EXCLUDES(mutex_);

 private:
  friend class UploadTask;
  enum class Lane { kSmall, kLarge };
  struct Flight {
    std::atomic<std::uint64_t> sent = 0;
    std::atomic<std::uint64_t> total = 0;
  };

  // The planning thread.
  void run() EXCLUDES(mutex_);
  void send(InodeNumber ino) EXCLUDES(mutex_);
  // Plans one node. A plan that comes back is marked as in flight and has its lane; `rides_along`:
  // it shares another's.
  std::optional<Plan> consider(InodeNumber ino, bool rides_along) EXCLUDES(mutex_);
  Result<std::optional<Plan>> plan_next(InodeNumber ino, bool rides_along) EXCLUDES(mutex_);
  Lane lane_of(const Plan& plan) const;
  Executor& small_or_large(Lane lane);
  void schedule_locked(InodeNumber ino, SteadyTime at) REQUIRES(mutex_);
  void wake_blocked_locked(InodeNumber blocker) REQUIRES(mutex_);
  bool lane_free_locked(Lane lane) const REQUIRES(mutex_);
  void feed_locked() REQUIRES(mutex_);
  void finish(const std::vector<InodeNumber>& inos, Lane lane) EXCLUDES(mutex_);

  // On the pools.
  void execute(const Plan& plan);
  Result<void> create_folder(const NodeRecord& node);
  Result<void> change_place(const NodeRecord& node, const Plan& plan);
  Result<void> forget_sent_place(InodeNumber ino);
  // kCancelled when the node has been renamed or deleted since `node`.
  Result<void> store_sent_place(const NodeRecord& node, const SentPlace& place);
  Result<void> look_at_place(const NodeRecord& node);
  Result<void> look_for_new_id(const NodeRecord& node);
  Result<VersionId> version_behind(const CallContext& call, const NodeRecord& node);
  Result<VersionId> current_version(const CallContext& call, const RemoteId& file);
  Result<void> confirm_place(const CallContext& call, const NodeRecord& node,
                             const RemoteEntry& entry, InodeNumber folder, const VersionId& sent);
  Result<void> remove_folder(const NodeRecord& node);
  Result<void> forget(const NodeRecord& node);
  // The server's folder that stands for ours.
  Result<void> adopt_folder(const NodeRecord& node, const RemoteEntry& made);
  // Of a create: kCancelled when the node has been renamed or deleted since `node`.
  Result<void> store_intent(const NodeRecord& node, const Intent& intent);
  // Something of ours stands at this place that is on its way elsewhere, or away.
  Result<bool> taken_by_ours(InodeNumber folder, const std::string& remote_name,
                             InodeNumber except);
  // What stands where a create was sent to, several where names are not unique; nothing where its
  // folder is gone too.
  Result<std::vector<RemoteEntry>> find_created(const CallContext& call, const Intent& intent);
  Result<bool> is_ours_alone(const CallContext& call, const NodeRecord& node,
                             const RemoteEntry& entry);
  void remove_files(const std::vector<NodePtr>& nodes);
  Result<void> keep_their_edit(InodeNumber ino, const RemoteEntry& theirs);
  Result<void> describe(const NodeRecord& node);
  Result<void> upload(const NodeRecord& node);
  Result<void> give_lock_back(const NodeRecord& node);

  // Outcomes, each a transaction of its own.
  // `same_content`: it is known that a new validator stands for the content that was there before.
  Result<void> confirm(InodeNumber ino, const RemoteEntry& entry, InodeNumber remote_parent,
                       bool same_content = false);
  Result<void> removed(const NodeRecord& node);
  // The object is not there any more.
  Result<void> lost(InodeNumber ino, const RemoteId& id);
  // Our name is taken by somebody else's object: ours gets another.
  Result<void> give_way(InodeNumber ino, const std::string& why);
  // A refused delete (`removal`) or rename goes back to what the server has.
  Result<void> take_back(InodeNumber ino, const Error& error, bool removal);
  // `sent`: the content generation that was planned.
  void failed(InodeNumber ino, Plan::Action action, const Error& error,
              std::optional<std::uint64_t> sent = std::nullopt);
  std::chrono::nanoseconds pause_after(InodeNumber ino) EXCLUDES(mutex_);

  VolumeCore& core_;
  ListingService& listings_;
  Planner planner_;
  std::thread thread_;

  mutable Mutex mutex_;  // inside the tree's
  CondVar work_;
  CondVar settled_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool started_ GUARDED_BY(mutex_) = false;
  std::multimap<SteadyTime, InodeNumber> due_ GUARDED_BY(mutex_);
  std::unordered_map<InodeNumber, std::multimap<SteadyTime, InodeNumber>::iterator> due_of_
      GUARDED_BY(mutex_);
  std::unordered_multimap<InodeNumber, InodeNumber> blocked_
      GUARDED_BY(mutex_);  // blocker -> waiting
  std::unordered_map<InodeNumber, std::shared_ptr<Flight>> flights_ GUARDED_BY(mutex_);
  std::map<Lane, unsigned> running_ GUARDED_BY(mutex_);
  std::deque<InodeNumber> waiting_small_ GUARDED_BY(mutex_), waiting_large_ GUARDED_BY(mutex_);
  std::unordered_map<InodeNumber, unsigned> attempts_ GUARDED_BY(mutex_);
  std::unordered_map<InodeNumber, SteadyTime> not_before_
      GUARDED_BY(mutex_);  // after a failure of the network, which is not in the row
  std::unordered_map<InodeNumber, Error> refusals_
      GUARDED_BY(mutex_);  // of changes that were taken back, for wait_settled
  std::uint64_t settlements_ GUARDED_BY(mutex_) = 0;

  Executor small_;
  Executor large_;
};

}  // namespace cabinetfs
