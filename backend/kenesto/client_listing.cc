// KenestoStore: listings, and finding an object by its id.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "backend/base/log.h"
#include "backend/kenesto/client.h"
#include "backend/kenesto/quirks.h"

namespace cabinetfs {

using namespace kenesto;

namespace {

// A folder that changes while it is listed is listed again, so often.
constexpr int kRounds = 5;
// Between two of these; then twice as long each time, 1.5 s in all.
constexpr std::chrono::milliseconds kRoundPause{100};
// More pages than any folder has: two million entries.
constexpr std::uint64_t kMaxPages = 10'000;
// Folders that a search for one id may list.
constexpr std::size_t kMaxSearch = 20'000;
constexpr std::chrono::seconds kRightsLife{60};
// Whether a folder is a vault: told by the server, or searched for in vain.
constexpr std::chrono::hours kVaultLife{1};
constexpr std::chrono::seconds kVaultUnknownLife{60};
// A listing that is there already waits no longer for that search.
constexpr std::chrono::seconds kVaultSearch{3};
// See recent_look(): half of what a look may be old when the upload that it was for is completed.
constexpr std::chrono::milliseconds kRecent{500};

ApiFailure not_told(Error error) {
  ApiFailure failed;
  static_cast<Error&>(failed) = std::move(error);
  return failed;
}

Rights rights_of(NodeKind kind, const WireObjectInfo& info) {
  Rights rights;
  if (info.view || info.owned) rights.add(Right::kList);
  if (info.download || info.owned) rights.add(Right::kRead).add(Right::kVersions);
  if (info.update) rights.add(Right::kWrite);
  if (kind == NodeKind::kFolder && (info.upload || info.owned)) rights.add(Right::kCreate);
  if (info.remove) rights.add(Right::kDelete);
  // The vendor's programs offer it to owners only.
  if (info.owned) rights.add(Right::kRename);
  if (info.share) rights.add(Right::kShare);
  if (info.checkin || info.checkout) rights.add(Right::kLock);
  return rights;
}

}  // namespace

ApiResult<WirePage> KenestoStore::fetch_page(const CallContext& call, const RemoteId& folder,
                                             std::uint64_t number) {
  ApiRequest request;
  request.call = "RetrieveDocuments";
  request.about = fmt::format("folder={} page={}", folder.value, number);
  if (!is_root(folder)) request.query.emplace_back("fid", folder.value);
  request.query.insert(request.query.end(), {{"ps", std::to_string(kPageSize)},
                                             {"pn", std::to_string(number)},
                                             {"sb", "ASSET_NAME"},
                                             {"sd", "asc"}});
  const auto envelope = api_.send(call, request);
  if (!envelope) return tl::unexpected<ApiFailure>(envelope.error());
  Result<WirePage> page = parse_documents(*envelope->data);
  if (!page) return tl::unexpected<ApiFailure>(not_told(std::move(page).error()));
  return *std::move(page);
}

ApiResult<KenestoStore::Items> KenestoStore::fetch_all(const CallContext& call,
                                                       const RemoteId& folder) {
  std::string seen;
  // What a round brought whose numbers do not agree, though it may be all there is.
  std::optional<std::set<std::string>> doubtful;
  std::chrono::milliseconds span = kRoundPause;
  for (int round = 0; round < kRounds; ++round) {
    // Whatever changed may be over then.
    if (round > 0 && !pause(call, span)) {
      if (call.cancel.cancelled()) {
        return tl::unexpected<ApiFailure>(not_told({ErrorCode::kCancelled, "RetrieveDocuments"}));
      }
      break;
    }
    if (round > 0) span *= 2;
    Items items;
    std::set<std::string> ids;
    std::uint64_t received = 0;
    bool overlap = false;  // an id stands on two pages
    const auto take = [&](WirePage& page) {
      received += page.ids.size();
      const auto is_new = [&](const std::string& id) { return ids.count(id) == 0; };
      overlap = overlap || !std::all_of(page.ids.begin(), page.ids.end(), is_new);
      std::set<std::string> here;
      for (WireItem& item : page.items) {
        if (is_new(item.entry.id.value) && here.insert(item.entry.id.value).second) {
          items.push_back(std::move(item));
        }
      }
      ids.insert(page.ids.begin(), page.ids.end());
    };
    ApiResult<WirePage> page = fetch_page(call, folder, 1);
    if (!page) return tl::unexpected<ApiFailure>(page.error());
    const std::optional<std::uint64_t> total = page->total;
    const std::optional<std::uint64_t> parts = page->parts;
    // The larger one: to stop too early would lose something.
    const std::uint64_t most = std::max(total.value_or(0), parts.value_or(0));
    // A page beyond the last one holds everything, so none is asked for but where the two differ.
    const std::uint64_t told_pages = total ? (*total + kPageSize - 1) / kPageSize : kMaxPages;
    const std::uint64_t pages = total ? (most + kPageSize - 1) / kPageSize : kMaxPages;
    if (pages > kMaxPages) {
      return tl::unexpected<ApiFailure>(
          not_told({ErrorCode::kCorrupt, "a folder of more than two million"}));
    }
    bool changed = false;
    bool parts_hold = parts.has_value();
    std::size_t in_page = page->ids.size();
    take(*page);
    for (std::uint64_t number = 2; number <= pages; ++number) {
      // All of it came although one page was asked for; or there is no more.
      if (in_page != kPageSize || page->more == false) break;
      if (!total && !page->more) break;
      page = fetch_page(call, folder, number);
      if (!page) return tl::unexpected<ApiFailure>(page.error());
      changed = changed || page->total != total;
      parts_hold = parts_hold && page->parts == parts;
      const auto is_known = [&](const std::string& id) { return ids.count(id) != 0; };
      if (number > told_pages && page->ids.size() == ids.size() &&
          std::all_of(page->ids.begin(), page->ids.end(), is_known)) {
        break;
      }
      in_page = page->ids.size();
      take(*page);
      if (changed) break;
    }
    if (!changed && (!total || (ids.size() == *total && *total == most))) return items;
    // Some servers may list an id twice for good, or count other things than they list. Then the
    // same must come twice in a row and be as many as one of their numbers says: as many as were
    // counted, also with those that one page holds twice; or as many as there are files and
    // folders. Two pages that overlap prove nothing: what the second one should have held instead
    // is missing.
    const bool all_received = total && received == most && !overlap;
    const bool all_parts = parts_hold && ids.size() == *parts;
    const bool all_told = total && ids.size() == *total && !overlap;
    if (changed || page->more == true || !(all_received || all_told || all_parts)) {
      doubtful.reset();
    } else if (doubtful == ids) {
      return items;
    } else {
      doubtful = ids;
    }
    seen = fmt::format("{} of {}", ids.size(), total.value_or(0));
    log_debug("kenesto: folder {} changed while it was listed ({} entries)", folder.value, seen);
  }
  return tl::unexpected<ApiFailure>(
      not_told({ErrorCode::kUnavailable,
                fmt::format("RetrieveDocuments folder={}: no two pages fit together ({} entries)",
                            folder.value, seen)}));
}

Result<ListingPtr> KenestoStore::fetch_listing(const CallContext& call, const RemoteId& folder,
                                               int depth, SteadyTime since) {
  ApiResult<ListingPtr> listing = listings_.get(
      call, folder, [&](const CallContext& for_all) { return fetch_all(for_all, folder); }, since);
  // What it means is found out by each caller for himself: that may take other listings.
  if (!listing) return fail(explain(call, NodeKind::kFolder, folder, listing.error(), depth));
  return *std::move(listing);
}

void KenestoStore::finish_item(const RemoteId& folder, bool vault, WireItem& item) {
  RemoteEntry& entry = item.entry;
  entry.parent = folder;
  KnownObjects::Object object{folder, 0, item.vault || (vault && entry.kind == NodeKind::kFile),
                              item.external_link};
  if (entry.kind == NodeKind::kFile) {
    entry.validator = make_validator(entry);
    object.mark = mark_of(entry.validator);
    entry.lock_to_write = object.vault && !item.external_link;
    if (item.checked_out) {
      const KenestoUser user = session_.user();
      const std::string holder = fold_name(entry.lock_holder);
      const auto is_us = [&](const std::string& who) {
        return !who.empty() && fold_name(who) == holder;
      };
      // A display name proves little; lock() and stat() ask the server where it tells.
      const bool ours = known_.is_ours(entry.id, entry.lock_holder) || is_us(user.email) ||
                        is_us(user.name) || is_us(config_.user);
      entry.lock = ours ? LockState::kHeldByUs : LockState::kHeldByOther;
    } else {
      known_.set_not_ours(entry.id);
      entry.lock_holder.clear();
      // Outside vaults there are no locks that this program could take or see.
      entry.lock = object.vault ? LockState::kFree : LockState::kUnknown;
    }
  }
  known_.remember(entry.id, object);
  known_.set_external_token(entry.id, item.external_token);
  MutexLock lock(mutex_);
  const auto rights = rights_.find(entry.id);
  if (rights != rights_.end() && clock_.steady() < rights->second.until) {
    entry.rights = rights->second.rights;
  }
  if (item.external_link) entry.rights = entry.rights.value_or(Rights::all()).remove(Right::kWrite);
}

Result<KenestoStore::Items> KenestoStore::list_items(const CallContext& call,
                                                     const RemoteId& folder, int depth,
                                                     SteadyTime since) {
  TRY_ASSIGN(const ListingPtr listing, fetch_listing(call, folder, depth, since));
  return finish_items(call, folder, *listing, depth);
}

Result<std::optional<KenestoStore::Look>> KenestoStore::recent_look(const CallContext& call,
                                                                    const RemoteId& folder,
                                                                    const std::string& name) {
  const ListingPtr listing = listings_.recent(folder, name, kRecent);
  if (listing == nullptr) return std::optional<Look>();
  TRY_ASSIGN(Items items, finish_items(call, folder, *listing));
  return std::optional<Look>(Look{std::move(items), listing->begun});
}

Result<bool> KenestoStore::is_vault(const CallContext& call, const RemoteId& folder,
                                    const Items& listed, int depth) {
  if (is_root(folder)) return false;
  if (const auto known = known_.find(folder)) return known->vault;
  // It matters for documents only, and each of them may tell.
  const auto is_file = [](const WireItem& item) { return item.entry.kind == NodeKind::kFile; };
  if (std::none_of(listed.begin(), listed.end(), is_file)) return false;
  if (std::any_of(listed.begin(), listed.end(),
                  [&](const WireItem& item) { return is_file(item) && item.vault; })) {
    return true;
  }
  {
    MutexLock lock(mutex_);
    const auto told = vaults_.find(folder);
    if (told != vaults_.end() && clock_.steady() < told->second.until) return told->second.vault;
  }
  const auto remember = [&](bool vault, std::chrono::nanoseconds life) {
    MutexLock lock(mutex_);
    if (vaults_.size() > 4096) vaults_.clear();
    vaults_[folder] = {vault, clock_.steady() + life};
    return vault;
  };
  if (has_object_info()) {
    const auto info = fetch_object_info(call, NodeKind::kFolder, folder);
    if (info && info->vault) return remember(*info->vault, kVaultLife);
  }
  // Whoever searches lists each folder after the one that it is in.
  if (depth > 0) return false;
  CallContext search = call;
  search.deadline = std::min(call.deadline, std::chrono::steady_clock::now() + kVaultSearch);
  const auto parent = folder_of(search, folder, depth);
  if (parent) {
    const auto known = known_.find(folder);
    return known && known->vault;
  }
  // The listing of the folder itself is complete, whatever became of the search.
  if (call.cancel.cancelled()) return fail(parent.error());
  log_warn("kenesto: whether folder {} is a vault is not to be found out: {}", folder.value,
           to_string(parent.error()));
  const ErrorCode code = parent.error().code;
  const bool in_vain = code == ErrorCode::kNotFound || code == ErrorCode::kTryAgain ||
                       (code == ErrorCode::kTimeout && search.deadline < call.deadline);
  return remember(false, in_vain ? kVaultLife : kVaultUnknownLife);
}

Result<KenestoStore::Items> KenestoStore::finish_items(const CallContext& call,
                                                       const RemoteId& folder,
                                                       const Listing& listing, int depth) {
  Items items = listing.items;
  TRY_ASSIGN(const bool vault, is_vault(call, folder, items, depth));
  const SteadyTime now = clock_.steady();
  items.erase(
      std::remove_if(items.begin(), items.end(),
                     [&](const WireItem& item) { return known_.lingers(item.entry.id, now); }),
      items.end());
  for (WireItem& item : items) {
    const bool file = item.entry.kind == NodeKind::kFile;
    const bool undated = file && item.entry.modified == WallTime{};
    // What lies elsewhere has no versions here.
    const bool unsized = file && !item.sized && !item.external_link;
    std::optional<RemoteVersion> current;
    if (undated || unsized) {
      const Result<Versions> versions = fetch_versions(call, item.entry.id, true);
      if (!versions) {
        const Error& error = versions.error();
        const bool all = gives_up(error.code) || error.code == ErrorCode::kUnauthenticated;
        if (all || !unsized) {
          // It was listed just now; and of the folder nobody has said anything.
          const bool gone = error.code == ErrorCode::kNotFound;
          return fail(gone ? ErrorCode::kUnavailable : error.code, error.context);
        }
        log_debug("kenesto: the size of {}: {}", item.entry.id.value, to_string(error));
      }
      for (const RemoteVersion& version : versions ? *versions : Versions()) {
        if (version.current) current = version;
      }
    }
    if (unsized && current) item.entry.size = current->size;
    finish_item(folder, vault, item);
    // One odd entry does not hide its folder. But it is no empty file.
    if (unsized && !current)
      item.entry.rights = Rights::all().remove(Right::kRead).remove(Right::kWrite);
    if (!undated) continue;
    // Without a date two versions of one size would look the same: their ids tell them apart.
    if (current) item.entry.validator = validator_of(current->id);
    known_.remember(item.entry.id, {folder, mark_of(item.entry.validator), vault || item.vault,
                                    item.external_link});
  }
  return items;
}

Result<std::vector<RemoteEntry>> KenestoStore::list(const CallContext& call,
                                                    const RemoteId& folder) {
  TRY_ASSIGN(Items items, list_items(call, folder));
  std::vector<RemoteEntry> entries;
  entries.reserve(items.size());
  for (WireItem& item : items) entries.push_back(std::move(item.entry));
  return entries;
}

Result<RemoteId> KenestoStore::folder_of(const CallContext& call, const RemoteId& id, int depth) {
  if (const auto known = known_.find(id)) return known->parent;
  log_debug("kenesto: searching for {}", id.value);
  bool unread = false;
  std::deque<RemoteId> folders = {RemoteId{kRootId}};
  std::set<RemoteId> seen = {RemoteId{kRootId}};
  while (!folders.empty()) {
    if (seen.size() > kMaxSearch) {
      return fail(ErrorCode::kTryAgain, "id=" + id.value + ": not found in 20,000 folders");
    }
    const RemoteId folder = folders.front();
    folders.pop_front();
    const Result<Items> items = list_items(call, folder, depth + 1);
    if (!items) {
      // Gone meanwhile, or not for us to see: then neither is what lies in it.
      if (items.error().code == ErrorCode::kNotFound || items.error().code == ErrorCode::kDenied) {
        continue;
      }
      // Cannot be read; it may lie elsewhere.
      unread = unread || items.error().code == ErrorCode::kCorrupt;
      if (items.error().code == ErrorCode::kCorrupt) continue;
      return fail(items.error());
    }
    bool found = false;
    for (const WireItem& item : *items) {
      found = found || item.entry.id == id;
      if (item.entry.kind == NodeKind::kFolder && seen.insert(item.entry.id).second) {
        folders.push_back(item.entry.id);
      }
    }
    if (found) return folder;
  }
  if (unread)
    return fail(ErrorCode::kTryAgain, "id=" + id.value + ": in no folder that can be read");
  return fail(ErrorCode::kNotFound, "id=" + id.value + ": nowhere in the account");
}

Result<WireItem> KenestoStore::item_of(const Result<Items>& listed, const RemoteId& folder,
                                       NodeKind kind, const RemoteId& id) {
  // A folder that is gone took its children along.
  if (listed) {
    for (const WireItem& item : *listed) {
      if (item.entry.id == id && item.entry.kind == kind) return item;
    }
  } else if (listed.error().code != ErrorCode::kNotFound) {
    return fail(listed.error());
  }
  known_.forget(id);
  return fail(ErrorCode::kNotFound,
              fmt::format("id={}: not in its folder {}", id.value, folder.value));
}

Result<WireItem> KenestoStore::fetch_item(const CallContext& call, NodeKind kind,
                                          const RemoteId& id, int depth, SteadyTime since) {
  TRY_ASSIGN(const RemoteId folder, folder_of(call, id, depth));
  return item_of(list_items(call, folder, depth, since), folder, kind, id);
}

Result<RemoteEntry> KenestoStore::stat(const CallContext& call, NodeKind kind, const RemoteId& id) {
  if (is_root(id)) return root(call);
  TRY_ASSIGN(WireItem item, fetch_item(call, kind, id));
  // Uploads look often and know what they may.
  const bool doubtful = item.checked_out && !known_.is_ours(id, item.entry.lock_holder);
  const bool told = item.entry.rights && !item.external_link;
  if (!has_object_info() || call.priority == Priority::kUpload || (told && !doubtful)) {
    return std::move(item.entry);
  }
  const Result<WireObjectInfo> info = fetch_object_info(call, kind, id);
  if (!info) {
    log_debug("kenesto: rights of {}: {}", id.value, to_string(info.error()));
    return std::move(item.entry);
  }
  Rights rights = rights_of(kind, *info);
  if (item.external_link) rights.remove(Right::kWrite);
  item.entry.rights = rights;
  if (item.checked_out) {
    know_holder(item, info->checkin);
    item.entry.lock = info->checkin ? LockState::kHeldByUs : LockState::kHeldByOther;
  }
  MutexLock lock(mutex_);
  if (rights_.size() > 4096) rights_.clear();
  rights_[id] = {*item.entry.rights, clock_.steady() + kRightsLife};
  return std::move(item.entry);
}

Result<std::optional<RemoteEntry>> KenestoStore::find_child(const CallContext& call,
                                                            const RemoteId& folder,
                                                            const std::string& name) {
  TRY_ASSIGN(Items items, list_items(call, folder));
  // Names are not unique there: the exact one before one of another case, then the newest.
  const std::string folded = fold_name(name);
  const WireItem* best = nullptr;
  for (const WireItem& item : items) {
    if (fold_name(item.entry.name) != folded) continue;
    const bool exact = item.entry.name == name;
    const bool best_exact = best != nullptr && best->entry.name == name;
    if (best == nullptr || (exact && !best_exact) ||
        (exact == best_exact && item.entry.modified > best->entry.modified)) {
      best = &item;
    }
  }
  if (best == nullptr) return std::optional<RemoteEntry>();
  return std::optional<RemoteEntry>(best->entry);
}

Result<std::uint64_t> KenestoStore::fetch_count(const CallContext& call, const RemoteId& folder) {
  ApiRequest request;
  request.call = "RetrieveNumberOfDocuments";
  request.about = "folder=" + folder.value;
  if (!is_root(folder)) request.query.emplace_back("fid", folder.value);
  const auto envelope = api_.send(call, request);
  if (!envelope) return fail(explain(call, NodeKind::kFolder, folder, envelope.error()));
  return parse_count(*envelope->data);
}

}  // namespace cabinetfs
