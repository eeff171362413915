#include "tests/support/dav_servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/needs.h"
#include "tests/support/plain_http.h"
#include "tests/support/test_certificates.h"

namespace cabinetfs {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = DavServer::Kind;
using Etags = DavServerOptions::Etags;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class DavServers : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { CABINET_NEEDS(DavServer::missing(GetParam())); }
};

TEST_P(DavServers, SpeaksWebDavAndKeepsFilesOnTheDisk) {
  const DavServer server(GetParam());
  PlainHttp client(server.url());
  EXPECT_THAT(client.send("OPTIONS", "/").header("dav"), HasSubstr("2"));

  EXPECT_EQ(client.send("MKCOL", "/docs/").status, 201);
  EXPECT_TRUE(std::filesystem::is_directory(server.directory() / "docs"));
  EXPECT_EQ(client.send("PUT", "/docs/a%20b.txt", {}, "hello").status, 201);
  EXPECT_EQ(read_file(server.directory() / "docs/a b.txt"), "hello");
  EXPECT_EQ(client.send("PUT", "/docs/a%20b.txt", {}, "hello again").status, 204);
  // nginx has no better word for a missing parent.
  EXPECT_EQ(client.send("PUT", "/none/x", {}, "y").status, GetParam() == Kind::kApache ? 409 : 500);
  EXPECT_FALSE(std::filesystem::exists(server.directory() / "none"));

  const PlainReply listing = client.send("PROPFIND", "/docs/", {"Depth: 1"});
  EXPECT_EQ(listing.status, 207);
  EXPECT_THAT(listing.body, HasSubstr("/dav/docs/a%20b.txt"));

  const PlainReply part = client.get("/docs/a%20b.txt", {"Range: bytes=6-10"});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "again");

  EXPECT_EQ(client
                .send("MOVE", "/docs/a%20b.txt",
                      {"Destination: " + server.url() + "/docs/c.txt", "Overwrite: F"})
                .status,
            GetParam() == Kind::kApache ? 201 : 204);
  EXPECT_FALSE(std::filesystem::exists(server.directory() / "docs/a b.txt"));
  EXPECT_EQ(read_file(server.directory() / "docs/c.txt"), "hello again");
  EXPECT_EQ(client.send("DELETE", "/docs/").status, 204);
  EXPECT_TRUE(std::filesystem::is_empty(server.directory()));
  EXPECT_EQ(client.get("/docs/").status, 404);
  EXPECT_TRUE(eventually(
      [&] { return server.access_log().find("MKCOL /dav/docs/ 201") != std::string::npos; }));
}

TEST_P(DavServers, LocksKeepOthersOut) {
  const DavServer server(GetParam());
  PlainHttp client(server.url());
  client.send("PUT", "/a", {}, "one");
  const PlainReply lock =
      client.send("LOCK", "/a", {"Timeout: Second-60", "Content-Type: application/xml"},
                  "<?xml version=\"1.0\"?><D:lockinfo "
                  "xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/></D:lockscope>"
                  "<D:locktype><D:write/></D:locktype></D:lockinfo>");
  ASSERT_EQ(lock.status, 200) << lock.body;
  const std::string token = lock.header("lock-token");
  EXPECT_EQ(client.send("PUT", "/a", {}, "two").status, 423);
  EXPECT_EQ(read_file(server.directory() / "a"), "one");
  EXPECT_EQ(client.send("PUT", "/a", {"If: (" + token + ")"}, "three").status, 204);
  EXPECT_EQ(client.send("UNLOCK", "/a", {"Lock-Token: " + token}).status, 204);
  EXPECT_EQ(client.send("PUT", "/a", {}, "four").status, 204);
}

TEST_P(DavServers, WithoutLocksThereIsNoLock) {
  const DavServer server(GetParam(), {.locks = false});
  PlainHttp client(server.url());
  client.send("PUT", "/a", {}, "one");
  EXPECT_GE(client.send("LOCK", "/a", {"Timeout: Second-60"}).status, 400);
}

TEST_P(DavServers, AsksForThePassword) {
  const DavServer server(GetParam(), {.user = "ann", .password = "open sesame"});
  PlainHttp nobody(server.url());
  EXPECT_EQ(nobody.send("PROPFIND", "/", {"Depth: 0"}).status, 401);
  PlainHttp wrong(server.url(), "ann", "close sesame");
  EXPECT_EQ(wrong.send("PUT", "/a", {}, "x").status, 401);
  EXPECT_FALSE(std::filesystem::exists(server.directory() / "a"));
  PlainHttp ann(server.url(), "ann", "open sesame");
  EXPECT_EQ(ann.send("PUT", "/a", {}, "x").status, 201);
}

