#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/kenesto/access_urls.h"
#include "backend/kenesto/api.h"
#include "backend/kenesto/config.h"
#include "backend/kenesto/known_objects.h"
#include "backend/kenesto/listings.h"
#include "backend/kenesto/sequences.h"
#include "backend/kenesto/session.h"
#include "backend/kenesto/wire.h"
#include "backend/remote_store.h"

namespace cabinetfs {

// A Kenesto account. Made by make_kenesto_store(). README.md has the vendor's facts and what was
// decided where it says nothing.
//
// The vendor has no call that tells an object by its id. stat() and everything that must look first
// list the object's folder, which is remembered from listings; an unknown id costs a walk through
// the account, once. An object that is not in its folder's complete listing is gone (kNotFound),
// also when somebody moved it in the vendor's web pages: it then appears in another folder's
// listing under the same id.
//
// There are no conditional requests. What remains uncertain:
// - a version that somebody adds between our last look and the completion of an upload is below
//   ours in the history, unseen;
// - a new file whose name somebody takes in that moment is a second one of that name;
// - rmdir looks first, and a file created in between goes with the folder.
class KenestoStore final : public RemoteStore {
 public:
  // `base` as service_base() makes it. `http` and `session` outlive this.
  KenestoStore(HttpClient& http, KenestoSession& session, const KenestoConfig& config,
               const std::string& base, const Clock& clock);

