#include <string>
#include <utility>

#include "backend/auth/secret_store.h"
#include "backend/base/log.h"
#include "backend/base/mutex.h"

namespace cabinetfs {
namespace {

using Opener = std::function<Result<std::unique_ptr<SecretStore>>()>;

// In the file, in the place of what the keyring was given.
std::string mark_of(std::string_view key) { return std::string(key) + "@keyring"; }

Error out_of_reach(std::string_view remote, std::string_view key, const Error& why) {
  const bool of_store = key == "store_key";
  return {ErrorCode::kIo, std::string("the keyring that holds ") +
                              (of_store ? "the key of the store " : "the login of ") +
                              std::string(remote) + " is not reachable from here (" + why.context +
                              "); use a session that has it" +
                              (of_store ? "" : ", or secret_store = \"file\" and a new login")};
}

class AutomaticSecretStore final : public SecretStore {
 public:
  AutomaticSecretStore(std::unique_ptr<SecretStore> file, Opener open)
      : file_(std::move(file)), open_(std::move(open)) {}

  Result<std::optional<SecretString>> get(std::string_view remote, std::string_view key) override {
    TRY_ASSIGN(auto in_file, file_->get(remote, key));
    if (in_file) {
      note(file_.get());
      return in_file;
    }
    TRY_ASSIGN(const auto mark, file_->get(remote, mark_of(key)));
    const auto ring = keyring();
    if (!ring) {
      if (mark) return fail(out_of_reach(remote, key, ring.error()));
      return std::optional<SecretString>();
    }
    TRY_ASSIGN(auto value, (*ring)->get(remote, key));
    if (!value) return value;
    note(*ring);
    // Put there by an older version. Without the mark it is found all the same, from this session.
    if (!mark) {
      if (const auto marked = file_->set(remote, mark_of(key), SecretString("yes")); !marked)
        log_debug("{}", marked.error().context);
    }
    return value;
  }

  Result<void> set(std::string_view remote, std::string_view key,
                   const SecretString& value) override {
    TRY_ASSIGN(const auto in_file, file_->get(remote, key));
    const auto ring = in_file ? Result<SecretStore*>(nullptr) : keyring();
    if (!ring || *ring == nullptr) {
      if (!ring)
        log_debug("no Secret Service ({}); {} is used", ring.error().context, file_->description());
      // In this order: the file is asked first, whatever the mark says.
      TRY(file_->set(remote, key, value));
      note(file_.get());
      return file_->erase(remote, mark_of(key));
    }
    TRY((*ring)->set(remote, key, value));
    note(*ring);
    TRY_ASSIGN(const auto mark, file_->get(remote, mark_of(key)));
    return mark ? Result<void>() : file_->set(remote, mark_of(key), SecretString("yes"));
  }

  Result<void> erase(std::string_view remote, std::string_view key) override {
    TRY_ASSIGN(const auto mark, file_->get(remote, mark_of(key)));
    const auto ring = keyring();
    if (!ring && mark) return fail(out_of_reach(remote, key, ring.error()));
    if (ring) TRY((*ring)->erase(remote, key));
    TRY(file_->erase(remote, key));
    return file_->erase(remote, mark_of(key));
  }

  std::string description() const override {
    {
      MutexLock lock(mutex_);
      if (last_ != nullptr) return last_->description();
    }
    const auto ring = keyring();
    return ring ? (*ring)->description() : file_->description();
  }

 private:
  // Opened when it is needed first, which takes a moment where no service answers; tried again each
  // time as long as none does.
  Result<SecretStore*> keyring() const {
    {
      MutexLock lock(mutex_);
      if (keyring_ != nullptr) return keyring_.get();
    }
    TRY_ASSIGN(auto opened, open_());
    MutexLock lock(mutex_);
    if (keyring_ == nullptr) keyring_ = std::move(opened);
    return keyring_.get();
  }
  void note(const SecretStore* used) {
    MutexLock lock(mutex_);
    last_ = used;
  }

  const std::unique_ptr<SecretStore> file_;
  const Opener open_;
  mutable Mutex mutex_;
  mutable std::unique_ptr<SecretStore> keyring_ GUARDED_BY(mutex_);  // never replaced
  const SecretStore* last_ GUARDED_BY(mutex_) = nullptr;             // of both
};

}  // namespace

std::unique_ptr<SecretStore> make_automatic_secret_store(std::unique_ptr<SecretStore> file,
                                                         Opener keyring) {
  return std::make_unique<AutomaticSecretStore>(std::move(file), std::move(keyring));
}

}  // namespace cabinetfs
