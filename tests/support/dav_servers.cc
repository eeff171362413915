#include "tests/support/dav_servers.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/dav_config.h"

namespace cabinetfs {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr auto kStartDeadline = std::chrono::seconds(20);
constexpr auto kStopDeadline = std::chrono::seconds(5);
constexpr auto kPollStep = std::chrono::milliseconds(5);

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = fd >= 0 &&
                     ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!bound) throw std::runtime_error("no free port on the loopback interface");
  return ntohs(address.sin_port);
}

std::string random_text() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

// Apache refuses to serve as root. So it becomes nobody, but keeps root's way with files: it has to
// read and write below directories that only root may enter. Async-signal-safe: runs after a fork.
bool become_nobody() {
  constexpr unsigned kNobody = 65534;
  constexpr std::uint32_t kKept =
      1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER;
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return false;
  if (::syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0) return false;
  if (::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0] = {kKept, kKept, kKept};
  if (::syscall(SYS_capset, &header, data.data()) != 0) return false;
  for (unsigned long cap = 0; cap < 32; ++cap) {
    if ((kKept >> cap & 1U) == 0) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0) return false;
  }
  return true;
}

pid_t launch(std::vector<std::string> command, bool as_nobody, const fs::path& output) {
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int log = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) throw std::runtime_error(fmt::format("cannot write {}", output.string()));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    // Nor does a signal stay blocked that the program waits for.
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    if (as_nobody && !become_nobody()) ::_exit(125);
    // After the change of identity, which would clear it.
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || ::getppid() != parent) ::_exit(126);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(log);
  if (pid < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
  return pid;
}

std::size_t ignore_body(char*, std::size_t size, std::size_t count, void*) { return size * count; }

bool answers(const std::string& url) {
  CURL* curl = curl_easy_init();
  if (curl == nullptr) return false;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &ignore_body);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 5L);
  // Only whether it is there: the test itself checks the certificate.
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
  long status = 0;
  if (curl_easy_perform(curl) == CURLE_OK) {
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  }
  curl_easy_cleanup(curl);
  return status == 200 || status == 204;
}

}  // namespace

class DavServer::Impl {
 public:
  Impl(Kind kind, DavServerOptions options) : kind_(kind), options_(std::move(options)) {
    const std::string reason = DavServer::missing(kind_);
    if (!reason.empty()) throw std::runtime_error(reason);
    std::string name = (fs::temp_directory_path() / "dav-server-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    place_.run_dir = name;
    try {
      place_.directory = options_.directory.empty() ? place_.run_dir / "files" : options_.directory;
      fs::create_directories(place_.directory);
      place_.ready_path = "/ready-" + random_text();
      // Somebody else may take the port before the server does.
      for (int left = 3;; --left) {
        place_.port = free_port();
        command_ = configure_dav(kind_, options_, place_);
        if (start()) return;
        if (left == 0) throw std::runtime_error("the server does not start:\n" + error_log());
      }
    } catch (...) {
      remove();
      throw;
    }
  }

  ~Impl() {
    stop();
    remove();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool start() {
    if (pid_ != 0) return true;
    pid_ =
        launch(command_, kind_ == Kind::kApache && ::geteuid() == 0, place_.run_dir / "error.log");
    const std::string ready = origin() + place_.ready_path;
    const auto deadline = steady_clock::now() + kStartDeadline;
    while (!answers(ready)) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        ::kill(-pid_, SIGKILL);
        pid_ = 0;
        return false;
      }
      if (steady_clock::now() > deadline) {
        stop();
        return false;
      }
      std::this_thread::sleep_for(kPollStep);
    }
    return true;
  }

  void stop() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGTERM);
    const auto deadline = steady_clock::now() + kStopDeadline;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (steady_clock::now() > deadline) {
        ::kill(-pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        break;
      }
      std::this_thread::sleep_for(kPollStep);
    }
    ::kill(-pid_, SIGKILL);  // a worker that still sends to a client that does not read
    pid_ = 0;
  }

  std::string origin() const {
    return options_.certificate.empty() ? fmt::format("http://127.0.0.1:{}", place_.port)
                                        : fmt::format("https://localhost:{}", place_.port);
  }
  std::string error_log() const { return read_file(place_.run_dir / "error.log"); }
  std::string access_log() const { return read_file(place_.run_dir / "access.log"); }

  const Kind kind_;
  const DavServerOptions options_;
  DavPlace place_;
  pid_t pid_ = 0;

 private:
  void remove() const {
    std::error_code ignored;  // a directory in /tmp that cannot be removed harms nobody
    fs::remove_all(place_.run_dir, ignored);
  }

  std::vector<std::string> command_;
};

std::string DavServer::missing(Kind kind) {
  const bool apache = kind == Kind::kApache;
  const char* package = apache ? "apache2" : "nginx and libnginx-mod-http-dav-ext";
  if (!dav_program(kind).empty() && !dav_modules(kind).empty()) return {};
  return fmt::format("{} is not installed", package);
}

DavServer::DavServer(Kind kind, DavServerOptions options)
    : impl_(std::make_unique<Impl>(kind, std::move(options))) {}
DavServer::~DavServer() = default;

std::string DavServer::url() const { return impl_->origin() + impl_->options_.prefix; }
std::uint16_t DavServer::port() const { return impl_->place_.port; }
const fs::path& DavServer::directory() const { return impl_->place_.directory; }
pid_t DavServer::pid() const { return impl_->pid_; }
void DavServer::stop() { impl_->stop(); }
void DavServer::start() {
  if (!impl_->start()) {
    throw std::runtime_error("the server does not start again:\n" + impl_->error_log());
  }
}
std::string DavServer::error_log() const { return impl_->error_log(); }
std::string DavServer::access_log() const { return impl_->access_log(); }

}  // namespace cabinetfs
