#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/kiteworks/api.h"
#include "backend/kiteworks/config.h"
#include "backend/kiteworks/pages.h"
#include "backend/kiteworks/validators.h"
#include "backend/kiteworks/wire.h"
#include "backend/remote_store.h"

namespace cabinetfs {

// A Kiteworks account, API version 28. Made by make_kiteworks_store().
//
// stat() and the server's ambiguous 403: an unknown id is answered like a forbidden one. Where the
// folder of the id is remembered (from listings and answers, the last 8,192 ids), its complete
// listing decides: not in it is kNotFound, in it is kDenied. Where it is not remembered, the answer
// is kDenied, and the caller lists the folder itself. The same holds for all other calls by id.
//
// What remains uncertain, since the vendor has no conditional requests:
// - A new file by session onto a name that somebody takes between our look and the last chunk
//   becomes a version of that file. It is noticed then, the other's version is promoted again, ours
//   stays in the history below it, and the caller hears kExists.
// - A new version by session looks at the file before the last chunk. What others save between the
//   look and that chunk becomes the version below ours; so it does with put(), which does not look.
// - rmdir looks first, and a file created between the look and the removal goes to the trash with
//   the folder.
class KiteworksStore final : public RemoteStore {
 public:
  // `base_url` without a slash at the end. `http` outlives this.
  KiteworksStore(HttpClient& http, const KiteworksConfig& config, const std::string& base_url);