  const Capabilities& capabilities() const override;
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<RemoteEntry> root(const CallContext& call) override;
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override;
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override;
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override;
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override;
  // kCrossDevice: not with this server, or the extension of a document would change.
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override;
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override;
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override;
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override;
  Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                              const RemoteId& file) override;
  Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                              const VersionId& version) override;
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override;
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override;
  Result<RemoteEntry> discard_lock(const CallContext& call, const RemoteId& file) override;
  std::vector<Result<RemoteEntry>> lock_files(const CallContext& call,
                                              const std::vector<RemoteId>& files) override;
  std::vector<Result<RemoteEntry>> unlock_files(const CallContext& call,
                                                const std::vector<RemoteId>& files,
                                                const std::string& comment) override;
  // The vendor lists nobody's permissions: what this account may do, where the server tells it.
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override;
  // `who`: a participant's GUID, or this account's own address.
  Result<RemotePermission> permission_of(const CallContext& call, NodeKind kind, const RemoteId& id,
                                         const std::string& who) override;
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override;
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override;
  std::vector<Result<void>> share_many(const CallContext& call,
                                       const std::vector<RemoteObject>& objects,
                                       const std::vector<std::string>& who,
                                       AccessLevel level) override;
  Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) override;
  Result<Quota> quota(const CallContext& call) override;
  NumberSequences* sequences() override { return &sequences_; }

 private:
  using Items = std::vector<kenesto::WireItem>;
  using Versions = std::vector<RemoteVersion>;

  // client.cc
  bool is_root(const RemoteId& id) const;
  bool has_object_info() const { return object_info_.load(); }
  Result<kenesto::WireObjectInfo> fetch_object_info(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id);
  Result<std::uint64_t> fetch_used_space(const CallContext& call);
  // Whether the server has both calls that rename; asked in a way that names nothing.
  Result<bool> has_rename(const CallContext& call);
  // Whether a call that was answered by "no such address" is missing, and not the whole service.
  bool is_missing(const CallContext& call, const kenesto::ApiFailure& failure);
  // The server lacks what renames: nobody is told from now on that it can.
  void give_up_rename() EXCLUDES(mutex_);
  // What a failure about this object means: gone when its folder's listing lacks it, kBusy when it
  // shows somebody's check-out.
  Error explain(const CallContext& call, NodeKind kind, const RemoteId& id,
                const kenesto::ApiFailure& failure, int depth = 0);
  // Waits before another look; false: the deadline has passed or the caller gave up.
  bool pause(const CallContext& call, std::chrono::milliseconds span) const;
  // Looks after a change that a server may finish in the background, ever more rarely.
  class Settling {
   public:
    Settling(const KenestoStore& store, std::uint64_t bytes);
    // Waits; false: there is to be no other look.
    bool again(const CallContext& call);

   private:
    const KenestoStore& store_;
    std::chrono::milliseconds span_;
    std::chrono::milliseconds left_;
  };

  // client_listing.cc
  kenesto::ApiResult<kenesto::WirePage> fetch_page(const CallContext& call, const RemoteId& folder,
                                                   std::uint64_t number);
  kenesto::ApiResult<Items> fetch_all(const CallContext& call, const RemoteId& folder);
  // As the server lists it now, also what it is removing.
  Result<kenesto::ListingPtr> fetch_listing(const CallContext& call, const RemoteId& folder,
                                            int depth, SteadyTime since = SteadyTime::max());
  // A complete listing that begins now, or that has begun after `since`; ids are remembered.
  Result<Items> list_items(const CallContext& call, const RemoteId& folder, int depth = 0,
                           SteadyTime since = SteadyTime::max());
  Result<Items> finish_items(const CallContext& call, const RemoteId& folder,
                             const kenesto::Listing& listing, int depth = 0);
  // Whether the folder is a vault; asked for, or searched, where no listing of this process has
  // told it (a mount of a folder below the root, begun again).
  Result<bool> is_vault(const CallContext& call, const RemoteId& folder, const Items& listed,
                        int depth);
  // For a look before something is sent, which what it guards against may follow all the same: the
  // listing of a moment ago, where there is one and nothing of ours has changed an object of that
  // name since. nullopt: list it.
  struct Look {
    Items items;
    SteadyTime begun{};  // when it was asked for
  };
  Result<std::optional<Look>> recent_look(const CallContext& call, const RemoteId& folder,
                                          const std::string& name);
  void finish_item(const RemoteId& folder, bool vault, kenesto::WireItem& item);
  // The folder of an id, which is searched for where it is not remembered.
  Result<RemoteId> folder_of(const CallContext& call, const RemoteId& id, int depth = 0);
  // The object in the listing of its folder, or kNotFound.
  Result<kenesto::WireItem> item_of(const Result<Items>& listed, const RemoteId& folder,
                                    NodeKind kind, const RemoteId& id);
  // Fresh, or kNotFound. `since` as in list_items().
  Result<kenesto::WireItem> fetch_item(const CallContext& call, NodeKind kind, const RemoteId& id,
                                       int depth = 0, SteadyTime since = SteadyTime::max());
  Result<std::uint64_t> fetch_count(const CallContext& call, const RemoteId& folder);

  // client_content.cc
  Result<VersionId> version_to_read(const CallContext& call, const ReadRequest& request);
  // The current version, or kConflict where it has another size.
  Result<kenesto::KnownObjects::Held> version_of_size(const CallContext& call,
                                                      const ReadRequest& request);
  // Whether the file had this mark at a moment after `told`, when `version` was told to be the
  // current one. `to_be_read`: its address is asked for meanwhile.
  Result<bool> still_marked(const CallContext& call, const RemoteId& file, std::uint64_t mark,
                            const VersionId& version, SteadyTime told, bool to_be_read);
  Result<std::string> access_url(const CallContext& call, const RemoteId& file,
                                 const VersionId& version);
  Result<void> read_range(const CallContext& call, const ReadRequest& request,
                          const VersionId& version, std::uint64_t& delivered, const ByteSink& sink);

  // client_upload.cc
  struct Source;
  struct Begun;
  Result<RemoteEntry> upload(const CallContext& call, const UploadTarget& target, Source& source);
  // The document that is going to get a version.
  Result<kenesto::WireItem> item_before(const CallContext& call, const UploadTarget& target);
  Result<RemoteEntry> upload_version(const CallContext& call, const UploadTarget& target,
                                     Source& source);
  Result<RemoteEntry> upload_new(const CallContext& call, const UploadTarget& target,
                                 Source& source);
  Result<Begun> send_content(const CallContext& call, const RemoteId& folder,
                             const std::string& name, const RemoteId& file, Source& source);
  kenesto::ApiResult<void> complete(const CallContext& call, const Begun& begun,
                                    const std::string& about);
  static Result<std::string> md5_of(Source& source);
  Result<std::optional<RemoteEntry>> find_unseen(const UploadTarget& target, const Items& items,
                                                 Source& source) EXCLUDES(mutex_);
  void remember_unseen(const RemoteId& folder, const std::string& folded, const Begun& begun)
      EXCLUDES(mutex_);
  void forget_unseen(const RemoteId& folder, const std::string& folded) EXCLUDES(mutex_);

  // client_versions.cc
  // `as_told`: a failure is not explained by the folder's listing, which may be what asks.
  Result<Versions> fetch_versions(const CallContext& call, const RemoteId& file,
                                  bool as_told = false);

  // client_locks.cc
  void know_holder(const kenesto::WireItem& item, bool ours);
  // Whether the check-out that the listing shows is this account's; asked for where it can be.
  bool held_by_us(const CallContext& call, const kenesto::WireItem& item);
  std::vector<Result<RemoteEntry>> change_locks(const CallContext& call,
                                                const std::vector<RemoteId>& files, bool hold,
                                                const std::string& comment);
  kenesto::ApiResult<kenesto::WireEnvelope> send_locks(const CallContext& call,
                                                       const std::vector<RemoteId>& files,
                                                       bool hold, const std::string& comment);

  // client_sharing.cc
  kenesto::ApiResult<kenesto::WireEnvelope> send_share(const CallContext& call,
                                                       const std::vector<RemoteObject>& objects,
                                                       const std::vector<std::string>& who,
                                                       AccessLevel level);
  Result<void> share_one(const CallContext& call, NodeKind kind, const RemoteId& id,
                         const std::string& who, AccessLevel level);

  // Dependencies
  KenestoSession& session_;
  const Clock& clock_;
  // Constants
  const KenestoConfig config_;
  // Mutable state
  kenesto::Api api_;
  kenesto::KnownObjects known_;
  kenesto::Listings listings_;
  kenesto::AccessUrls urls_;
  kenesto::KenestoSequences sequences_;
  std::atomic<bool> object_info_ = false;
  // What the server tells of an object lacks its date.
  std::atomic<bool> undated_info_ = false;
  // `first` until an account() has asked what the server has.
  const Capabilities first_capabilities_;
  std::atomic<const Capabilities*> capabilities_;
  mutable Mutex mutex_;
  // Each stays where it is: callers hold references.
  std::vector<std::unique_ptr<const Capabilities>> later_capabilities_ GUARDED_BY(mutex_);
  struct KnownRights {
    Rights rights;
    SteadyTime until{};
  };
  std::map<RemoteId, KnownRights> rights_ GUARDED_BY(mutex_);
  // Folders that no listing has told of.
  struct KnownVault {
    bool vault = false;
    SteadyTime until{};
  };
  std::map<RemoteId, KnownVault> vaults_ GUARDED_BY(mutex_);
  // New files that were completed and not seen by the end of the call, by folder and folded name:
  // what they were going to be, so that the next try knows them under any name.
  struct Unseen {
    std::string id;
    std::string md5;
  };
  std::map<std::pair<RemoteId, std::string>, Unseen> unseen_ GUARDED_BY(mutex_);
  // "ID WHO" of what this process has shared: such an entry is changed, not added.
  std::set<std::string> shared_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
