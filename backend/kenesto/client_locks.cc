// KenestoStore: check-out and check-in, which documents in vaults have.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backend/base/log.h"
#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

Error busy(const WireItem& item) {
  return {ErrorCode::kBusy,
          fmt::format("id={}: checked out by {}", item.entry.id.value,
                      item.entry.lock_holder.empty() ? "somebody" : item.entry.lock_holder)};
}

std::string ids_json(const std::vector<RemoteId>& files) {
  std::string out = "[";
  for (const RemoteId& file : files) {
    if (out.size() > 1) out += ',';
    out += json_text(file.value);
  }
  return out += ']';
}

}  // namespace

void KenestoStore::know_holder(const WireItem& item, bool ours) {
  if (ours) {
    known_.set_ours(item.entry.id, item.entry.lock_holder);
  } else {
    known_.set_not_ours(item.entry.id);
  }
}

bool KenestoStore::held_by_us(const CallContext& call, const WireItem& item) {
  if (!item.checked_out) return false;
  if (has_object_info()) {
    const auto info = fetch_object_info(call, NodeKind::kFile, item.entry.id);
    if (info) {
      know_holder(item, info->checkin);
      return info->checkin;
    }
    log_debug("kenesto: who holds {}: {}", item.entry.id.value, to_string(info.error()));
  }
  return item.entry.lock == LockState::kHeldByUs;
}

ApiResult<WireEnvelope> KenestoStore::send_locks(const CallContext& call,
                                                 const std::vector<RemoteId>& files, bool hold,
                                                 const std::string& comment) {
  ApiRequest request;
  request.mutates = true;
  const bool one = files.size() == 1;
  const std::string first = files.front().value;
  request.about = one ? "id=" + first : fmt::format("{} documents", files.size());
  if (hold) {
    request.call = one ? "CheckOut" : "CheckOutMultiple";
    if (one) {
      request.query = {{"did", first}};
    } else {
      request.json = "{\"documentIds\":" + ids_json(files) + "}";
    }
  } else {
    request.call = one ? "CheckIn" : "CheckInMultiple";
    const std::string text = "\"Comment\":" + json_text(comment);
    request.json =
        one ? fmt::format("{{\"asset\":{{\"ID\":{},{}}}}}", json_text(first), text)
            : fmt::format("{{\"documentIds\":{},\"asset\":{{{}}}}}", ids_json(files), text);
  }
  return api_.send(call, request);
}

