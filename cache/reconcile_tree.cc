// The reconciler's changes of the server's tree (folders, places, removals), and how their answers
// come back into ours.
#include <algorithm>
#include <map>

#include "backend/base/log.h"
#include "cache/path_ids.h"
#include "cache/reconciler.h"
#include "cache/upload_task.h"

namespace cabinetfs {

Result<std::vector<RemoteEntry>> Reconciler::find_created(const CallContext& call,
                                                          const Intent& intent) {
  std::vector<RemoteEntry> found;
  TRY_ASSIGN(const NodePtr folder, core_.tree.find(intent.folder));
  if (folder == nullptr || !folder->remote) return found;
  const Capabilities& able = core_.remote.capabilities();
  if (able.exclusive_create || able.ids_follow_path) {
    const Result<std::optional<RemoteEntry>> child =
        core_.seen(core_.remote.find_child(call, folder->remote->id, intent.name));
    if (!child && !is_gone(child.error().code)) return fail(child.error());
    if (child && *child) found.push_back(**child);
    return found;
  }
  // Several may have the name: two creates of ours, the first of them without an answer.
  Result<std::vector<RemoteEntry>> all = core_.seen(core_.remote.list(call, folder->remote->id));
  if (!all && !is_gone(all.error().code)) return fail(std::move(all).error());
  if (!all) return found;
  for (RemoteEntry& entry : *all) {
    if (core_.codec.same(entry.name, intent.name)) found.push_back(std::move(entry));
  }
  return found;
}

namespace {

// The next access to the folder asks the server.
Result<void> list_again(Tree::Txn& txn, InodeNumber folder) {
  TRY_ASSIGN(const NodePtr known, txn.find(folder));
  if (known == nullptr) return {};
  NodeRecord next = *known;
  next.listed_at = WallTime{};
  txn.put(std::move(next));
  return {};
}

}  // namespace

Result<void> Reconciler::store_intent(const NodeRecord& node, const Intent& intent) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(node.ino));
  if (now == nullptr) return fail(ErrorCode::kCancelled, "the node is gone");
  // From here on others know where this one is going to stand; until now they did not.
  if (intent.kind != Intent::Kind::kNone &&
      (now->deleted || now->name != node.name || now->parent != node.parent))
    return fail(ErrorCode::kCancelled, "renamed or deleted before it was sent");
  NodeRecord next = *now;
  next.intent = intent;
  txn.put(std::move(next));
  // While it was not known what stands there, a listing did not show it.
  if (intent.kind == Intent::Kind::kNone) TRY(list_again(txn, now->intent.folder));
  return txn.commit();
}

// Whether what stands where a create was sent to is what was sent, and nobody else's by now.
Result<bool> Reconciler::is_ours_alone(const CallContext& call, const NodeRecord& node,
                                       const RemoteEntry& entry) {
  const Intent& intent = node.intent;
  // A file that others have written to since is not ours alone any more.
  if (entry.kind != node.kind || entry.version_count > 1) return false;
  // Shown by another node: an equal content that came to the same place later.
  TRY_ASSIGN(const NodePtr other, core_.tree.find_remote(entry.id));
  if (other != nullptr && other->ino != node.ino) return false;
  if (is_what_was_sent(intent, entry)) return true;
  // Without a fingerprint the bytes tell. Left there, it would be in the way of what has taken its
  // place here.
  if (!may_be_what_was_sent(intent, entry)) return false;
  TRY_ASSIGN(const std::string theirs, remote_md5(core_, call, entry));
  return theirs == intent.md5;
}

