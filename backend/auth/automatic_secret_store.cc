#include <atomic>
#include <string>
#include <utility>

#include "backend/auth/secret_store.h"
#include "backend/base/log.h"
#include "backend/base/mutex.h"

namespace cabinetfs {
namespace {

using Opener = std::function<Result<std::unique_ptr<SecretStore>>(bool)>;

constexpr std::string_view kStoreKey = "store_key";
// For a keyring that nobody has unlocked when it was asked for first.
constexpr std::chrono::seconds kSecondPatience{5};

// Which place counts, as the file remembers it beside the values.
enum class Place {
  kUnknown,     // nobody has said so: by an older version, which used the keyring where it had one
  kKeyring,     // an older version may have left another value in the file
  kFile,        // and the keyring has none, as far as is known
  kFileNotOld,  // and the keyring still has an older one
};
std::string note_of(std::string_view key) { return std::string(key) + "@keyring"; }
const char* word_of(Place place) {
  return place == Place::kKeyring ? "yes" : place == Place::kFile ? "no" : "old";
}

Error out_of_reach(std::string_view remote, std::string_view key, const Error& why) {
  const bool of_store = key == kStoreKey;
  return {ErrorCode::kIo, std::string("the keyring that holds ") +
                              (of_store ? "the key of the store " : "the login of ") +
                              std::string(remote) + " is not reachable from here (" + why.context +
                              "); use a session that has it" +
                              (of_store ? "" : ", or secret_store = \"file\" and a new login")};
}

class AutomaticSecretStore final : public SecretStore {
 public:
  AutomaticSecretStore(std::unique_ptr<SecretStore> file, Opener open, bool unattended)
      : file_(std::move(file)), open_(std::move(open)), unattended_(unattended) {}

  Result<std::optional<SecretString>> get(std::string_view remote, std::string_view key) override {
    TRY_ASSIGN(auto in_file, file_->get(remote, key));
    TRY_ASSIGN(const Place place, place_of(remote, key));
    if (in_file && counts_in_file(place)) return from_file(std::move(in_file));
    const auto ring = keyring(true);
    if (!ring) {
      if (ring.error().code == ErrorCode::kCancelled) return fail(ring.error());
      // What the file has is what such a session has always used.
      if (in_file || place == Place::kUnknown) return from_file(std::move(in_file));
      const Error missed = out_of_reach(remote, key, ring.error());
      if (!can_spare(key)) return fail(missed);
      log_info("{}", missed.context);
      return std::optional<SecretString>();
    }
    auto value = (*ring)->get(remote, key);
    if (!value) {
      if (value.error().code == ErrorCode::kCancelled || !can_spare(key)) return value;
      log_info("{}", value.error().context);
      shut_ = true;
      (*ring)->limit_reads(kSecondPatience);
      return from_file(std::move(in_file));
    }
    if (*value) {
      shut_ = false;
      used(*ring);
      // Without the note it is found all the same, from this session.
      if (place != Place::kKeyring) try_to_note(remote, key, Place::kKeyring);
      return value;
    }
    if (!in_file) return value;
    try_to_note(remote, key, Place::kFile);
    return from_file(std::move(in_file));
  }

  Result<void> set(std::string_view remote, std::string_view key,
                   const SecretString& value) override {
    TRY_ASSIGN(const auto in_file, file_->get(remote, key));
    TRY_ASSIGN(const Place place, place_of(remote, key));
    const auto ring = keyring(false);
    if (ring && !(shut_ && can_spare(key)) &&
        belongs_into(**ring, remote, key, place, in_file.has_value())) {
      const auto saved = (*ring)->set(remote, key, value);
      if (saved) {
        used(*ring);
        return place == Place::kKeyring ? Result<void>() : note(remote, key, Place::kKeyring);
      }
      if (!can_spare(key)) return saved;
      log_info("{}", saved.error().context);
      shut_ = true;
    }
    if (!ring)
      log_debug("no Secret Service ({}); {} is used", ring.error().context, file_->description());
    TRY(file_->set(remote, key, value));
    used(file_.get());
    const bool copy = place == Place::kKeyring || place == Place::kFileNotOld;
    if (!counts_in_file(place)) TRY(note(remote, key, copy ? Place::kFileNotOld : Place::kFile));
    if (!ring) return {};
    // The older one would come back after a logout.
    const auto erased = (*ring)->erase_unasked(remote, key);
    if (!erased) log_debug("{}", erased.error().context);
    if (erased.has_value() == copy)
      try_to_note(remote, key, erased ? Place::kFile : Place::kFileNotOld);
    return {};
  }

