#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "backend/base/mutex.h"
#include "cache/volume.h"

namespace cabinetfs {

// Where notifications go: the FUSE channel, or a test. May block for as long as the kernel holds
// the directory or page that it is about, which can be until a running request is answered.
class KernelSink {
 public:
  virtual ~KernelSink() = default;
  // Attributes, and with `data` also the cached pages (of a directory: its cached listing).
  virtual void drop_inode(InodeNumber ino, bool data) = 0;
  // False when the kernel does not know that name.
  virtual bool drop_entry(InodeNumber parent, const std::string& name) = 0;
};

// Tells the kernel what it must forget, on a thread of its own and with no lock held, since the
// kernel may make the caller wait for requests in flight, and those may wait for the caller.
// Notifications of one inode are merged while they wait. At most `max_names` names wait; what comes
// then is merged into "all about this directory" and logged: such a name may be shown for as long
// as its validity says.
class QueueingNotifier final : public KernelNotifier {
 public:
  explicit QueueingNotifier(KernelSink& sink, std::size_t max_names = 1'000'000);
  ~QueueingNotifier() override;

  void invalidate_inode(InodeNumber ino, bool data) override EXCLUDES(mutex_);
  void invalidate_entry(InodeNumber parent, const std::string& name) override EXCLUDES(mutex_);

  // Drops what is queued and waits for the one that runs. The requests that it may be waiting for
  // must be answered meanwhile.
  void stop() EXCLUDES(mutex_);
  // Waits until all that was queued before has been told; for tests.
  void drain() EXCLUDES(mutex_);

  std::uint64_t sent() const EXCLUDES(mutex_);

 private:
  struct Waiting {
    bool inode = false;
    bool data = false;
    std::unordered_set<std::string> names;
  };

  void run() EXCLUDES(mutex_);
  Waiting& waiting_locked(InodeNumber ino) REQUIRES(mutex_);
  void tell(InodeNumber ino, const Waiting& waiting) EXCLUDES(mutex_);
  bool stopping() const EXCLUDES(mutex_);

  KernelSink& sink_;
  const std::size_t max_names_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool busy_ GUARDED_BY(mutex_) = false;
  std::uint64_t sent_ GUARDED_BY(mutex_) = 0;
  std::size_t names_ GUARDED_BY(mutex_) = 0;          // in waiting_
  std::deque<InodeNumber> queue_ GUARDED_BY(mutex_);  // the keys of waiting_, oldest first
  std::unordered_map<InodeNumber, Waiting> waiting_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cabinetfs
