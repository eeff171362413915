// Listings, lookups, and changes of the tree.

#include "tests/contract/contract.h"

namespace cabinetfs {
namespace {

TEST_P(Contract, TheRootIsAFolderThatNobodyMayRemove) {
  const auto root = store().root(soon());
  ASSERT_OK(root);
  EXPECT_EQ(root->kind, NodeKind::kFolder);
  EXPECT_TRUE(root->system);
  EXPECT_CODE(store().remove(soon(), NodeKind::kFolder, root->id), ErrorCode::kNotPermitted);
  const auto again = store().stat(soon(), NodeKind::kFolder, root->id);
  ASSERT_OK(again);
  EXPECT_EQ(again->id, root->id);
}

TEST_P(Contract, AListingIsCompleteAndHasEachIdOnce) {
  const RemoteEntry folder = work();
  std::vector<std::string> expected;
  for (int i = 0; i < 23; ++i) {
    expected.push_back("file-" + std::to_string(100 + i) + ".txt");
    ASSERT_OK(create(folder.id, expected.back(), std::to_string(i)));
  }
  const auto made = store().create_folder(soon(), folder.id, "folder");
  ASSERT_OK(made);
  expected.push_back("folder");
  EXPECT_EQ(names(folder.id), expected);
  const auto entries = store().list(soon(), folder.id);
  ASSERT_OK(entries);
  for (const RemoteEntry& entry : *entries) {
    EXPECT_EQ(entry.parent, folder.id);
    EXPECT_EQ(entry.validator.empty(), entry.kind == NodeKind::kFolder) << entry.name;
  }
}

TEST_P(Contract, AnEmptyFolderHasAnEmptyListing) {
  const auto made = store().create_folder(soon(), work().id, "empty");
  ASSERT_OK(made);
  EXPECT_TRUE(names(made->id).empty());
}

TEST_P(Contract, NamesAreFoundAsTheServerComparesThem) {
  ASSERT_OK(create(work().id, "Report.txt", "x"));
  const auto found = store().find_child(soon(), work().id, "rEPORT.TXT");
  ASSERT_OK(found);
  EXPECT_EQ(found->has_value(), !can().names.case_sensitive);
  const auto missing = store().find_child(soon(), work().id, "nothing.txt");
  ASSERT_OK(missing);
  EXPECT_FALSE(missing->has_value());
}

TEST_P(Contract, NamesMayHoldWhatIsAllowed) {
  for (const std::string name :
       {"a b", "ünï-cödé", "100%", "semi;colon,comma", "plus+and&amp", "#hash", "日本語.txt",
        "quote'", "(1) [2] {3}", "=equals=", "tilde~", "a%2Fb"}) {
    if (name.find_first_of(can().names.forbidden) != std::string::npos) continue;
    const auto made = create(work().id, name, "content of " + name);
    ASSERT_TRUE(made) << name << ": " << why(made);
    EXPECT_EQ(made->name, name);
    const auto found = store().find_child(soon(), work().id, name);
    ASSERT_TRUE(found && *found) << name;
    EXPECT_EQ((*found)->id, made->id);
    EXPECT_EQ(*read(**found), "content of " + name);
  }
}

TEST_P(Contract, ForbiddenNamesAreInvalid) {
  for (const char c : can().names.forbidden) {
    if (c == '?') continue;  // some servers take it
    const std::string name = std::string("a") + c + "b";
    EXPECT_CODE(create(work().id, name, "x"), ErrorCode::kInvalid);
    EXPECT_CODE(store().create_folder(soon(), work().id, name), ErrorCode::kInvalid);
  }
  EXPECT_CODE(store().create_folder(soon(), work().id, std::string(256, 'a')),
              ErrorCode::kNameTooLong);
}

TEST_P(Contract, StatTellsWhatTheListingTells) {
  const auto made = create(work().id, "a.txt", "hello");
  ASSERT_OK(made);
  const auto entries = store().list(soon(), work().id);
  ASSERT_OK(entries);
  ASSERT_EQ(entries->size(), 1u);
  const auto entry = store().stat(soon(), NodeKind::kFile, made->id);
  ASSERT_OK(entry);
  EXPECT_EQ(entry->validator, (*entries)[0].validator);
  EXPECT_EQ(entry->validator, made->validator) << "the answer to the upload";
  EXPECT_EQ(entry->size, 5u);
  EXPECT_EQ(entry->name, "a.txt");
  EXPECT_EQ(entry->parent, work().id);
  EXPECT_EQ(entry->modified, (*entries)[0].modified);
  // A listing need not tell rights; where it does, they are the same.
  if ((*entries)[0].rights) {
    EXPECT_EQ(entry->rights, (*entries)[0].rights);
  }
}

TEST_P(Contract, WhatIsGoneIsNotFound) {
  const auto made = create(work().id, "a.txt", "hello");
  ASSERT_OK(made);
  ASSERT_OK(store().list(soon(), work().id));
  world().remove_as_other("Work/a.txt");
  EXPECT_CODE(store().stat(soon(), NodeKind::kFile, made->id), ErrorCode::kNotFound);
  EXPECT_CODE(read(*made), ErrorCode::kNotFound);
  if (can().rename) {
    EXPECT_CODE(store().rename(soon(), NodeKind::kFile, made->id, "b.txt"), ErrorCode::kNotFound);
  }
  EXPECT_CODE(overwrite(*made, "x"), ErrorCode::kNotFound);
  EXPECT_TRUE(names(work().id).empty());
}

TEST_P(Contract, AFolderThatIsGoneIsNotFound) {
  const auto made = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(made);
  ASSERT_OK(store().list(soon(), work().id));
  world().remove_as_other("Work/d");
  EXPECT_CODE(store().list(soon(), made->id), ErrorCode::kNotFound);
  EXPECT_CODE(store().stat(soon(), NodeKind::kFolder, made->id), ErrorCode::kNotFound);
  EXPECT_CODE(create(made->id, "a.txt", "x"), ErrorCode::kNotFound);
  EXPECT_CODE(store().create_folder(soon(), made->id, "e"), ErrorCode::kNotFound);
}

TEST_P(Contract, CreatingOntoATakenNameIsRefused) {
  ASSERT_OK(create(work().id, "a.txt", "theirs"));
  ASSERT_OK(store().create_folder(soon(), work().id, "d"));
  EXPECT_CODE(create(work().id, "a.txt", "ours"), ErrorCode::kExists);
  EXPECT_CODE(create(work().id, "d", "ours"), ErrorCode::kExists);
  EXPECT_CODE(store().create_folder(soon(), work().id, "d"), ErrorCode::kExists);
  if (!can().names.case_sensitive) {
    EXPECT_CODE(create(work().id, "A.TXT", "ours"), ErrorCode::kExists);
    EXPECT_CODE(store().create_folder(soon(), work().id, "D"), ErrorCode::kExists);
  }
  EXPECT_EQ(world().content_of("Work/a.txt"), "theirs");
}

TEST_P(Contract, RenamingKeepsTheObject) {
  if (!can().rename) GTEST_SKIP() << "nothing can be renamed here";
  const auto made = create(work().id, "a.txt", "hello");
  ASSERT_OK(made);
  const auto renamed = store().rename(soon(), NodeKind::kFile, made->id, "b.txt");
  ASSERT_OK(renamed);
  expect_same_object(*made, *renamed);
  EXPECT_EQ(renamed->name, "b.txt");
  EXPECT_EQ(*read(*renamed), "hello");
  const auto fresh = store().stat(soon(), NodeKind::kFile, renamed->id);
  ASSERT_OK(fresh);
  EXPECT_EQ(fresh->validator, renamed->validator);

  const auto folder = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(folder);
  const auto inside = create(folder->id, "in.txt", "inside");
  ASSERT_OK(inside);
  const auto moved = store().rename(soon(), NodeKind::kFolder, folder->id, "e");
  ASSERT_OK(moved);
  expect_same_object(*folder, *moved);
  const RemoteId followed =
      can().ids_follow_path ? store().rebase(inside->id, folder->id, moved->id) : inside->id;
  const auto below = store().stat(soon(), NodeKind::kFile, followed);
  ASSERT_OK(below);
  EXPECT_EQ(*read(*below), "inside");
  EXPECT_EQ(names(work().id), (std::vector<std::string>{"b.txt", "e"}));
}

TEST_P(Contract, RenamingOntoATakenNameIsRefused) {
  if (!can().rename) GTEST_SKIP() << "nothing can be renamed here";
  const auto a = create(work().id, "a.txt", "one");
  ASSERT_OK(a);
  ASSERT_OK(create(work().id, "b.txt", "two"));
  const auto d = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(d);
  ASSERT_OK(store().create_folder(soon(), work().id, "e"));
  EXPECT_CODE(store().rename(soon(), NodeKind::kFile, a->id, "b.txt"), ErrorCode::kExists);
  EXPECT_CODE(store().rename(soon(), NodeKind::kFolder, d->id, "e"), ErrorCode::kExists);
  EXPECT_EQ(world().content_of("Work/b.txt"), "two");
}

TEST_P(Contract, AnotherCaseIsARename) {
  if (!can().rename) GTEST_SKIP() << "nothing can be renamed here";
  const auto made = create(work().id, "readme", "hello");
  ASSERT_OK(made);
  const auto renamed = store().rename(soon(), NodeKind::kFile, made->id, "README");
  ASSERT_OK(renamed);
  EXPECT_EQ(names(work().id), std::vector<std::string>{"README"});
}

TEST_P(Contract, MovingKeepsTheObjectAndItsName) {
  if (!can().move) GTEST_SKIP() << "nothing can be moved here";
  const auto from = store().create_folder(soon(), work().id, "from");
  const auto to = store().create_folder(soon(), work().id, "to");
  ASSERT_OK(from);
  ASSERT_OK(to);
  const auto file = create(from->id, "a.txt", "hello");
  ASSERT_OK(file);
  const auto sub = store().create_folder(soon(), from->id, "sub");
  ASSERT_OK(sub);
  const auto moved = store().move(soon(), NodeKind::kFile, file->id, to->id);
  ASSERT_OK(moved);
  expect_same_object(*file, *moved);
  EXPECT_EQ(moved->name, "a.txt");
  EXPECT_EQ(moved->parent, to->id);
  const auto moved_sub = store().move(soon(), NodeKind::kFolder, sub->id, to->id);
  ASSERT_OK(moved_sub);
  expect_same_object(*sub, *moved_sub);
  EXPECT_EQ(moved_sub->parent, to->id);
  EXPECT_TRUE(names(from->id).empty());
  EXPECT_EQ(names(to->id), (std::vector<std::string>{"a.txt", "sub"}));
}

TEST_P(Contract, MovingOntoATakenNameIsRefused) {
  if (!can().move) GTEST_SKIP() << "nothing can be moved here";
  const auto to = store().create_folder(soon(), work().id, "to");
  ASSERT_OK(to);
  const auto file = create(work().id, "a.txt", "ours");
  ASSERT_OK(file);
  ASSERT_OK(create(to->id, "a.txt", "theirs"));
  EXPECT_CODE(store().move(soon(), NodeKind::kFile, file->id, to->id), ErrorCode::kExists);
  EXPECT_EQ(world().content_of("Work/to/a.txt"), "theirs");
  EXPECT_EQ(world().content_of("Work/a.txt"), "ours");
}

TEST_P(Contract, AFolderCannotGoIntoItself) {
  if (!can().move) GTEST_SKIP() << "nothing can be moved here";
  const auto outer = store().create_folder(soon(), work().id, "outer");
  ASSERT_OK(outer);
  const auto inner = store().create_folder(soon(), outer->id, "inner");
  ASSERT_OK(inner);
  EXPECT_CODE(store().move(soon(), NodeKind::kFolder, outer->id, inner->id), ErrorCode::kInvalid);
}

TEST_P(Contract, TheRootTakesNoFilesWhereItSaysSo) {
  const auto root = store().root(soon());
  ASSERT_OK(root);
  if (can().root_takes_files) GTEST_SKIP() << "this root takes files";
  const auto file = create(work().id, "a.txt", "x");
  ASSERT_OK(file);
  EXPECT_CODE(create(root->id, "b.txt", "x"), ErrorCode::kNotPermitted);
  EXPECT_CODE(upload_large({{}, root->id, "b.txt", {}}, "x"), ErrorCode::kNotPermitted);
  if (!can().move) return;
  EXPECT_CODE(store().move(soon(), NodeKind::kFile, file->id, root->id), ErrorCode::kNotPermitted);
}

TEST_P(Contract, FoldersLiveInTheRoot) {
  const auto root = store().root(soon());
  ASSERT_OK(root);
  const auto made = store().create_folder(soon(), root->id, "Top");
  ASSERT_OK(made);
  EXPECT_EQ(made->parent, root->id);
  RemoteEntry now = *made;
  if (can().rename) {
    const auto renamed = store().rename(soon(), NodeKind::kFolder, made->id, "Other");
    ASSERT_OK(renamed);
    expect_same_object(*made, *renamed);
    now = *renamed;
  }
  EXPECT_EQ(find(now.name).id, now.id);
  ASSERT_OK(store().remove(soon(), NodeKind::kFolder, now.id));
  const auto gone = store().find_child(soon(), root->id, now.name);
  ASSERT_OK(gone);
  EXPECT_FALSE(gone->has_value());
}

TEST_P(Contract, RemovingTwiceIsFine) {
  const auto file = create(work().id, "a.txt", "x");
  const auto folder = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(file);
  ASSERT_OK(folder);
  ASSERT_OK(store().list(soon(), work().id));
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(store().remove(soon(), NodeKind::kFile, file->id));
    ASSERT_OK(store().remove(soon(), NodeKind::kFolder, folder->id));
  }
  EXPECT_TRUE(names(work().id).empty());
}

TEST_P(Contract, WhatCannotChangeItsPlaceSaysSo) {
  const bool fixed_extension = can().rename && can().rename_keeps_extension;
  if (can().move_across_top && !fixed_extension) GTEST_SKIP() << "everything goes anywhere here";
  const auto root = store().root(soon());
  ASSERT_OK(root);
  const auto folder = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(folder);
  const auto file = create(folder->id, "a.txt", "hello");
  ASSERT_OK(file);
  if (!can().move_across_top) {
    const auto top = store().create_folder(soon(), root->id, "another top");
    ASSERT_OK(top);
    EXPECT_CODE(store().move(soon(), NodeKind::kFolder, folder->id, root->id),
                ErrorCode::kCrossDevice);
    EXPECT_CODE(store().move(soon(), NodeKind::kFolder, top->id, folder->id),
                ErrorCode::kCrossDevice);
    ASSERT_OK(store().remove(soon(), NodeKind::kFolder, top->id));
  }
  if (fixed_extension) {
    EXPECT_CODE(store().rename(soon(), NodeKind::kFile, file->id, "a.doc"),
                ErrorCode::kCrossDevice);
    EXPECT_CODE(store().rename(soon(), NodeKind::kFile, file->id, "a"), ErrorCode::kCrossDevice);
    const auto renamed = store().rename(soon(), NodeKind::kFile, file->id, "b.txt");
    ASSERT_OK(renamed);
    EXPECT_EQ(renamed->name, "b.txt");
  }
}

TEST_P(Contract, AFolderWithChildrenIsNotRemoved) {
  const auto folder = store().create_folder(soon(), work().id, "d");
  ASSERT_OK(folder);
  ASSERT_OK(create(folder->id, "a.txt", "x"));
  EXPECT_CODE(store().remove(soon(), NodeKind::kFolder, folder->id), ErrorCode::kNotEmpty);
  EXPECT_EQ(world().content_of("Work/d/a.txt"), "x");
}

TEST_P(Contract, ANameIsFreeAfterItsRemoval) {
  const auto first = create(work().id, "a.txt", "one");
  ASSERT_OK(first);
  ASSERT_OK(store().remove(soon(), NodeKind::kFile, first->id));
  const auto second = create(work().id, "a.txt", "two");
  ASSERT_OK(second);
  EXPECT_EQ(second->id == first->id, can().ids_follow_path);
  EXPECT_EQ(*read(*second), "two");
}

TEST_P(Contract, ManyFilesAreRemovedAtOnce) {
  const std::string where = can().locks ? world().lock_folder() : "Work";
  const RemoteEntry folder = find(where);
  std::vector<RemoteId> ids;
  for (int i = 0; i < 5; ++i) {
    const auto made = create(folder.id, "f" + std::to_string(i), "x");
    ASSERT_OK(made);
    ids.push_back(made->id);
  }
  world().remove_as_other(where + "/f1");
  if (can().locks) world().lock_as_other(where + "/f3");
  const auto results = store().remove_files(soon(), ids);
  ASSERT_EQ(results.size(), 5u);
  for (const std::size_t i : {0u, 1u, 2u, 4u}) EXPECT_TRUE(results[i]) << why(results[i]);
  if (can().locks) {
    EXPECT_CODE(results[3], ErrorCode::kBusy);
    EXPECT_EQ(names(folder.id), std::vector<std::string>{"f3"});
  }
}

TEST_P(Contract, AnotherUsersRenameIsSeen) {
  const auto made = create(work().id, "a.txt", "x");
  ASSERT_OK(made);
  world().rename_as_other("Work/a.txt", "b.txt");
  EXPECT_EQ(names(work().id), std::vector<std::string>{"b.txt"});
  if (can().ids_follow_path) {
    EXPECT_CODE(store().stat(soon(), NodeKind::kFile, made->id), ErrorCode::kNotFound);
    return;
  }
  const auto entry = store().stat(soon(), NodeKind::kFile, made->id);
  ASSERT_OK(entry);
  EXPECT_EQ(entry->name, "b.txt");
}

TEST_P(Contract, ACancelledCallEndsAtOnce) {
  CancelSource cancel;
  CallContext call = soon();
  call.cancel = cancel.token();
  cancel.cancel();
  EXPECT_CODE(store().list(call, work().id), ErrorCode::kCancelled);
  CallContext late = soon();
  late.deadline = Clock::system().steady() - std::chrono::seconds(1);
  EXPECT_CODE(store().list(late, work().id), ErrorCode::kTimeout);
}

}  // namespace
}  // namespace cabinetfs