std::vector<Result<RemoteEntry>> KenestoStore::change_locks(const CallContext& call,
                                                            const std::vector<RemoteId>& files,
                                                            bool hold, const std::string& comment) {
  const char* const what = hold ? "check-out" : "check-in";
  std::vector<Result<RemoteEntry>> results(
      files.size(), fail(ErrorCode::kInternal, std::string(what) + ": not looked at"));
  // Each folder once, however many of its documents are asked about.
  std::map<RemoteId, Result<Items>> folders;
  const auto find = [&](const RemoteId& id) -> Result<WireItem> {
    TRY_ASSIGN(const RemoteId folder, folder_of(call, id));
    auto at = folders.find(folder);
    if (at == folders.end()) at = folders.emplace(folder, list_items(call, folder)).first;
    if (!at->second && at->second.error().code != ErrorCode::kNotFound) {
      return fail(at->second.error());
    }
    if (at->second) {
      for (const WireItem& item : *at->second) {
        if (item.entry.id == id && item.entry.kind == NodeKind::kFile) return item;
      }
    }
    known_.forget(id);
    return fail(ErrorCode::kNotFound, fmt::format("{} id={}: gone", what, id.value));
  };

  std::vector<RemoteId> asked;
  std::vector<std::size_t> asked_at;
  for (std::size_t i = 0; i < files.size(); ++i) {
    Result<WireItem> item = find(files[i]);
    if (!item) {
      results[i] = fail(item.error());
      continue;
    }
    const auto known = known_.find(files[i]);
    if (!known || !known->vault) {
      results[i] =
          fail(ErrorCode::kNotSupported,
               fmt::format("{} id={}: only documents in vaults have it", what, files[i].value));
      continue;
    }
    const bool ours = held_by_us(call, *item);
    if (item->checked_out && !ours) {
      results[i] = fail(busy(*item));
    } else if (ours == hold) {
      item->entry.lock = hold ? LockState::kHeldByUs : LockState::kFree;
      results[i] = std::move(item->entry);
    } else if (std::find(asked.begin(), asked.end(), files[i]) == asked.end()) {
      asked.push_back(files[i]);
      asked_at.push_back(i);
    }
  }
  if (asked.empty()) return results;

  const auto answer = send_locks(call, asked, hold, comment);
  // Whatever the answer: how a partial failure looks is not told, so the listing decides.
  for (const auto& [folder, items] : folders) listings_.changed(folder, {});
  folders.clear();
  for (std::size_t n = 0; n < asked.size(); ++n) {
    Result<RemoteEntry>& result = results[asked_at[n]];
    Result<WireItem> item = find(asked[n]);
    if (!item) {
      result = answer ? Result<RemoteEntry>(fail(after_change(item.error())))
                      : Result<RemoteEntry>(fail(static_cast<const Error&>(answer.error())));
      continue;
    }
    bool ours = held_by_us(call, *item);
    // It was free, we were told that we have it, and nobody can say otherwise.
    if (hold && answer && item->checked_out && !has_object_info()) ours = true;
    know_holder(*item, ours);
    if (hold ? ours : !item->checked_out) {
      item->entry.lock = hold ? LockState::kHeldByUs : LockState::kFree;
      result = std::move(item->entry);
    } else if (item->checked_out && !ours) {
      result = fail(busy(*item));
    } else if (!answer) {
      result = fail(static_cast<const Error&>(answer.error()));
    } else {
      result = fail(ErrorCode::kUnavailable,
                    fmt::format("{} id={}: agreed to, but not to be seen", what, asked[n].value));
    }
  }
  // An id that was named twice has one answer.
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto first = std::find(files.begin(), files.end(), files[i]) - files.begin();
    if (static_cast<std::size_t>(first) != i) {
      results[i] = results[static_cast<std::size_t>(first)];
    }
  }
  return results;
}

Result<RemoteEntry> KenestoStore::lock(const CallContext& call, const RemoteId& file) {
  return std::move(change_locks(call, {file}, true, "").front());
}

Result<RemoteEntry> KenestoStore::unlock(const CallContext& call, const RemoteId& file,
                                         const std::string& comment) {
  return std::move(change_locks(call, {file}, false, comment).front());
}

std::vector<Result<RemoteEntry>> KenestoStore::lock_files(const CallContext& call,
                                                          const std::vector<RemoteId>& files) {
  return change_locks(call, files, true, "");
}

std::vector<Result<RemoteEntry>> KenestoStore::unlock_files(const CallContext& call,
                                                            const std::vector<RemoteId>& files,
                                                            const std::string& comment) {
  return change_locks(call, files, false, comment);
}

Result<RemoteEntry> KenestoStore::discard_lock(const CallContext& call, const RemoteId& file) {
  TRY_ASSIGN(const WireItem before, fetch_item(call, NodeKind::kFile, file));
  if (!before.checked_out) return before.entry;
  const bool ours = held_by_us(call, before);
  if (!ours && has_object_info()) {
    // An owner may end a guest's; else it is nobody's to end but the holder's.
    const auto info = fetch_object_info(call, NodeKind::kFile, file);
    if (info && !info->discard) return fail(busy(before));
  }
  ApiRequest request;
  request.call = "DiscardCheckOut";
  request.about = "id=" + file.value;
  request.query = {{"did", file.value}};
  request.mutates = true;
  const auto answer = api_.send(call, request);
  listings_.changed(before.entry.parent, before.entry.name);
  TRY_ASSIGN(WireItem after, after_change(fetch_item(call, NodeKind::kFile, file)));
  if (!after.checked_out) return std::move(after.entry);
  // The vendor describes this call for owners whose guests hold a document; one's own check-out
  // may have to be ended by a check-in, which changes no content.
  if (ours && !answer && answer.error().told) return unlock(call, file, "");
  if (!answer) return fail(static_cast<const Error&>(answer.error()));
  return fail(ErrorCode::kUnavailable,
              "DiscardCheckOut id=" + file.value + ": agreed to, but still checked out");
}

}  // namespace cabinetfs
