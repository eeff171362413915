// WebDavStore: creating folders, renaming, moving, copying and removing.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/webdav/client.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace webdav;

namespace {

// So often a folder has to be listed as empty by a server that was seen to lie.
constexpr int kEmptyLooks = 3;

// Of a DELETE whose answer is missing or says nothing, each after a look.
constexpr int kDeleteTries = 3;

// More of them make a header that servers refuse.
constexpr std::size_t kMaxTokens = 50;

bool is_success(int status) { return status >= 200 && status < 300 && status != 207; }

Error root_stays(const char* operation) {
  return {ErrorCode::kNotPermitted, fmt::format("{}: the root of the remote", operation)};
}

}  // namespace

// Of a folder: of all files in it, each told by its address (RFC 4918 10.4.2).
bool WebDavStore::add_lock_tokens(const RemoteId& id, HttpHeaders& headers) const {
  const auto held = locks_.held_within(id);
  if (held.empty() || held.size() > kMaxTokens) return false;
  std::string lists;
  for (const auto& [file, token] : held) {
    if (!lists.empty()) lists += ' ';
    if (file != id) lists += "<" + api_.paths().url(file, NodeKind::kFile) + "> ";
    lists += "(<" + token + ">)";
  }
  headers.emplace_back("If", lists);
  return true;
}

Result<HttpResponse> WebDavStore::send_with_locks(const CallContext& call, DavRequest request) {
  const HttpHeaders plain = request.headers;
  const bool conditional = add_lock_tokens(request.id, request.headers);
  Result<HttpResponse> response = api_.send(call, request);
  // Nothing has happened then. One lock that has ended is enough for it.
  if (!conditional || !response || response->status != 412) return response;
  if (!drop_ended_locks(call, request.id)) return response;
  request.headers = plain;
  add_lock_tokens(request.id, request.headers);
  return api_.send(call, request);
}

// What a change made, looked at: no answer tells it.
Result<RemoteEntry> WebDavStore::made(const CallContext& call, NodeKind kind, const RemoteId& id) {
  for (int i = 0; i < 2; ++i) {
    if (i > 0) TRY(wait_for(call, config_.second_look));
    TRY_ASSIGN(auto entry, after_change(look(call, id, kind)));
    if (entry && entry->kind == kind) return *std::move(entry);
  }
  return fail(ErrorCode::kUnavailable, about("PROPFIND", id) + ": done, but it does not show");
}

Result<RemoteEntry> WebDavStore::create_folder(const CallContext& call, const RemoteId& parent,
                                               const std::string& name) {
  TRY(check_name(config_.names, name));
  const RemoteId id = child_of(parent, name);
  if (!config_.names.case_sensitive) {
    TRY_ASSIGN(const auto there, find_child(call, parent, name));
    if (there) return fail(ErrorCode::kExists, about("MKCOL", id) + ": the name is taken");
  }
  DavRequest request;
  request.method = "MKCOL";
  request.id = id;
  request.kind = NodeKind::kFolder;
  request.idempotent = false;
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  if (is_success(response.status)) return made(call, NodeKind::kFolder, id);
  Error error = api_.failure(response, "MKCOL", id);
  if (response.status == 207) TRY(check_partial(response, id));
  if (error.code == ErrorCode::kNotFound) error = gone(call, error.context);
  if (error.code == ErrorCode::kExists) {
    // A name that is taken by something that no listing shows has been seen on PowerFolder servers.
    const auto there = look(call, id, NodeKind::kFolder);
    if (there && !*there) {
      log_warn("{}: the server says that the name is taken, and does not show by what", id.value);
    }
  }
  return fail(std::move(error));
}

