#include <sys/stat.h>

#include <string_view>

#include "fs/fuse_internal.h"

// Directories: reading them, making and removing what is in them.
namespace cabinetfs {
namespace {

// The listing that is known now, null when it would have to be fetched.
DirListing known_listing(Shell& shell, InodeNumber ino) {
  if (VirtualNodes::contains(ino)) return nullptr;
  CallContext call;
  call.may_block = false;
  auto listing = shell.volume.list(call, ino);
  return listing ? *std::move(listing) : nullptr;
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, fuse_file_info* in) {
  run(
      req, RequestFamily::kNames, "opendir",
      [&shell = Shell::of(req), ino = InodeNumber{ino}](const CallContext&) -> Result<DirListing> {
        return known_listing(shell, ino);
      },
      [ino = InodeNumber{ino}, flags = in->flags](FuseRequest& request, DirListing listing) {
        Shell& shell = request.shell();
        fuse_file_info info{};
        info.flags = flags;
        info.fh = shell.handles.add_folder(ino, listing, !VirtualNodes::contains(ino));
        // The kernel keeps the names it reads, and may use those that it has when nothing changed.
        // A handle that does not use its pages leaves them to the one that does.
        FolderHandle& handle = OpenHandles::folder(info.fh);
        const bool unchanged = listing != nullptr && shell.served.is(ino, listing);
        if (handle.uses_pages() && unchanged) handle.start_is_in_pages();
        info.cache_readdir = handle.uses_pages();
        info.keep_cache = unchanged || !handle.uses_pages();
        if (!request.opened(info)) shell.handles.remove_folder(info.fh);
      });
}

// A handle reads the listing as it was when it began at its start, so that offsets keep their
// meaning while the directory changes. rewinddir() takes a new one.
Result<DirListing> find_listing(Shell& shell, const CallContext& call, FolderHandle& folder,
                                bool start) {
  if (DirListing listing = folder.listing_for(start); listing != nullptr) return listing;
  DirListing listing;
  if (VirtualNodes::contains(folder.ino())) {
    TRY_ASSIGN(listing, shell.virtual_nodes.list(call, folder.ino()));
  } else {
    TRY_ASSIGN(listing, shell.volume.list(call, folder.ino()));
  }
  folder.set_listing(listing);
  return listing;
}

// Offsets: 1 stands behind ".", 2 behind "..", n + 3 behind the entry n.
constexpr off_t kDotEntries = 2;

class DirectoryWriter {
 public:
  DirectoryWriter(FuseRequest& request, std::size_t size) : request_(request), bytes_(size, '\0') {}

  bool add_plain(const std::string& name, InodeNumber ino, NodeKind kind, off_t next) {
    struct stat attr {};
    attr.st_ino = ino.value;
    attr.st_mode = kind == NodeKind::kFolder ? S_IFDIR : S_IFREG;
    return took(fuse_add_direntry(request_.get(), room(), left(), name.c_str(), &attr, next));
  }
  // With entry.ino 0 the kernel takes name and type only.
  bool add_plus(const std::string& name, const fuse_entry_param& entry, off_t next) {
    return took(fuse_add_direntry_plus(request_.get(), room(), left(), name.c_str(), &entry, next));
  }
  bool send() { return request_.bytes(bytes_.data(), used_); }

 private:
  char* room() { return bytes_.data() + used_; }
  std::size_t left() const { return bytes_.size() - used_; }
  bool took(std::size_t length) {
    if (length > left()) return false;
    used_ += length;
    return true;
  }