  const Capabilities& capabilities() const override;
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<RemoteEntry> root(const CallContext& call) override;
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override;
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override;
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override;
  Result<void> read_many(
      const CallContext& call, const std::vector<RemoteEntry>& files,
      const std::function<void(const RemoteId&, std::string content)>& on_file) override;
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override;
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override;
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override;
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  std::vector<Result<void>> remove_files(const CallContext& call,
                                         const std::vector<RemoteId>& ids) override;
  Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                const RemoteId& new_parent, const std::string& name) override;
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override;
  Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                     std::uint64_t size) override;
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call, UploadSession& session,
                                                  Bytes chunk) override;
  Result<UploadSession> upload_resume(const CallContext& call,
                                      const UploadSession& session) override;
  Result<void> upload_abort(const CallContext& call, const UploadSession& session) override;
  Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                              const RemoteId& file) override;
  Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                              const VersionId& version) override;
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override;
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override;
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override;
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override;
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override;
  Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) override;
  // Folders only: files have no description that could be set.
  Result<void> set_description(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& text) override;
  Result<Quota> quota(const CallContext& call) override;
  Result<ChangeSet> changes(const CallContext& call, const std::string& cursor) override;
  Result<void> send_mail(const CallContext& call, const Mail& mail) override;

 private:
  using Account = std::shared_ptr<const kiteworks::WireAccount>;
  using Nodes = std::vector<kiteworks::WireNode>;
  // Where a node came from; see ValidatorPolicy. kNewFile: the server has refused to make a version
  // of it.
  enum class Origin { kListing, kAnswer, kNewFile };

  // client.cc
  Result<Account> need_account(const CallContext& call) EXCLUDES(mutex_);
  // Whether such an id stands as a number in what we send; asks the account only where it may.
  Result<bool> sent_as_number(const CallContext& call, const std::string& id);
  Result<RemoteEntry> finish(const CallContext& call, kiteworks::WireNode node, Origin origin);
  RemoteEntry decorate(const kiteworks::WireAccount& account, kiteworks::WireNode node,
                       std::uint32_t count_mark);
  Result<kiteworks::WireNode> fetch_node(const CallContext& call, NodeKind kind,
                                         const RemoteId& id);
  // The entity of a 2xx answer to a change, however the server tells it: in the body, in a location
  // header, or not at all (then it is fetched). What the server says of a part that failed counts;
  // where the object cannot be looked at, it is kUnavailable.
  Result<RemoteEntry> entity(const CallContext& call, const HttpResponse& response, NodeKind kind,
                             const RemoteId& id);
  // What a failure about this object means, the parent's listing consulted where it is ambiguous.
  // `depth`: how many folders up we are already; parents are told by the server and might go round.
  Error explain(const CallContext& call, const RemoteId& id, const kiteworks::ApiFailure& failure,
                int depth = 0);
  // The same for something new in the folder `parent`.
  Error explain_create(const CallContext& call, const RemoteId& parent,
                       const kiteworks::ApiFailure& failure);
  bool is_root(const RemoteId& id) const;

  void remember_parent(const RemoteId& id, const RemoteId& parent) EXCLUDES(mutex_);
  RemoteId remembered_parent(const RemoteId& id) const EXCLUDES(mutex_);

  // client_listing.cc
  Result<Nodes> list_nodes(const CallContext& call, const RemoteId& folder, int depth = 0);
  Result<Nodes> list_path(const CallContext& call, const std::string& path,
                          const kiteworks::Query& query, const std::string& label,
                          kiteworks::PageMemory& paging, const RemoteId& folder, int depth = 0);
  Result<Nodes> list_root(const CallContext& call);
  Result<std::optional<kiteworks::WireNode>> find_node(const CallContext& call,
                                                       const RemoteId& folder,
                                                       const std::string& name);
  // The same out of the whole listing.
  Result<std::optional<kiteworks::WireNode>> find_listed(const CallContext& call,
                                                         const RemoteId& folder,
                                                         const std::string& name);

  // client_change.cc
  Result<bool> is_empty(const CallContext& call, const RemoteId& folder);

  // client_content.cc
  Result<void> read_range(const CallContext& call, const ReadRequest& request,
                          std::uint64_t& delivered, const ByteSink& sink);

  // client_upload.cc
  Result<std::string> upload_name(const CallContext& call, const UploadTarget& target);
  Result<kiteworks::WireUpload> open_upload(const CallContext& call, const std::string& path,
                                            const std::string& label, const std::string& name,
                                            std::uint64_t size, std::uint64_t chunk_size,
                                            WallTime modified, bool fresh);
  // `last`: this is the last one, of so many bytes in all.
  kiteworks::ApiResult<HttpResponse> send_chunk(const CallContext& call, const std::string& path,
                                                std::uint64_t index,
                                                std::optional<std::uint64_t> last,
                                                Bytes chunk) const;
  // Whether `file` still holds what `before` says; kConflict, and the session is gone, if not.
  Result<void> check_unchanged(const CallContext& call, const UploadSession& session);
  Result<RemoteEntry> finish_upload(const CallContext& call, const UploadSession& session,
                                    const HttpResponse& response);
  // All chunks are there, and the server has not said for too long that it is done.
  bool may_still_finish(const UploadSession& session) EXCLUDES(mutex_);
  Result<RemoteEntry> uploaded(const CallContext& call, const UploadTarget& target,
                               const HttpResponse& response, Origin origin);

  // client_versions.cc
  Result<std::vector<kiteworks::WireVersion>> fetch_versions(const CallContext& call,
                                                             const RemoteId& file);
  // `size`: of what is copied.
  Result<void> post_promote(const CallContext& call, const RemoteId& file, const VersionId& version,
                            std::uint64_t size);
  Result<RemoteEntry> set_lock(const CallContext& call, const RemoteId& file, bool locked);

  // client_sharing.cc
  Result<std::string> role_id(const CallContext& call, NodeKind kind, AccessLevel level)
      EXCLUDES(mutex_);
  Result<std::vector<kiteworks::WireRole>> need_roles(const CallContext& call, NodeKind kind)
      EXCLUDES(mutex_);
  Result<std::vector<kiteworks::WireMember>> fetch_members(const CallContext& call, NodeKind kind,
                                                           const RemoteId& id);

  // client_mail.cc
  Result<std::string> attach(const CallContext& call, const std::string& mail,
                             const Mail::Attachment& attachment);
  // Completes the draft, and sends it unless it is to stay one.
  Result<void> put_mail(const CallContext& call, const std::string& id,
                        const std::vector<std::string>& files, bool draft);
  // Not under the caller's deadline, which may be why.
  void drop_mail(const std::string& id);

  // Constants
  const KiteworksConfig config_;
  const kiteworks::Api api_;

  // Thread safe by themselves
  // One for each endpoint: what is proven of one says nothing of another.
  struct {
    kiteworks::PageMemory top, shared, children, versions, file_members, folder_members;
  } paging_;
  kiteworks::ValidatorPolicy validators_;
  // Before and after the first account(): the second one is written once, then only read.
  Capabilities first_capabilities_;
  std::atomic<const Capabilities*> capabilities_;
  std::atomic<bool> my_folder_hidden_{false};

  // Mutable state
  mutable Mutex mutex_;
  std::unique_ptr<const Capabilities> full_capabilities_ GUARDED_BY(mutex_);
  Account account_ GUARDED_BY(mutex_);
  // Sessions that had all their chunks, since when.
  std::map<std::string, SteadyTime> complete_since_ GUARDED_BY(mutex_);
  std::vector<kiteworks::WireRole> folder_roles_ GUARDED_BY(mutex_);
  std::vector<kiteworks::WireRole> file_roles_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, RemoteId> parents_ GUARDED_BY(mutex_);
  std::deque<std::string> parent_order_ GUARDED_BY(mutex_);  // oldest first
};

}  // namespace cabinetfs
