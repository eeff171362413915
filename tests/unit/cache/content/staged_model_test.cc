// Random programs on a staged content against a std::string.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using StagedModelTest = ContentTest;

void model_write(std::string& model, std::uint64_t offset, const std::string& text) {
  if (model.size() < offset + text.size()) model.resize(offset + text.size());
  model.replace(offset, text.size(), text);
}

TEST_F(StagedModelTest, AnyHistoryReadsLikeAString) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t n) { return n == 0 ? 0 : random() % n; };
    const std::string id = "base" + std::to_string(seed);
    const std::string base = pattern(below(800'000), seed);
    server_.put(id, base);
    const auto base_key = seed % 4 == 0 ? std::optional<ContentKey>() : key(id, base);
    std::string model = base_key ? base : "", stored = model, record;
    auto file = staged(base_key);
    std::vector<std::pair<std::shared_ptr<ReadableContent>, std::string>> snapshots;
    for (int step = 0; step < 150; ++step) {
      const std::uint64_t offset = below(model.size() + 100'000);
      switch (below(10)) {
        case 0:
        case 1:
        case 2: {
          const std::string text = pattern(1 + below(3000), static_cast<unsigned>(random()));
          ASSERT_TRUE(file->write(offset, as_bytes(text)));
          model_write(model, offset, text);
          break;
        }
        case 3: {
          // Whole blocks among them.
          const std::uint64_t at = below(2) ? offset : offset / kBlockBytes * kBlockBytes;
          const std::string text = pattern(1 + below(400'000), static_cast<unsigned>(random()));
          ASSERT_TRUE(file->write(at, as_bytes(text)));
          model_write(model, at, text);
          break;
        }
        case 4:
          ASSERT_TRUE(file->truncate(offset));
          model.resize(offset);
          break;
        case 5: {
          const std::uint64_t length = below(300'000);
          ASSERT_TRUE(file->punch(offset, length));
          if (offset < model.size()) {
            const std::uint64_t end = std::min<std::uint64_t>(model.size(), offset + length);
            std::fill(model.begin() + static_cast<std::ptrdiff_t>(offset),
                      model.begin() + static_cast<std::ptrdiff_t>(end), '\0');
          }
          break;
        }
        case 6:
          record = commit(*file);
          stored = model;
          break;
        case 7:
          if (!record.empty() && snapshots.size() < 4) {
            auto snapshot = file->snapshot();
            ASSERT_TRUE(snapshot);
            snapshots.emplace_back(*snapshot, stored);
          } else if (!snapshots.empty()) {
            ASSERT_TRUE(same(read_text(*snapshots.front().first), snapshots.front().second));
            snapshots.erase(snapshots.begin());
          }
          break;
        case 8:
          if (below(4) == 0 && !record.empty()) {
            snapshots.clear();
            file.reset();
            reopen();
            auto loaded = store_->load_staged(record, base_key);
            ASSERT_TRUE(loaded) << to_string(loaded.error());
            file = *loaded;
            model = stored;
          }
          break;
        default:
          break;
      }
      ASSERT_EQ(file->size(), model.size());
      const std::size_t length = static_cast<std::size_t>(below(200'000));
      ASSERT_TRUE(same(read_text(*file, offset, length),
                       offset < model.size() ? model.substr(offset, length) : ""))
          << "step " << step << " offset " << offset;
    }
    ASSERT_TRUE(same(read_text(*file), model));
    for (const auto& [snapshot, text] : snapshots) ASSERT_TRUE(same(read_text(*snapshot), text));
  }
}

// Two writers on their own halves, readers everywhere, and somebody who commits and looks at
// snapshots. Each 1,000 byte record is written as a whole with one letter, so that a torn read
// shows.
TEST_F(StagedModelTest, ReadersWritersAndSnapshotsDoNotDisturbEachOther) {
  constexpr std::uint64_t kRecord = 1000, kRecords = 2000;
  const std::string base(kRecord * kRecords, 'a');
  server_.put("a", base);
  const auto file = staged(key("a", base));
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0}, reads{0}, commits{0};
  const auto check = [&](ReadableContent& content, std::uint64_t record) {
    const std::string text = read_text(content, record * kRecord, kRecord);
    if (text.size() != kRecord || text.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != text.npos)
      ++failures;
    ++reads;
  };
  std::vector<std::thread> threads;
  for (unsigned half = 0; half < 2; ++half)
    threads.emplace_back([&, half] {
      std::mt19937 random(half + 1);
      for (int i = 0; i < 1500; ++i) {
        const std::uint64_t record = half * kRecords / 2 + random() % (kRecords / 2);
        const std::uint64_t count =
            random() % 20 == 0 ? std::min<std::uint64_t>(200, (half + 1) * kRecords / 2 - record)
                               : 1;
        const std::string text(count * kRecord, static_cast<char>('a' + random() % 26));
        if (!file->write(record * kRecord, as_bytes(text))) ++failures;
      }
    });
  for (unsigned reader = 0; reader < 2; ++reader)
    threads.emplace_back([&, reader] {
      std::mt19937 random(reader + 10);
      while (!stop) check(*file, random() % kRecords);
    });
  threads.emplace_back([&] {
    std::mt19937 random(20);
    while (!stop) {
      const auto record = file->prepare();
      if (!record) {
        ++failures;
        continue;
      }
      file->committed(*record);
      const auto snapshot = file->snapshot();
      if (!snapshot) {
        ++failures;
        continue;
      }
      const std::string first = read_text(**snapshot);
      check(**snapshot, random() % kRecords);
      if (read_text(**snapshot) != first) ++failures;
      ++commits;
    }
  });
  threads[0].join();
  threads[1].join();
  EXPECT_TRUE(eventually([&] { return commits > 2 && reads > 100; }));
  stop = true;
  for (std::size_t i = 2; i < threads.size(); ++i) threads[i].join();
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace cabinetfs
