// KenestoStore: uploads, in three steps. Nothing is to be seen before the third.

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <set>

#include "backend/base/log.h"
#include "backend/http/http_status.h"
#include "backend/http/http_url.h"
#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

// New files that were completed and not seen.
constexpr std::size_t kUnseen = 1024;
// Whether the name of a new document is free is looked at once more when the answer is older than
// this before the completion.
constexpr std::chrono::seconds kOldLook{1};

class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new()) { restart(); }
  ~Md5() { EVP_MD_CTX_free(context_); }
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  void restart() {
    good_ = context_ != nullptr && EVP_DigestInit_ex(context_, EVP_md5(), nullptr) == 1;
  }
  void update(Bytes bytes) {
    good_ = good_ && EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1;
  }
  // Empty when it could not be made; then nothing is compared.
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (!good_ || EVP_DigestFinal_ex(context_, digest.data(), &length) != 1) return {};
    return to_hex(std::as_bytes(std::span(digest.data(), length)));
  }

 private:
  EVP_MD_CTX* context_;
  bool good_ = false;
};

// "\"9e107d9d372bb6826bd81d3542a419d6\"": an MD5, as stores give it for a plain PUT. Other forms
// (of encrypted objects) say nothing.
std::optional<std::string> md5_of_etag(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  if (etag.size() != 32 || !from_hex(etag)) return std::nullopt;
  return fold_name(etag);
}

Result<KnownObjects::Held> current_of(const std::vector<RemoteVersion>& versions,
                                      const std::string& about) {
  for (const RemoteVersion& version : versions) {
    if (version.current) return KnownObjects::Held{version.id, version.size};
  }
  return fail(ErrorCode::kCorrupt, about + ": no current version");
}

// ".../Temp/SOMETHING/ID/...": the id that the new object is going to have, in the vendor's own
// programs' reading. A hint.
std::string id_in_address(const std::string& url) {
  const std::string path = url.substr(0, url.find('?'));
  const std::vector<std::string> parts = split(path, '/');
  for (std::size_t i = 0; i + 2 < parts.size(); ++i) {
    if (parts[i] == "Temp") return parse_guid(parts[i + 2]).value_or("");
  }
  return {};
}

}  // namespace

// What is to be sent. Read in order, from the start again when the sending is repeated.
struct KenestoStore::Source {
  std::uint64_t size = 0;
  std::function<bool(std::uint64_t offset, MutableBytes out)> read;
  Md5 md5;                   // of what has been read in order
  std::uint64_t hashed = 0;  // how far
  bool unreadable = false;
};

// An upload whose content is at the store.
struct KenestoStore::Begun {
  std::string url;
  std::uint64_t size = 0;
  std::string md5;   // of what was sent, or empty
  std::string hint;  // id of the new object, or empty
};

Result<RemoteEntry> KenestoStore::put(const CallContext& call, const UploadTarget& target,
                                      Bytes content) {
  Source source;
  source.size = content.size();
  source.read = [content](std::uint64_t offset, MutableBytes out) {
    const Bytes part = content.subspan(offset, out.size());
    std::copy(part.begin(), part.end(), out.begin());
    return true;
  };
  return upload(call, target, source);
}

Result<RemoteEntry> KenestoStore::put_stream(const CallContext& call, const UploadTarget& target,
                                             const ContentSource& content) {
  Source source;
  source.size = content.size;
  source.read = content.read;
  return upload(call, target, source);
}

Result<RemoteEntry> KenestoStore::upload(const CallContext& call, const UploadTarget& target,
                                         Source& source) {
  if (source.size > config_.max_file_size) {
    return fail(ErrorCode::kTooLarge, fmt::format("upload: {} bytes are more than the {} of one "
                                                  "request to the store",
                                                  source.size, config_.max_file_size));
  }
  return target.file.empty() ? upload_new(call, target, source)
                             : upload_version(call, target, source);
}