// Deleted here before we learnt whether the server has got it. Only what is certainly ours is
// removed there; anything else stays and is shown.
Result<void> Reconciler::forget(const NodeRecord& node) {
  const CallContext call = core_.background_call(Priority::kUpload);
  const Intent& intent = node.intent;
  if (intent.session) {
    const Result<void> aborted = core_.seen(core_.remote.upload_abort(call, *intent.session));
    if (!aborted && is_transient(aborted.error().code)) return aborted;
  }
  TRY_ASSIGN(const std::vector<RemoteEntry> there, find_created(call, intent));
  const RemoteEntry* found = nullptr;
  for (const RemoteEntry& entry : there) {
    TRY_ASSIGN(const bool ours, is_ours_alone(call, node, entry));
    if (!ours) continue;
    found = &entry;
    break;
  }
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(node.ino));
  if (now == nullptr || !now->deleted || now->remote) return {};
  if (found != nullptr) {
    TRY_ASSIGN(const NodePtr other, txn.find_remote(found->id));
    if (other != nullptr && other->ino != node.ino) found = nullptr;
  }
  if (found == nullptr) {
    TRY(list_again(txn, intent.folder));
    txn.erase(node.ino);
    return txn.commit();
  }
  NodeRecord next = *now;
  next.intent = Intent{};
  next.remote = *found;
  next.remote_parent = intent.folder;
  next.base_validator = found->validator;
  txn.put(std::move(next));
  return txn.commit();
}

Result<bool> Reconciler::taken_by_ours(InodeNumber folder, const std::string& remote_name,
                                       InodeNumber except) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr standing, txn.displaced_at(folder, remote_name, except));
  return standing != nullptr;
}

Result<void> Reconciler::create_folder(const NodeRecord& node) {
  if (node.intent.kind != Intent::Kind::kNone) {
    const CallContext look = core_.background_call(Priority::kUpload);
    TRY_ASSIGN(const std::vector<RemoteEntry> there, find_created(look, node.intent));
    for (const RemoteEntry& entry : there) {
      if (entry.kind == NodeKind::kFolder) return adopt_folder(node, entry);
    }
    // It is not there; its place may have been taken since: planned again.
    return store_intent(node, Intent{});
  }
  TRY_ASSIGN(const NodePtr parent, core_.tree.find(node.parent));
  if (parent == nullptr || !parent->remote)
    return fail(ErrorCode::kTryAgain, "the parent folder is not at the server yet");
  const RemoteId parent_id = parent->remote->id;
  TRY_ASSIGN(const std::string name, core_.codec.to_remote(node.name));
  const CallContext call = core_.background_call(Priority::kUpload);

  Intent intent;
  intent.kind = Intent::Kind::kCreateFolder;
  intent.folder = parent->ino;
  intent.name = name;
  TRY(store_intent(node, intent));
  Result<RemoteEntry> made = core_.seen(core_.remote.create_folder(call, parent_id, name));
  if (made) return adopt_folder(node, *made);
  if (!may_have_happened(made.error().code)) TRY(store_intent(node, Intent{}));
  if (is_gone(made.error().code)) return lost(parent->ino, parent_id);
  if (made.error().code != ErrorCode::kExists) return fail(std::move(made).error());
  // Before the look: what leaves the place in between is not there any more when it is looked at.
  TRY_ASSIGN(const bool ours, taken_by_ours(parent->ino, name, node.ino));
  if (ours) return {};  // planned again, behind that one
  TRY_ASSIGN(const std::optional<RemoteEntry> there,
             core_.seen(core_.remote.find_child(call, parent_id, name)));
  if (!there)
    return fail(ErrorCode::kTryAgain,
                "the server says that the name is taken, but does not list it");
  if (there->kind != NodeKind::kFolder)
    return give_way(node.ino, "a file of that name is on the server");
  return adopt_folder(node, *there);
}

Result<void> Reconciler::adopt_folder(const NodeRecord& node, const RemoteEntry& made) {
  const InodeNumber remote_parent = node.intent.folder ? node.intent.folder : node.parent;
  // The same object may have come in by a listing while our answer was on its way; or somebody has
  // given this name to a folder that is in use here under another one.
  bool in_use = false;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr other, txn.find_remote(made.id));
    if (other != nullptr && other->ino != node.ino) {
      TRY_ASSIGN(in_use, txn.has_children(other->ino));
      in_use = in_use || other->dirty();
      if (!in_use) {
        txn.erase(other->ino);
        TRY(txn.commit());
      }
    }
  }
  if (in_use) return give_way(node.ino, "a folder of that name is on the server");
  return confirm(node.ino, made, remote_parent);
}

