#include "backend/kenesto/client.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/http/curl_client.h"
#include "backend/http/http_client.h"
#include "backend/kenesto/kenesto.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

// Of folders in folders, when looking whether one of them is gone.
constexpr int kMaxDepth = 64;

// The vendor publishes no limit, so requests are few at first, and more only while all of them are
// answered promptly.
constexpr std::size_t kFirstConnections = 12;
constexpr std::size_t kMaxConnections = 48;

// Between the first looks after a change; then twice as long each time, up to the second one.
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{5000};
// A server takes a second for this much of an upload, and no upload more than this.
constexpr std::uint64_t kSettledBytes = 4u << 20;
constexpr std::chrono::minutes kLongestSettling{2};

// No object has it. (The zero GUID would, where it stands for the root.)
constexpr const char* kNobody = "00000000-0000-4000-8000-000000000000";

Capabilities make_capabilities(const KenestoConfig& config, bool rename, bool quota) {
  Capabilities all;
  all.vendor = "kenesto";
  all.names = name_rules();
  all.move = false;
  all.rename = rename;
  all.rename_keeps_extension = true;
  // It may count as a modification, and the listing tells nothing else that tells contents apart.
  all.rename_changes_validator = true;
  all.versions = all.promote = all.locks = all.permissions = all.history = true;
  all.quota = quota;
  all.put_max = config.put_max;
  all.stream_put = true;
  all.max_file_size = config.max_file_size;
  return all;
}

}  // namespace

KenestoStore::KenestoStore(HttpClient& http, KenestoSession& session, const KenestoConfig& config,
                           const std::string& base, const Clock& clock)
    : session_(session),
      clock_(clock),
      config_(config),
      api_(http, session, base),
      listings_(clock),
      urls_(clock),
      sequences_(api_),
      first_capabilities_(make_capabilities(
          config, config.undocumented_calls == KenestoConfig::Undocumented::kOn, false)),
      capabilities_(&first_capabilities_) {}

const Capabilities& KenestoStore::capabilities() const {
  return *capabilities_.load(std::memory_order_acquire);
}

bool KenestoStore::is_root(const RemoteId& id) const { return id.value == kRootId; }

Result<WireObjectInfo> KenestoStore::fetch_object_info(const CallContext& call, NodeKind kind,
                                                       const RemoteId& id) {
  ApiRequest request;
  request.call = "RetrieveObjectInfo";
  request.about = "id=" + id.value;
  request.external_token = known_.external_token(id);
  request.query = {{"oi", id.value},
                   {"fc", kind == NodeKind::kFile ? "GENERAL" : "FOLDER"},
                   {"ie", request.external_token.empty() ? "false" : "true"}};
  TRY_ASSIGN(const WireEnvelope envelope, api_.send(call, request));
  return parse_object_info(*envelope.data);
}

Result<std::uint64_t> KenestoStore::fetch_used_space(const CallContext& call) {
  const std::string told = session_.user().tenant;
  const std::string tenant = told.empty() ? config_.tenant : told;
  if (tenant.empty()) return fail(ErrorCode::kNotSupported, "the account's tenant is not known");
  ApiRequest request;
  request.call = "RetrieveStatistics";
  request.query = {{"tid", tenant}};
  TRY_ASSIGN(const WireEnvelope envelope, api_.send(call, request));
  return parse_used_space(*envelope.data);
}

Result<bool> KenestoStore::has_rename(const CallContext& call) {
  for (const auto& [name, id] :
       {std::pair("UpdateAssetName", "did"), std::pair("EditFolder", "fid")}) {
    // Without a name there is nothing to do, whatever the server makes of the id.
    ApiRequest request;
    request.call = name;
    request.about = "(is there such a call?)";
    request.query = {{id, kNobody}};
    request.mutates = true;
    const auto asked = api_.send(call, request);
    if (asked) continue;
    if (gives_up(asked.error().code)) return fail(static_cast<const Error&>(asked.error()));
    if (asked.error().no_call) return false;
  }
  return true;
}

bool KenestoStore::is_missing(const CallContext& call, const ApiFailure& failure) {
  return failure.no_call && fetch_count(call, RemoteId{kRootId}).has_value();
}

void KenestoStore::give_up_rename() {
  MutexLock lock(mutex_);
  Capabilities less = *capabilities_.load(std::memory_order_acquire);
  if (!less.rename) return;
  less.rename = false;
  later_capabilities_.push_back(std::make_unique<const Capabilities>(std::move(less)));
  capabilities_.store(later_capabilities_.back().get(), std::memory_order_release);
}