Result<KenestoStore::Begun> KenestoStore::send_content(const CallContext& call,
                                                       const RemoteId& folder,
                                                       const std::string& name,
                                                       const RemoteId& file, Source& source) {
  const std::string about = file.empty() ? "folder=" + folder.value : "id=" + file.value;
  for (int number = 1;; ++number) {
    ApiRequest request;
    request.call = "UploadFile";
    request.about = about;
    // Reserves a place that nobody sees. Sent once all the same: it is a call that changes things.
    request.mutates = true;
    request.query = {{"p", name}};
    if (!is_root(folder)) request.query.emplace_back("fid", folder.value);
    if (!file.empty()) request.query.emplace_back("bid", file.value);
    const auto envelope = api_.send(call, request);
    if (!envelope) {
      return fail(file.empty() ? explain(call, NodeKind::kFolder, folder, envelope.error())
                               : explain(call, NodeKind::kFile, file, envelope.error()));
    }
    Begun begun;
    TRY_ASSIGN(begun.url, parse_access_url(*envelope->data));
    TRY(parse_http_url(begun.url));
    begun.hint = id_in_address(begun.url);
    begun.size = source.size;

    HttpRequest http;
    http.method = "PUT";
    http.label = "upload";
    http.url = begun.url;
    http.headers.emplace_back("Content-Type", kUploadType);
    HttpBody body;
    body.size = source.size;
    body.read = [&source](std::uint64_t offset, MutableBytes out) -> std::size_t {
      const auto room = static_cast<std::size_t>(
          std::min<std::uint64_t>(out.size(), source.size - std::min(source.size, offset)));
      const MutableBytes part = out.first(room);
      if (room == 0 || !source.read(offset, part)) {
        source.unreadable = true;
        return 0;
      }
      if (offset == 0) {
        source.md5.restart();
        source.hashed = 0;
      }
      if (offset == source.hashed) {
        source.md5.update(part);
        source.hashed += room;
      }
      return room;
    };
    http.body = std::move(body);
    // The same object again and again until the third step: the last one counts.
    http.idempotent = true;
    http.own_connection = true;
    http.stall_timeout = patience_for(source.size);
    http.metered = false;
    http.redirects = HttpRequest::Redirects::kNone;
    http.max_body = 64u << 10;
    const Result<HttpResponse> response = api_.http().perform(call, std::move(http));
    if (!response) {
      if (source.unreadable) {
        return fail(ErrorCode::kIo, "upload " + about + ": the content cannot be read");
      }
      return fail(response.error().code, "upload " + about + ": " + response.error().context);
    }
    // The address has expired on the way, or was no good to begin with.
    if (response->status == 403 && number == 1) continue;
    if (response->status < 200 || response->status > 299) {
      ErrorCode code =
          response->status < 400 ? ErrorCode::kUnavailable : error_from_status(response->status);
      // Neither says anything about the file: the store is another server.
      if (code == ErrorCode::kNotFound || code == ErrorCode::kUnauthenticated) {
        code = ErrorCode::kUnavailable;
      }
      return fail(code, fmt::format("upload {}: the store says {}", about, response->status));
    }
    const std::string* const etag = response->find("etag");
    const auto told = etag == nullptr ? std::nullopt : md5_of_etag(*etag);
    if (source.size == 0) source.md5.restart();
    if (source.hashed == source.size) begun.md5 = source.md5.hex();
    if (told && !begun.md5.empty() && begun.md5 != *told) {
      return fail(ErrorCode::kUnavailable,
                  "upload " + about + ": other bytes arrived than were sent");
    }
    return begun;
  }
}

ApiResult<void> KenestoStore::complete(const CallContext& call, const Begun& begun,
                                       const std::string& about) {
  ApiRequest request;
  request.call = "UploadFileCompleted";
  request.about = about;
  request.mutates = true;
  request.query = {{"u", begun.url}};
  request.stall_timeout = patience_for(begun.size);
  const auto envelope = api_.send(call, request);
  if (!envelope) return tl::unexpected<ApiFailure>(envelope.error());
  return {};
}

Result<WireItem> KenestoStore::item_before(const CallContext& call, const UploadTarget& target) {
  // What the listing of a moment ago may have missed, the versions tell by their ids, where the one
  // that it meant is known. Who has checked a document out they do not tell.
  const auto known = known_.find(target.file);
  if (known && !known->vault && !target.name.empty() && known_.held(target.file, known->mark)) {
    TRY_ASSIGN(const std::optional<Look> look, recent_look(call, known->parent, target.name));
    if (look) {
      for (const WireItem& item : look->items) {
        if (item.entry.id == target.file && item.entry.kind == NodeKind::kFile &&
            item.entry.name == target.name) {
          return item;
        }
      }
    }
  }
  return fetch_item(call, NodeKind::kFile, target.file);
}

