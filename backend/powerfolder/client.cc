#include "backend/powerfolder/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "backend/auth/authorized_client.h"
#include "backend/base/log.h"
#include "backend/http/curl_client.h"
#include "backend/http/http_url.h"
#include "backend/powerfolder/powerfolder.h"
#include "backend/powerfolder/quirks.h"
#include "backend/webdav/quirks.h"
#include "backend/webdav/webdav.h"

namespace cabinetfs {

using namespace powerfolder;

namespace {

// Rights of so many top-level folders are asked for with the listing of the root, one request each;
// the others' when something in them is looked at.
constexpr std::size_t kEagerRights = 16;

Result<std::string> server_of(const PowerFolderConfig& config) {
  TRY_ASSIGN(const HttpUrl url, parse_http_url(config.server_url));
  std::string server = url.to_string();
  while (!server.empty() && server.back() == '/') server.pop_back();
  if (server.size() > 7 && server.substr(server.size() - 7) == "/webdav") {
    return fail(ErrorCode::kInvalid, "the server's address is wanted, without /webdav");
  }
  return server;
}

WebDavConfig webdav_config(const PowerFolderConfig& config) {
  WebDavConfig out;
  out.vendor = "powerfolder";
  out.user = config.user;
  out.names = name_rules(config.case_sensitive);
  out.locks = config.locks;
  out.put_max = config.put_max;
  out.second_look = config.second_look;
  return out;
}

Capabilities capabilities_of(const Capabilities& files, const PowerFolderConfig& config,
                             bool quota) {
  Capabilities all = files;
  all.root_takes_files = !config.folder.empty();
  // move() itself tries what lies between two top-level folders; but they may live on different
  // machines, and a program that was told "done" could only be told otherwise afterwards.
  all.move_across_top = !config.folder.empty();
  all.permissions = true;
  all.quota = quota;
  return all;
}

}  // namespace

PowerFolderStore::PowerFolderStore(HttpClient& http, const std::string& server,
                                   webdav::DavPaths paths, const PowerFolderConfig& config)
    : config_(config),
      api_(http, server),
      folders_(api_, config.rights_fresh),
      files_(http, std::move(paths), webdav_config(config),
             {[this](const CallContext& call, const RemoteId& folder) {
                return has_entries(call, folder);
              },
              [](const std::string& name) { return is_hidden(name); }}),
      first_capabilities_(capabilities_of(files_.capabilities(), config, false)),
      capabilities_(&first_capabilities_) {
  folders_.set_own_names({config_.user});
}

const Capabilities& PowerFolderStore::capabilities() const {
  return capabilities_.load(std::memory_order_acquire)->get(files_.capabilities().ranges);
}

RemoteId PowerFolderStore::rebase(const RemoteId& id, const RemoteId& from,
                                  const RemoteId& to) const {
  return files_.rebase(id, from, to);
}

Result<RemoteAccount> PowerFolderStore::account(const CallContext& call) {
  if (capabilities_.load() != &first_capabilities_) {
    MutexLock lock(mutex_);
    return account_;
  }
  TRY_ASSIGN(RemoteAccount account, files_.account(call));
  // Not every server and account may ask; the name that we log in with does as well.
  const auto self = api_.self(call);
  if (!self && (is_transient(self.error().code) || self.error().code == ErrorCode::kCancelled)) {
    return fail(self.error());
  }
  bool tells_space = false;
  if (self) {
    folders_.set_own_names({config_.user, self->id, self->username});
    account.id = self->id.empty() ? self->username : self->id;
    if (!self->username.empty()) account.email = self->username;
    if (!self->display_name.empty()) account.name = self->display_name;
    tells_space = self->used.has_value();
  } else {
    log_info("powerfolder: the account does not tell about itself ({})", self.error().context);
  }
  auto full = std::make_unique<const RangedCapabilities>(
      capabilities_of(files_.capabilities(), config_, files_.capabilities().quota || tells_space));
  MutexLock lock(mutex_);
  if (full_capabilities_ == nullptr) {
    account_ = account;
    full_capabilities_ = std::move(full);
    capabilities_.store(full_capabilities_.get(), std::memory_order_release);
  }
  return account_;
}

std::string PowerFolderStore::top_of(const RemoteId& id) const {
  return has_all_folders() ? id.value.substr(0, id.value.find('/')) : config_.folder;
}

bool PowerFolderStore::is_top(const RemoteId& id) const {
  return has_all_folders() ? !id.empty() && id.value.find('/') == std::string::npos : id.empty();
}

std::optional<bool> PowerFolderStore::has_entries(const CallContext& call, const RemoteId& folder) {
  const std::string top = top_of(folder);
  if (top.empty()) {
    const auto names = folders_.names(call);
    return names ? std::optional<bool>(!names->empty()) : std::nullopt;
  }
  const auto known = folders_.find(call, top);
  if (!known || !*known || (*known)->twin) return std::nullopt;
  std::string below = folder.value;
  if (has_all_folders()) below.erase(0, std::min(below.size(), top.size() + 1));
  const auto told = api_.has_entries(call, (*known)->id, below);
  return told ? std::optional<bool>(*told) : std::nullopt;
}

RemoteEntry PowerFolderStore::decorated(RemoteEntry entry) const {
  const std::string top = top_of(entry.id);
  if (top.empty()) {
    Rights rights;
    rights.add(Right::kList).add(Right::kRead);
    if (config_.create_top_folders) rights.add(Right::kCreate);
    entry.rights = rights;
    return entry;
  }
  if (folders_.is_known_twin(top)) {
    entry.rights = rights_of(AccessLevel::kRead, entry.kind, false);
  } else if (const auto level = folders_.known_level(top)) {
    entry.rights = rights_of(*level, entry.kind, capabilities().locks);
  }
  if (!is_top(entry.id)) return entry;
  const auto level = folders_.known_level(top);
  if (entry.rights && level && *level >= AccessLevel::kManage) entry.rights->add(Right::kShare);
  if (!has_all_folders()) return entry;  // the root, and marked as such
  const bool rename = config_.rename_top_folders && !is_special(top);
  const bool remove =
      config_.remove_top_folders != PowerFolderConfig::RemoveTop::kOff && !is_special(top);
  entry.system = !rename && !remove;
  if (entry.rights) {
    if (!rename) entry.rights->remove(Right::kRename);
    if (!remove || level != AccessLevel::kOwner) entry.rights->remove(Right::kDelete);
  }
  return entry;
}

Result<RemoteEntry> PowerFolderStore::finish(const CallContext& call, Result<RemoteEntry> entry) {
  if (!entry) return entry;
  if (const std::string top = top_of(entry->id); !top.empty()) folders_.level(call, top);
  return decorated(*std::move(entry));
}

Result<void> PowerFolderStore::check_twin(const CallContext& call, const RemoteId& id) {
  const std::string top = top_of(id);
  if (top.empty()) return {};
  const auto known = folders_.find(call, top);
  const bool twin = known ? *known && (*known)->twin : folders_.is_known_twin(top);
  if (!twin) return {};
  return fail(ErrorCode::kReadOnly,
              fmt::format("several folders of this account are called \"{}\", and nothing tells "
                          "which one would be changed; rename one of them in the web interface",
                          top));
}

Result<RemoteEntry> PowerFolderStore::root(const CallContext& call) {
  return finish(call, files_.root(call));
}

void PowerFolderStore::warn_of_missing(const CallContext& call,
                                       const std::vector<RemoteEntry>& shown) {
  if (warned_.exchange(true)) return;
  const auto names = folders_.names(call);
  if (!names) return;
  std::set<std::string> seen;
  for (const RemoteEntry& entry : shown) seen.insert(entry.name);
  for (const std::string& name : *names) {
    if (seen.count(name) == 0) {
      log_warn("powerfolder: the folder \"{}\" of this account is not shown over WebDAV", name);
    }
  }
}

Result<std::vector<RemoteEntry>> PowerFolderStore::list(const CallContext& call,
                                                        const RemoteId& folder) {
  TRY_ASSIGN(std::vector<RemoteEntry> entries, files_.list(call, folder));
  if (const std::string top = top_of(folder); !top.empty()) {
    folders_.level(call, top);
  } else {
    warn_of_missing(call, entries);
    for (std::size_t i = 0; i < std::min(entries.size(), kEagerRights); ++i) {
      folders_.level(call, entries[i].name);
    }
  }
  for (RemoteEntry& entry : entries) entry = decorated(std::move(entry));
  return entries;
}

Result<RemoteEntry> PowerFolderStore::stat(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) {
  return finish(call, files_.stat(call, kind, id));
}

Result<std::optional<RemoteEntry>> PowerFolderStore::find_child(const CallContext& call,
                                                                const RemoteId& folder,
                                                                const std::string& name) {
  TRY_ASSIGN(auto found, files_.find_child(call, folder, name));
  if (!found) return std::optional<RemoteEntry>();
  TRY_ASSIGN(RemoteEntry entry, finish(call, *std::move(found)));
  return std::optional<RemoteEntry>(std::move(entry));
}

Result<void> PowerFolderStore::read(const CallContext& call, const ReadRequest& request,
                                    const ByteSink& sink) {
  return files_.read(call, request, sink);
}

Result<Quota> PowerFolderStore::quota(const CallContext& call) {
  if (files_.capabilities().quota) return files_.quota(call);
  TRY_ASSIGN(const WireSelf self, api_.self(call));
  if (!self.used) return fail(ErrorCode::kNotSupported, "this server does not tell its quota");
  return Quota{*self.used, self.allowed};
}

Result<std::unique_ptr<RemoteStore>> make_powerfolder_store(HttpClient& http,
                                                            const PowerFolderConfig& config) {
  TRY_ASSIGN(const std::string server, server_of(config));
  std::string collection = server + "/webdav";
  if (!config.folder.empty()) {
    if (config.folder.find('/') != std::string::npos) {
      return fail(ErrorCode::kInvalid, "the folder is the name of a top-level folder, no path");
    }
    collection += "/" + percent_encode(config.folder);
  }
  TRY_ASSIGN(webdav::DavPaths paths, webdav::DavPaths::make(collection));
  return std::unique_ptr<RemoteStore>(
      std::make_unique<PowerFolderStore>(http, server, std::move(paths), config));
}

void apply_powerfolder_policy(HttpClientOptions& options) { apply_webdav_policy(options); }

void apply_powerfolder_policy(AuthorizedClientOptions& options, const PowerFolderConfig& config) {
  options.origin = config.server_url;
  options.scheme = config.bearer ? "Bearer" : "Basic";
  // Of the server's own address, since a folder of a user may be called "api".
  const auto server = server_of(config);
  const std::string service = server ? *server + "/api/" : std::string();
  options.token_rejected = [service](const HttpResponse& response) {
    return response.status == 401 &&
           (service.empty() || response.effective_url.compare(0, service.size(), service) != 0);
  };
}

Result<SecretString> powerfolder_login_token(HttpClient& http, const CallContext& call,
                                             const PowerFolderConfig& config,
                                             const std::string& user,
                                             const SecretString& password) {
  TRY_ASSIGN(const std::string server, server_of(config));
  HttpRequest request;
  request.method = "POST";
  // In a form: a query string would end up in logs.
  request.url = server + "/login";
  request.label = "POST /login";
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = HttpBody::from_string(
      encode_form({{"Username", user}, {"Password", password.reveal()}, {"json", "1"}}));
  request.redirects = HttpRequest::Redirects::kNone;
  request.max_body = 1u << 20;
  TRY_ASSIGN(HttpResponse response, http.perform(call, std::move(request)));
  const int status = response.status;
  if (status == 401 || status == 403) {
    return fail(ErrorCode::kUnauthenticated, "the server refuses user or password");
  }
  if (status == 429 || status >= 500) {
    return fail(ErrorCode::kUnavailable, fmt::format("POST /login: HTTP {}", status));
  }
  if (status != 200 || webdav::is_html(response)) {
    return fail(ErrorCode::kNotSupported, "this server gives no token for a password");
  }
  const auto parsed = parse_login_token(response.body);
  SecretString::wipe(response.body);
  if (!parsed) return fail(ErrorCode::kNotSupported, "POST /login: " + parsed.error().context);
  if (parsed->empty()) {
    return fail(ErrorCode::kUnauthenticated,
                "the server gives no token: user or password is wrong");
  }
  return SecretString(*parsed);
}

Result<OAuthClient> powerfolder_oauth_client(const PowerFolderConfig& config,
                                             const std::string& client_id,
                                             const std::string& redirect_uri) {
  TRY_ASSIGN(const std::string server, server_of(config));
  OAuthClient out;
  out.authorize_url = server + "/oauth/allow";
  out.token_url = server + "/oauth/token";
  out.refresh_address = server + "/oauth";
  out.client_id = client_id;
  out.redirect_uri = redirect_uri;
  // No page of the vendor names PKCE, a scope or a hint, so none is sent; the code is worth nothing
  // without the client secret.
  out.pkce = false;
  // "Any status but 200 is a failure", and what the body of one says is not described. An account
  // that is tried again and again may be locked.
  out.plain_refusals = true;
  return out;
}

}  // namespace cabinetfs