Result<RemoteAccount> KenestoStore::account(const CallContext& call) {
  if (capabilities_.load() == &first_capabilities_) {
    using Undocumented = KenestoConfig::Undocumented;
    bool info = false;
    bool space = false;
    bool rename = config_.undocumented_calls == Undocumented::kOn;
    const RemoteId root{kRootId};
    // Shows that the session is alive, and where the root is.
    ApiResult<WirePage> listed = fetch_page(call, root, 1);
    // An entry that cannot be read says nothing about the account.
    if (!listed && listed.error().code == ErrorCode::kCorrupt) listed = WirePage();
    TRY_ASSIGN(const WirePage page, std::move(listed));
    if (config_.undocumented_calls != Undocumented::kOff) {
      // Any object will do to ask about.
      RemoteId some{page.folder_id};
      NodeKind kind = NodeKind::kFolder;
      if (some.empty() || is_root(some)) {
        some = page.items.empty() ? root : page.items.front().entry.id;
        kind = page.items.empty() ? NodeKind::kFolder : page.items.front().entry.kind;
      }
      const auto asked = fetch_object_info(call, kind, some);
      if (!asked && gives_up(asked.error().code)) return fail(asked.error());
      info = asked.has_value();
      const auto used = fetch_used_space(call);
      if (!used && gives_up(used.error().code)) return fail(used.error());
      space = used.has_value();
      if (!rename && (info || space)) {
        TRY_ASSIGN(rename, has_rename(call));
      }
      log_debug("kenesto: undocumented calls: rights {}, used space {}, rename {}", info, space,
                rename);
    }
    object_info_ = info;
    auto full = std::make_unique<const Capabilities>(make_capabilities(config_, rename, space));
    MutexLock lock(mutex_);
    if (later_capabilities_.empty()) {
      later_capabilities_.push_back(std::move(full));
      capabilities_.store(later_capabilities_.back().get(), std::memory_order_release);
    }
  }
  const KenestoUser user = session_.user();
  RemoteAccount account;
  account.email = user.email.empty() ? config_.user : user.email;
  account.name = user.name;
  account.id = account.email;
  return account;
}

Result<RemoteEntry> KenestoStore::root(const CallContext&) {
  RemoteEntry root;
  root.id.value = kRootId;
  root.kind = NodeKind::kFolder;
  root.system = true;
  return root;
}

Result<RemoteEntry> KenestoStore::move(const CallContext&, NodeKind, const RemoteId&,
                                       const RemoteId&) {
  return fail(ErrorCode::kCrossDevice, "move: this vendor has no such call");
}

Result<Quota> KenestoStore::quota(const CallContext& call) {
  if (!capabilities().quota) {
    return fail(ErrorCode::kNotSupported, "quota: this server does not tell");
  }
  TRY_ASSIGN(const std::uint64_t used, fetch_used_space(call));
  return Quota{used, std::nullopt};
}

Error KenestoStore::explain(const CallContext& call, NodeKind kind, const RemoteId& id,
                            const ApiFailure& failure, int depth) {
  Error plain = failure;
  if (!failure.told || is_root(id) || depth >= kMaxDepth) return plain;
  switch (failure.code) {
    case ErrorCode::kExists:
    case ErrorCode::kOverQuota:
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kNameTooLong:
      return plain;
    case ErrorCode::kUnavailable:
      // A failure of the server; of 200 and 4xx the words were merely not understood.
      if (failure.status >= 500 || failure.status == 429) return plain;
      break;
    default:
      break;
  }
  const Result<WireItem> there = fetch_item(call, kind, id, depth + 1);
  if (!there) {
    if (there.error().code == ErrorCode::kNotFound) {
      return {ErrorCode::kNotFound, plain.context + "; not in its folder any more"};
    }
    if (plain.code == ErrorCode::kNotFound) plain.code = ErrorCode::kUnavailable;
    return plain;
  }
  if (kind == NodeKind::kFile && there->entry.lock == LockState::kHeldByOther &&
      plain.code != ErrorCode::kUnavailable) {
    return {ErrorCode::kBusy,
            fmt::format("{}; checked out by {}", plain.context, there->entry.lock_holder)};
  }
  // The server says "gone" of what it lists: one of the two lags behind.
  if (plain.code == ErrorCode::kNotFound) plain.code = ErrorCode::kUnavailable;
  return plain;
}

bool KenestoStore::pause(const CallContext& call, std::chrono::milliseconds span) const {
  Mutex mutex;
  CondVar woken;
  bool cancelled = false;
  const auto registration = call.cancel.on_cancel([&] {
    MutexLock lock(mutex);
    cancelled = true;
    woken.notify_all();
  });
  const SteadyTime until = std::chrono::steady_clock::now() + span;
  if (until >= call.deadline) return false;
  MutexLock lock(mutex);
  while (!cancelled && woken.wait_until(mutex, until)) {
  }
  return !cancelled;
}

KenestoStore::Settling::Settling(const KenestoStore& store, std::uint64_t bytes)
    : store_(store), span_(kFirstPause) {
  const std::chrono::milliseconds least = store.config_.settle;
  const std::chrono::seconds by_size(bytes / kSettledBytes);
  left_ = std::max(least, std::min<std::chrono::milliseconds>(least + by_size, kLongestSettling));
}

bool KenestoStore::Settling::again(const CallContext& call) {
  const std::chrono::milliseconds span = std::min(span_, left_);
  if (span.count() == 0 || !store_.pause(call, span)) return false;
  left_ -= span;
  span_ = std::min(span_ * 2, kLongestPause);
  return true;
}

Result<std::unique_ptr<RemoteStore>> make_kenesto_store(HttpClient& http, KenestoSession& session,
                                                        const KenestoConfig& config,
                                                        const Clock& clock) {
  TRY_ASSIGN(const std::string base, service_base(config.base_url));
  return std::unique_ptr<RemoteStore>(
      std::make_unique<KenestoStore>(http, session, config, base, clock));
}

void apply_kenesto_policy(HttpClientOptions& options) {
  options.first_connections = kFirstConnections;
  options.max_connections = std::min(options.max_connections, kMaxConnections);
  // No page says how it refuses for too many requests; a 403 that names a time to wait is no
  // verdict on rights.
  options.is_throttled = [](const HttpResponse& response) {
    return response.status == 403 && response.retry_after.has_value();
  };
}

}  // namespace cabinetfs