Result<RemoteEntry> KenestoStore::upload_version(const CallContext& call,
                                                 const UploadTarget& target, Source& source) {
  const RemoteId& file = target.file;
  const std::string about = "id=" + file.value;
  TRY_ASSIGN(const WireItem before, item_before(call, target));
  if (before.external_link) {
    return fail(ErrorCode::kNotSupported, about + ": the content lies at another service");
  }
  // A check-out may have been ended and taken over since: the server is asked, where it tells.
  const bool writable = before.entry.lock_to_write ? held_by_us(call, before)
                                                   : before.entry.lock != LockState::kHeldByOther;
  if (!writable) {
    return fail(ErrorCode::kBusy,
                before.checked_out
                    ? fmt::format("{}: checked out by {}", about, before.entry.lock_holder)
                    : about + ": a document in a vault is checked out before it is written");
  }
  if (!target.before.empty() && before.entry.validator != target.before) {
    return fail(ErrorCode::kConflict, about + ": another version by now");
  }
  // The version that the content is to follow: remembered from when it was read or sent, or asked
  // for and confirmed. Right before the completion it must still be the current one.
  const std::uint64_t mark = mark_of(before.entry.validator);
  std::optional<KnownObjects::Held> follows = known_.held(file, mark);
  if (!follows || follows->size != before.entry.size) {
    TRY_ASSIGN(const Versions versions, fetch_versions(call, file));
    const SteadyTime told = clock_.steady();
    TRY_ASSIGN(follows, current_of(versions, about));
    // What is current may have come after the listing.
    bool same = follows->size == before.entry.size;
    if (same) {
      TRY_ASSIGN(same, still_marked(call, file, mark, follows->version, told, false));
    }
    if (!same) return fail(ErrorCode::kConflict, about + ": another version by now");
    known_.bind(file, mark, *follows);
  }

  TRY_ASSIGN(const Begun begun,
             send_content(call, before.entry.parent, before.entry.name, file, source));
  TRY_ASSIGN(const Versions now, fetch_versions(call, file));
  TRY_ASSIGN(const KnownObjects::Held current, current_of(now, about));
  if (current.version != follows->version) {
    // Also when the listing cannot tell the two apart: the next try asks.
    known_.unbind(file, mark);
    return fail(ErrorCode::kConflict, about + ": somebody made another version current meanwhile");
  }
  std::set<VersionId> known;
  for (const RemoteVersion& version : now) known.insert(version.id);
  const auto unknown = [&](const Versions& versions) {
    std::vector<RemoteVersion> fresh;
    for (const RemoteVersion& version : versions) {
      if (known.count(version.id) == 0) fresh.push_back(version);
    }
    return fresh;
  };
  const ApiResult<void> completed = complete(call, begun, about);
  listings_.changed(before.entry.parent, before.entry.name);
  if (!completed && completed.error().told && completed.error().code != ErrorCode::kUnavailable) {
    return fail(explain(call, NodeKind::kFile, file, completed.error()));
  }
  // Done, or sent without an answer: what the server shows decides. The listing first: a version
  // that is current after it was no older then.
  std::optional<Error> unseen;
  Settling settling(*this, source.size);
  do {
    unseen.reset();
    Result<WireItem> after = fetch_item(call, NodeKind::kFile, file);
    Result<Versions> versions = fetch_versions(call, file);
    if (after && versions) {
      const std::vector<RemoteVersion> fresh = unknown(*versions);
      const auto ours = std::find_if(fresh.begin(), fresh.end(), [&](const RemoteVersion& one) {
        return one.size == source.size;
      });
      // A listing that lags behind the versions would give the new content the old validator.
      // And a version that somebody has put on top of ours meanwhile is not ours.
      if (ours != fresh.end() && ours->current && after->entry.size == ours->size &&
          after->entry.validator != before.entry.validator) {
        known_.bind(file, mark_of(after->entry.validator), {ours->id, ours->size});
        return std::move(after->entry);
      }
      if (!fresh.empty() && ours == fresh.end()) {
        return fail(ErrorCode::kUnavailable,
                    about + ": the server's new version is not the one that was sent");
      }
    } else {
      const Error& error = after ? versions.error() : after.error();
      // Gone, after our version was added or before: the caller looks where the content is to go.
      if (error.code == ErrorCode::kNotFound) return fail(error);
      unseen = after_change(error);
    }
  } while (settling.again(call));
  if (unseen) return fail(*std::move(unseen));
  if (!completed) return fail(static_cast<const Error&>(completed.error()));
  return fail(ErrorCode::kUnavailable, about + ": sent, but the new version is not to be seen yet");
}

// Md5 of all of it, before it is sent.
Result<std::string> KenestoStore::md5_of(Source& source) {
  Md5 md5;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(source.size, 1u << 20));
  for (std::uint64_t at = 0; at < source.size;) {
    const MutableBytes part =
        MutableBytes(buffer).first(std::min<std::uint64_t>(buffer.size(), source.size - at));
    if (!source.read(at, part)) return fail(ErrorCode::kIo, "upload: the content cannot be read");
    md5.update(part);
    at += part.size();
  }
  return md5.hex();
}

