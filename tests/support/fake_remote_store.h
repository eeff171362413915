#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/remote_store.h"
#include "tests/support/gate.h"

namespace cabinetfs {

struct FakeRemoteOptions {
  // Capabilities with everything a vendor could have and the strictest name rules.
  static Capabilities strict();
  // The same with a root that takes no files.
  static Capabilities like_kiteworks();
  // No versions, locks, feed, bulk calls, exclusive create or small puts; case-sensitive names.
  static Capabilities bare();
  // Ids are paths, as over WebDAV: renames change the ids of all that is below, reads and uploads
  // can name the content that they mean, large files go as streams; no versions.
  static FakeRemoteOptions path_ids();
  // Neither moves nor conditions; large files go as streams; what stands below `vault` takes new
  // content only from who holds its lock. Names can be changed, or not at all.
  static FakeRemoteOptions like_kenesto(bool renames, const std::string& vault);

  Capabilities capabilities = strict();
  std::uint64_t seed = 1;  // of the order of listings
  // All versions of all live files count. nullopt = no limit.
  std::optional<std::uint64_t> quota;
  // What new content is until set_scan(); anything but kAllowed refuses to be read.
  ScanState scan_after_write = ScanState::kAllowed;
  // Entries hold the hashes of their content. False: none until
  // publish_hashes().
  bool hashes = true;
  // A session for a new file whose name was taken meanwhile ends as a version of that file, instead
  // of kExists.
  bool sessions_add_versions = false;
  // What the server makes of the content that it is sent. None: keeps it.
  std::function<void(std::string&)> alter;
  // New files take new content only from who holds their lock.
  bool lock_to_write = false;
  // The same for what is made below the folder of this path. Empty: nowhere.
  std::string vault;
  // What others do is shown by so many listings of the folder only later, unless something of ours
  // happens there before. 0 = at once.
  int listing_lag = 0;
  // Servers keep whole seconds.
  bool whole_seconds = true;
  std::chrono::nanoseconds latency{0};  // of each call; obeys deadline and cancellation
  std::string user = "me@example.com";
  std::string other_user = "other@example.com";
  Clock* clock = &Clock::system();
};

// An account in memory, stricter than any server: listings come shuffled, every write makes a new
// validator, names are checked and compared as the capabilities say, rights, locks, quota and the
// order of chunks are enforced. Deleting is soft: nothing that was ever stored is lost from dump().
// Thread safe. Paths are relative to the root, without a leading slash; "" is the root.
class FakeRemoteStore final : public RemoteStore {
 public:
  using Options = FakeRemoteOptions;
  // Path and content; a path that ends in '/' is an empty folder. Missing folders are made.
  using Files = std::vector<std::pair<std::string, std::string>>;

  FakeRemoteStore() : FakeRemoteStore(Files()) {}
  explicit FakeRemoteStore(const Files& files, const Options& options = Options());
  FakeRemoteStore(std::initializer_list<Files::value_type> files,
                  const Options& options = Options())
      : FakeRemoteStore(Files(files), options) {}
  // A template, since a braced list of files would be taken for an aggregate of options otherwise.
  template <std::same_as<FakeRemoteOptions> T>
  explicit FakeRemoteStore(const T& options) : FakeRemoteStore(Files(), options) {}
  ~FakeRemoteStore() override;

  // RemoteStore
  const Capabilities& capabilities() const override { return options_.capabilities; }
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
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override;
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
  Result<RemoteEntry> discard_lock(const CallContext& call, const RemoteId& file) override;
  RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const override {
    return rebased(id, from, to);
  }
  static RemoteId rebased(const RemoteId& id, const RemoteId& from, const RemoteId& to);
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override;
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override;
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override;
  Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) override;
  Result<void> set_description(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& text) override;
  Result<Quota> quota(const CallContext& call) override;
  Result<ChangeSet> changes(const CallContext& call, const std::string& cursor) override;
  Result<void> send_mail(const CallContext& call, const Mail& mail) override;

  // What another user does meanwhile. Rights are not checked; names are created as given, so that
  // twins and impossible names can be made. An impossible request is a std::logic_error.
  RemoteId write_file_as_other(const std::string& path, const std::string& content);
  // A second object beside one of the same name.
  RemoteId add_twin(const std::string& path, const std::string& content);
  // A child whose name may hold slashes or anything else.
  RemoteId add_raw(const std::string& folder, const std::string& name, const std::string& content);
  RemoteId mkdir_as_other(const std::string& path);
  void rename_as_other(const std::string& path, const std::string& name);
  void move_as_other(const std::string& path, const std::string& new_folder);
  void remove_as_other(const std::string& path);  // folders with all that is in them
  void lock_as_other(const std::string& path);
  void unlock_as_other(const std::string& path);

  // State that a test sets directly.
  void set_rights(const std::string& path, Rights rights);
  // Listings of that folder lie: it is full, and nothing is shown.
  void hide_children(const std::string& path, bool hidden);
  void set_scan(const std::string& path, ScanState state);
  void set_system(const std::string& path);
  void set_quota(std::optional<std::uint64_t> total);
  void publish_hashes();     // of all that is there now
  void break_change_feed();  // the next changes() has a hole
  void expire_uploads();
  void set_latency(std::chrono::nanoseconds latency);
  // Calls of that name ("put", "list"; "" = all) stand at the gate before they take effect. nullptr
  // takes it away. The gate must outlive the calls.
  void set_gate(const std::string& operation, Gate* gate);

