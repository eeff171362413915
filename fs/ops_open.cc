#include <fcntl.h>
#include <sys/stat.h>

#include "fs/fuse_internal.h"

// Handles of files: open, create, flush, fsync, release.
namespace cabinetfs {
namespace {

OpenFlags to_open_flags(int flags) {
  OpenFlags out;
  const int access = flags & O_ACCMODE;
  out.read = access != O_WRONLY;
  out.write = access != O_RDONLY;
  out.truncate = (flags & O_TRUNC) != 0;
  return out;
}

fuse_file_info to_info(Shell& shell, int flags, FileHandle handle, bool direct) {
  fuse_file_info info{};
  info.flags = flags;
  info.direct_io = direct;
  info.keep_cache = handle.file != nullptr && handle.file->keep_cache();
  // A reader has nothing to commit at close: spares the request.
  info.noflush = (flags & O_ACCMODE) == O_RDONLY;
  info.fh = shell.handles.add(std::move(handle));
  return info;
}

Result<VirtualNodes::Opened> open_virtual(Shell& shell, const CallContext& call, InodeNumber ino,
                                          OpenFlags flags) {
  if (flags.write || flags.truncate) return fail(ErrorCode::kReadOnly, "virtual node");
  return shell.virtual_nodes.open(call, ino);
}

// What is appended directly goes where the kernel believes the end to be. Where that may be the end
// of another version it is told first: ESTALE makes it look the name up again, and open once more.
Result<std::shared_ptr<OpenFile>> open_to_append_directly(Shell& shell, const CallContext& call,
                                                          InodeNumber ino, OpenFlags flags) {
  TRY_ASSIGN(std::shared_ptr<OpenFile> file, shell.volume.open_file(call, ino, flags));
  if (file->keep_cache() || shell.was_told_stale(ino)) return file;
  shell.tell_stale(ino);
  shell.volume.release(std::move(file));
  return fail(ErrorCode::kStale, "another version than the kernel knows");
}

void op_open(fuse_req_t req, fuse_ino_t number, fuse_file_info* in) {
  const InodeNumber ino{number};
  const OpenFlags flags = to_open_flags(in->flags);
  if (VirtualNodes::contains(ino)) {
    return run(
        req, RequestFamily::kNames, "open",
        [&shell = Shell::of(req), ino, flags](const CallContext& call) {
          return open_virtual(shell, call, ino, flags);
        },
        [in_flags = in->flags](FuseRequest& request, VirtualNodes::Opened opened) {
          Shell& shell = request.shell();
          const fuse_file_info info =
              to_info(shell, in_flags, {nullptr, std::move(opened.content)}, opened.direct);
          if (!request.opened(info)) shell.handles.remove_file(info.fh);
        });
  }
  run(
      req, RequestFamily::kNames, "open",
      [&shell = Shell::of(req), ino, flags, in_flags = in->flags](const CallContext& call) {
        constexpr int kDirectAppend = O_APPEND | O_DIRECT;
        const bool direct = (in_flags & kDirectAppend) == kDirectAppend && !flags.truncate;
        return direct && flags.write ? open_to_append_directly(shell, call, ino, flags)
                                     : shell.volume.open_file(call, ino, flags);
      },
      [in_flags = in->flags, ino](FuseRequest& request, std::shared_ptr<OpenFile> file) {
        Shell& shell = request.shell();
        fuse_file_info info = to_info(shell, in_flags, {std::move(file), nullptr}, false);
        // The open before this one was told of the version, and kept its pages.
        if (shell.was_told_stale(ino)) info.keep_cache = false;
        // Another version than the kernel knows: its size must be known before the first read, and
        // the notification of the change may still be on its way.
        if (!info.keep_cache) shell.drop_attributes(ino);
        // A program that was killed meanwhile never sends the release.
        if (!request.opened(info)) shell.handles.remove_file(info.fh);
      });
}

Result<Volume::Created> create_file(Shell& shell, const CallContext& call, InodeNumber parent,
                                    const std::string& name, std::uint32_t mode, int flags) {
  if (VirtualNodes::contains(parent)) return fail(ErrorCode::kReadOnly, "virtual directory");
  if (parent == kRootInode && name == VirtualNodes::kControlDirectory) {
    return fail(ErrorCode::kExists, name);
  }
  return shell.volume.create(call, parent, name, mode & 07777, to_open_flags(flags),
                             (flags & O_EXCL) != 0);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode,
               fuse_file_info* in) {
  run(
      req, RequestFamily::kNames, "create",
      [&shell = Shell::of(req), parent = InodeNumber{parent}, name = std::string(name), mode,
       flags = in->flags](const CallContext& call) {
        return create_file(shell, call, parent, name, mode, flags);
      },
      [flags = in->flags](FuseRequest& request, Volume::Created created) {
        Shell& shell = request.shell();
        const fuse_file_info info =
            to_info(shell, flags, {std::move(created.file), nullptr}, false);
        shell.remember(created.attributes.ino);
        if (request.created(created.attributes, info)) return;
        shell.forget(created.attributes.ino, 1);
        shell.handles.remove_file(info.fh);
      });
}

// A regular file only; what else mknod makes has no place on a server.
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t /*device*/) {
  run(
      req, RequestFamily::kNames, "mknod",
      [&shell = Shell::of(req), parent = InodeNumber{parent}, name = std::string(name),
       mode](const CallContext& call) -> Result<Attributes> {
        if (!S_ISREG(mode)) return fail(ErrorCode::kNotPermitted, "mknod of a special file");
        TRY_ASSIGN(Volume::Created created,
                   create_file(shell, call, parent, name, mode, O_WRONLY | O_EXCL));
        auto flushed = shell.volume.flush(call, *created.file);
        shell.volume.release(std::move(created.file));
        // With may_block false the file is there and safe; a wait for the server (sync = remote)
        // cannot be repeated here without making it twice.
        if (!flushed && flushed.error().code != ErrorCode::kWouldBlock) {
          return fail(flushed.error());
        }
        return created.attributes;
      },
      answer_entry);
}

void op_flush(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* info) {
  run(
      req, RequestFamily::kData, "flush",
      [&shell = Shell::of(req),
       file = OpenHandles::file(info->fh).file](const CallContext& call) -> Result<void> {
        if (!file) return {};
        return shell.volume.flush(call, *file);
      },
      answer_ok);
}

// Waits for the disk at least.
void op_fsync(fuse_req_t req, fuse_ino_t /*ino*/, int /*datasync*/, fuse_file_info* info) {
  run_waiting(
      req, RequestFamily::kSync, "fsync",
      [&shell = Shell::of(req),
       file = OpenHandles::file(info->fh).file](const CallContext& call) -> Result<void> {
        if (!file) return {};
        return shell.volume.fsync(call, *file);
      },
      answer_ok);
}

void op_release(fuse_req_t req, fuse_ino_t /*ino*/, fuse_file_info* info) {
  Shell::of(req).handles.remove_file(info->fh);
  fuse_reply_err(req, 0);
}

}  // namespace

void add_open_ops(fuse_lowlevel_ops& ops) {
  ops.open = op_open;
  ops.create = op_create;
  ops.mknod = op_mknod;
  ops.flush = op_flush;
  ops.fsync = op_fsync;
  ops.release = op_release;
}

}  // namespace cabinetfs
