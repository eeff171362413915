// How fast, printed and not asserted: the machine that runs the tests is anybody's.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/unit/cache/content/content_fixture.h"

namespace cabinetfs {
namespace {

using ContentSpeedTest = ContentTest;
using Clk = std::chrono::steady_clock;

double seconds_since(Clk::time_point start) {
  return std::chrono::duration<double>(Clk::now() - start).count();
}

TEST_F(ContentSpeedTest, SequentialWritesAndReads) {
  const std::string text = pattern(1 << 20);
  constexpr int kMegabytes = 128;
  for (const std::size_t piece : {std::size_t{4096}, std::size_t{131072}, std::size_t{1} << 20}) {
    const auto file = staged();
    auto start = Clk::now();
    for (std::uint64_t at = 0; at < kMegabytes * text.size(); at += piece)
      ASSERT_TRUE(file->write(at, as_bytes(text).subspan(at % text.size(), piece)));
    ASSERT_TRUE(file->prepare());
    printf("write of %zu bytes a call: %.0f MB/s\n", piece,
           kMegabytes * 1.048576 / seconds_since(start));
    start = Clk::now();
    std::string got(131072, '\0');
    for (std::uint64_t at = 0; at < file->size(); at += got.size())
      ASSERT_TRUE(
          file->read(soon(), at, std::as_writable_bytes(std::span(got.data(), got.size()))));
    printf("read of it: %.0f MB/s\n", kMegabytes * 1.048576 / seconds_since(start));
    store_->discard_staged(file);
  }
}

// 30 ms round trip, 100 Mbit/s a connection, 1 Gbit/s in all.
TEST_F(ContentSpeedTest, AColdSequentialRead) {
  const std::string content = pattern(96 << 20);
  Mutex mutex;
  Clk::time_point line_free = Clk::now();
  server_.set_hook([&](const CallContext&, const ContentServer::Request& request,
                       std::uint64_t at) -> Result<void> {
    thread_local Clk::time_point next;
    const auto now = Clk::now();
    if (at == request.offset) next = now + std::chrono::milliseconds(30);
    next += std::chrono::microseconds(1280);  // 16,000 bytes
    Clk::time_point shared;
    {
      MutexLock lock(mutex);
      line_free = std::max(line_free, now) + std::chrono::microseconds(128);
      shared = line_free;
    }
    std::this_thread::sleep_until(std::max(next, shared));
    return {};
  });
  const auto file = serve("a", content);
  ReadAhead ahead(64 << 20);
  const auto start = Clk::now();
  std::string got(131072, '\0');
  double first = 0;
  for (std::uint64_t at = 0; at < content.size(); at += got.size()) {
    ahead.on_read(*file, at, got.size());
    ASSERT_TRUE(file->read(soon(), at, std::as_writable_bytes(std::span(got.data(), got.size()))));
    if (at == 0) first = seconds_since(start);
  }
  const double all = seconds_since(start);
  printf(
      "cold read of 96 MiB: %.2f s, %.0f%% of the line; first bytes after %.0f ms; %zu requests\n",
      all, 100 * 96 * 1.048576 / 125 / all, first * 1000, server_.requests().size());
}

TEST_F(ContentSpeedTest, AWarmRead) {
  const std::string content = pattern(64 << 20);
  { ASSERT_TRUE(serve("a", content)->fetch_all(soon())); }
  reopen();
  const auto file = cached(key("a", content));
  const auto start = Clk::now();
  std::string got(131072, '\0');
  for (std::uint64_t at = 0; at < content.size(); at += got.size())
    ASSERT_TRUE(
        file->read(local_only(), at, std::as_writable_bytes(std::span(got.data(), got.size()))));
  printf("warm read of 64 MiB: %.0f MB/s\n", 64 * 1.048576 / seconds_since(start));
}

}  // namespace
}  // namespace cabinetfs
