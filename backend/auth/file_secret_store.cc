#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "backend/auth/file_lock.h"
#include "backend/auth/secret_store.h"
#include "backend/base/descriptor.h"
#include "backend/base/mutex.h"
#include "backend/base/text.h"

namespace cabinetfs {
namespace {

using nlohmann::json;

// A credential is a few hundred bytes; a file of this size is none of ours.
constexpr std::size_t kMaxFile = 4u << 20;
constexpr std::chrono::seconds kLockWait{10};

// Strings inside a parsed document are not wiped: they live as long as one call. The whole text is.
class FileSecretStore final : public SecretStore {
 public:
  explicit FileSecretStore(std::string path) : path_(std::move(path)) {}

  Result<std::optional<SecretString>> get(std::string_view remote, std::string_view key) override {
    // No lock: the file is only ever replaced as a whole.
    TRY_ASSIGN(const json all, load());
    const auto entries = all.find(std::string(remote));
    if (entries == all.end() || !entries->is_object()) return std::optional<SecretString>();
    const auto value = entries->find(std::string(key));
    if (value == entries->end() || !value->is_string()) return std::optional<SecretString>();
    return std::optional<SecretString>(SecretString(value->get<std::string>()));
  }

  Result<void> set(std::string_view remote, std::string_view key,
                   const SecretString& value) override {
    // JSON is text: bytes that are not would be replaced without a word.
    if (!is_valid_utf8(value.reveal())) {
      return fail(ErrorCode::kInvalid, "the secret for " + std::string(remote) + " is not UTF-8");
    }
    return change([&](json& all) { all[std::string(remote)][std::string(key)] = value.reveal(); });
  }

  Result<void> erase(std::string_view remote, std::string_view key) override {
    return change([&](json& all) {
      const auto entries = all.find(std::string(remote));
      if (entries == all.end() || !entries->is_object()) return;
      entries->erase(std::string(key));
      if (entries->empty()) all.erase(std::string(remote));
    });
  }

  std::string description() const override { return path_; }

 private:
  Result<json> load() {
    const Descriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (file.get() < 0) {
      if (errno == ENOENT) return json::object();
      return fail(ErrorCode::kIo, path_ + ": " + errno_text(errno));
    }
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
      return fail(ErrorCode::kIo, path_ + ": " + errno_text(errno));
    if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0 || info.st_uid != ::geteuid()) {
      return fail(ErrorCode::kDenied,
                  path_ +
                      " holds credentials but others may read it; after `chmod 600` change them, "
                      "since they may be known");
    }
    std::string text;
    while (text.size() <= kMaxFile) {
      const std::size_t before = text.size();
      text.resize(before + 65536);
      const ssize_t got = ::read(file.get(), text.data() + before, 65536);
      text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0 && errno != EINTR) return fail(ErrorCode::kIo, path_ + ": " + errno_text(errno));
      if (got == 0) break;
    }
    json all = json::parse(text, nullptr, false);
    const bool good = text.size() <= kMaxFile && all.is_object();
    SecretString::wipe(text);
    if (!good) {
      return fail(ErrorCode::kIo, path_ + " is damaged; move it away and log in again");
    }
    return all;
  }

  template <class Change>
  Result<void> change(Change apply) {
    MutexLock threads(mutex_);
    const auto processes = FileLock::acquire(path_ + ".lock", CallContext::within(kLockWait));
    if (!processes) {
      // kTimeout is the server's.
      const bool late = processes.error().code == ErrorCode::kTimeout;
      return fail(late ? ErrorCode::kBusy : processes.error().code, processes.error().context);
    }
    TRY_ASSIGN(json all, load());
    apply(all);
    std::string text = all.dump(1);
    const Result<void> saved = replace_file(text);
    SecretString::wipe(text);
    return saved;
  }

  Result<void> replace_file(std::string_view text) {
    std::string temporary = path_ + ".XXXXXX";
    const Descriptor file{::mkostemp(temporary.data(), O_CLOEXEC)};  // 0600
    if (file.get() < 0) return fail(ErrorCode::kIo, temporary + ": " + errno_text(errno));
    int error = 0;
    while (error == 0 && !text.empty()) {
      const ssize_t sent = ::write(file.get(), text.data(), text.size());
      if (sent >= 0) {
        text.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EINTR) {
        error = errno;
      }
    }
    if (error == 0 && ::fsync(file.get()) != 0) error = errno;
    if (error == 0 && ::rename(temporary.c_str(), path_.c_str()) != 0) error = errno;
    if (error != 0) {
      ::unlink(temporary.c_str());
      return fail(ErrorCode::kIo, path_ + ": " + errno_text(error));
    }
    const std::size_t slash = path_.rfind('/');
    const std::string directory =
        slash == std::string::npos ? "." : path_.substr(0, slash == 0 ? 1 : slash);
    const Descriptor parent{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (parent.get() < 0 || ::fsync(parent.get()) != 0) {
      return fail(ErrorCode::kIo, directory + ": " + errno_text(errno));
    }
    return {};
  }

  const std::string path_;
  Mutex mutex_;  // one writer at a time; the state is the file
};

}  // namespace

std::unique_ptr<SecretStore> make_file_secret_store(std::string path) {
  return std::make_unique<FileSecretStore>(std::move(path));
}

}  // namespace cabinetfs