  void set_lock_to_write(const std::string& path, bool needed);
  std::string lock_holder(const std::string& path) const;  // empty: nobody
  std::vector<std::string> locked_by_us() const;           // paths
  void catch_up();  // what others did is shown by all listings from now on

  // What a test looks at.
  RemoteId id_of(const std::string& path) const;  // empty when there is nothing
  std::optional<std::string> content(const std::string& path) const;
  struct TreeEntry {
    RemoteId id;
    NodeKind kind = NodeKind::kFile;
    std::string content;                // of the current version
    std::vector<std::string> versions;  // contents, oldest first, the current one last
    WallTime modified{};
    friend bool operator==(const TreeEntry&, const TreeEntry&) = default;
  };
  // All live objects by path, without the root. Twins get "#ID" behind their path.
  std::map<std::string, TreeEntry> dump() const;
  // What was deleted, with the path that it had.
  std::vector<std::pair<std::string, TreeEntry>> deleted() const;
  std::vector<Mail> mails() const;  // attachments read: `read` serves from memory
  std::size_t open_uploads() const;

  std::uint64_t calls(const std::string& operation) const;
  std::uint64_t total_calls() const;
  void reset_calls();
  // The most calls of that name ("" = any) that were running at once.
  int max_in_flight(const std::string& operation) const;
  int in_flight() const;  // calls of any name that are running now
  // "operation id-or-name", in the order in which they took effect or failed.
  std::vector<std::string> log() const;
  std::uint64_t bytes_read() const;
  std::uint64_t bytes_written() const;

 private:
  struct Version;
  struct Node;
  struct Session;
  struct State;
  class Running;

  Node* find_locked(const RemoteId& id) const REQUIRES(mutex_);
  // The top-level folder that a folder is, or is in; the root's is itself.
  RemoteId top_locked(RemoteId folder) const REQUIRES(mutex_);
  Result<Node*> get_locked(const char* operation, NodeKind kind, const RemoteId& id) const
      REQUIRES(mutex_);
  Result<Node*> folder_locked(const char* operation, const RemoteId& id, Right right) const
      REQUIRES(mutex_);
  Node* child_locked(const RemoteId& folder, const std::string& name) const REQUIRES(mutex_);
  Node* at_path_locked(const std::string& path) const REQUIRES(mutex_);
  Node& must_locked(const std::string& path) const REQUIRES(mutex_);
  std::string path_locked(const Node& node) const REQUIRES(mutex_);
  RemoteEntry entry_locked(const Node& node) const REQUIRES(mutex_);
  std::uint64_t used_locked() const REQUIRES(mutex_);
  Result<void> check_name_locked(const Node& folder, const std::string& name,
                                 const RemoteId& self) const REQUIRES(mutex_);
  Result<void> check_change_locked(const char* operation, const Node& node, Right right) const
      REQUIRES(mutex_);
  Result<void> check_target_locked(const char* operation, const UploadTarget& target,
                                   std::uint64_t size, bool look_at_name) const REQUIRES(mutex_);
  Node& add_node_locked(NodeKind kind, Node& parent, const std::string& name,
                        const std::string& who) REQUIRES(mutex_);
  // Where ids are paths: the node's own and all below get theirs.
  void rename_ids_locked(Node& node) REQUIRES(mutex_);
  void attach_locked(Node& node, Node& parent, const std::string& name) REQUIRES(mutex_);
  void detach_locked(Node& node) REQUIRES(mutex_);
  void place_changed_locked(Node& node) REQUIRES(mutex_);
  void delete_locked(Node& node, const std::string& who) REQUIRES(mutex_);
  void add_version_locked(Node& node, std::string content, WallTime modified,
                          const std::string& who) REQUIRES(mutex_);
  RemoteEntry store_locked(const UploadTarget& target, std::string content) REQUIRES(mutex_);
  Node& make_folders_locked(const std::vector<std::string>& parts, const std::string& who)
      REQUIRES(mutex_);
  Node& write_path_locked(const std::string& path, const std::string& content, bool twin,
                          const std::string& who) REQUIRES(mutex_);
  void note_locked(const Node& node, const std::string& who, const std::string& event,
                   const std::string& detail = {}) REQUIRES(mutex_);
  // Others are about to change what the folder holds: listings may go on showing what it held.
  void keep_listing_locked(Node& folder) REQUIRES(mutex_);
  Result<void> remove_locked(NodeKind kind, const RemoteId& id) REQUIRES(mutex_);
  TreeEntry tree_entry_locked(const Node& node) const REQUIRES(mutex_);
  static ContentHashes hashes_of(const std::string& content);
  std::string fold(const std::string& name) const;
  WallTime now() const;
  WallTime stored_time(WallTime time) const;

  const Options options_;
  mutable Mutex mutex_;
  std::unique_ptr<State> state_ GUARDED_BY(mutex_);
};

}  // namespace cabinetfs