Result<void> Reconciler::remove_folder(const NodeRecord& node) {
  const CallContext call = core_.background_call(Priority::kUpload);
  const Result<void> done =
      core_.seen(core_.remote.remove(call, NodeKind::kFolder, node.remote->id));
  if (done || is_gone(done.error().code)) return removed(node);
  if (done.error().code != ErrorCode::kNotEmpty) return done;
  // Something that we do not know, or an answer of ours that is still on its way. The listing
  // tells.
  TRY_ASSIGN(const std::vector<RemoteEntry> inside,
             core_.seen(core_.remote.list(call, node.remote->id)));
  bool foreign = false;
  for (const RemoteEntry& entry : inside) {
    Tree::Txn txn(core_.tree);
    // Of a create of ours, perhaps, whose answer got lost: somebody is looking into it.
    TRY_ASSIGN(const NodePtr sent, txn.displaced_at(node.ino, entry.name, kNoInode));
    if (sent != nullptr) continue;
    TRY_ASSIGN(const NodePtr known, txn.find_remote(entry.id));
    if (known == nullptr || (!known->deleted && !known->moved())) foreign = true;
  }
  if (!foreign && !inside.empty()) return fail(ErrorCode::kTryAgain, "the folder is being emptied");
  if (inside.empty())
    return fail(ErrorCode::kTryAgain, "the server has not noticed yet that the folder is empty");
  return take_back(node.ino, {ErrorCode::kNotEmpty, "others have put something into the folder"},
                   true);
}

// Deleted here, changed there: the edit wins.
Result<void> Reconciler::keep_their_edit(InodeNumber ino, const RemoteEntry& theirs) {
  Notices notices;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr row, txn.find(ino));
    if (row == nullptr || !row->deleted) return {};
    NodeRecord next = *row;
    next.remote = theirs;
    TRY(put_back(core_, txn, next, notices));
    show_remote(next, true);
    next.conflict = "deleted here while it was changed on the server: kept";
    ++core_.conflicts;
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  notices.send(core_.notifier);
  return {};
}

