// KenestoStore: folders, names and removal.

#include <fmt/format.h>

#include <algorithm>

#include "backend/base/log.h"
#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

// A server that removes in the background may list what is gone for so long.
constexpr std::chrono::seconds kLinger{30};

bool taken(const std::vector<WireItem>& items, const std::string& name, const RemoteId& except) {
  const std::string folded = fold_name(name);
  return std::any_of(items.begin(), items.end(), [&](const WireItem& item) {
    return item.entry.id != except && fold_name(item.entry.name) == folded;
  });
}

// The stem of `name` when it ends in `extension`, which has its dot; else nullopt.
std::optional<std::string> stem_of(const std::string& name, const std::string& extension) {
  if (name.size() <= extension.size() ||
      name.compare(name.size() - extension.size(), extension.size(), extension) != 0) {
    return std::nullopt;
  }
  return name.substr(0, name.size() - extension.size());
}

}  // namespace

Result<RemoteEntry> KenestoStore::create_folder(const CallContext& call, const RemoteId& parent,
                                                const std::string& name) {
  TRY(check_name(name));
  TRY_ASSIGN(std::optional<Look> look, recent_look(call, parent, name));
  if (!look) {
    look.emplace();
    TRY_ASSIGN(look->items, list_items(call, parent));
  }
  if (taken(look->items, name, {})) {
    return fail(ErrorCode::kExists, "CreateFolder folder=" + parent.value + ": the name is taken");
  }
  ApiRequest request;
  request.call = "CreateFolder";
  request.about = "folder=" + parent.value;
  request.mutates = true;
  if (!is_root(parent)) request.query.emplace_back("pid", parent.value);
  request.query.emplace_back("fn", name);
  request.query.emplace_back("iv", "false");
  const auto envelope = api_.send(call, request);
  listings_.changed(parent, name);
  if (!envelope) return fail(explain(call, NodeKind::kFolder, parent, envelope.error()));
  // Done: what the answer lacks, the listing has.
  const Result<WireFolder> made = parse_folder(*envelope->data);
  const Result<Items> after = list_items(call, parent);
  if (after) {
    for (const WireItem& item : *after) {
      const RemoteEntry& entry = item.entry;
      if (entry.kind == NodeKind::kFolder &&
          (made ? entry.id.value == made->id : fold_name(entry.name) == fold_name(name))) {
        return entry;
      }
    }
  }
  if (!made) {
    return fail(ErrorCode::kUnavailable, request.call + " " + request.about +
                                             ": done, but the new folder is not listed yet");
  }
  RemoteEntry entry;
  entry.id.value = made->id;
  entry.parent = parent;
  entry.kind = NodeKind::kFolder;
  entry.name = made->name.empty() ? name : made->name;
  entry.modified = entry.changed = api_.server_time();
  known_.remember(entry.id, {parent, 0, false, false});
  return entry;
}

