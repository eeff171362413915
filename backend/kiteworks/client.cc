#include "backend/kiteworks/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/auth/authorized_client.h"
#include "backend/base/log.h"
#include "backend/http/curl_client.h"
#include "backend/http/http_url.h"
#include "backend/kiteworks/kiteworks.h"
#include "backend/kiteworks/quirks.h"

namespace cabinetfs {

using namespace kiteworks;

namespace {

// Only for ambiguous refusals; 8,192 ids are about 2 MB.
constexpr std::size_t kRememberedParents = 8192;
// Of folders in folders, when looking whether one of them is gone.
constexpr int kMaxDepth = 64;

Capabilities make_capabilities(const KiteworksConfig& config, std::optional<std::uint64_t> most) {
  Capabilities all;
  all.vendor = "kiteworks";
  all.names = name_rules();
  all.root_takes_files = false;
  all.copy = all.versions = all.promote = all.locks = all.permissions = all.quota = true;
  all.history = all.description = all.mail = all.change_feed = true;
  all.exclusive_create = true;
  all.mtime_at_upload = true;
  all.put_max = config.put_max;
  const std::uint64_t wanted = std::clamp(config.chunk_size, kLeastChunk, kLargestChunk);
  // What the server says counts, however small; without its word we stay below what all take.
  all.chunk_size = std::min(wanted, most.value_or(kSafeChunk));
  all.bulk_read_max = config.bulk_read_max;
  all.bulk_remove_max = kBulkIds;
  return all;
}

}  // namespace

KiteworksStore::KiteworksStore(HttpClient& http, const KiteworksConfig& config,
                               const std::string& base_url)
    : config_(config),
      api_(http, config, base_url),
      first_capabilities_(make_capabilities(config, std::nullopt)),
      capabilities_(&first_capabilities_) {}

const Capabilities& KiteworksStore::capabilities() const {
  return *capabilities_.load(std::memory_order_acquire);
}

bool KiteworksStore::is_root(const RemoteId& id) const { return id.value == kRootId; }

Result<KiteworksStore::Account> KiteworksStore::need_account(const CallContext& call) {
  {
    MutexLock lock(mutex_);
    if (account_ != nullptr) return account_;
  }
  ApiRequest request;
  request.path = "/rest/users/me";
  request.label = "GET /rest/users/me";
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  TRY_ASSIGN(WireAccount account, parse_account(response.body));
  auto shared = std::make_shared<const WireAccount>(std::move(account));
  MutexLock lock(mutex_);
  if (account_ == nullptr) account_ = std::move(shared);
  return account_;
}

Result<bool> KiteworksStore::sent_as_number(const CallContext& call, const std::string& id) {
  if (!is_decimal_id(id)) return false;
  TRY_ASSIGN(const Account account, need_account(call));
  return account->numeric_ids;
}

Result<RemoteAccount> KiteworksStore::account(const CallContext& call) {
  TRY_ASSIGN(const Account account, need_account(call));
  if (capabilities_.load() == &first_capabilities_) {
    ApiRequest request;
    request.path = "/rest/uploads/config";
    request.label = "GET /rest/uploads/config";
    const auto response = api_.send(call, request);
    std::optional<std::uint64_t> most;
    if (response) {
      const auto told = parse_upload_config(response->body);
      if (told) most = *told;
    } else if (is_transient(response.error().code) ||
               response.error().code == ErrorCode::kCancelled) {
      return fail(static_cast<const Error&>(response.error()));
    } else {
      log_info("kiteworks: the limits of uploads cannot be read ({}), using 8 MiB chunks",
               response.error().context);
    }
    auto full = std::make_unique<const Capabilities>(make_capabilities(config_, most));
    MutexLock lock(mutex_);
    if (full_capabilities_ == nullptr) {
      full_capabilities_ = std::move(full);
      capabilities_.store(full_capabilities_.get(), std::memory_order_release);
    }
  }
  return RemoteAccount{account->user.id, account->user.email, account->user.name};
}

Result<RemoteEntry> KiteworksStore::root(const CallContext& call) {
  TRY(need_account(call));
  RemoteEntry root;
  root.id.value = kRootId;
  root.kind = NodeKind::kFolder;
  root.system = true;
  root.rights = Rights().add(Right::kList).add(Right::kCreate);
  return root;
}

void KiteworksStore::remember_parent(const RemoteId& id, const RemoteId& parent) {
  MutexLock lock(mutex_);
  const auto [at, added] = parents_.insert_or_assign(id.value, parent);
  if (!added) return;
  parent_order_.push_back(id.value);
  if (parent_order_.size() <= kRememberedParents) return;
  parents_.erase(parent_order_.front());
  parent_order_.pop_front();
}

RemoteId KiteworksStore::remembered_parent(const RemoteId& id) const {
  MutexLock lock(mutex_);
  const auto found = parents_.find(id.value);
  return found == parents_.end() ? RemoteId() : found->second;
}

RemoteEntry KiteworksStore::decorate(const WireAccount& account, WireNode node,
                                     std::uint32_t count_mark) {
  if (node.entry.kind == NodeKind::kFile) {
    node.entry.validator = make_validator(node, count_mark);
    node.entry.lock = !node.locked                           ? LockState::kFree
                      : node.lock_user.id == account.user.id ? LockState::kHeldByUs
                                                             : LockState::kHeldByOther;
    if (node.locked) node.entry.lock_holder = node.lock_user.label();
  }
  RemoteEntry entry = std::move(node.entry);
  if (entry.parent.value == account.base) entry.parent.value = kRootId;
  const std::string& id = entry.id.value;
  // Nobody can delete or move these, whatever the permissions say.
  entry.system = id == account.my_folder || id == account.tray || id == account.base;
  if (entry.system && entry.rights) entry.rights->remove(Right::kDelete).remove(Right::kRename);
  remember_parent(entry.id, entry.parent);
  return entry;
}

Result<RemoteEntry> KiteworksStore::finish(const CallContext& call, WireNode node, Origin origin) {
  TRY_ASSIGN(const Account account, need_account(call));
  if (node.entry.kind == NodeKind::kFolder) return decorate(*account, std::move(node), 0);
  if (origin == Origin::kListing) {
    const std::uint32_t count = validators_.count_in_listing(node);
    return decorate(*account, std::move(node), count);
  }
  const bool fresh = origin == Origin::kNewFile;
  if (const auto count = validators_.count(node, fresh)) {
    if (fresh && node.entry.version_count == 0) node.entry.version_count = *count;
    return decorate(*account, std::move(node), *count);
  }
  // The answer lacks the number of versions: the same object out of its folder's listing.
  TRY_ASSIGN(auto found, find_node(call, node.entry.parent, node.entry.name));
  if (found && found->entry.id == node.entry.id) {
    const std::uint32_t count = validators_.count_in_listing(*found);
    return decorate(*account, *std::move(found), count);
  }
  // Renamed or moved at this very moment; a validator that differs costs one look more.
  return decorate(*account, std::move(node), 0);
}

Result<WireNode> KiteworksStore::fetch_node(const CallContext& call, NodeKind kind,
                                            const RemoteId& id) {
  const bool file = kind == NodeKind::kFile;
  ApiRequest request;
  request.path = object_path(kind, id);
  request.query = {{"deleted", "false"}, {"with", std::string(kWanted)}};
  request.label = file ? "GET /rest/files/{id}" : "GET /rest/folders/{id}";
  request.about = "id=" + id.value;
  const auto response = api_.send(call, request);
  if (!response) return fail(explain(call, id, response.error()));
  TRY_ASSIGN(WireNode node, parse_node(response->body));
  if (node.deleted) {
    return fail(ErrorCode::kNotFound, request.label + " " + request.about + ": deleted");
  }
  if (node.entry.kind != kind) {
    return fail(ErrorCode::kCorrupt, request.label + " " + request.about + ": another kind");
  }
  return node;
}

Result<RemoteEntry> KiteworksStore::stat(const CallContext& call, NodeKind kind,
                                         const RemoteId& id) {
  if (is_root(id)) return root(call);
  TRY_ASSIGN(WireNode node, fetch_node(call, kind, id));
  return finish(call, std::move(node), Origin::kAnswer);
}

Error KiteworksStore::explain(const CallContext& call, const RemoteId& id,
                              const ApiFailure& failure, int depth) {
  Error plain = failure;
  if (failure.code == ErrorCode::kNotFound || !may_mean_gone(failure.wire)) return plain;
  const RemoteId parent = remembered_parent(id);
  if (parent.empty() || depth >= kMaxDepth) return plain;
  const Result<Nodes> siblings = list_nodes(call, parent, depth + 1);
  // A folder that is gone took its children along.
  if (!siblings && siblings.error().code != ErrorCode::kNotFound) return plain;
  if (siblings) {
    for (const WireNode& node : *siblings) {
      if (node.entry.id == id) return plain;
    }
  }
  return {ErrorCode::kNotFound, plain.context + "; not in its folder any more"};
}

Error KiteworksStore::explain_create(const CallContext& call, const RemoteId& parent,
                                     const ApiFailure& failure) {
  Error error = explain(call, parent, failure);
  if (failure.code == ErrorCode::kDenied && failure.wire.status == kFirewallStatus) {
    error.code = ErrorCode::kInvalid;
    error.context += "; the firewall of the server takes no such name";
  }
  return error;
}

Result<RemoteEntry> KiteworksStore::entity(const CallContext& call, const HttpResponse& response,
                                           NodeKind kind, const RemoteId& id) {
  // Any object that is not ours is some other kind of answer, such as the list of a bulk call.
  if (Result<WireNode> node = parse_node(response.body)) {
    if (node->entry.kind == kind && (id.empty() || node->entry.id == id)) {
      return after_change(finish(call, *std::move(node), Origin::kAnswer));
    }
  }
  if (Result<WireBulk> bulk = parse_bulk(response.body)) {
    for (WireNode& node : bulk->nodes) {
      if (node.entry.kind == kind && (id.empty() || node.entry.id == id)) {
        return after_change(finish(call, std::move(node), Origin::kAnswer));
      }
    }
    if (!bulk->failed.empty()) {
      const WireError& error = bulk->failed.front().error;
      return fail(error_code(error),
                  fmt::format("id={}: {} {}", id.value, error.code, error.message));
    }
  }
  if (!id.empty()) return after_change(stat(call, kind, id));
  for (const char* const header : {"x-accellion-location", "x-kiteworks-location"}) {
    const std::string* const location = response.find(header);
    const RemoteId told{location == nullptr ? std::string() : id_of_location(*location)};
    if (!told.empty()) return after_change(stat(call, kind, told));
  }
  return fail(ErrorCode::kUnavailable, "done, but the answer does not tell the object");
}

Result<std::unique_ptr<RemoteStore>> make_kiteworks_store(HttpClient& http,
                                                          const KiteworksConfig& config) {
  TRY_ASSIGN(const HttpUrl url, parse_http_url(config.base_url));
  if (url.target != "/") {
    return fail(ErrorCode::kInvalid, "the address of a Kiteworks server has no path");
  }
  std::string base = config.base_url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  return std::unique_ptr<RemoteStore>(std::make_unique<KiteworksStore>(http, config, base));
}

void apply_kiteworks_policy(HttpClientOptions& options) {
  if (options.requests_per_second == 0) {
    options.requests_per_second = kRequestsPerSecond;
    options.request_burst = kRequestBurst;
  }
  options.is_throttled = is_throttled;
}

void apply_kiteworks_policy(AuthorizedClientOptions& options, const KiteworksConfig& config) {
  options.origin = config.base_url;
  options.token_rejected = is_token_rejected;
}

}  // namespace cabinetfs
