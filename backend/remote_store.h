#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/base/text.h"
#include "backend/remote_types.h"

namespace cabinetfs {

// Numbers for documents that the whole tenant draws from. next() uses a number up, so nothing but
// an explicit command calls these. Threads and errors as in RemoteStore.
class NumberSequences {
 public:
  struct Sequence {
    std::string name, prefix;
    bool locked = false;
  };
  virtual ~NumberSequences() = default;
  virtual Result<std::vector<Sequence>> list(const CallContext& call) = 0;
  virtual Result<void> create(const CallContext& call, const std::string& name,
                              const std::string& prefix, std::uint64_t first) = 0;
  struct Next {
    std::string name;
    bool lock = false;  // nobody gets another one until release()
    std::string replacement_prefix;
    std::optional<std::uint64_t> replacement_number;
  };
  // The number with its prefix.
  virtual Result<std::string> next(const CallContext& call, const Next& request) = 0;
  virtual Result<std::string> current(const CallContext& call, const std::string& name) = 0;
  virtual Result<void> release(const CallContext& call, const Next& request) = 0;
  virtual Result<void> remove(const CallContext& call, const std::string& name) = 0;
};

// One account at one vendor: the only thing that the layers above know of the network.
//
// Threads: every call blocks, may be made from any thread, many at a time, and ends at its deadline
// or when cancelled (kTimeout, kCancelled). The implementation retries what may be retried; a call
// that returns an error has been given up.
//
// Errors: kNotFound only where the server positively says "gone". A mutation that fails with
// `kUnavailable` or `kTimeout` MAY HAVE HAPPENED: the caller looks before it repeats. Any other
// error of a mutation means that nothing changed.
//
// Names are the server's spelling, compared as `capabilities().names` says. Sizes and offsets are
// bytes.
class RemoteStore {
 public:
  virtual ~RemoteStore() = default;

  // Fixed for the life of the store after the first successful account(), except what the server
  // turns out not to have: `ranges`, or a call. That goes off, for good. What was returned before
  // stays valid.
  virtual const Capabilities& capabilities() const = 0;

  virtual Result<RemoteAccount> account(const CallContext& call) = 0;
  // The folder that stands at the mount root.
  virtual Result<RemoteEntry> root(const CallContext& call) = 0;
  // All live children of a folder, each id once, in no order. Complete, or an error.
  virtual Result<std::vector<RemoteEntry>> list(const CallContext& call,
                                                const RemoteId& folder) = 0;
  virtual Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) = 0;
  // The live child of that name (compared as the server compares), nullopt when there is none.
  virtual Result<std::optional<RemoteEntry>> find_child(const CallContext& call,
                                                        const RemoteId& folder,
                                                        const std::string& name) = 0;

  // Delivers exactly [offset, offset+length) of the content in order through `sink`; `version`
  // empty = current. The sink runs on an engine thread, must not block for long, and false from it
  // aborts (kCancelled). Never asks beyond the size: the caller clips. A short or misplaced answer
  // is kCorrupt; what has been delivered by then must be discarded by the caller.
  using ByteSink = std::function<bool(Bytes)>;
  virtual Result<void> read(const CallContext& call, const ReadRequest& request,
                            const ByteSink& sink) = 0;
  // Whole small files in one request, in any order; capabilities().bulk_read_max files at most.
  // `on_file` gets each file that came intact; files that did not come are simply missing (the
  // caller reads them one by one).
  virtual Result<void> read_many(
      const CallContext& call, const std::vector<RemoteEntry>& files,
      const std::function<void(const RemoteId&, std::string content)>& on_file);

