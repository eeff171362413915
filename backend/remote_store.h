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

  // Fixed for the life of the store after the first successful account().
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
  virtual Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                             std::uint64_t size) = 0;
  // Sends chunk number `session.next_chunk` (0 first), which must be exactly min(chunk_size, size -
  // offset) bytes, and moves the session on. The result holds the entry after the last one. A chunk
  // answer that was lost: ask upload_resume().
  virtual Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call,
                                                          UploadSession& session, Bytes chunk) = 0;
  // Where the server stands. kNotFound: finished or expired; the caller looks at the file.
  virtual Result<UploadSession> upload_resume(const CallContext& call,
                                              const UploadSession& session) = 0;
  virtual Result<void> upload_abort(const CallContext& call, const UploadSession& session) = 0;

  // Versions, newest first. What the vendor does not have is kNotSupported (the base class says so
  // for all that follow).
  virtual Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                                      const RemoteId& file);
  virtual Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                                      const VersionId& version);
  virtual Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file);
  virtual Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                                     const std::string& comment);
  virtual Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                            const RemoteId& id);
  virtual Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& who, AccessLevel level);
  virtual Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& who);
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
};

}  // namespace cabinetfs
