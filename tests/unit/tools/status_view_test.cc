#include "tools/cabinetfs/status_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/mount_status.h"

namespace cabinetfs {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

json busy_status() {
  return json::parse(R"({
    "remote": "work", "mount_point": "/mnt/work", "url": "https://a.b",
    "online": true, "unsent_bytes": 3072, "conflicts": 1,
    "cache": {"cache_bytes": 1048576, "cached_files": 3, "hits": 9, "misses": 1, "fetched_bytes": 2048},
    "rates": {"up": 1536, "down": 0},
    "unsent": [
      {"path": "docs/a.bin", "action": "upload", "state": "uploading", "size": 2048, "sent": 1024},
      {"path": "docs/b\u001b[31m.txt", "action": "rename", "state": "refused", "message": "403 no right"},
      {"path": "c", "action": "create-folder", "state": "waiting"}],
    "notices": [{"path": "d", "action": "delete", "state": "refused", "message": "locked"}]})");
}

TEST(StatusView, ShowsWhatIsUnsentAndWhy) {
  const std::string text = render_status(busy_status(), 100, 20);
  EXPECT_THAT(text, HasSubstr("work  on /mnt/work"));
  EXPECT_THAT(text, HasSubstr("online; unsent: 3 changes (3 KiB); refused: 1; conflicts: 1"));
  EXPECT_THAT(text, HasSubstr("[#######.......]  50 %  upload        docs/a.bin  2 KiB"));
  EXPECT_THAT(text, HasSubstr("403 no right"));
  EXPECT_THAT(text, HasSubstr("90 % of reads from it"));
  EXPECT_THAT(text, HasSubstr("\n  up 1.5 KiB/s, down 0 B/s\n"));
  EXPECT_THAT(text, HasSubstr("cabinetfs retry"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b"))) << "names cannot steer the terminal";
}

TEST(StatusView, CountsWhatItLeavesOut) {
  EXPECT_THAT(render_status(busy_status(), 100, 1), HasSubstr("and 2 more"));
}

TEST(StatusView, CleanAndOfflineMounts) {
  EXPECT_THAT(render_status({{"remote", "w"}, {"online", true}}, 80, 5),
              HasSubstr("everything is on the server"));
  EXPECT_THAT(render_status({{"online", false}, {"offline_reason", "no route"}}, 80, 5),
              HasSubstr("offline (no route)"));
}

TEST(UnsentSummaryTest, SurvivesAnswersOfOtherVersions) {
  const UnsentSummary summary =
      summarize_unsent(json::parse(R"({"unsent": [7, {"state": 3}], "unsent_bytes": "x"})"));
  EXPECT_EQ(summary.items, 2u);
  EXPECT_EQ(summary.bytes, 0u);
  EXPECT_TRUE(summary.online);
}

TEST(HttpMetrics, IsPrometheusText) {
  HttpStats stats;
  stats.rows.push_back({"GET /x\"y", 200, 3, 0.5});
  stats.retries = 2;
  const std::string text = http_metrics(stats);
  EXPECT_THAT(text,
              HasSubstr("cabinetfs_http_requests_total{label=\"GET /x\\\"y\",status=\"200\"} 3\n"));
  EXPECT_THAT(
      text,
      HasSubstr("# TYPE cabinetfs_http_retries_total counter\ncabinetfs_http_retries_total 2\n"));
}

}  // namespace
}  // namespace cabinetfs