void Reconciler::remove_files(const std::vector<NodePtr>& nodes) {
  const CallContext call = core_.background_call(Priority::kUpload);
  std::vector<RemoteId> ids;
  std::vector<NodePtr> sent;
  // Deleted here, edited there: the edit wins. A folder's listing tells it for all its files at
  // once: in the row, or, where it came while the file was in flight, beside it.
  std::map<InodeNumber, Result<void>> listings;
  std::map<InodeNumber, bool> fresh;  // asked for just now, not what was known before an outage
  for (const NodePtr& node : nodes) {
    if (listings.contains(node->remote_parent)) continue;
    const Result<NodePtr> folder = core_.tree.find(node->remote_parent);
    const bool known = folder && *folder != nullptr && (*folder)->remote && !(*folder)->deleted;
    Result<void> listed = fail(ErrorCode::kNotFound, "the folder is not known any more");
    if (known) listed = listings_.ensure(call, node->remote_parent, core_.options.fresh);
    listings.emplace(node->remote_parent, std::move(listed));
    const Result<NodePtr> now = core_.tree.find(node->remote_parent);
    fresh[node->remote_parent] = now && *now != nullptr && (*now)->listed &&
                                 core_.is_recent((*now)->listed_at, core_.options.fresh);
  }
  for (const NodePtr& node : nodes) {
    const Result<void>& listed = listings.at(node->remote_parent);
    const std::optional<Validator> told = core_.recent.take_told(node->ino);
    if (!listed && !is_gone(listed.error().code)) {
      failed(node->ino, Plan::Action::kRemoveFile, listed.error());
      continue;
    }
    const SteadyTime now = core_.clock.steady();
    // What was shown is what was meant; a newer version, also one that is known already, was not.
    const Validator& shown = node->base_validator;
    const bool as_shown =
        shown.empty() || (node->remote->validator == shown && told.value_or(shown) == shown);
    if (!listed || !fresh.at(node->remote_parent) || !as_shown) {
      const Result<RemoteEntry> there =
          core_.seen(core_.remote.stat(call, NodeKind::kFile, node->remote->id));
      if (there && there->validator != shown && !shown.empty() &&
          !is_what_was_sent(node->intent, *there)) {
        Result<bool> ours = false;
        if (may_be_what_was_sent(node->intent, *there)) {
          const Result<std::string> theirs = remote_md5(core_, call, *there);
          ours = theirs ? Result<bool>(*theirs == node->intent.md5) : fail(theirs.error());
        }
        if (!ours) {
          failed(node->ino, Plan::Action::kRemoveFile, ours.error());
          continue;
        }
        if (*ours) {
          ids.push_back(node->remote->id);
          sent.push_back(node);
          continue;
        }
        if (const Result<void> kept = keep_their_edit(node->ino, *there); !kept)
          log_error("keeping an edit: {}", to_string(kept.error()));
        core_.recent.confirmed(node->ino, now);
        continue;
      }
      if (!there && !is_gone(there.error().code)) {
        failed(node->ino, Plan::Action::kRemoveFile, there.error());
        continue;
      }
    }
    ids.push_back(node->remote->id);
    sent.push_back(node);
  }
  if (ids.empty()) return;
  const std::vector<Result<void>> results =
      ids.size() == 1
          ? std::vector<Result<void>>{core_.remote.remove(call, NodeKind::kFile, ids.front())}
          : core_.remote.remove_files(call, ids);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const Result<void>& result = results.at(i);
    if (result) {
      core_.net.succeeded();
    } else {
      core_.net.failed(result.error());
    }
    Result<void> outcome = result;
    if (result || is_gone(result.error().code)) outcome = removed(*sent[i]);
    if (!outcome) failed(sent[i]->ino, Plan::Action::kRemoveFile, outcome.error());
  }
}

Result<void> Reconciler::describe(const NodeRecord& node) {
  const CallContext call = core_.background_call(Priority::kUpload);
  TRY(core_.seen(
      core_.remote.set_description(call, node.kind, node.remote->id, *node.description)));
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr now, txn.find(node.ino));
  if (now == nullptr) return {};
  NodeRecord next = *now;
  if (next.description == node.description) next.description.reset();
  if (next.remote) next.remote->description = *node.description;
  next.failure.reset();
  txn.put(std::move(next));
  return txn.commit();
}

// The change that the lock was taken for is at the server, or there was none.
Result<void> Reconciler::give_lock_back(const NodeRecord& node) {
  const CallContext call = core_.background_call(Priority::kUpload);
  const Result<RemoteEntry> done =
      core_.seen(core_.remote.unlock(call, node.remote->id, std::string()));
  // Refused: it is not ours any more, or the object is gone; the listing tells which.
  if (!done && is_transient(done.error().code)) return fail(done.error());
  if (!done && !is_gone(done.error().code))
    core_.notice(node, core_.tree.path_of(node.ino).value_or(node.name), "unlock",
                 to_string(done.error()));
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr now, txn.find(node.ino));
    if (now == nullptr) return {};
    NodeRecord next = *now;
    next.lock_taken = false;
    next.failure.reset();
    if (done && next.remote && next.remote->id == done->id) {
      next.remote->lock = done->lock;
      next.remote->lock_holder = done->lock_holder;
      next.remote->lock_to_write = done->lock_to_write;
    }
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  return {};
}

