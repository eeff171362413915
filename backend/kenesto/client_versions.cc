// KenestoStore: versions and history.

#include <fmt/format.h>

#include <algorithm>

#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

Result<KenestoStore::Versions> KenestoStore::fetch_versions(const CallContext& call,
                                                            const RemoteId& file, bool as_told) {
  ApiRequest request;
  request.call = "RetrieveFileVersions";
  request.about = "id=" + file.value;
  request.query = {{"fid", file.value}};
  const auto envelope = api_.send(call, request);
  if (!envelope && as_told) return fail(static_cast<const Error&>(envelope.error()));
  if (!envelope) return fail(explain(call, NodeKind::kFile, file, envelope.error()));
  return parse_versions(*envelope->data);
}

// The current version need not be the newest: promoting moves a mark. It is told first all the
// same, and numbers stay the vendor's as far as they can: the contract wants the current one on
// top.
Result<std::vector<RemoteVersion>> KenestoStore::versions(const CallContext& call,
                                                          const RemoteId& file) {
  TRY_ASSIGN(Versions versions, fetch_versions(call, file));
  std::stable_sort(versions.begin(), versions.end(),
                   [](const RemoteVersion& a, const RemoteVersion& b) {
                     return a.current != b.current ? a.current : a.number > b.number;
                   });
  for (std::size_t i = 0; i < versions.size(); ++i) {
    versions[i].number = static_cast<std::uint32_t>(versions.size() - i);
  }
  return versions;
}

Result<RemoteEntry> KenestoStore::promote(const CallContext& call, const RemoteId& file,
                                          const VersionId& version) {
  TRY_ASSIGN(const WireItem before, fetch_item(call, NodeKind::kFile, file));
  if (before.entry.lock == LockState::kHeldByOther) {
    return fail(ErrorCode::kBusy,
                fmt::format("id={}: checked out by {}", file.value, before.entry.lock_holder));
  }
  TRY_ASSIGN(const Versions known, fetch_versions(call, file));
  const auto wanted = std::find_if(known.begin(), known.end(),
                                   [&](const RemoteVersion& one) { return one.id == version; });
  if (wanted == known.end()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("id={}: no version {}", file.value, version.value));
  }
  if (wanted->current) return before.entry;
  const bool same_size = wanted->size == before.entry.size;
  ApiRequest request;
  request.call = "SetCurrentFileVersion";
  request.about = fmt::format("id={} version={}", file.value, version.value);
  request.json = "{\"fileId\":" + json_text(version.value) + "}";
  request.mutates = true;
  request.stall_timeout = patience_for(wanted->size);
  const auto envelope = api_.send(call, request);
  listings_.changed(before.entry.parent, before.entry.name);
  if (!envelope) {
    if (envelope.error().told && envelope.error().code != ErrorCode::kUnavailable) {
      return fail(explain(call, NodeKind::kFile, file, envelope.error()));
    }
    // Sent, and no answer: the versions tell.
    const auto after = fetch_versions(call, file);
    const bool done = after && std::any_of(after->begin(), after->end(), [&](const auto& one) {
                        return one.current && one.id == version;
                      });
    if (!done) return fail(static_cast<const Error&>(envelope.error()));
  }
  if (same_size) {
    // Should the server keep the date as it was, the listing does not tell the two apart; at least
    // nothing that this process remembers must.
    known_.unbind(file, mark_of(before.entry.validator));
  }
  TRY_ASSIGN(WireItem after, after_change(fetch_item(call, NodeKind::kFile, file)));
  return std::move(after.entry);
}

Result<std::vector<RemoteEvent>> KenestoStore::history(const CallContext& call, NodeKind kind,
                                                       const RemoteId& id) {
  if (kind != NodeKind::kFile) {
    return fail(ErrorCode::kNotSupported, "history: only documents have one");
  }
  ApiRequest request;
  request.call = "RetrieveDocumentHistory";
  request.about = "id=" + id.value;
  request.query = {{"dId", id.value}};
  const auto envelope = api_.send(call, request);
  if (!envelope) return fail(explain(call, kind, id, envelope.error()));
  return parse_history(*envelope->data);
}

}  // namespace cabinetfs
