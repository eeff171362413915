// WebDavStore: uploads.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backend/base/log.h"
#include "backend/webdav/client.h"
#include "backend/webdav/quirks.h"

namespace cabinetfs {

using namespace webdav;

namespace {

constexpr std::size_t kBroken = 1024;

HttpBody body_of(const ContentSource& content) {
  HttpBody body;
  body.size = content.size;
  body.read = [&content](std::uint64_t offset, MutableBytes out) -> std::size_t {
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), content.size - std::min(content.size, offset)));
    return count > 0 && content.read(offset, out.first(count)) ? count : 0;
  };
  return body;
}

bool has_ended(const CallContext& call) {
  return call.cancel.cancelled() || Clock::system().steady() >= call.deadline;
}

}  // namespace

// One upload from the first look to the last.
struct WebDavStore::Upload {
  const UploadTarget& target;
  const ContentSource& content;
  RemoteId id;
  // What a successful PUT replaces: the file as it was when we looked; nothing, for a new one.
  std::optional<Seen> before;
  int attempts = 0;
};

void WebDavStore::remember_broken(const RemoteId& id, std::uint64_t size) {
  MutexLock lock(mutex_);
  if (broken_.size() >= kBroken && broken_.count(id.value) == 0) broken_.erase(broken_.begin());
  broken_[id.value] = size;
}

bool WebDavStore::is_broken(const RemoteId& id, std::uint64_t at_most) const {
  MutexLock lock(mutex_);
  const auto found = broken_.find(id.value);
  return found != broken_.end() && at_most <= found->second;
}

void WebDavStore::forget_broken(const RemoteId& id) {
  MutexLock lock(mutex_);
  broken_.erase(id.value);
}

// Looks at the place and decides what the PUT will replace.
Result<void> WebDavStore::prepare(const CallContext& call, const UploadTarget& target,
                                  Upload& upload) {
  upload.id = target.file;
  if (target.file.empty()) {
    TRY(check_name(config_.names, target.name));
    upload.id = child_of(target.parent, target.name);
    if (!config_.names.case_sensitive) {
      TRY_ASSIGN(const auto there, find_child(call, target.parent, target.name));
      if (!there) return {};
      upload.id = there->id;
    }
  }
  TRY_ASSIGN(auto there, see(call, upload.id, NodeKind::kFile));
  const std::string what = about("PUT", upload.id);
  if (!there) {
    if (target.file.empty()) return {};
    return fail(gone(call, what));
  }
  const RemoteEntry& entry = there->entry;
  if (!target.file.empty() && entry.kind != NodeKind::kFile) {
    return fail(ErrorCode::kNotFound, what + ": it is a folder now");
  }
  if (entry.lock == LockState::kHeldByOther) {
    return fail(target.file.empty() ? ErrorCode::kExists : ErrorCode::kBusy,
                fmt::format("{}: locked by {}", what, entry.lock_holder));
  }
  const bool expected =
      !target.file.empty() && (target.before.empty() || target.before == entry.validator);
  if (!expected) {
    // What an upload of ours left behind when it broke is not somebody else's.
    bool ours = entry.kind == NodeKind::kFile && is_broken(upload.id, entry.size);
    if (ours) {
      TRY_ASSIGN(const Match match, compare(call, entry, upload.content));
      ours = match != Match::kOther;
    }
    if (!ours) {
      return target.file.empty()
                 ? fail(ErrorCode::kExists, what + ": the name is taken")
                 : fail(ErrorCode::kConflict, what + ": changed on the server meanwhile");
    }
  }
  upload.before = std::move(there);
  return {};
}

