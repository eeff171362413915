#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/remote_store.h"
#include "backend/webdav/api.h"
#include "backend/webdav/config.h"
#include "backend/webdav/listing_memory.h"
#include "backend/webdav/lock_keeper.h"

namespace cabinetfs {

// What a server knows beyond WebDAV; all optional, called from any thread.
struct WebDavHooks {
  // Whether the folder has entries, by another way than PROPFIND; nullopt: no idea. Asked when a
  // listing is empty that was not, and before a folder is removed. That it has none is believed as
  // little as an empty listing; a server with such a hook is one whose listings are doubted.
  std::function<std::optional<bool>(const CallContext&, const RemoteId& folder)> has_entries;
  // Names that are not shown.
  std::function<bool(const std::string& name)> is_hidden;
};

// A collection on a WebDAV server and what lies below it. Made by make_webdav_store(), or by a
// vendor's store on top of it. Thread safe.
//
// - Ids are paths: they change with renames, and an id stands for whatever has that path. A path
//   whose file has become a folder (or the other way round) is kNotFound for its old kind.
// - A 404 counts as "gone" only while the root of the store answers; else it is kUnavailable.
// - Conditions (If-Match, If-None-Match) are always sent where an ETag allows them, and never
//   relied upon: the client looks before each change too. Between look and change remains a moment
//   on servers that ignore conditions.
class WebDavStore final : public RemoteStore {
 public:
  // `http` outlives this.
  WebDavStore(HttpClient& http, webdav::DavPaths paths, const WebDavConfig& config,
              WebDavHooks hooks = {});
  ~WebDavStore() override;

  const Capabilities& capabilities() const override;
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<RemoteEntry> root(const CallContext& call) override;
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override;
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override;
  // A server that ignores ranges sends the whole content each time: what stands before the wanted
  // part is thrown away (ReadRequest::part_only: it is not received), what follows is not waited
  // for. The first such answer makes capabilities().ranges false.
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override;
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override;
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override;
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override;
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                const RemoteId& new_parent, const std::string& name) override;
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override;
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override;
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override;
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override;
  Result<Quota> quota(const CallContext& call) override;
  RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const override;

  // For stores on top, which change things by other ways too: this was removed, or went elsewhere.
  void forget(const RemoteId& id);
  // kNotEmpty unless a fresh listing says that nothing is in the folder; where there is a hook,
  // three of them with pauses between, and the hook says nothing else.
  Result<void> check_empty(const CallContext& call, const RemoteId& folder);

 private:
  using Listing = std::vector<RemoteEntry>;

  // client.cc
  webdav::Wanted wanted() const;
  RemoteEntry entry_of(const webdav::DavApi::Found& found) const;
  // What has this path now, whatever it is; nullopt: nothing (not confirmed, see gone()).
  // `strong_etag`: as If-Match wants it, empty where there is none.
  struct Seen {
    RemoteEntry entry;
    std::string strong_etag;
  };
  Result<std::optional<Seen>> see(const CallContext& call, const RemoteId& id, NodeKind guess);
  Result<std::optional<RemoteEntry>> look(const CallContext& call, const RemoteId& id,
                                          NodeKind guess = NodeKind::kFile);
  // kNotFound about `id` when the root answers, else why it does not.
  Error gone(const CallContext& call, const std::string& what);
  Result<void> learn_size(const CallContext& call, RemoteEntry& entry);

  // client_listing.cc
  Result<Listing> list_once(const CallContext& call, const RemoteId& folder);
  Result<Listing> list_again(const CallContext& call, const RemoteId& folder);

  // client_content.cc
  Result<void> read_range(const CallContext& call, const ReadRequest& request,
                          std::uint64_t& delivered, const ByteSink& sink);
  Result<void> get(const CallContext& call, const ReadRequest& request, const ByteSink& sink);
  // How what the server holds relates to our content.
  enum class Match { kSame, kBeginning, kOther };
  Result<Match> compare(const CallContext& call, const RemoteEntry& theirs,
                        const ContentSource& ours);

  // client_upload.cc
  struct Upload;
  Result<RemoteEntry> upload(const CallContext& call, const UploadTarget& target,
                             const ContentSource& content);
  Result<void> prepare(const CallContext& call, const UploadTarget& target, Upload& upload);
  Result<std::optional<RemoteEntry>> attempt(const CallContext& call, Upload& upload);
  Result<HttpResponse> send_put(const CallContext& call, const Upload& upload);
  Result<RemoteEntry> confirm(const CallContext& call, const Upload& upload,
                              const HttpResponse& response);
  Result<std::optional<RemoteEntry>> after_loss(const CallContext& call, Upload& upload,
                                                const Error& lost);
  Error refusal(const HttpResponse& response, const Upload& upload) const;
  void remember_broken(const RemoteId& id, std::uint64_t size) EXCLUDES(mutex_);
  bool is_broken(const RemoteId& id, std::uint64_t at_most) const EXCLUDES(mutex_);
  void forget_broken(const RemoteId& id) EXCLUDES(mutex_);

  // client_change.cc
  Result<RemoteEntry> relocate(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const RemoteId& to);
  Result<RemoteEntry> made(const CallContext& call, NodeKind kind, const RemoteId& id);
  Result<void> check_partial(const HttpResponse& response, const RemoteId& id);
  // False: there are none to send.
  bool add_lock_tokens(const RemoteId& id, HttpHeaders& headers) const;
  // DELETE of a folder that is empty now, and again before each repetition.
  Result<HttpResponse> delete_empty(const CallContext& call, webdav::DavRequest request);
  // A change of an object, with our locks in it.
  Result<HttpResponse> send_with_locks(const CallContext& call, webdav::DavRequest request);

  // client_lock.cc
  Result<void> adopt_lock(const CallContext& call, const RemoteId& file);
  // Asks for each lock of ours within the id; false: none had ended.
  bool drop_ended_locks(const CallContext& call, const RemoteId& id);
  Result<void> refresh_lock(const CallContext& call, const RemoteId& file,
                            const std::string& token);

  // Constants
  const WebDavConfig config_;
  const std::string lock_owner_;
  const WebDavHooks hooks_;
  const webdav::DavApi api_;

  // Thread safe by themselves
  webdav::ListingMemory memory_;
  std::atomic<bool> own_cloud_{false};
  std::atomic<bool> class_two_{false};
  std::atomic<bool> ranges_ignored_{false};
  // ETags in headers agree with those in properties: unknown until seen.
  std::atomic<bool> get_etags_differ_{false};
  std::atomic<bool> put_etags_agree_{false};
  const RangedCapabilities first_capabilities_;
  std::atomic<const RangedCapabilities*> capabilities_;

  // Mutable state
  mutable Mutex mutex_;
  std::unique_ptr<const RangedCapabilities> full_capabilities_ GUARDED_BY(mutex_);
  // Uploads that we gave up without knowing what arrived: path and size.
  std::unordered_map<std::string, std::uint64_t> broken_ GUARDED_BY(mutex_);

  // Last, so that its thread ends before what it uses.
  webdav::LockKeeper locks_;
};

}  // namespace cabinetfs
