// WebDavStore: locks (RFC 4918, class 2).

#include <fmt/format.h>

#include "backend/base/log.h"
#include "backend/webdav/client.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace webdav;

namespace {

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

std::string lock_body(const std::string& owner) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
         "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/></D:lockscope>"
         "<D:locktype><D:write/></D:locktype><D:owner>" +
         xml_text(owner) + "</D:owner></D:lockinfo>";
}

// "<opaquelocktoken:...>" without the brackets; empty when it could break out of a header.
std::string token_of(std::string_view text) {
  if (!text.empty() && text.front() == '<') text.remove_prefix(1);
  if (!text.empty() && text.back() == '>') text.remove_suffix(1);
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>') return {};
  }
  return std::string(text);
}

}  // namespace

Result<void> WebDavStore::refresh_lock(const CallContext& call, const RemoteId& file,
                                       const std::string& token) {
  DavRequest request;
  request.method = "LOCK";
  request.id = file;
  request.headers = {{"Timeout", fmt::format("Second-{}", config_.lock_lifetime.count())},
                     {"If", "(<" + token + ">)"}};
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  if (response.status >= 200 && response.status < 300) return {};
  return fail(api_.failure(response, "LOCK", file));
}

Result<RemoteEntry> WebDavStore::lock(const CallContext& call, const RemoteId& file) {
  if (!class_two_) return RemoteStore::lock(call, file);
  // A LOCK on an absent path would create an empty file.
  TRY_ASSIGN(const RemoteEntry before, stat(call, NodeKind::kFile, file));
  if (before.lock == LockState::kHeldByOther) {
    return fail(ErrorCode::kBusy,
                fmt::format("{}: locked by {}", about("LOCK", file), before.lock_holder));
  }
  if (before.lock == LockState::kHeldByUs) {
    // Ours from an earlier life: taken over with its token.
    if (!locks_.token(file)) TRY(adopt_lock(call, file));
    return before;
  }
  DavRequest request;
  request.method = "LOCK";
  request.id = file;
  request.headers = {{"Depth", "0"},
                     {"Timeout", fmt::format("Second-{}", config_.lock_lifetime.count())}};
  request.xml = lock_body(lock_owner_);
  request.idempotent = false;
  TRY_ASSIGN(const HttpResponse response, api_.send(call, request));
  if (response.status < 200 || response.status > 299 || response.status == 207) {
    Error error = api_.failure(response, "LOCK", file);
    if (response.status == 207) error.code = ErrorCode::kBusy;
    return fail(std::move(error));
  }
  std::string token;
  if (const std::string* const header = response.find("lock-token")) token = token_of(*header);
  if (token.empty()) {
    // RFC 2518 servers tell it in the body only.
    TRY_ASSIGN(const auto locks, parse_lock_answer(response.body));
    if (!locks.empty()) token = token_of(locks.front().token);
  }
  if (token.empty()) {
    return fail(ErrorCode::kCorrupt, about("LOCK", file) + ": the answer tells no token");
  }
  locks_.hold(file, token);
  return after_change(stat(call, NodeKind::kFile, file));
}

Result<void> WebDavStore::adopt_lock(const CallContext& call, const RemoteId& file) {
  TRY_ASSIGN(const auto found, api_.propfind(call, file, NodeKind::kFile, Depth::kSelf, wanted()));
  for (const DavApi::Found& one : found) {
    if (one.id != file) continue;
    for (const WireLock& lock : one.resource.locks) {
      const std::string token = token_of(lock.token);
      if (lock.owner == lock_owner_ && !token.empty()) locks_.hold(file, token);
    }
  }
  return {};
}

bool WebDavStore::drop_ended_locks(const CallContext& call, const RemoteId& id) {
  bool dropped = false;
  for (const auto& [file, token] : locks_.held_within(id)) {
    const auto found = api_.propfind(call, file, NodeKind::kFile, Depth::kSelf, wanted());
    if (!found && found.error().code != ErrorCode::kNotFound) continue;
    bool held = false;
    if (found) {
      for (const DavApi::Found& one : *found) {
        for (const WireLock& lock : one.resource.locks) {
          // Some servers do not show tokens.
          const std::string shown = token_of(lock.token);
          held = held ||
                 (one.id == file && (shown.empty() ? lock.owner == lock_owner_ : shown == token));
        }
      }
    }
    if (held) continue;
    log_info("{}: the server has ended our lock", about("PROPFIND", file));
    locks_.drop(file);
    dropped = true;
  }
  return dropped;
}

Result<RemoteEntry> WebDavStore::unlock(const CallContext& call, const RemoteId& file,
                                        const std::string& comment) {
  if (!class_two_) return RemoteStore::unlock(call, file, comment);
  TRY_ASSIGN(const RemoteEntry before, stat(call, NodeKind::kFile, file));
  if (before.lock == LockState::kHeldByOther) {
    return fail(ErrorCode::kBusy,
                fmt::format("{}: locked by {}", about("UNLOCK", file), before.lock_holder));
  }
  if (before.lock == LockState::kHeldByUs && !locks_.token(file)) TRY(adopt_lock(call, file));
  const auto token = locks_.token(file);
  // No refresh may bring it back while it is being released.
  locks_.drop(file);
  if (!token || before.lock == LockState::kFree) return before;
  DavRequest request;
  request.method = "UNLOCK";
  request.id = file;
  request.headers = {{"Lock-Token", "<" + *token + ">"}};
  const Result<HttpResponse> response = api_.send(call, request);
  if (!response) {
    locks_.hold(file, *token);
    return fail(response.error());
  }
  // 409 and 412: there is no such lock any more.
  const int status = response->status;
  if ((status < 200 || status > 299) && status != 409 && status != 412 && status != 400) {
    locks_.hold(file, *token);
    return fail(api_.failure(*response, "UNLOCK", file));
  }
  return after_change(stat(call, NodeKind::kFile, file));
}

}  // namespace cabinetfs