Result<RemoteEntry> WebDavStore::relocate(const CallContext& call, NodeKind kind,
                                          const RemoteId& id, const RemoteId& to) {
  if (id == to) return stat(call, kind, id);
  if (is_within(to, id)) {
    return fail(ErrorCode::kInvalid, about("MOVE", id) + ": into itself");
  }
  DavRequest request;
  request.method = "MOVE";
  request.id = id;
  request.kind = kind;
  request.headers = {{"Destination", api_.paths().url(to, kind)}, {"Overwrite", "F"}};
  request.idempotent = false;
  request.stall_timeout = patience_for(kWorthPatience);  // how much it is, nobody knows
  const std::string what = fmt::format("{} to={}", about("MOVE", id), to.value);
  const Result<HttpResponse> response = send_with_locks(call, request);
  // A portal's page says nothing, whatever stands at the other end already.
  const bool page = response && response->status == 200 && is_html(*response);
  bool done = response && is_success(response->status) && !page;
  if (!done) {
    Error error = page       ? Error{ErrorCode::kUnavailable, what + ": answered with a web page"}
                  : response ? api_.failure(*response, "MOVE", id)
                             : response.error();
    if (response && response->status == 207) {
      const Result<void> partial = check_partial(*response, id);
      if (!partial) return fail(partial.error());
      done = true;
    } else if (error.code == ErrorCode::kNotFound) {
      return fail(gone(call, error.context));
    } else if (is_lost(error)) {
      // Both ends tell whether it happened.
      const auto old_end = look(call, id, kind);
      const auto new_end = look(call, to, kind);
      done = old_end && new_end && !*old_end && *new_end && (*new_end)->kind == kind;
    }
    if (!done) return fail(std::move(error));
  }
  locks_.drop_within(id);  // locks do not move along (RFC 4918 7.5)
  memory_.removed(id);
  return made(call, kind, to);
}

Result<RemoteEntry> WebDavStore::rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                                        const std::string& name) {
  if (id.empty()) return fail(root_stays("rename"));
  TRY(check_name(config_.names, name));
  return relocate(call, kind, id, child_of(parent_of(id), name));
}

Result<RemoteEntry> WebDavStore::move(const CallContext& call, NodeKind kind, const RemoteId& id,
                                      const RemoteId& new_parent) {
  if (id.empty()) return fail(root_stays("move"));
  return relocate(call, kind, id, child_of(new_parent, name_of(id)));
}

Result<RemoteEntry> WebDavStore::copy_file(const CallContext& call, const RemoteId& id,
                                           const RemoteId& new_parent, const std::string& name) {
  TRY(check_name(config_.names, name));
  TRY_ASSIGN(const RemoteEntry source, stat(call, NodeKind::kFile, id));
  const RemoteId to = child_of(new_parent, name);
  if (id == to) return fail(ErrorCode::kExists, about("COPY", id) + ": onto itself");
  // Servers that do not know Overwrite would replace.
  TRY_ASSIGN(const auto taken, find_child(call, new_parent, name));
  if (taken) return fail(ErrorCode::kExists, about("COPY", id) + ": the name is taken");
  DavRequest request;
  request.method = "COPY";
  request.id = id;
  request.headers = {{"Destination", api_.paths().url(to, NodeKind::kFile)}, {"Overwrite", "F"}};
  request.idempotent = false;
  request.stall_timeout = patience_for(source.size);
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  if (response.status == 207) TRY(check_partial(response, id));
  if (response.status != 207 && !is_success(response.status)) {
    Error error = api_.failure(response, "COPY", id);
    if (error.code == ErrorCode::kNotFound) error = gone(call, error.context);
    return fail(std::move(error));
  }
  TRY_ASSIGN(RemoteEntry copy, made(call, NodeKind::kFile, to));
  if (copy.size != source.size) {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: {} bytes of {} were copied",
                                                     about("COPY", id), copy.size, source.size));
  }
  return copy;
}

// A 207 as the answer to a change: something in it failed, or it says nothing.
Result<void> WebDavStore::check_partial(const HttpResponse& response, const RemoteId& id) {
  TRY_ASSIGN(const auto resources, after_change(parse_multistatus(response.body)));
  for (const WireResource& resource : resources) {
    const int status = std::max(resource.status, resource.worst_propstat);
    if (status < 400 || status == 404 || status == 424) continue;
    const ErrorCode code = error_code("", status);
    return fail(
        code == ErrorCode::kBusy || code == ErrorCode::kDenied ? code : ErrorCode::kUnavailable,
        fmt::format("id={}: HTTP {} for {}", id.value, status, resource.href.substr(0, 200)));
  }
  return {};
}