Result<void> Reconciler::confirm(InodeNumber ino, const RemoteEntry& entry,
                                 InodeNumber remote_parent, bool same_content) {
  const SteadyTime now = core_.clock.steady();
  const bool follows = core_.remote.capabilities().ids_follow_path;
  NewNames names;
  names.ino = ino;
  std::vector<ContentRename> contents;
  Notices notices;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr known, txn.find(ino));
    core_.recent.wrote(entry.id, now);
    if (known == nullptr) return {};
    NodeRecord next = *known;
    const std::optional<RemoteEntry> old = next.remote;
    next.remote = entry;
    if (old && old->id != entry.id && follows) {
      names.from = old->id;
      names.to = entry.id;
      // What a listing told of the old id before is not news any more.
      core_.recent.removed(old->id, now);
      TRY_ASSIGN(const NodePtr other, txn.find_remote(entry.id));
      if (other != nullptr && other->ino != ino && (other->deleted || !other->dirty())) {
        // What stood there is gone, else ours could not stand there now.
        if (!other->deleted && (other->parent != known->parent || other->name != known->name))
          notices.entry(other->parent, other->name);
        txn.erase(other->ino);
      }
    }
    // Answers to changes often leave out what a listing tells.
    if (old && (old->id == entry.id || follows)) {
      if (!next.remote->rights) next.remote->rights = old->rights;
      if (next.remote->version_count == 0) next.remote->version_count = old->version_count;
      if (next.kind == NodeKind::kFile) {
        // Our own change of name or folder is no edit of the content; others' may be in the answer.
        const bool told_same = same_content;
        if (!core_.remote.capabilities().rename_changes_validator)
          same_content = entry.size == old->size && entry.modified == old->modified &&
                         entry.hashes.md5 == old->hashes.md5;
        if (same_content && next.base_validator == old->validator)
          next.base_validator = entry.validator;
        if (same_content && entry.validator != old->validator) {
          names.from = old->id;
          names.to = entry.id;
          names.was = old->validator;
          names.is = entry.validator;
        }
        // The cache's content only by what tells every content from every other.
        const bool same_bytes = !entry.hashes.md5.empty() && entry.hashes.md5 == old->hashes.md5;
        if (entry.validator == old->validator || same_bytes || told_same)
          contents.push_back({VolumeCore::content_key(*old), VolumeCore::content_key(entry)});
      }
    }
    next.remote_parent = remote_parent;
    next.sent_place.reset();
    next.renamed = !core_.shows_remote_name(next);
    if (!next.deleted && !next.moved()) next.first_place.reset();
    next.failure.reset();
    // Edited by others meanwhile: what is clean follows.
    if (old && next.kind == NodeKind::kFile && !next.content_dirty && !next.deleted &&
        entry.validator != old->validator) {
      // A new name is no modification here.
      if (same_content && entry.modified != old->modified) next.times_local = true;
      show_remote(next,
                  !same_content && (entry.size != old->size || entry.modified != old->modified));
      notices.inode(ino, !same_content);
    }
    // A content that was sent without an answer is still to be looked for.
    if (next.intent.kind == Intent::Kind::kCreateFolder) next.intent = Intent{};
    if (!next.dirty()) next.upload_soon = false;
    txn.put(std::move(next));
    if (names.any()) TRY(rebase_rows(core_, txn, ino, names, contents));
    TRY(txn.commit());
  }
  notices.send(core_.notifier);
  core_.recent.confirmed(ino, now);
  if (names.any()) return rebase_files(core_, names, contents);
  return {};
}

Result<void> Reconciler::removed(const NodeRecord& node) {
  const SteadyTime now = core_.clock.steady();
  if (node.remote) core_.recent.removed(node.remote->id, now);
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(const NodePtr known, txn.find(node.ino));
  if (known == nullptr || !known->deleted) return {};
  txn.erase(node.ino);
  return txn.commit();
}