  Result<void> erase(std::string_view remote, std::string_view key) override {
    TRY_ASSIGN(const Place place, place_of(remote, key));
    const auto ring = keyring(false);
    if (!ring && (place == Place::kKeyring || place == Place::kFileNotOld))
      return fail(out_of_reach(remote, key, ring.error()));
    if (ring) TRY((*ring)->erase(remote, key));
    TRY(file_->erase(remote, key));
    return file_->erase(remote, note_of(key));
  }

  void limit_reads(std::chrono::milliseconds unlock_timeout) override {
    MutexLock lock(mutex_);
    limit_ = unlock_timeout;
    if (keyring_ != nullptr) keyring_->limit_reads(unlock_timeout);
  }

  std::string description() const override {
    {
      MutexLock lock(mutex_);
      if (last_ != nullptr) return last_->description();
    }
    const auto ring = keyring(true);
    return ring ? (*ring)->description() : file_->description();
  }

 private:
  static bool counts_in_file(Place place) {
    return place == Place::kFile || place == Place::kFileNotOld;
  }
  // What can be had anew without a person; never what a store is sealed with.
  bool can_spare(std::string_view key) const { return unattended_ && key != kStoreKey; }

  // A value stays where it is.
  static bool belongs_into(SecretStore& ring, std::string_view remote, std::string_view key,
                           Place place, bool in_file) {
    if (!in_file || place == Place::kKeyring) return true;
    if (place != Place::kUnknown) return false;
    const auto there = ring.get(remote, key);
    return there && there->has_value();
  }

  Result<Place> place_of(std::string_view remote, std::string_view key) {
    TRY_ASSIGN(const auto word, file_->get(remote, note_of(key)));
    if (!word) return Place::kUnknown;
    for (const Place place : {Place::kFile, Place::kFileNotOld})
      if (word->reveal() == word_of(place)) return place;
    return Place::kKeyring;
  }
  Result<void> note(std::string_view remote, std::string_view key, Place place) {
    return file_->set(remote, note_of(key), SecretString(word_of(place)));
  }
  void try_to_note(std::string_view remote, std::string_view key, Place place) {
    if (const auto noted = note(remote, key, place); !noted) log_debug("{}", noted.error().context);
  }

  std::optional<SecretString> from_file(std::optional<SecretString> value) {
    if (value) used(file_.get());
    return value;
  }

  // Opened when it is needed first, which takes a moment where no service answers; tried again each
  // time as long as none does.
  Result<SecretStore*> keyring(bool may_give_up) const {
    {
      MutexLock lock(mutex_);
      if (keyring_ != nullptr) return keyring_.get();
    }
    TRY_ASSIGN(auto opened, open_(may_give_up));
    MutexLock lock(mutex_);
    if (keyring_ == nullptr) {
      keyring_ = std::move(opened);
      if (limit_) keyring_->limit_reads(*limit_);
    }
    return keyring_.get();
  }
  void used(const SecretStore* store) {
    MutexLock lock(mutex_);
    last_ = store;
  }

  const std::unique_ptr<SecretStore> file_;
  const Opener open_;
  const bool unattended_;
  // Nobody has unlocked the keyring: what can be spared is not tried there until it is read again.
  std::atomic<bool> shut_ = false;
  mutable Mutex mutex_;
  mutable std::unique_ptr<SecretStore> keyring_ GUARDED_BY(mutex_);  // never replaced
  std::optional<std::chrono::milliseconds> limit_ GUARDED_BY(mutex_);
  const SecretStore* last_ GUARDED_BY(mutex_) = nullptr;  // of both
};

}  // namespace

std::unique_ptr<SecretStore> make_automatic_secret_store(std::unique_ptr<SecretStore> file,
                                                         Opener keyring, bool unattended) {
  return std::make_unique<AutomaticSecretStore>(std::move(file), std::move(keyring), unattended);
}

}  // namespace cabinetfs