  virtual Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                            const std::string& name) = 0;
  // kExists when the name is taken.
  virtual Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                                     const std::string& name) = 0;
  virtual Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                                   const RemoteId& new_parent) = 0;
  // Soft delete. A folder is removed only when the server shows it empty (kNotEmpty). Gone already
  // is success.
  virtual Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) = 0;
  // Many files of one account in as few requests as the vendor allows; one result for each id, same
  // order.
  virtual std::vector<Result<void>> remove_files(const CallContext& call,
                                                 const std::vector<RemoteId>& ids);
  // Server-side copy of a file's current version.
  virtual Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                        const RemoteId& new_parent, const std::string& name);

  // Uploads. A small content (at most capabilities().put_max bytes) goes with put(), atomically; a
  // larger one through a session. Target with `file` set: a new version of that file. Else: a new
  // file `name` in `parent`, kExists when the name is taken (exclusive where the vendor can; where
  // it can't, the implementation looks just before it sends). put() and the last chunk return the
  // entry as the server now has it.
  virtual Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                                  Bytes content) = 0;
  // The same for a content of any size, in one request that cannot be resumed; instead of sessions
  // where capabilities().stream_put says so. kNotSupported from the base class, as for all calls of
  // sessions where there are none.
  virtual Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                         const ContentSource& content);
  virtual Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                             std::uint64_t size);
  // Sends chunk number `session.next_chunk` (0 first), which must be exactly min(chunk_size, size -
  // offset) bytes, and moves the session on. The result holds the entry after the last one. A chunk
  // answer that was lost: ask upload_resume().
  virtual Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call,
                                                          UploadSession& session, Bytes chunk);
  // Where the server stands. kNotFound: finished or expired; the caller looks at the file.
  virtual Result<UploadSession> upload_resume(const CallContext& call,
                                              const UploadSession& session);
  virtual Result<void> upload_abort(const CallContext& call, const UploadSession& session);

  // Versions, newest first. What the vendor does not have is kNotSupported (the base class says so
  // for all that follow).
  virtual Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                                      const RemoteId& file);
  virtual Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                                      const VersionId& version);
  virtual Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file);
  virtual Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                                     const std::string& comment);
  // Gives the lock up and throws away what it was taken for, also somebody else's where the account
  // may. The base class: unlock() without a comment.
  virtual Result<RemoteEntry> discard_lock(const CallContext& call, const RemoteId& file);
  // Several at once, in as few requests as the vendor has; one result for each, same order.
  virtual std::vector<Result<RemoteEntry>> lock_files(const CallContext& call,
                                                      const std::vector<RemoteId>& files);
  virtual std::vector<Result<RemoteEntry>> unlock_files(const CallContext& call,
                                                        const std::vector<RemoteId>& files,
                                                        const std::string& comment);
  // kNoData: nothing is known of them. `who` is an address, or the vendor's own id of a person.
  // The base class looks it up in permissions().
  virtual Result<RemotePermission> permission_of(const CallContext& call, NodeKind kind,
                                                 const RemoteId& id, const std::string& who);
  virtual Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                            const RemoteId& id);
  virtual Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& who, AccessLevel level);
  virtual Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& who);
  // One level for several people on several objects, in as few requests as the vendor has; one
  // result for each object, same order.
  virtual std::vector<Result<void>> share_many(const CallContext& call,
                                               const std::vector<RemoteObject>& objects,
                                               const std::vector<std::string>& who,
                                               AccessLevel level);
  // Takes everybody's access away, also this account's.
  virtual Result<void> unshare_all(const CallContext& call, NodeKind kind, const RemoteId& id);
  // Newest first.
  virtual Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                                   const RemoteId& id);
  virtual Result<void> set_description(const CallContext& call, NodeKind kind, const RemoteId& id,
                                       const std::string& text);
  virtual Result<Quota> quota(const CallContext& call);
  // What changed since `cursor` (empty = "from now on": returns no changes and a cursor). A hint,
  // not a truth: ids to look at.
  virtual Result<ChangeSet> changes(const CallContext& call, const std::string& cursor);
  virtual Result<void> send_mail(const CallContext& call, const Mail& mail);

  // Counters that number documents for the whole tenant; nullptr where there are none.
  virtual NumberSequences* sequences() { return nullptr; }

  // The id that an object has after a folder above it, or it itself, went from one id to another. A
  // pure function; only where capabilities().ids_follow_path.
  virtual RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const;
};

}  // namespace cabinetfs
