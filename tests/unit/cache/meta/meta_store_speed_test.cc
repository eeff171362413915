// Prints what the store's calls take. CABINET_META_ROWS=1000000 makes it a large store first.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "cache/sealer.h"
#include "cache/sqlite_meta_store.h"
#include "tests/unit/cache/meta/nodes.h"
#include "tests/unit/cache/meta/temp_dir.h"

namespace cabinetfs {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration span) {
  return std::chrono::duration<double, std::micro>(span).count();
}

// The median and the worst of some calls.
template <class Call>
void measure(const char* what, int times, Call call) {
  std::vector<double> spans;
  for (int i = 0; i < times; ++i) {
    const auto start = Clock::now();
    call(static_cast<std::uint64_t>(i));
    spans.push_back(microseconds(Clock::now() - start));
  }
  std::sort(spans.begin(), spans.end());
  std::printf("%-28s median %9.1f us, 99 %% %9.1f us, worst %9.1f us\n", what,
              spans[spans.size() / 2], spans[spans.size() * 99 / 100], spans.back());
}

TEST(MetaStoreSpeed, OfItsCalls) {
  const char* wanted = std::getenv("CABINET_META_ROWS");
  const std::uint64_t rows = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 5'000;
  constexpr std::uint64_t kFolder = 7, kInFolder = 10'000, kFirst = 100'000;
  TempDir dir;
  const auto sealer = test_sealer();
  auto store = SqliteMetaStore::open(dir / "meta.db", *sealer, {}).value();

  // Folders of 100, and one of 10,000.
  const auto start = Clock::now();
  MetaStore::Batch batch;
  for (std::uint64_t i = 0; i < rows + kInFolder; ++i) {
    const std::uint64_t folder = i < rows ? 1000 + i / 100 : kFolder;
    batch.put.push_back(clean_node(kFirst + i, folder, "file " + std::to_string(i) + ".txt"));
    if (batch.put.size() < 1000 && i + 1 < rows + kInFolder) continue;
    ASSERT_TRUE(store->commit(batch));
    batch.put.clear();
  }
  std::printf("%-28s %.1f us each\n", "insert in batches of 1000",
              microseconds(Clock::now() - start) / static_cast<double>(rows + kInFolder));
  ASSERT_TRUE(store->checkpoint());

  measure("commit, one changed row", 2000, [&](std::uint64_t i) {
    NodeRecord node = clean_node(kFirst + i, 1000 + i / 100, "file " + std::to_string(i) + ".txt");
    node.size = i;
    ASSERT_TRUE(store->commit({.put = {node}, .erase = {}, .values = {}}));
  });
  measure("commit, one new row", 2000, [&](std::uint64_t i) {
    ASSERT_TRUE(store->commit({.put = {clean_node(50'000 + i, 5, "new " + std::to_string(i))},
                               .erase = {},
                               .values = {}}));
  });
  measure("sync after one commit", 20, [&](std::uint64_t i) {
    ASSERT_TRUE(store->commit(
        {.put = {clean_node(60'000 + i, 5, "x" + std::to_string(i))}, .erase = {}, .values = {}}));
    ASSERT_TRUE(store->sync());
  });
  measure("find_child", 2000, [&](std::uint64_t i) {
    const std::uint64_t n = i * 7919 % rows;
    const auto node =
        store->find_child(InodeNumber{1000 + n / 100}, "file " + std::to_string(n) + ".txt");
    ASSERT_TRUE(node && *node);
  });
  measure("children, 10,000", 10, [&](std::uint64_t) {
    ASSERT_EQ(store->children(InodeNumber{kFolder})->size(), kInFolder);
  });
  measure("close", 1, [&](std::uint64_t) { store.reset(); });
  measure("open", 1, [&](std::uint64_t) {
    store = SqliteMetaStore::open(dir / "meta.db", *sealer, {}).value();
    ASSERT_EQ(store->count().value(), rows + kInFolder + 2020);
  });
}

}  // namespace
}  // namespace cabinetfs
