#include "backend/webdav/client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "backend/auth/authorized_client.h"
#include "backend/auth/token_source.h"
#include "backend/base/log.h"
#include "backend/http/curl_client.h"
#include "backend/webdav/quirks.h"
#include "backend/webdav/webdav.h"

namespace cabinetfs {

using namespace webdav;

namespace {

// No server publishes a limit; what browsers use is a fair beginning. More as long as it answers
// all of them promptly, which is how a server shows that it has workers enough.
constexpr std::size_t kFirstConnections = 12;
constexpr std::size_t kMaxConnections = 48;

std::string lock_owner_of(const WebDavConfig& config) {
  if (!config.lock_owner.empty()) return config.lock_owner;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("{}@{} (cabinetfs)", config.user, host.data());
}

Capabilities make_capabilities(const WebDavConfig& config) {
  Capabilities all;
  all.vendor = config.vendor;
  all.names = config.names;
  all.copy = true;
  all.ids_follow_path = true;
  all.put_max = config.put_max;
  all.stream_put = true;
  return all;
}

// A header that lists things, such as "1, 2, extended-mkcol".
bool lists(const HttpResponse& response, std::string_view header, std::string_view item) {
  for (const auto& [name, value] : response.headers) {
    if (name != header) continue;
    for (const std::string& raw : split(value, ',')) {
      const std::size_t first = raw.find_first_not_of(" \t");
      if (first == std::string::npos) continue;
      const std::size_t last = raw.find_last_not_of(" \t");
      if (std::string_view(raw).substr(first, last - first + 1) == item) return true;
    }
  }
  return false;
}

}  // namespace

WebDavStore::WebDavStore(HttpClient& http, DavPaths paths, const WebDavConfig& config,
                         WebDavHooks hooks)
    : config_(config),
      lock_owner_(lock_owner_of(config)),
      hooks_(std::move(hooks)),
      api_(http, std::move(paths), config.max_listing),
      first_capabilities_(make_capabilities(config)),
      capabilities_(&first_capabilities_),
      locks_(config.lock_lifetime,
             [this](const CancelToken& cancel, const RemoteId& file, const std::string& token) {
               CallContext call =
                   CallContext::within(std::chrono::seconds(30), Priority::kMetadata, cancel);
               return refresh_lock(call, file, token);
             }) {}

WebDavStore::~WebDavStore() = default;

const Capabilities& WebDavStore::capabilities() const {
  return capabilities_.load(std::memory_order_acquire)->get(!ranges_ignored_);
}

RemoteId WebDavStore::rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const {
  return rebased(id, from, to);
}

Wanted WebDavStore::wanted() const {
  Wanted out;
  out.locks = class_two_;
  out.own_cloud = own_cloud_;
  return out;
}

Result<RemoteAccount> WebDavStore::account(const CallContext& call) {
  RemoteAccount account{config_.user, config_.user, config_.user};
  if (capabilities_.load() != &first_capabilities_) return account;

  DavRequest request;
  request.method = "OPTIONS";
  request.kind = NodeKind::kFolder;
  TRY_ASSIGN(const HttpResponse options, api_.send(call, request));
  // Some servers refuse OPTIONS and speak WebDAV all the same: then all they can do is learnt
  // later.
  if (options.status == 401) return fail(api_.failure(options, "OPTIONS", RemoteId()));
  const bool answered = options.status >= 200 && options.status < 300;
  const bool two = answered && lists(options, "dav", "2");

  Wanted probe;
  probe.quota = probe.own_cloud = true;
  auto answer = api_.propfind(call, RemoteId(), NodeKind::kFolder, Depth::kSelf, probe);
  if (!answer) return fail(std::move(answer).error());
  const auto self = std::find_if(answer->begin(), answer->end(),
                                 [](const DavApi::Found& found) { return found.id.empty(); });
  if (self == answer->end() || !self->resource.collection) {
    return fail(ErrorCode::kNotDirectory, "the address names a file, not a collection");
  }
  own_cloud_ = !self->resource.oc_id.empty() || !self->resource.oc_permissions.empty();
  class_two_ = two && config_.locks;

  Capabilities full = first_capabilities_.get(true);
  full.locks = class_two_;
  full.mtime_at_upload = own_cloud_;
  full.quota = self->resource.quota_used.has_value();
  const bool tells_methods = answered && options.find("allow") != nullptr;
  full.copy = !tells_methods || lists(options, "allow", "COPY");
  if (tells_methods && !lists(options, "allow", "MOVE")) full.move = full.rename = false;
  log_debug("{}: locks {}, quota {}, upload times {}", config_.vendor, full.locks, full.quota,
            full.mtime_at_upload);
  MutexLock lock(mutex_);
  if (full_capabilities_ == nullptr) {
    full_capabilities_ = std::make_unique<const RangedCapabilities>(std::move(full));
    capabilities_.store(full_capabilities_.get(), std::memory_order_release);
  }
  return account;
}

Result<RemoteEntry> WebDavStore::root(const CallContext&) {
  RemoteEntry root;
  root.kind = NodeKind::kFolder;
  root.system = true;
  return root;
}

RemoteEntry WebDavStore::entry_of(const DavApi::Found& found) const {
  const WireResource& resource = found.resource;
  RemoteEntry entry;
  entry.id = found.id;
  entry.parent = parent_of(found.id);
  entry.name = name_of(found.id);
  const bool slash = !resource.href.empty() && resource.href.back() == '/';
  const bool folder = resource.has_properties ? resource.collection : slash;
  entry.kind = folder ? NodeKind::kFolder : NodeKind::kFile;
  if (resource.modified) entry.modified = entry.changed = *resource.modified;
  if (resource.created) entry.created = *resource.created;
  if (!folder) {
    entry.size = resource.length.value_or(0);
    entry.validator = make_validator(resource);
    entry.mime = resource.mime;
  }
  if (!resource.has_properties) {
    // Listed, and refused: there, but nothing may be done with it.
    entry.rights = Rights();
  } else if (!resource.oc_permissions.empty()) {
    entry.rights = rights_from_letters(resource.oc_permissions, entry.kind);
  }
  if (class_two_ && !folder) {
    entry.lock = LockState::kFree;
    for (const WireLock& lock : resource.locks) {
      const bool ours = locks_.token(found.id) == lock.token ||
                        (!lock.owner.empty() && lock.owner == lock_owner_);
      entry.lock = ours ? LockState::kHeldByUs : LockState::kHeldByOther;
      entry.lock_holder = lock.owner.empty() ? "somebody" : lock.owner;
    }
  }
  return entry;
}

Result<std::optional<WebDavStore::Seen>> WebDavStore::see(const CallContext& call,
                                                          const RemoteId& id, NodeKind guess) {
  auto found = api_.propfind(call, id, guess, Depth::kSelf, wanted());
  if (!found) {
    if (found.error().code == ErrorCode::kNotFound) return std::optional<Seen>();
    return fail(std::move(found).error());
  }
  // The server's own spelling counts, where it is another case or another form of the same letters.
  const bool exact = std::any_of(found->begin(), found->end(),
                                 [&](const DavApi::Found& one) { return one.id == id; });
  for (DavApi::Found& one : *found) {
    const bool same = exact ? one.id == id
                            : parent_of(one.id) == parent_of(id) &&
                                  fold_name(name_of(one.id)) == fold_name(name_of(id));
    if (!same) continue;
    if (one.resource.status == 404 || one.resource.status == 410) return std::optional<Seen>();
    Seen seen;
    seen.entry = entry_of(one);
    if (is_strong(one.resource.etag)) seen.strong_etag = one.resource.etag;
    if (one.resource.has_properties && seen.entry.kind == NodeKind::kFile && !one.resource.length) {
      TRY(learn_size(call, seen.entry));
    }
    return std::optional<Seen>(std::move(seen));
  }
  return fail(ErrorCode::kCorrupt, about("PROPFIND", id) + ": the answer is about something else");
}

Result<std::optional<RemoteEntry>> WebDavStore::look(const CallContext& call, const RemoteId& id,
                                                     NodeKind guess) {
  TRY_ASSIGN(auto seen, see(call, id, guess));
  if (!seen) return std::optional<RemoteEntry>();
  return std::optional<RemoteEntry>(std::move(seen->entry));
}

// A file whose size is not told: 0 only when HEAD says so too.
Result<void> WebDavStore::learn_size(const CallContext& call, RemoteEntry& entry) {
  DavRequest request;
  request.method = "HEAD";
  request.id = entry.id;
  request.headers = {{"Accept-Encoding", "identity"}};
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  if (response.status >= 300) return fail(api_.failure(response, "HEAD", entry.id));
  const std::string* const length = response.find("content-length");
  if (length != nullptr && !length->empty() &&
      length->find_first_not_of("0123456789") == std::string::npos && length->size() < 19) {
    entry.size = std::stoull(*length);
    if (entry.validator.value.substr(0, 2) == "m:") {
      entry.validator.value = fmt::format(
          "m:{}{}", entry.size, entry.validator.value.substr(entry.validator.value.rfind(':')));
    }
    return {};
  }
  return fail(ErrorCode::kCorrupt, about("HEAD", entry.id) + ": the server does not tell the size");
}

Error WebDavStore::gone(const CallContext& call, const std::string& what) {
  // While a server is being moved or mended, a proxy may answer 404 to everything.
  const auto root = api_.propfind(call, RemoteId(), NodeKind::kFolder, Depth::kSelf, Wanted());
  if (root) return {ErrorCode::kNotFound, what + ": not there"};
  if (root.error().code != ErrorCode::kNotFound) return root.error();
  return {ErrorCode::kUnavailable,
          what + ": not there, and neither is the root of the remote; nothing is believed"};
}

Result<Quota> WebDavStore::quota(const CallContext& call) {
  Wanted wanted;
  wanted.quota = true;
  TRY_ASSIGN(const auto found,
             api_.propfind(call, RemoteId(), NodeKind::kFolder, Depth::kSelf, wanted));
  for (const DavApi::Found& one : found) {
    if (!one.id.empty() || !one.resource.quota_used || *one.resource.quota_used < 0) continue;
    Quota quota;
    quota.used = static_cast<std::uint64_t>(*one.resource.quota_used);
    // Negative: Nextcloud's words for "unknown" and "unlimited".
    const auto available = one.resource.quota_available;
    if (available && *available >= 0) {
      quota.total = quota.used + static_cast<std::uint64_t>(*available);
    }
    return quota;
  }
  return fail(ErrorCode::kNotSupported, "this server does not tell its quota");
}

Result<std::unique_ptr<RemoteStore>> make_webdav_store(HttpClient& http,
                                                       const WebDavConfig& config) {
  TRY_ASSIGN(DavPaths paths, DavPaths::make(config.base_url));
  return std::unique_ptr<RemoteStore>(
      std::make_unique<WebDavStore>(http, std::move(paths), config));
}

void apply_webdav_policy(HttpClientOptions& options) {
  options.first_connections = kFirstConnections;
  options.max_connections = std::min(options.max_connections, kMaxConnections);
}

void apply_webdav_policy(AuthorizedClientOptions& options, const WebDavConfig& config) {
  options.origin = config.base_url;
  options.scheme = "Basic";
}

Result<std::unique_ptr<TokenSource>> make_basic_token_source(const std::string& remote,
                                                             const std::string& user,
                                                             const SecretString& password) {
  if (user.find(':') != std::string::npos) {
    return fail(ErrorCode::kInvalid, "a user name with a colon cannot be sent");
  }
  std::string pair = user + ":" + password.reveal();
  SecretString token(to_base64(as_bytes(pair)));
  SecretString::wipe(pair);
  return make_fixed_token_source(remote, std::move(token));
}

}  // namespace cabinetfs