// What was completed, was not seen, and has appeared since, perhaps under another name.
Result<std::optional<RemoteEntry>> KenestoStore::find_unseen(const UploadTarget& target,
                                                             const Items& items, Source& source) {
  const std::pair key(target.parent, fold_name(target.name));
  Unseen unseen;
  {
    MutexLock lock(mutex_);
    const auto found = unseen_.find(key);
    if (found == unseen_.end()) return std::optional<RemoteEntry>();
    unseen = found->second;
  }
  const auto item = std::find_if(items.begin(), items.end(), [&](const WireItem& one) {
    return one.entry.id.value == unseen.id && one.entry.kind == NodeKind::kFile;
  });
  if (item == items.end() || item->entry.size != source.size) return std::optional<RemoteEntry>();
  TRY_ASSIGN(const std::string md5, md5_of(source));
  if (md5.empty() || md5 != unseen.md5) return std::optional<RemoteEntry>();
  forget_unseen(key.first, key.second);
  return std::optional<RemoteEntry>(item->entry);
}

void KenestoStore::remember_unseen(const RemoteId& folder, const std::string& folded,
                                   const Begun& begun) {
  if (begun.hint.empty() || begun.md5.empty()) return;
  MutexLock lock(mutex_);
  if (unseen_.size() >= kUnseen) unseen_.erase(unseen_.begin());
  unseen_[{folder, folded}] = {begun.hint, begun.md5};
}

void KenestoStore::forget_unseen(const RemoteId& folder, const std::string& folded) {
  MutexLock lock(mutex_);
  unseen_.erase({folder, folded});
}

Result<RemoteEntry> KenestoStore::upload_new(const CallContext& call, const UploadTarget& target,
                                             Source& source) {
  TRY(check_name(target.name));
  const RemoteId& folder = target.parent;
  const std::string about = "folder=" + folder.value;
  const std::string folded = fold_name(target.name);
  std::set<RemoteId> known;
  const auto check = [&](const Items& items, const std::string& own) -> Result<void> {
    for (const WireItem& item : items) {
      // A server might list what is still on its way.
      if (item.entry.id.value == own) continue;
      known.insert(item.entry.id);
      if (fold_name(item.entry.name) == folded) {
        return fail(ErrorCode::kExists, "upload " + about + ": the name is taken");
      }
    }
    return {};
  };
  TRY_ASSIGN(std::optional<Look> look, recent_look(call, folder, target.name));
  if (!look) {
    look.emplace();
    look->begun = clock_.steady();
    TRY_ASSIGN(look->items, list_items(call, folder));
  }
  TRY_ASSIGN(std::optional<RemoteEntry> late, find_unseen(target, look->items, source));
  if (late) return *std::move(late);
  TRY(check(look->items, {}));
  TRY_ASSIGN(const Begun begun, send_content(call, folder, target.name, {}, source));
  if (clock_.steady() - look->begun > kOldLook) {
    TRY_ASSIGN(const Items again, list_items(call, folder));
    TRY(check(again, begun.hint));
  }
  const ApiResult<void> completed = complete(call, begun, about);
  listings_.changed(folder, target.name);
  if (!completed && completed.error().told && completed.error().code != ErrorCode::kUnavailable) {
    return fail(explain(call, NodeKind::kFolder, folder, completed.error()));
  }
  // A server may give it another name. By its id it is ours all the same; without that nothing
  // tells it from what others, or we ourselves, have put there with the same bytes.
  std::optional<Error> unseen;
  Settling settling(*this, source.size);
  do {
    Result<Items> items = list_items(call, folder);
    unseen.reset();
    if (!items) {
      unseen = after_change(items.error());
      continue;
    }
    std::vector<WireItem*> fresh;
    for (WireItem& item : *items) {
      const bool is_new = item.entry.kind == NodeKind::kFile && known.count(item.entry.id) == 0;
      if (!is_new || item.entry.size != source.size) continue;
      if (item.entry.id.value == begun.hint) {
        forget_unseen(folder, folded);
        return std::move(item.entry);
      }
      if (fold_name(item.entry.name) == folded) fresh.push_back(&item);
    }
    if (fresh.size() == 1) return std::move(fresh.front()->entry);
    if (fresh.size() > 1) {
      // Somebody else's came at the same moment, and which is which the caller finds out by what
      // is in them.
      return fail(ErrorCode::kUnavailable, "upload " + about + ": two new files of one name");
    }
  } while (settling.again(call));
  remember_unseen(folder, folded, begun);
  if (unseen) return fail(*std::move(unseen));
  if (!completed) return fail(static_cast<const Error&>(completed.error()));
  return fail(ErrorCode::kUnavailable, "upload " + about + ": sent, but not to be seen yet");
}

}  // namespace cabinetfs
