#pragma once

// The one place that includes libfuse: for fuse_channel.cc and ops_*.cc only.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "cache/volume.h"
#include "fs/fuse_channel.h"
#include "fs/open_handles.h"
#include "fs/request_runner.h"
#include "fs/virtual_nodes.h"
#include "fs/xattr.h"

namespace cabinetfs {

// One request of 1 MiB is the most that the kernel sends (256 pages).
constexpr std::size_t kMaxTransfer = 1u << 20;

// Buffers for reads, used again instead of being mapped and zeroed by the kernel each time. Thread
// safe.
class BufferPool {
 public:
  using Buffer = std::unique_ptr<std::byte[]>;  // kMaxTransfer bytes, uninitialised
  Buffer take() EXCLUDES(mutex_);
  void give_back(Buffer buffer) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::vector<Buffer> free_ GUARDED_BY(mutex_);
};

// What the operations share. Lives as long as the session.
struct Shell {
  Shell(ChannelParts parts, std::uint32_t owner_uid, std::uint32_t owner_gid)
      : volume(parts.volume),
        virtual_nodes(parts.virtual_nodes),
        xattrs(parts.xattrs),
        runner(parts.runner),
        handles(parts.handles),
        uid(owner_uid),
        gid(owner_gid) {}
  static Shell& of(fuse_req_t req) { return *static_cast<Shell*>(fuse_req_userdata(req)); }

  // The kernel's reference to a node, given before the reply that tells it; a virtual node holds
  // the file behind it.
  void remember(InodeNumber ino);
  void forget(InodeNumber ino, std::uint64_t count);
  struct stat to_stat(const Attributes& attributes) const;
  // The kernel asks again for the size and times. Takes no lock in the kernel, so it may be called
  // while a request for this inode is being answered.
  void drop_attributes(InodeNumber ino) {
    fuse_lowlevel_notify_inval_inode(session, ino.value, -1, 0);
  }

  // An open was answered with ESTALE, a moment ago: the kernel has looked the file up since.
  void tell_stale(InodeNumber ino) EXCLUDES(stale_mutex) {
    const SteadyTime now = Clock::system().steady();
    MutexLock lock(stale_mutex);
    std::erase_if(told_stale, [now](const auto& told) { return now - told.second > kToldStale; });
    told_stale[ino] = now;
  }
  bool was_told_stale(InodeNumber ino) EXCLUDES(stale_mutex) {
    MutexLock lock(stale_mutex);
    const auto found = told_stale.find(ino);
    return found != told_stale.end() && Clock::system().steady() - found->second <= kToldStale;
  }

  fuse_session* session = nullptr;  // set before the first request
  Volume& volume;
  VirtualNodes& virtual_nodes;
  CabinetXattrs& xattrs;
  RequestRunner& runner;
  OpenHandles& handles;
  const std::uint32_t uid, gid;
  BufferPool buffers;
  ServedListings served;

  // The last answer to statfs, since df must not wait for a server that does not answer.
  Mutex quota_mutex;
  Quota quota GUARDED_BY(quota_mutex);
  SteadyTime quota_until GUARDED_BY(quota_mutex);

  static constexpr std::chrono::seconds kToldStale{5};
  Mutex stale_mutex;
  std::map<InodeNumber, SteadyTime> told_stale GUARDED_BY(stale_mutex);

  Mutex ready_mutex;
  CondVar ready_changed;
  bool ready GUARDED_BY(ready_mutex) = false;
};

// Owns a request until it is answered, exactly once: the reply functions let it go, and what is
// destroyed without a reply answers EIO. Not thread safe. See KernelRequest.
class FuseRequest {
 public:
  FuseRequest(fuse_req_t req, const char* name) : req_(req), name_(name) {}
  FuseRequest(FuseRequest&& other) noexcept
      : req_(std::exchange(other.req_, nullptr)),
        name_(other.name_),
        interrupted_(std::move(other.interrupted_)) {}
  FuseRequest& operator=(FuseRequest&&) = delete;
  ~FuseRequest();

  void watch(std::function<void()> interrupted);
  pid_t caller() const { return fuse_req_ctx(req_)->pid; }
  void fail(const Error& error);
  void fail(ErrorCode code) { fail(Error{code, {}}); }

  // The reply functions return false when the kernel did not take the answer (the program is gone):
  // what the answer would have handed over must be taken back.
  bool ok() { return fuse_reply_err(take(), 0) == 0; }
  bool entry(const Attributes& attributes);
  bool attributes(const Attributes& attributes);
  bool opened(const fuse_file_info& info) { return fuse_reply_open(take(), &info) == 0; }
  bool created(const Attributes& attributes, const fuse_file_info& info);
  bool written(std::size_t count) { return fuse_reply_write(take(), count) == 0; }
  bool bytes(const void* data, std::size_t size) {
    return fuse_reply_buf(take(), static_cast<const char*>(data), size) == 0;
  }
  bool xattr_size(std::size_t size) { return fuse_reply_xattr(take(), size) == 0; }
  bool file_system(const struct statvfs& info) { return fuse_reply_statfs(take(), &info) == 0; }
  bool offset(std::uint64_t value) {
    return fuse_reply_lseek(take(), static_cast<off_t>(value)) == 0;
  }
  // An errno that no ErrorCode stands for.
  bool error_number(int number) { return fuse_reply_err(take(), number) == 0; }
  Shell& shell() const { return Shell::of(req_); }
  fuse_req_t get() const { return req_; }

 private:
  fuse_req_t take() { return std::exchange(req_, nullptr); }

  fuse_req_t req_;
  const char* name_;
  std::unique_ptr<std::function<void()>> interrupted_;
};

fuse_entry_param to_entry(const Shell& shell, const Attributes& attributes);
double seconds(std::chrono::milliseconds span);

// `operation(const CallContext&)` -> Result<T>; `answer(FuseRequest&, T)`.
template <class Operation, class Answer>
void run(fuse_req_t req, RequestFamily family, const char* name, Operation operation,
         Answer answer) {
  Shell::of(req).runner.run(family, name, FuseRequest(req, name), std::move(operation),
                            std::move(answer));
}
template <class Operation, class Answer>
void run_waiting(fuse_req_t req, RequestFamily family, const char* name, Operation operation,
                 Answer answer) {
  Shell::of(req).runner.run_waiting(family, name, FuseRequest(req, name), std::move(operation),
                                    std::move(answer));
}
// Answers of their own kind.
inline void answer_ok(FuseRequest& request) { request.ok(); }
// Remembers the node, and takes that back when the kernel did not hear of it.
void answer_entry(FuseRequest& request, const Attributes& attributes);

void add_lookup_ops(fuse_lowlevel_ops& ops);
void add_data_ops(fuse_lowlevel_ops& ops);
void add_open_ops(fuse_lowlevel_ops& ops);
void add_dir_ops(fuse_lowlevel_ops& ops);
void add_rename_ops(fuse_lowlevel_ops& ops);
void add_xattr_ops(fuse_lowlevel_ops& ops);

}  // namespace cabinetfs