// DELETE takes a whole tree, so the last look is taken seriously; what somebody creates between it
// and the DELETE is lost.
Result<void> WebDavStore::check_empty(const CallContext& call, const RemoteId& folder) {
  const std::string what = about("DELETE", folder);
  for (int looks = 1;; ++looks) {
    TRY_ASSIGN(const Listing entries, list(call, folder));
    if (!entries.empty()) return fail(ErrorCode::kNotEmpty, what + ": it is not empty");
    if (!hooks_.has_entries) return {};
    // Only what it has proves something: no page says what an answer without entries means.
    if (hooks_.has_entries(call, folder).value_or(false)) {
      return fail(ErrorCode::kNotEmpty, what + ": listed as empty, but it is not");
    }
    if (looks == kEmptyLooks) return {};
    // Nothing but the listing speaks for it, and this server was seen to lie in those for a while.
    TRY(wait_for(call, config_.second_look));
  }
}

// Without our locks: an empty folder holds none, whatever we remember.
Result<HttpResponse> WebDavStore::delete_empty(const CallContext& call, DavRequest request) {
  // What is in it by then would go along, so nothing below repeats it.
  request.idempotent = false;
  TRY(check_empty(call, request.id));
  for (int tries = 1;; ++tries) {
    Result<HttpResponse> response = api_.send(call, request);
    const bool refused = response && response->status >= 400;
    const bool lost = refused ? is_lost(api_.failure(*response, "DELETE", request.id))
                              : !response && is_lost(response.error());
    if (!lost || tries == kDeleteTries || !wait_for(call, config_.second_look)) return response;
    const auto there = look(call, request.id, request.kind);
    if (!there) return response;
    const bool is_there = *there && (*there)->kind == request.kind;
    if (!is_there) {
      if (!*there && gone(call, "").code != ErrorCode::kNotFound) return response;
      HttpResponse done;
      done.status = 404;
      return done;
    }
    const Result<void> empty = check_empty(call, request.id);
    if (!empty && empty.error().code == ErrorCode::kNotEmpty) return fail(empty.error());
    if (!empty) return response;
  }
}

void WebDavStore::forget(const RemoteId& id) {
  locks_.drop_within(id);
  memory_.removed(id);
}

Result<void> WebDavStore::remove(const CallContext& call, NodeKind kind, const RemoteId& id) {
  if (id.empty()) return fail(root_stays("remove"));
  TRY_ASSIGN(const auto there, look(call, id, kind));
  if (!there) {
    const Error error = gone(call, about("DELETE", id));
    if (error.code != ErrorCode::kNotFound) return fail(error);
  }
  // Gone, and something of another kind has its path: not what was meant.
  if (!there || there->kind != kind) {
    memory_.removed(id);
    return {};
  }
  if (there->lock == LockState::kHeldByOther) {
    return fail(ErrorCode::kBusy,
                fmt::format("{}: locked by {}", about("DELETE", id), there->lock_holder));
  }
  DavRequest request;
  request.method = "DELETE";
  request.id = id;
  request.kind = kind;
  TRY_ASSIGN(const HttpResponse response, kind == NodeKind::kFile
                                              ? send_with_locks(call, std::move(request))
                                              : delete_empty(call, std::move(request)));
  if (response.status == 207) {
    TRY(check_partial(response, id));
  } else if (!is_success(response.status) && response.status != 404 && response.status != 410) {
    return fail(api_.failure(response, "DELETE", id));
  } else if (is_html(response)) {
    // Some servers say it with a page; so do portals that never asked the server.
    TRY_ASSIGN(const auto still, after_change(look(call, id, kind)));
    if (still) {
      return fail(ErrorCode::kUnavailable,
                  about("DELETE", id) + ": answered with a web page, and it is still there");
    }
  }
  forget(id);
  return {};
}

}  // namespace cabinetfs
