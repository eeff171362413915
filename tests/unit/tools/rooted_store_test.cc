#include "tools/cabinetfs/rooted_store.h"

#include <gtest/gtest.h>

#include "tests/support/fake_remote_store.h"

namespace cabinetfs {
namespace {

using namespace std::chrono_literals;

TEST(RootedStore, ItsRootIsTheFolder) {
  FakeRemoteOptions options;
  options.capabilities = FakeRemoteOptions::like_kiteworks();
  FakeRemoteStore account({{"Projects/Apollo/a.txt", "hello"}, {"Projects/b.txt", "b"}}, options);
  const auto store = make_rooted_store(account, "/Projects//Apollo/");
  const auto call = CallContext::within(5s);
  ASSERT_TRUE(store->account(call));
  EXPECT_FALSE(account.capabilities().root_takes_files);
  EXPECT_TRUE(store->capabilities().root_takes_files) << "an ordinary folder";
  const auto root = store->root(call);
  ASSERT_TRUE(root) << root.error().context;
  EXPECT_EQ(root->name, "Apollo");
  const auto children = store->list(call, root->id);
  ASSERT_TRUE(children);
  ASSERT_EQ(children->size(), 1u);
  EXPECT_EQ(children->front().name, "a.txt");
}

TEST(RootedStore, AMissingFolderAndAFileAreErrors) {
  FakeRemoteStore account({{"Projects/b.txt", "b"}});
  const auto call = CallContext::within(5s);
  EXPECT_EQ(make_rooted_store(account, "Projects/none")->root(call).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(make_rooted_store(account, "Projects/b.txt")->root(call).error().code,
            ErrorCode::kNotDirectory);
}

}  // namespace
}  // namespace cabinetfs