Result<HttpResponse> WebDavStore::send_put(const CallContext& call, const Upload& upload) {
  HttpRequest http;
  http.method = "PUT";
  http.headers.emplace_back("Content-Type", "application/octet-stream");
  if (!upload.before) {
    http.headers.emplace_back("If-None-Match", "*");
  } else if (!upload.before->strong_etag.empty()) {
    http.headers.emplace_back("If-Match", upload.before->strong_etag);
  }
  if (own_cloud_ && upload.target.modified != WallTime{}) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(upload.target.modified);
    http.headers.emplace_back("X-OC-Mtime", std::to_string(seconds.time_since_epoch().count()));
  }
  add_lock_tokens(upload.id, http.headers);
  http.body = body_of(upload.content);
  http.own_connection = upload.content.size >= kOwnConnection;
  http.stall_timeout = patience_for(upload.content.size);
  // Repeated here, with a look at what arrived in between.
  http.idempotent = false;
  return api_.perform(call, std::move(http), upload.id, NodeKind::kFile);
}

Error WebDavStore::refusal(const HttpResponse& response, const Upload& upload) const {
  Error error = api_.failure(response, "PUT", upload.id);
  if (response.status == 412 && !upload.before) error.code = ErrorCode::kExists;
  // PUT onto a collection: somebody made a folder of that name.
  if (response.status == 405) {
    error.code = upload.before ? ErrorCode::kNotFound : ErrorCode::kExists;
  }
  return error;
}

// The file as the server has it after a successful PUT: read back, since nothing else proves that
// all of it arrived.
Result<RemoteEntry> WebDavStore::confirm(const CallContext& call, const Upload& upload,
                                         const HttpResponse& response) {
  std::optional<RemoteEntry> now;
  for (int i = 0; i < 2; ++i) {
    // The front ends of a cluster may lag behind each other.
    if (i > 0) TRY(wait_for(call, config_.second_look));
    TRY_ASSIGN(now, look(call, upload.id));
    if (now && now->kind == NodeKind::kFile && now->size == upload.content.size) break;
  }
  if (!now || now->kind != NodeKind::kFile || now->size != upload.content.size) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: accepted, but the server holds {} bytes of {}",
                            about("PUT", upload.id), now ? now->size : 0, upload.content.size));
  }
  // The same validator as before: either the server cannot tell (another content of that size
  // within its clock's step), or something in between has answered in its place.
  if (upload.before && now->validator == upload.before->entry.validator) {
    TRY_ASSIGN(const Match match, compare(call, *now, upload.content));
    if (match != Match::kSame) {
      return fail(ErrorCode::kUnavailable,
                  about("PUT", upload.id) + ": accepted, but the server holds what it held before");
    }
  }
  const std::string* const told = response.find("etag");
  const auto fits = fits_validator(now->validator, told, nullptr);
  if (fits == true) put_etags_agree_ = true;
  if (fits == false && put_etags_agree_ && is_strong(*told)) {
    // Somebody saved right after us. What we return is about our content; the next look shows
    // theirs as another one.
    WireResource ours;
    ours.etag = *told;
    now->validator = make_validator(ours);
  }
  return *std::move(now);
}

// The answer is missing or says nothing (5xx). What is there now tells what happened: nullopt means
// "send again"; an error has been given up.
Result<std::optional<RemoteEntry>> WebDavStore::after_loss(const CallContext& call, Upload& upload,
                                                           const Error& lost) {
  if (has_ended(call)) return fail(lost);
  const bool last = upload.attempts >= config_.upload_attempts;
  if (!last) TRY(wait_for(call, config_.second_look));
  auto now = see(call, upload.id, NodeKind::kFile);
  if (!now) return fail(lost);
  const bool was_there = upload.before.has_value();
  if (!*now && !was_there) {
    // nginx answers 500 where the folder is missing.
    const RemoteId folder = parent_of(upload.id);
    const auto parent = look(call, folder, NodeKind::kFolder);
    if (parent && !*parent) return fail(gone(call, about("PUT", upload.id)));
  }
  if (last) return fail(lost);
  if (!*now) {
    if (was_there) return fail(lost);
    return std::optional<RemoteEntry>();
  }
  RemoteEntry& entry = (*now)->entry;
  if (entry.kind != NodeKind::kFile) return fail(lost);
  if (was_there && entry.validator == upload.before->entry.validator) {
    return std::optional<RemoteEntry>();
  }
  const auto match = compare(call, entry, upload.content);
  if (!match || *match == Match::kOther) return fail(lost);
  if (*match == Match::kSame) return std::optional<RemoteEntry>(std::move(entry));
  // The beginning of our content: what a server keeps of a broken PUT.
  log_info("{}: {} of {} bytes arrived; sent again", about("PUT", upload.id), entry.size,
           upload.content.size);
  upload.before = std::move(*now);
  return std::optional<RemoteEntry>();
}