  FuseRequest& request_;
  std::string bytes_;
  std::size_t used_ = 0;
};

fuse_entry_param name_only(InodeNumber ino, NodeKind kind) {
  fuse_entry_param entry{};
  entry.attr.st_ino = ino.value;
  entry.attr.st_mode = kind == NodeKind::kFolder ? S_IFDIR : S_IFREG;
  return entry;
}

// What the kernel may keep of an entry is asked anew: the listing may be older than the last write
// to the file, and the kernel would take its size for the newer one.
fuse_entry_param current_entry(Shell& shell, InodeNumber folder, const DirEntry& entry) {
  if (VirtualNodes::contains(folder)) return to_entry(shell, entry.attributes);
  CallContext call;
  call.may_block = false;
  const auto now = shell.volume.lookup(call, folder, entry.name);
  if (now && now->ino == entry.attributes.ino) return to_entry(shell, *now);
  return name_only(entry.attributes.ino, entry.attributes.kind);
}

void answer_entries(FuseRequest& request, const FolderHandle& handle, const DirListing& listing,
                    std::size_t size, off_t offset, bool plus) {
  Shell& shell = request.shell();
  const InodeNumber folder = handle.ino();
  if (handle.uses_pages()) shell.served.read(folder, listing, offset == 0);
  DirectoryWriter writer(request, size);
  std::vector<InodeNumber> told;
  const auto total = static_cast<off_t>(listing->size()) + kDotEntries;
  for (off_t at = offset; at < total; ++at) {
    if (at < kDotEntries) {
      const std::string name(at == 0 ? "." : "..");
      const bool fits = plus ? writer.add_plus(name, name_only(folder, NodeKind::kFolder), at + 1)
                             : writer.add_plain(name, folder, NodeKind::kFolder, at + 1);
      if (!fits) break;
      continue;
    }
    const DirEntry& entry = (*listing)[static_cast<std::size_t>(at - kDotEntries)];
    if (!plus) {
      if (!writer.add_plain(entry.name, entry.attributes.ino, entry.attributes.kind, at + 1)) break;
      continue;
    }
    const fuse_entry_param now = current_entry(shell, folder, entry);
    if (!writer.add_plus(entry.name, now, at + 1)) break;
    if (now.ino == 0) continue;
    shell.remember({now.ino});
    told.push_back({now.ino});
  }
  if (writer.send()) return;
  for (const InodeNumber ino : told) shell.forget(ino, 1);
}

void read_directory(fuse_req_t req, std::size_t size, off_t offset, fuse_file_info* info,
                    bool plus) {
  FolderHandle& folder = OpenHandles::folder(info->fh);
  run(
      req, RequestFamily::kNames, plus ? "readdirplus" : "readdir",
      [&shell = Shell::of(req), &folder, offset](const CallContext& call) {
        return find_listing(shell, call, folder, offset == 0);
      },
      [&folder, size, offset, plus](FuseRequest& request, const DirListing& listing) {
        answer_entries(request, folder, listing, size, offset, plus);
      });
}

void op_readdir(fuse_req_t req, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
                fuse_file_info* info) {
  read_directory(req, size, offset, info, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t /*ino*/, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  read_directory(req, size, offset, info, true);
}

void op_releasedir(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* info) {
  Shell::of(req).handles.remove_folder(info->fh);
  fuse_reply_err(req, 0);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int /*datasync*/, fuse_file_info* /*info*/) {
  run_waiting(
      req, RequestFamily::kSync, "fsyncdir",
      [&shell = Shell::of(req), ino = InodeNumber{ino}](const CallContext& call) -> Result<void> {
        if (VirtualNodes::contains(ino)) return {};
        return shell.volume.fsync_folder(call, ino);
      },
      answer_ok);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  run(
      req, RequestFamily::kNames, "mkdir",
      [&shell = Shell::of(req), parent = InodeNumber{parent}, name = std::string(name),
       mode](const CallContext& call) -> Result<Attributes> {
        if (VirtualNodes::is_fixed(parent, name)) return fail(ErrorCode::kReadOnly, "virtual node");
        return shell.volume.mkdir(call, parent, name, mode & 07777);
      },
      answer_entry);
}

// `FILE@@` is seen by programs but is nobody's to remove.
Result<void> explain_virtual(Result<void> result, InodeNumber parent, const std::string& name) {
  if (!result && result.error().code == ErrorCode::kNotFound &&
      VirtualNodes::may_be_virtual(parent, name)) {
    return fail(ErrorCode::kReadOnly, "virtual node");
  }
  return result;
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  run(
      req, RequestFamily::kNames, "unlink",
      [&shell = Shell::of(req), parent = InodeNumber{parent},
       name = std::string(name)](const CallContext& call) -> Result<void> {
        if (VirtualNodes::is_fixed(parent, name)) return fail(ErrorCode::kReadOnly, "virtual node");
        return explain_virtual(shell.volume.unlink(call, parent, name), parent, name);
      },
      answer_ok);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
  run(
      req, RequestFamily::kNames, "rmdir",
      [&shell = Shell::of(req), parent = InodeNumber{parent},
       name = std::string(name)](const CallContext& call) -> Result<void> {
        if (VirtualNodes::is_fixed(parent, name)) return fail(ErrorCode::kReadOnly, "virtual node");
        return explain_virtual(shell.volume.rmdir(call, parent, name), parent, name);
      },
      answer_ok);
}

}  // namespace

void add_dir_ops(fuse_lowlevel_ops& ops) {
  ops.opendir = op_opendir;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  ops.releasedir = op_releasedir;
  ops.fsyncdir = op_fsyncdir;
  ops.mkdir = op_mkdir;
  ops.unlink = op_unlink;
  ops.rmdir = op_rmdir;
}

}  // namespace cabinetfs
