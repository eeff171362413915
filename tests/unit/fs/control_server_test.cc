#include "fs/control_server.h"
#include "fs/status_json.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fs/control_client.h"
#include "tests/unit/fs/memory_volume.h"

namespace cabinetfs {
namespace {

// Of accept4() in this program, below: while it is set there are no descriptors, and the calls are
// counted.
std::atomic<bool> no_descriptors{false};
std::atomic<int> refused{0};

}  // namespace
}  // namespace cabinetfs

extern "C" int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (cabinetfs::no_descriptors) {
    ++cabinetfs::refused;
    errno = EMFILE;
    return -1;
  }
  using Function = int (*)(int, sockaddr*, socklen_t*, int);
  static const auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "accept4"));
  return next(fd, address, size, flags);
}

namespace cabinetfs {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

class Control : public ::testing::Test {
 protected:
  Control() {
    char pattern[] = "/tmp/cabinetfs-control-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    socket_ = directory_ + "/run/control";
    services_.volume = &volume_;
    services_.unmount = [this] { unmounted_ = true; };
    services_.call_timeout = std::chrono::seconds(20);
    file_ = volume_.add_file("dir/doc", "content");
    server_ = ControlServer::start(socket_, services_).value();
  }
  ~Control() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  json call(const json& request) {
    auto client = ControlClient::connect(socket_).value();
    auto answer = client.call(request, std::chrono::seconds(20));
    return answer ? *answer : json("(" + std::string(to_string(answer.error().code)) + ")");
  }
  // What a client that is not ours gets.
  std::string raw(const std::string& bytes) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, socket_.c_str());
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return "no";
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    std::string out;
    char c = 0;
    while (::read(fd, &c, 1) == 1 && c != '\n') out += c;
    ::close(fd);
    return out;
  }

  MemoryVolume volume_;
  ControlServices services_;
  std::atomic<bool> unmounted_{false};
  std::string directory_, socket_;
  InodeNumber file_;
  std::unique_ptr<ControlServer> server_;
};