Result<void> Reconciler::lost(InodeNumber ino, const RemoteId& id) {
  Notices notices;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr known, txn.find(ino));
    // Made anew meanwhile: another object is there.
    if (known == nullptr || !known->remote || known->remote->id != id) return {};
    if (ino == kRootInode)
      return fail(ErrorCode::kNotFound, "the folder at the mount root is gone from the server");
    core_.recent.removed(known->remote->id, core_.clock.steady());
    if (known->deleted) {
      txn.erase(ino);
      TRY(txn.commit());
      return {};
    }
    // Somebody is writing: what is not committed yet makes it anew.
    if (known->kind == NodeKind::kFile && !known->content_dirty && core_.files.has_writers(ino))
      return fail(ErrorCode::kTryAgain,
                  "gone from the server while a program has it open to write");
    NodeRecord next = *known;
    next.remote.reset();
    next.remote_parent = kNoInode;
    next.renamed = false;
    next.sent_place.reset();
    next.first_place.reset();
    next.intent = Intent{};
    next.lock_taken = false;
    next.failure.reset();
    if (next.kind == NodeKind::kFolder) {
      // It is made anew for what is unsent below it; the rest of it is gone with it.
      next.listed = true;
      next.listed_at = core_.now();
      TRY_ASSIGN(const std::vector<NodePtr> children, txn.children(ino));
      for (const NodePtr& child : children) {
        if (child->remote && !child->dirty())
          TRY(apply_gone(core_, txn, *child, core_.clock.steady(), notices));
      }
    } else if (!next.content_dirty) {
      notices.entry(next.parent, next.name);
      notices.inode(next.parent, true);
      txn.erase(ino);
      TRY(txn.commit());
      core_.notice(*known, known->name, "rename", "the file was deleted on the server meanwhile");
      notices.send(core_.notifier);
      return {};
    } else {
      next.conflict = "deleted on the server while it was changed here: made anew";
      ++core_.conflicts;
    }
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  notices.send(core_.notifier);
  wake(ino);
  return {};
}

Result<void> Reconciler::give_way(InodeNumber ino, const std::string& why) {
  Notices notices;
  std::string path;
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr known, txn.find(ino));
    if (known == nullptr || known->deleted) return {};
    NodeRecord next = *known;
    std::string name;
    for (int number = 1;; ++number) {
      name = NameCodec::conflict_name(next.name, core_.options.host, core_.now(), number);
      TRY_ASSIGN(const NodePtr taken, core_.same_named(txn, next.parent, name));
      if (taken == nullptr) break;
    }
    notices.entry(next.parent, next.name);
    notices.inode(next.parent, true);
    next.conflict = why + ": kept as " + name;
    next.name = name;
    next.renamed = next.remote.has_value() && !core_.shows_remote_name(next);
    // A version that was sent without an answer is still to be looked for.
    if (!next.remote) next.intent = Intent{};
    next.failure.reset();
    ++core_.conflicts;
    // The folder's listing does not show the other one while ours stood at its name.
    TRY(list_again(txn, next.parent));
    txn.put(std::move(next));
    TRY(txn.commit());
  }
  notices.send(core_.notifier);
  wake(ino);
  return {};
}

Result<void> Reconciler::take_back(InodeNumber ino, const Error& error, bool removal) {
  Notices notices;
  NodeRecord next;
  const std::string action = removal ? "delete" : "rename";
  {
    Tree::Txn txn(core_.tree);
    TRY_ASSIGN(const NodePtr known, txn.find(ino));
    // Deleted while its rename was refused: nobody has refused that.
    const bool still_wanted = known != nullptr && (removal ? known->deleted : known->moved());
    if (!still_wanted || !known->remote || (known->deleted && !removal)) return {};
    next = *known;
    TRY(put_back(core_, txn, next, notices));
    if (!next.content_dirty) show_remote(next, false);
    next.conflict = action + " was refused (" + to_string(error) + "): back as the server has it";
    // A folder that comes back comes back with what the server has in it.
    if (next.kind == NodeKind::kFolder) next.listed_at = WallTime{};
    txn.put(next);
    TRY(txn.commit());
  }
  notices.send(core_.notifier);
  core_.notice(next, core_.tree.path_of(ino).value_or(next.name), action, to_string(error));
  MutexLock lock(mutex_);
  refusals_[ino] = error;
  return {};
}

}  // namespace cabinetfs