// nullopt: once more.
Result<std::optional<RemoteEntry>> WebDavStore::attempt(const CallContext& call, Upload& upload) {
  ++upload.attempts;
  const Result<HttpResponse> response = send_put(call, upload);
  if (!response) {
    Error error{response.error().code, about("PUT", upload.id) + ": " + response.error().context};
    if (!is_lost(error)) return fail(std::move(error));
    return after_loss(call, upload, error);
  }
  if (response->status >= 200 && response->status < 300) {
    Result<RemoteEntry> entry = after_change(confirm(call, upload, *response));
    if (!entry && is_lost(entry.error())) return after_loss(call, upload, entry.error());
    if (!entry) return fail(std::move(entry).error());
    return std::optional<RemoteEntry>(*std::move(entry));
  }
  if (response->status == 400 && api_.is_below_file(call, upload.id))
    return fail(ErrorCode::kNotFound, about("PUT", upload.id) + ": its folder is a file by now");
  // Nothing has happened then. A lock of ours that has ended is enough for it.
  if (response->status == 412 && drop_ended_locks(call, upload.id)) {
    return std::optional<RemoteEntry>();
  }
  Error error = refusal(*response, upload);
  if (error.code == ErrorCode::kUnavailable) return after_loss(call, upload, error);
  if (response->status == 412 && upload.attempts > 1) {
    // The first one may have got through after all.
    const auto now = look(call, upload.id);
    if (now && *now && (*now)->kind == NodeKind::kFile) {
      const auto match = compare(call, **now, upload.content);
      if (match && *match == Match::kSame) return std::optional<RemoteEntry>(**now);
    }
  }
  if (response->status == 409) {
    // The parent is missing, and the whole remote may be.
    return fail(gone(call, error.context));
  }
  return fail(std::move(error));
}

Result<RemoteEntry> WebDavStore::upload(const CallContext& call, const UploadTarget& target,
                                        const ContentSource& content) {
  Upload upload{target, content, RemoteId(), std::nullopt, 0};
  TRY(prepare(call, target, upload));
  while (true) {
    Result<std::optional<RemoteEntry>> done = attempt(call, upload);
    if (!done) {
      // kIo: the source could not be read any more, after a part of it was sent.
      if (is_lost(done.error()) || done.error().code == ErrorCode::kCancelled ||
          done.error().code == ErrorCode::kIo) {
        remember_broken(upload.id, content.size);
      }
      return fail(std::move(done).error());
    }
    if (!*done) continue;
    forget_broken(upload.id);
    return **std::move(done);
  }
}

Result<RemoteEntry> WebDavStore::put(const CallContext& call, const UploadTarget& target,
                                     Bytes content) {
  ContentSource source;
  source.size = content.size();
  source.read = [content](std::uint64_t offset, MutableBytes out) {
    if (offset > content.size() || out.size() > content.size() - offset) return false;
    if (!out.empty()) std::memcpy(out.data(), content.data() + offset, out.size());
    return true;
  };
  return upload(call, target, source);
}

Result<RemoteEntry> WebDavStore::put_stream(const CallContext& call, const UploadTarget& target,
                                            const ContentSource& content) {
  return upload(call, target, content);
}

}  // namespace cabinetfs
