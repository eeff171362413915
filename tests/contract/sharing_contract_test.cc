// Locks, permissions, history, the change feed and mail.

#include <algorithm>

#include "tests/contract/contract.h"

namespace cabinetfs {
namespace {

TEST_P(Contract, ALockIsOursUntilItIsReleased) {
  if (!can().locks) GTEST_SKIP() << "no locks here";
  const auto file = create(find(world().lock_folder()).id, "a.txt", "x");
  ASSERT_OK(file);
  EXPECT_EQ(file->lock, LockState::kFree);
  const auto locked = store().lock(soon(), file->id);
  ASSERT_OK(locked);
  EXPECT_EQ(locked->lock, LockState::kHeldByUs);
  ASSERT_OK(store().lock(soon(), file->id));  // ours already
  EXPECT_EQ(find(world().lock_folder() + "/a.txt").lock, LockState::kHeldByUs);
  EXPECT_EQ(locked->validator, file->validator) << "a lock is no new content";
  ASSERT_OK(overwrite(*file, "y"));
  const auto unlocked = store().unlock(soon(), file->id, "");
  ASSERT_OK(unlocked);
  EXPECT_EQ(unlocked->lock, LockState::kFree);
  ASSERT_OK(store().unlock(soon(), file->id, ""));
}

TEST_P(Contract, AFolderIsRenamedWithFilesThatWeHaveLocked) {
  if (!can().locks || !can().ids_follow_path) GTEST_SKIP() << "no locks by path here";
  const auto folder = store().create_folder(soon(), find(world().lock_folder()).id, "d");
  ASSERT_OK(folder);
  std::vector<RemoteId> files;
  for (const char* name : {"a b+ü.txt", "b.txt"}) {
    const auto file = create(folder->id, name, "x");
    ASSERT_OK(file);
    ASSERT_OK(store().lock(soon(), file->id));
    files.push_back(file->id);
  }
  const auto renamed = store().rename(soon(), NodeKind::kFolder, folder->id, "e");
  ASSERT_OK(renamed);
  for (const RemoteId& file : files) {
    ASSERT_OK(store().stat(soon(), NodeKind::kFile, store().rebase(file, folder->id, renamed->id)));
  }
}

TEST_P(Contract, AnothersLockIsRespected) {
  if (!can().locks) GTEST_SKIP() << "no locks here";
  const auto file = create(find(world().lock_folder()).id, "a.txt", "x");
  ASSERT_OK(file);
  world().lock_as_other(world().lock_folder() + "/a.txt");
  const auto entry = store().stat(soon(), NodeKind::kFile, file->id);
  ASSERT_OK(entry);
  EXPECT_EQ(entry->lock, LockState::kHeldByOther);
  EXPECT_FALSE(entry->lock_holder.empty());
  EXPECT_CODE(store().lock(soon(), file->id), ErrorCode::kBusy);
  EXPECT_CODE(overwrite(*file, "y"), ErrorCode::kBusy);
  if (can().rename) {
    EXPECT_CODE(store().rename(soon(), NodeKind::kFile, file->id, "b.txt"), ErrorCode::kBusy);
  }
  EXPECT_CODE(store().remove(soon(), NodeKind::kFile, file->id), ErrorCode::kBusy);
  EXPECT_EQ(world().content_of(world().lock_folder() + "/a.txt"), "x");
}

TEST_P(Contract, FoldersAreSharedAndUnshared) {
  if (!can().permissions) GTEST_SKIP() << "no sharing here";
  const std::string other = world().other_address();
  const auto folder = store().create_folder(soon(), (*store().root(soon())).id, "Shared");
  ASSERT_OK(folder);
  const std::string other_id = world().other_id();
  const auto level = [&]() -> AccessLevel {
    const auto one = store().permission_of(soon(), NodeKind::kFolder, folder->id, other_id);
    EXPECT_TRUE(one || one.error().code == ErrorCode::kNoData) << why(one);
    const AccessLevel told = one ? one->level : AccessLevel::kNone;
    if (!world().lists_permissions()) return told;
    const auto all = store().permissions(soon(), NodeKind::kFolder, folder->id);
    EXPECT_TRUE(all) << why(all);
    if (!all) return AccessLevel::kNone;
    const auto found = std::find_if(all->begin(), all->end(),
                                    [&](const RemotePermission& p) { return p.who == other; });
    EXPECT_EQ(found == all->end() ? AccessLevel::kNone : found->level, told);
    return told;
  };
  EXPECT_EQ(level(), AccessLevel::kNone);
  for (const AccessLevel wanted : {AccessLevel::kView, AccessLevel::kRead, AccessLevel::kWrite,
                                   AccessLevel::kManage, AccessLevel::kRead}) {
    const auto shared = store().share(soon(), NodeKind::kFolder, folder->id, other, wanted);
    // Looking without reading is the one level that not every vendor has.
    if (wanted == AccessLevel::kView && !shared) {
      EXPECT_CODE(shared, ErrorCode::kNotSupported);
      continue;
    }
    ASSERT_OK(shared);
    EXPECT_EQ(level(), wanted);
  }
  ASSERT_OK(store().unshare(soon(), NodeKind::kFolder, folder->id, other));
  EXPECT_EQ(level(), AccessLevel::kNone);
  if (world().lists_permissions()) {
    EXPECT_CODE(store().unshare(soon(), NodeKind::kFolder, folder->id, other), ErrorCode::kNoData);
  }
  EXPECT_CODE(store().share(soon(), NodeKind::kFolder, folder->id, other, AccessLevel::kOwner),
              ErrorCode::kNotPermitted);
}

TEST_P(Contract, TheHistoryTellsWhoDidWhat) {
  if (!can().history) GTEST_SKIP() << "no history here";
  const auto file = create(work().id, "a.txt", "x");
  ASSERT_OK(file);
  world().write_as_other("Work/a.txt", "yy");
  const auto events = store().history(soon(), NodeKind::kFile, file->id);
  ASSERT_OK(events);
  ASSERT_GE(events->size(), 2u);
  const std::string other = world().other_name();
  EXPECT_EQ(events->front().who, other.empty() ? world().other_address() : other);
  EXPECT_FALSE(events->front().event.empty());
  const std::string own = world().own_name();
  EXPECT_EQ(events->back().who, own.empty() ? store().account(soon())->email : own);
  for (std::size_t i = 1; i < events->size(); ++i) {
    EXPECT_GE((*events)[i - 1].time, (*events)[i].time) << "newest first";
  }
}

TEST_P(Contract, TheFeedNamesWhatChanged) {
  if (!can().change_feed) GTEST_SKIP() << "no change feed here";
  const auto file = create(work().id, "a.txt", "x");
  const auto folder = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(file);
  ASSERT_OK(folder);
  const auto start = store().changes(soon(), "");
  ASSERT_OK(start);
  EXPECT_TRUE(start->changes.empty());
  const auto nothing = store().changes(soon(), start->cursor);
  ASSERT_OK(nothing);
  EXPECT_TRUE(nothing->complete);
  EXPECT_TRUE(nothing->changes.empty());

  world().write_as_other("Work/a.txt", "changed");
  world().write_as_other("Work/d/new.txt", "new");
  const auto some = store().changes(soon(), nothing->cursor);
  ASSERT_OK(some);
  EXPECT_TRUE(some->complete);
  const auto names_file = [&](const RemoteChange& change) { return change.file == file->id; };
  const auto names_folder = [&](const RemoteChange& change) { return change.folder == folder->id; };
  EXPECT_TRUE(std::any_of(some->changes.begin(), some->changes.end(), names_file));
  EXPECT_TRUE(std::any_of(some->changes.begin(), some->changes.end(), names_folder));
  const auto quiet = store().changes(soon(), some->cursor);
  ASSERT_OK(quiet);
  EXPECT_TRUE(quiet->complete);
  EXPECT_TRUE(quiet->changes.empty());

  world().remove_as_other("Work/a.txt");
  const auto gone = store().changes(soon(), quiet->cursor);
  ASSERT_OK(gone);
  const auto names_work = [&](const RemoteChange& change) { return change.folder == work().id; };
  EXPECT_TRUE(std::any_of(gone->changes.begin(), gone->changes.end(), names_work));
  EXPECT_CODE(store().changes(soon(), "nonsense"), ErrorCode::kInvalid);
}

TEST_P(Contract, AFolderHasADescription) {
  if (!can().description) GTEST_SKIP() << "no descriptions here";
  ASSERT_OK(store().set_description(soon(), NodeKind::kFolder, work().id, "All \"our\" work"));
  EXPECT_EQ(find("Work").description, "All \"our\" work");
}

TEST_P(Contract, MailGoesOutWithItsAttachments) {
  if (!can().mail) GTEST_SKIP() << "no mail here";
  const std::string content = pattern(can().chunk_size + 5, 9);
  const auto attachment = [&](const std::string& name) {
    Mail::Attachment made;
    made.name = name;
    made.size = content.size();
    made.read = [&](std::uint64_t offset, MutableBytes out) {
      const Bytes from = as_bytes(content).subspan(offset, out.size());
      std::copy(from.begin(), from.end(), out.begin());
      return true;
    };
    return made;
  };
  Mail mail;
  mail.to = {world().other_address()};
  mail.subject = "plain";
  mail.body = "No attachment.";
  ASSERT_OK(store().send_mail(soon(), mail));
  mail.subject = "with files";
  mail.attachments = {attachment("one.bin"), attachment("two.bin")};
  ASSERT_OK(store().send_mail(soon(), mail));
  mail.subject = "unreadable";
  mail.attachments.back().read = [](std::uint64_t, MutableBytes) { return false; };
  EXPECT_CODE(store().send_mail(soon(), mail), ErrorCode::kIo);
  mail.subject = "to nobody";
  mail.to.clear();
  mail.attachments.clear();
  EXPECT_CODE(store().send_mail(soon(), mail), ErrorCode::kInvalid);
  EXPECT_EQ(world().mail_subjects(), (std::vector<std::string>{"plain", "with files"}));
  EXPECT_TRUE(world().mail_attachments("plain").empty());
  const ContractWorld::Attachments sent = world().mail_attachments("with files");
  EXPECT_EQ(sent.size(), 2u);
  // Without the bytes, which are many.
  for (const char* const name : {"one.bin", "two.bin"})
    EXPECT_TRUE(sent.contains(name) && sent.at(name) == content) << name;
}

}  // namespace
}  // namespace cabinetfs
