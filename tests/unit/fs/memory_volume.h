#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "cache/volume.h"
#include "tests/support/gate.h"

namespace cabinetfs {

// A Volume that is a tree in memory: no server, no disk. For tests of the shell alone. Calls that a
// real volume would need the network for can be held at a gate or made to fail. Thread safe.
class MemoryVolume final : public Volume {
 public:
  MemoryVolume();
  ~MemoryVolume() override;

  // What a test sets up and looks at. Paths have no leading slash; "" is the root.
  InodeNumber add_folder(const std::string& path);
  InodeNumber add_file(const std::string& path, const std::string& content);
  void add_version(const std::string& path, const std::string& content);
  std::string content(const std::string& path);
  void remove_as_other(const std::string& path);                             // tells the notifier
  void write_as_other(const std::string& path, const std::string& content);  // tells the notifier
  // A file whose reads, and a name whose lookup, need "the network": they pass the gate.
  void make_remote(const std::string& path);
  // As if a program had it open for writing.
  void set_edited(const std::string& path);
  // How long the history of each node is; the newest event is "event COUNT".
  void set_events(int count);
  Gate& gate() { return gate_; }
  Capabilities& can() { return capabilities_; }
  // Called at the start of each operation with its name; what it returns or throws is the result.
  void set_fault(std::function<Result<void>(const std::string&)> fault);
  std::size_t remembered(InodeNumber ino);
  std::vector<std::string> log();  // of calls that a test may look for: "promote a.txt 2"
  int open_files() const { return open_files_; }
  VolumeStatus status_to_tell;
  void invalidate_entry(InodeNumber parent, const std::string& name);

  // Volume
  void set_notifier(KernelNotifier* notifier) override;
  void start() override {}
  void stop() override {}
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
  const Capabilities& capabilities() const override { return capabilities_; }
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
  VolumeStatus status() const override { return status_to_tell; }

 private:
  struct Node;
  class Handle;
  class Version;
  using NodePtr = std::shared_ptr<Node>;

  Result<void> enter(const std::string& operation);
  Result<NodePtr> find_locked(InodeNumber ino) REQUIRES(mutex_);
  Result<NodePtr> folder_locked(InodeNumber ino) REQUIRES(mutex_);
  NodePtr child_locked(const Node& folder, const std::string& name) REQUIRES(mutex_);
  NodePtr at_path_locked(const std::string& path) REQUIRES(mutex_);
  NodePtr make_locked(Node& parent, const std::string& name, NodeKind kind, std::uint32_t mode)
      REQUIRES(mutex_);
  std::string path_locked(const Node& node) REQUIRES(mutex_);
  Attributes attributes_locked(const Node& node) REQUIRES(mutex_);
  Result<void> pass(const CallContext& call, bool remote);
  void note(std::string line);

  Capabilities capabilities_;
  Gate gate_;
  int events_ GUARDED_BY(mutex_) = 0;
  std::atomic<int> open_files_{0};
  mutable Mutex mutex_;
  std::function<Result<void>(const std::string&)> fault_ GUARDED_BY(mutex_);
  KernelNotifier* notifier_ GUARDED_BY(mutex_) = nullptr;
  std::map<InodeNumber, NodePtr> nodes_ GUARDED_BY(mutex_);
  std::uint64_t next_ino_ GUARDED_BY(mutex_) = 2;
  std::vector<std::string> log_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
