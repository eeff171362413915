#include "tools/cabinetfs/offline_store.h"

#include <fmt/format.h>

#include "backend/auth/secret_store.h"
#include "backend/remote_store.h"
#include "cache/meta_store.h"
#include "cache/posix_env.h"
#include "cache/sealer.h"
#include "tools/cabinetfs/config.h"
#include "tools/cabinetfs/connection.h"
#include "tools/cabinetfs/store_info.h"
#include "tools/cabinetfs/store_sealer.h"

namespace cabinetfs {
namespace {

class OfflineStore final : public RemoteStore {
 public:
  const Capabilities& capabilities() const override { return capabilities_; }
  Result<RemoteAccount> account(const CallContext&) override { return offline(); }
  Result<RemoteEntry> root(const CallContext&) override { return offline(); }
  Result<std::vector<RemoteEntry>> list(const CallContext&, const RemoteId&) override {
    return offline();
  }
  Result<RemoteEntry> stat(const CallContext&, NodeKind, const RemoteId&) override {
    return offline();
  }
  Result<std::optional<RemoteEntry>> find_child(const CallContext&, const RemoteId&,
                                                const std::string&) override {
    return offline();
  }
  Result<void> read(const CallContext&, const ReadRequest&, const ByteSink&) override {
    return offline();
  }
  Result<RemoteEntry> create_folder(const CallContext&, const RemoteId&,
                                    const std::string&) override {
    return offline();
  }
  Result<RemoteEntry> rename(const CallContext&, NodeKind, const RemoteId&,
                             const std::string&) override {
    return offline();
  }
  Result<RemoteEntry> move(const CallContext&, NodeKind, const RemoteId&,
                           const RemoteId&) override {
    return offline();
  }
  Result<void> remove(const CallContext&, NodeKind, const RemoteId&) override { return offline(); }
  Result<RemoteEntry> put(const CallContext&, const UploadTarget&, Bytes) override {
    return offline();
  }
  Result<UploadSession> upload_begin(const CallContext&, const UploadTarget&,
                                     std::uint64_t) override {
    return offline();
  }
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext&, UploadSession&,
                                                  Bytes) override {
    return offline();
  }
  Result<UploadSession> upload_resume(const CallContext&, const UploadSession&) override {
    return offline();
  }
  Result<void> upload_abort(const CallContext&, const UploadSession&) override { return offline(); }

 private:
  static tl::unexpected<Error> offline() {
    return fail(ErrorCode::kUnavailable, "not connected: only this disk is looked at");
  }
  const Capabilities capabilities_{};
};

}  // namespace

std::unique_ptr<RemoteStore> make_offline_store() { return std::make_unique<OfflineStore>(); }

Result<UnsentCount> count_unsent(MetaStore& meta) {
  TRY_ASSIGN(const auto dirty, meta.dirty());
  UnsentCount out;
  for (const NodeRecord& node : dirty) {
    if (!node.dirty()) continue;  // a notice that stays
    // Nobody has looked into the mount yet: the root is the server's all the same.
    if (node.ino == kRootInode && !node.remote) continue;
    ++out.items;
    if (node.content_dirty) out.bytes += node.size;
  }
  return out;
}

Result<IdleStore> look_into_store(const Paths& paths, const StorePaths& store) {
  TRY_ASSIGN(const auto info, read_store_info(store));
  if (!info || !file_exists(store.meta_file()))
    return fail(ErrorCode::kNotFound, fmt::format("{} holds no store", store.state));
  TRY_ASSIGN(const DirLock lock, DirLock::acquire(store.state));
  // The remote may be gone from the configuration; its store is still worth a look.
  Options options;
  if (const auto config = Config::load(paths.config_file))
    if (auto known = config->options_for(info->remote)) options = *known;
  TRY_ASSIGN(const auto secrets, open_secrets(paths, options, {kNoUnlock, {}}));
  TRY_ASSIGN(const auto sealer, open_store_sealer(*secrets, store, info->encrypted));
  TRY_ASSIGN(const auto meta, MetaStore::open(store.meta_file(), *sealer));
  TRY_ASSIGN(const UnsentCount unsent, count_unsent(*meta));
  return IdleStore{store.name, info->remote, unsent.items, unsent.bytes};
}

std::vector<IdleStore> idle_stores_with_unsent(const Paths& paths) {
  std::vector<IdleStore> out;
  for (const StorePaths& store : all_stores(paths)) {
    auto idle = look_into_store(paths, store);
    if (idle) {
      if (idle->unsent > 0) out.push_back(std::move(*idle));
      continue;
    }
    if (idle.error().code == ErrorCode::kNotFound || idle.error().code == ErrorCode::kBusy)
      continue;
    const auto info = read_store_info(store);
    // The name begins with the remote's.
    std::string remote =
        info && *info ? (*info)->remote : store.name.substr(0, store.name.find_first_of(":+~"));
    out.push_back({store.name, std::move(remote), 0, 0, idle.error()});
  }
  return out;
}

}  // namespace cabinetfs