Result<RemoteEntry> KenestoStore::rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                                         const std::string& name) {
  if (!capabilities().rename) {
    return fail(ErrorCode::kCrossDevice, "rename: not with the calls that the vendor documents");
  }
  if (is_root(id)) return fail(ErrorCode::kNotPermitted, "rename: the root of the account");
  TRY(check_name(name));
  TRY_ASSIGN(const RemoteId folder, folder_of(call, id));
  const Result<Items> siblings = list_items(call, folder);
  TRY_ASSIGN(const WireItem item, item_of(siblings, folder, kind, id));
  if (item.entry.name == name) return item.entry;
  if (item.entry.lock == LockState::kHeldByOther) {
    return fail(ErrorCode::kBusy,
                fmt::format("rename id={}: checked out by {}", id.value, item.entry.lock_holder));
  }
  if (taken(*siblings, name, id)) {
    return fail(ErrorCode::kExists, "rename id=" + id.value + ": the name is taken");
  }
  ApiRequest request;
  request.about = "id=" + id.value;
  request.mutates = true;
  std::vector<std::string> tries = {name};
  if (kind == NodeKind::kFolder) {
    request.call = "EditFolder";
  } else {
    request.call = "UpdateAssetName";
    // The extension is not known to follow, so it must stay.
    const auto stem = stem_of(name, item.extension);
    if (!stem) {
      return fail(ErrorCode::kCrossDevice,
                  "rename id=" + id.value + ": the extension of a document cannot change");
    }
    // The vendor's programs send the name without extension; a server that takes it for the whole
    // name is told the whole name then.
    tries = {*stem};
    if (!item.extension.empty()) tries.push_back(name);
  }
  for (const std::string& text : tries) {
    // The vault flag goes along, or the folder would change its kind.
    if (kind == NodeKind::kFolder) {
      request.query = {{"fid", id.value}, {"fn", text}, {"iv", item.vault ? "true" : "false"}};
    } else {
      request.query = {{"did", id.value}, {"dn", text}};
    }
    const auto envelope = api_.send(call, request);
    listings_.changed(folder, {});
    if (!envelope && is_missing(call, envelope.error())) {
      give_up_rename();
      return fail(ErrorCode::kCrossDevice, "rename: this server has no " + request.call);
    }
    if (!envelope) return fail(explain(call, kind, id, envelope.error()));
    // A listing that lags behind shows the old name; only a third one shows what became of this.
    bool other = false;
    for (Settling settling(*this, 0); !other;) {
      TRY_ASSIGN(WireItem after, after_change(fetch_item(call, kind, id)));
      if (after.entry.name == name) return std::move(after.entry);
      other = after.entry.name != item.entry.name;
      if (!other && !settling.again(call)) {
        // Perhaps it never comes: tried again a few times, and then taken back.
        return fail(ErrorCode::kTryAgain,
                    "rename id=" + id.value + ": agreed to, but the new name is not to be seen");
      }
    }
  }
  // Back to what it was; nobody asked for what it is now.
  if (kind == NodeKind::kFile) {
    request.query = {{"did", id.value}, {"dn", item.stem}};
    const auto back = api_.send(call, request);
    listings_.changed(folder, {});
    if (!back) log_warn("kenesto: {} has another name now: {}", id.value, back.error().context);
  }
  return fail(ErrorCode::kCrossDevice,
              "rename id=" + id.value + ": the server makes another name of it");
}

Result<void> KenestoStore::remove(const CallContext& call, NodeKind kind, const RemoteId& id) {
  if (is_root(id)) return fail(ErrorCode::kNotPermitted, "remove: the root of the account");
  const auto lingering = known_.lingers(id, clock_.steady());
  if (lingering) return {};
  const Result<WireItem> item = fetch_item(call, kind, id);
  if (!item) {
    if (item.error().code == ErrorCode::kNotFound) return {};
    return fail(item.error());
  }
  ApiRequest request;
  request.about = "id=" + id.value;
  request.mutates = true;
  if (kind == NodeKind::kFile) {
    if (item->entry.lock == LockState::kHeldByOther) {
      return fail(ErrorCode::kBusy, fmt::format("remove id={}: checked out by {}", id.value,
                                                item->entry.lock_holder));
    }
    request.call = "DeleteAsset";
    request.query = {{"aid", id.value}, {"fc", item->family.empty() ? "GENERAL" : item->family}};
  } else {
    // Whether the server refuses folders with children is not known: both ways of looking must
    // show it empty, right before.
    TRY_ASSIGN(const std::uint64_t count, fetch_count(call, id));
    TRY_ASSIGN(const Items children, list_items(call, id));
    const SteadyTime now = clock_.steady();
    if (!children.empty()) {
      return fail(ErrorCode::kNotEmpty,
                  fmt::format("remove id={}: {} children", id.value, children.size()));
    }
    if (count > 0) {
      // Listed without those that are being removed; counted with them.
      TRY_ASSIGN(const ListingPtr listing, fetch_listing(call, id, 0));
      const Items& all = listing->items;
      const auto counts = [&](const WireItem& child) {
        return !known_.lingers(child.entry.id, now);
      };
      if (all.size() < count || std::any_of(all.begin(), all.end(), counts)) {
        return fail(
            ErrorCode::kNotEmpty,
            fmt::format("remove id={}: {} children, not all of them listed", id.value, count));
      }
    }
    request.call = "DeleteFolder";
    request.query = {{"fid", id.value}};
  }
  const auto envelope = api_.send(call, request);
  listings_.changed(item->entry.parent, item->entry.name);
  if (!envelope) {
    Error error = explain(call, kind, id, envelope.error());
    if (error.code == ErrorCode::kNotFound) return {};
    return fail(std::move(error));
  }
  known_.removed(id, clock_.steady() + kLinger);
  known_.forget(id);
  return {};
}

}  // namespace cabinetfs
