#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/remote_types.h"
#include "cache/content.h"
#include "cache/inode.h"
#include "cache/name_codec.h"
#include "cache/node_record.h"

namespace cabinetfs {

class MetaStore;
class NumberSequences;
class RemoteStore;

enum class ConflictPolicy { kVersions, kCopy, kFail };

struct VolumeOptions {
  std::chrono::milliseconds fresh{10'000};  // a clean file older than this is revalidated at open
  std::chrono::milliseconds upload_delay{
      1'000};  // quiet time after the last change before it is sent
  std::chrono::milliseconds poll_interval{
      30'000};  // change feed, or listings of folders in use; 0 = off
  std::chrono::milliseconds call_timeout{60'000};  // of one call that a program waits for
  unsigned uploads = 4;                            // large files at a time
  unsigned small_uploads = 32;                     // other changes at a time
  unsigned parallel_lists = 36;
  bool walk_ahead =
      true;  // list folders and fetch small files ahead of a program that walks a tree
  ConflictPolicy conflict = ConflictPolicy::kVersions;
  NamePolicy names = NamePolicy::kEncode;
  SyncMode sync = SyncMode::kLocal;
  bool read_only = false;
  std::string
      root_path;  // the folder that stands at the mount root, in the server's spelling, "" = all
  std::uint32_t uid = 0, gid = 0;     // who owns everything
  std::string host;                   // in conflict names
  std::size_t loaded_nodes = 80'000;  // kept in memory when nobody uses them
};

// Told when something that the kernel may have cached has changed for another reason than the
// kernel's own call. Implementations queue and return at once; they are called without locks held,
// from any thread.
class KernelNotifier {
 public:
  virtual ~KernelNotifier() = default;
  virtual void invalidate_inode(InodeNumber ino, bool data) = 0;
  virtual void invalidate_entry(InodeNumber parent, const std::string& name) = 0;
};

struct Attributes {
  InodeNumber ino;
  NodeKind kind = NodeKind::kFile;
  std::uint32_t mode = 0;  // permission bits, already limited by the account's rights
  std::uint64_t size = 0;
  WallTime atime{}, mtime{}, ctime{}, btime{};
  // How long the kernel may keep this without asking.
  std::chrono::milliseconds valid_for{0};
};

struct SetAttributes {
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid, gid;
  std::optional<WallTime> atime, mtime;
};

struct DirEntry {
  std::string name;
  Attributes attributes;
};
// A listing as it was at one moment; without "." and "..".
using DirListing = std::shared_ptr<const std::vector<DirEntry>>;

struct OpenFlags {
  bool read = true;
  bool write = false;
  bool truncate = false;
};

// An open handle; made by Volume only. Keeps the version that it opened.
class OpenFile {
 public:
  virtual ~OpenFile() = default;
  virtual InodeNumber ino() const = 0;
  virtual OpenFlags flags() const = 0;
  // The kernel's cached pages of this inode are still right.
  virtual bool keep_cache() const = 0;
};

// What `user.cabinet.*`, status and the control files tell of a node.
struct NodeInfo {
  NodeRecord record;
  std::string path;   // from the mount root, "" for the root itself
  std::string state;  // clean, dirty, uploading:PERCENT, failed:REASON, conflict:..., offline
  std::uint64_t cached_bytes = 0;
  // A file: changed here and not sent yet, or open for writing.
  bool edited = false;
};

struct UnsentItem {
  InodeNumber ino;
  std::string path;
  std::string action;  // upload, create-folder, rename, move, delete, describe
  std::string state;   // waiting, uploading, failed, refused
  std::uint64_t size = 0, sent = 0;
  std::string message;  // of the last failure
  std::string conflict;
};

struct VolumeStatus {
  bool online = true;
  std::string offline_reason;
  std::vector<UnsentItem> unsent;  // in the order of the tree
  std::vector<UnsentItem>
      notices;  // refused deletes and renames that were taken back, conflicts; newest last, bounded
  std::uint64_t unsent_bytes = 0, sent_bytes = 0, uploads_done = 0, nodes_known = 0,
                nodes_loaded = 0;
  std::uint64_t listings = 0, listings_ahead = 0, conflicts = 0, failures = 0;
  ContentStats content;
};

// One account's folder as a POSIX tree: two states for each node, a reconciler between them, and
// the contents. What the FUSE shell and the command talk to.
//
// Threads: every call may come from any thread. A call with `call.may_block` false never waits for
// the network: it answers from memory or disk, or fails with kWouldBlock before any effect and can
// be repeated with may_block true. Errors: as ErrorCode says; local mutations are durable against
// kill -9 when they return (fsync makes them durable against power loss), and with sync = remote
// they return the server's verdict.
class Volume {
 public:
  // Loads what is unsent from `meta`; works offline. `remote_root` is looked up at the first
  // chance.
  static Result<std::unique_ptr<Volume>> open(VolumeOptions options, RemoteStore& remote,
                                              MetaStore& meta, ContentStore& contents,
                                              Clock& clock = Clock::system());
  virtual ~Volume() = default;

  virtual void set_notifier(KernelNotifier* notifier) = 0;
  // Starts and stops reconciler and poller. stop() returns soon: running uploads are given up and
  // go on at the next start.
  virtual void start() = 0;
  virtual void stop() = 0;

  // Names and attributes.
  virtual Result<Attributes> lookup(const CallContext& call, InodeNumber parent,
                                    const std::string& name) = 0;
  virtual Result<Attributes> getattr(const CallContext& call, InodeNumber ino) = 0;
  // `file`: the handle that ftruncate came with, or null.
  virtual Result<Attributes> setattr(const CallContext& call, InodeNumber ino,
                                     const SetAttributes& set, OpenFile* file) = 0;
  // mask: R_OK 4, W_OK 2, X_OK 1, 0 = exists. Checks the account's rights (the kernel checks mode
  // bits).
  virtual Result<void> access(const CallContext& call, InodeNumber ino, unsigned mask) = 0;
  virtual Result<DirListing> list(const CallContext& call, InodeNumber folder) = 0;
  virtual Result<Quota> quota(const CallContext& call) = 0;
  // Keeps the node (and its inode number's meaning) while the kernel knows it; forget() gives back
  // `count` of those.
  virtual void remember(InodeNumber ino) = 0;
  virtual void forget(InodeNumber ino, std::uint64_t count) = 0;

  // Changes of the tree.
  virtual Result<Attributes> mkdir(const CallContext& call, InodeNumber parent,
                                   const std::string& name, std::uint32_t mode) = 0;
  virtual Result<void> unlink(const CallContext& call, InodeNumber parent,
                              const std::string& name) = 0;
  virtual Result<void> rmdir(const CallContext& call, InodeNumber parent,
                             const std::string& name) = 0;
  enum class RenameMode { kReplace, kNoReplace, kExchange };
  virtual Result<void> rename(const CallContext& call, InodeNumber parent, const std::string& name,
                              InodeNumber new_parent, const std::string& new_name,
                              RenameMode mode) = 0;

  // Contents.
  struct Created {
    Attributes attributes;
    std::shared_ptr<OpenFile> file;
  };
  virtual Result<Created> create(const CallContext& call, InodeNumber parent,
                                 const std::string& name, std::uint32_t mode, OpenFlags flags,
                                 bool exclusive) = 0;
  virtual Result<std::shared_ptr<OpenFile>> open_file(const CallContext& call, InodeNumber ino,
                                                      OpenFlags flags) = 0;
  virtual Result<std::size_t> read(const CallContext& call, OpenFile& file, std::uint64_t offset,
                                   MutableBytes out) = 0;
  virtual Result<void> write(const CallContext& call, OpenFile& file, std::uint64_t offset,
                             Bytes bytes) = 0;
  // At the end, wherever that is by now; `expected` is where the kernel takes it to be, which is
  // told of another size when it is wrong.
  virtual Result<void> append(const CallContext& call, OpenFile& file, std::uint64_t expected,
                              Bytes bytes) = 0;
  // close(2) of one descriptor: commits what was written.
  virtual Result<void> flush(const CallContext& call, OpenFile& file) = 0;
  virtual Result<void> fsync(const CallContext& call, OpenFile& file) = 0;
  virtual Result<void> fsync_folder(const CallContext& call, InodeNumber folder) = 0;
  virtual void release(std::shared_ptr<OpenFile> file) = 0;
  enum class AllocateMode { kGrow, kKeepSize, kPunchHole, kZeroRange, kZeroRangeKeepSize };
  virtual Result<void> allocate(const CallContext& call, OpenFile& file, std::uint64_t offset,
                                std::uint64_t length, AllocateMode mode) = 0;
  virtual Result<std::uint64_t> seek(const CallContext& call, OpenFile& file, std::uint64_t offset,
                                     bool data) = 0;
  // Bytes copied; a whole clean file to an empty one becomes a server-side copy where the vendor
  // can.
  virtual Result<std::uint64_t> copy_range(const CallContext& call, OpenFile& in,
                                           std::uint64_t in_offset, OpenFile& out,
                                           std::uint64_t out_offset, std::uint64_t length) = 0;

  // Attributes of other programs, kept in the node's row. get: kNoData.
  virtual Result<std::string> get_xattr(InodeNumber ino, const std::string& name) = 0;
  virtual Result<std::vector<std::string>> list_xattrs(InodeNumber ino) = 0;
  enum class XattrMode { kSet, kCreate, kReplace };
  virtual Result<void> set_xattr(InodeNumber ino, const std::string& name, const std::string& value,
                                 XattrMode mode) = 0;
  virtual Result<void> remove_xattr(InodeNumber ino, const std::string& name) = 0;

  // What POSIX has not.
  virtual const Capabilities& capabilities() const = 0;
  virtual Result<RemoteAccount> account(const CallContext& call) = 0;
  virtual Result<NodeInfo> info(InodeNumber ino) = 0;
  virtual Result<InodeNumber> find_path(const CallContext& call, const std::string& path) = 0;
  // Cached for a short while; newest first.
  virtual Result<std::vector<RemoteVersion>> versions(const CallContext& call, InodeNumber ino) = 0;
  virtual Result<std::shared_ptr<CachedContent>> open_version(const CallContext& call,
                                                              InodeNumber ino,
                                                              std::uint32_t number) = 0;
  // kBusy while the file is edited here (NodeInfo::edited): that is a later version than any other.
  virtual Result<void> promote(const CallContext& call, InodeNumber ino, std::uint32_t number) = 0;
  virtual Result<void> lock(const CallContext& call, InodeNumber ino) = 0;
  virtual Result<void> unlock(const CallContext& call, InodeNumber ino,
                              const std::string& comment) = 0;
  virtual Result<std::vector<RemotePermission>> permissions(const CallContext& call,
                                                            InodeNumber ino) = 0;
  virtual Result<void> share(const CallContext& call, InodeNumber ino, const std::string& who,
                             AccessLevel level) = 0;
  virtual Result<void> unshare(const CallContext& call, InodeNumber ino,
                               const std::string& who) = 0;
  // Several at once; one result for each, same order. The base class asks one by one.
  virtual std::vector<Result<void>> lock_many(const CallContext& call,
                                              const std::vector<InodeNumber>& files);
  virtual std::vector<Result<void>> unlock_many(const CallContext& call,
                                                const std::vector<InodeNumber>& files,
                                                const std::string& comment);
  virtual std::vector<Result<void>> share_many(const CallContext& call,
                                               const std::vector<InodeNumber>& inos,
                                               const std::vector<std::string>& who,
                                               AccessLevel level);
  // Gives the local change up, then the lock and what it was taken for.
  virtual Result<void> discard_lock(const CallContext& call, InodeNumber ino);
  // Of one person, who may be named by the vendor's own id. kNoData: nothing is known of him.
  virtual Result<RemotePermission> permission_of(const CallContext& call, InodeNumber ino,
                                                 const std::string& who);
  virtual Result<void> unshare_all(const CallContext& call, InodeNumber ino);
  // nullptr where the vendor has none.
  virtual NumberSequences* sequences() { return nullptr; }
  virtual Result<std::vector<RemoteEvent>> history(const CallContext& call, InodeNumber ino) = 0;
  virtual Result<void> set_description(InodeNumber ino, const std::string& text) = 0;
  virtual Result<void> set_pin(InodeNumber ino, PinState state) = 0;
  virtual Result<void> set_sync(InodeNumber ino, SyncMode mode) = 0;
  virtual Result<void> send_mail(const CallContext& call, const Mail& mail) = 0;

  // Unsent changes. `ino` may be a folder: everything below it; the root: everything.
  // flush_to_server waits until nothing is unsent there; kBusy-like refusals end it with the first
  // refusal's error. `progress` is called about four times a second with the items left.
  virtual Result<void> flush_to_server(
      const CallContext& call, InodeNumber ino,
      const std::function<void(const VolumeStatus&)>& progress) = 0;
  virtual Result<void> retry(InodeNumber ino) = 0;
  virtual Result<void> discard(const CallContext& call, InodeNumber ino) = 0;
  // Fetches the contents below, waiting.
  virtual Result<void> prefetch(const CallContext& call, InodeNumber ino) = 0;
  // Throws away what is known of a folder's listing (not what is unsent), so that the next access
  // asks the server.
  virtual Result<void> refresh(InodeNumber ino) = 0;

  virtual VolumeStatus status() const = 0;
};

}  // namespace cabinetfs