TEST_F(Control, IsForTheOwnerOnly) {
  struct stat info {};
  ASSERT_EQ(::stat(socket_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat((directory_ + "/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(Control, AnswersStatusAndStats) {
  volume_.status_to_tell.unsent.push_back({file_, "dir/doc", "upload", "waiting", 7, 0, "", ""});
  const json status = call({{"cmd", "status"}});
  EXPECT_EQ(status["online"], true);
  EXPECT_EQ(status["vendor"], "memory");
  EXPECT_EQ(status["unsent"][0]["path"], "dir/doc");
  EXPECT_EQ(call({{"cmd", "stats"}})["content"]["cache_bytes"], 0);
}

TEST_F(Control, ActsOnPaths) {
  const std::string ino = std::to_string(file_.value);
  EXPECT_EQ(call({{"cmd", "info"}, {"path", "/dir/doc/"}})["path"], "dir/doc");
  EXPECT_EQ(call({{"cmd", "retry"}, {"path", "dir/doc"}}), json::object());
  EXPECT_EQ(call({{"cmd", "discard"}, {"path", "dir/doc"}}), json::object());
  EXPECT_EQ(call({{"cmd", "prefetch"}, {"path", ""}}), json::object());
  EXPECT_EQ(call({{"cmd", "pin"}, {"path", "dir"}, {"state", "pinned"}}), json::object());
  EXPECT_EQ(call({{"cmd", "pin"}, {"path", "dir"}, {"state", "?"}}), "(invalid)");
  EXPECT_EQ(call({{"cmd", "promote"}, {"path", "dir/doc"}, {"version", 1}}), json::object());
  EXPECT_EQ(call({{"cmd", "share"}, {"path", "dir"}, {"who", "bob"}, {"level", "read"}}),
            json::object());
  EXPECT_EQ(call({{"cmd", "permissions"}, {"path", "dir"}})["items"][1]["who"], "bob");
  EXPECT_EQ(call({{"cmd", "versions"}, {"path", "dir/doc"}})["items"].size(), 1u);
  EXPECT_EQ(call({{"cmd", "info"}, {"path", "missing"}}), "(not-found)");
  EXPECT_THAT(volume_.log(),
              IsSupersetOf(std::vector<std::string>{"retry " + ino, "discard " + ino, "prefetch 1",
                                                    "promote " + ino + " 1"}));
}

TEST_F(Control, FlushShowsProgressAndEndsAtItsDeadline) {
  volume_.status_to_tell.unsent_bytes = 99;
  auto client = ControlClient::connect(socket_).value();
  std::vector<json> steps;
  const auto done = client.call({{"cmd", "flush"}, {"path", ""}}, std::chrono::seconds(20),
                                [&](const json& step) { steps.push_back(step); });
  ASSERT_TRUE(done);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_EQ(steps[0]["unsent_bytes"], 99);
  volume_.gate().close();
  EXPECT_EQ(call({{"cmd", "flush"}, {"path", ""}, {"timeout", 0.1}}), "(timeout)");
}

TEST_F(Control, HangingUpGivesUpTheRequest) {
  volume_.gate().close();
  std::thread hanging([&] {
    auto client = ControlClient::connect(socket_).value();
    EXPECT_EQ(
        client.call({{"cmd", "flush"}, {"path", ""}}, std::chrono::milliseconds(300)).error().code,
        ErrorCode::kIo)
        << "not a fault of the remote";
  });
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  hanging.join();
  while (volume_.gate().waiting() > 0) std::this_thread::yield();
  EXPECT_EQ(call({{"cmd", "log"}}).contains("lines"), true);
}

TEST_F(Control, BadRequestsAreAnswered) {
  EXPECT_EQ(call({{"cmd", "explode"}}), "(invalid)");
  EXPECT_EQ(call({{"cmd", 7}}), "(invalid)");
  EXPECT_EQ(call(json::array()), "(invalid)");
  EXPECT_EQ(call({{"cmd", "retry"}}), "(invalid)");
  EXPECT_EQ(call({{"cmd", "retry"}, {"path", 7}}), "(invalid)");
  EXPECT_EQ(call({{"cmd", "flush"}, {"path", ""}, {"timeout", -1}}), "(invalid)");
  EXPECT_EQ(call({{"cmd", "unlock"}, {"path", "dir/doc"}, {"comment", 7}}), "(invalid)");
  EXPECT_EQ(call({{"cmd", "send"}, {"to", "not a list"}}), "(invalid)");
  EXPECT_THAT(raw("this is not JSON\n"), HasSubstr("invalid"));
  EXPECT_THAT(raw(std::string("\0\xff\n", 3)), HasSubstr("invalid"));
  EXPECT_THAT(raw(std::string(3u << 20, 'x')), HasSubstr("too-large"));
  EXPECT_THAT(raw(std::string(200'000, '[') + "\n"), HasSubstr("invalid"));
  EXPECT_EQ(call({{"cmd", "status"}})["online"], true);
}

TEST_F(Control, WaitsForADescriptorWithoutSpinning) {
  no_descriptors = true;
  refused = 0;
  const auto start = std::chrono::steady_clock::now();
  std::thread caller([&] { EXPECT_EQ(call({{"cmd", "status"}})["online"], true); });
  while (refused < 4) std::this_thread::yield();
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(600));
  no_descriptors = false;
  caller.join();
}

TEST_F(Control, UnmountIsAnsweredFirst) {
  EXPECT_EQ(call({{"cmd", "unmount"}}), json::object());
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!unmounted_ && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(unmounted_);
}

TEST_F(Control, SendsFilesOfTheTreeAndOfTheMachine) {
  std::ofstream(directory_ + "/local.txt") << "from disk";
  EXPECT_EQ(call({{"cmd", "send"},
                  {"to", {"bob@example.com"}},
                  {"subject", "s"},
                  {"files", {{{"path", "dir/doc"}}, {{"file", directory_ + "/local.txt"}}}}}),
            json::object());
  EXPECT_THAT(volume_.log(), Contains("mail bob@example.com doc=content"));
  EXPECT_THAT(volume_.log(), Contains("mail bob@example.com local.txt=from disk"));
  EXPECT_EQ(call({{"cmd", "send"}, {"to", {"b"}}, {"files", {{{"file", "/dev/zero"}}}}}),
            "(invalid)");
  EXPECT_EQ(call({{"cmd", "send"}, {"files", json::array()}}), "(invalid)");
  EXPECT_EQ(volume_.open_files(), 0);
}

TEST_F(Control, TwoServersDoNotShareASocketAndADeadOneIsReplaced) {
  EXPECT_EQ(ControlServer::start(socket_, services_).error().code, ErrorCode::kBusy);
  server_.reset();
  EXPECT_EQ(ControlClient::connect(socket_).error().code, ErrorCode::kUnavailable);
  std::ofstream(socket_) << "left over";
  server_ = ControlServer::start(socket_, services_).value();
  EXPECT_EQ(call({{"cmd", "status"}})["online"], true);
}

TEST_F(Control, EndsWhileRequestsRun) {
  volume_.gate().close();
  std::thread client([&] {
    auto connection = ControlClient::connect(socket_).value();
    EXPECT_FALSE(connection.call({{"cmd", "flush"}, {"path", ""}}, std::chrono::seconds(20)));
  });
  ASSERT_TRUE(volume_.gate().wait_for_waiting(1));
  server_.reset();
  client.join();
}

TEST(StatusJson, AVersionWithoutATimeIsNotFrom1970) {
  RemoteVersion told, silent;
  told.modified = WallTime(std::chrono::seconds(1'000'000'000));
  const json versions = versions_to_json({told, silent});
  EXPECT_EQ(versions[0]["modified"], "2001-09-09T01:46:40Z");
  EXPECT_EQ(versions[1]["modified"], "");
}

}  // namespace
}  // namespace cabinetfs