TEST_P(DavServers, SpeaksTlsWithTheGivenCertificate) {
  const TestAuthority authority = make_test_authority();
  const DavServer server(GetParam(), {.certificate = authority.server.certificate,
                                      .private_key = authority.server.private_key});
  PlainHttp trusting(server.url(), {}, {}, authority.ca_certificate);
  EXPECT_EQ(trusting.send("PROPFIND", "/", {"Depth: 0"}).status, 207);
  PlainHttp strict(server.url());
  EXPECT_NE(strict.get("/").curl_code, 0);
}

TEST_P(DavServers, EtagsAreAsChosen) {
  {
    const DavServer server(GetParam(), {.etags = Etags::kMtimeSize});
    PlainHttp client(server.url());
    client.send("PUT", "/a", {}, "one");
    const std::string first = client.get("/a").header("etag");
    EXPECT_FALSE(first.empty());
    client.send("PUT", "/a", {}, "longer");
    EXPECT_NE(client.get("/a").header("etag"), first);
  }
  {
    const DavServer server(GetParam(), {.etags = Etags::kNone});
    PlainHttp client(server.url());
    client.send("PUT", "/a", {}, "one");
    EXPECT_EQ(client.get("/a").header("etag"), "");
  }
  if (GetParam() == Kind::kNginx) {
    EXPECT_THROW(DavServer(GetParam(), {.etags = Etags::kInode}), std::invalid_argument);
    return;
  }
  const DavServer server(GetParam(), {.etags = Etags::kInode});
  PlainHttp client(server.url());
  client.send("PUT", "/a", {}, "one");
  const std::string etag = client.get("/a").header("etag");
  EXPECT_EQ(std::count(etag.begin(), etag.end(), '-'), 2) << etag << ": inode, size and time";
}

TEST_P(DavServers, ServesAGivenDirectoryAtTheRoot) {
  const std::filesystem::path dir =
      std::filesystem::path(testing::TempDir()) / ("dav-given-" + std::to_string(::getpid()));
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "there.txt") << "before";
  {
    const DavServer server(GetParam(), {.directory = dir, .prefix = ""});
    PlainHttp client(server.url());
    EXPECT_EQ(client.get("/there.txt").body, "before");
    EXPECT_EQ(client.send("PUT", "/there.txt", {}, "after").status, 204);
  }
  EXPECT_EQ(read_file(dir / "there.txt"), "after") << "a given directory stays";
  std::filesystem::remove_all(dir);
}

TEST_P(DavServers, HoldsBackTheAnswerAtTheGivenRate) {
  const DavServer server(GetParam(), {.rate = 1 << 20});
  PlainHttp client(server.url());
  client.send("PUT", "/a", {}, std::string(3 << 18, 'x'));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.get("/a").body.size(), std::size_t{3} << 18);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(400));
}

TEST_P(DavServers, ComesBackOnTheSamePortWithTheSameFiles) {
  DavServer server(GetParam());
  PlainHttp client(server.url());
  client.fresh = true;
  client.send("PUT", "/a", {}, "kept");
  const std::uint16_t port = server.port();
  server.stop();
  EXPECT_NE(client.get("/a").curl_code, 0);
  server.start();
  EXPECT_EQ(server.port(), port);
  EXPECT_EQ(client.get("/a").body, "kept");
}

TEST_P(DavServers, EndsWithTheProcessThatStartedIt) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  // What is killed cannot clear away after itself.
  const std::filesystem::path dir =
      std::filesystem::path(testing::TempDir()) / ("dav-killed-" + std::to_string(::getpid()));
  std::filesystem::create_directories(dir);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TMPDIR", dir.c_str(), 1);
    const DavServer server(GetParam());
    const pid_t pid = server.pid();
    if (::write(pipe_ends[1], &pid, sizeof pid) != sizeof pid) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  pid_t server = 0;
  ASSERT_EQ(::read(pipe_ends[0], &server, sizeof server), static_cast<ssize_t>(sizeof server));
  EXPECT_EQ(::kill(server, 0), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  // Its new parent may leave it as a zombie for a while, which is as good as gone.
  EXPECT_TRUE(eventually([&] {
    if (::kill(server, 0) != 0 && errno == ESRCH) return true;
    return read_file("/proc/" + std::to_string(server) + "/stat").find(") Z ") != std::string::npos;
  }));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  std::filesystem::remove_all(dir);
}

INSTANTIATE_TEST_SUITE_P(Real, DavServers, testing::Values(Kind::kApache, Kind::kNginx),
                         [](const testing::TestParamInfo<Kind>& kind) {
                           return kind.param == Kind::kApache ? "Apache" : "Nginx";
                         });

}  // namespace
}  // namespace cabinetfs
