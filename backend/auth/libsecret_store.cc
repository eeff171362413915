#include <libsecret/secret.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "backend/auth/secret_store.h"
#include "backend/base/clock.h"
#include "backend/base/mutex.h"

#include <thread>

namespace cabinetfs {
namespace {

// An unlocked keyring is read in milliseconds; the user may be asked to unlock it for a change, and
// for what is known to be locked.
constexpr std::chrono::milliseconds kReadTimeout{5000};

constexpr const char* kService = "org.freedesktop.secrets";
constexpr const char* kServicePath = "/org/freedesktop/secrets";

const SecretSchema* schema() {
  static const SecretSchema instance = [] {
    SecretSchema made{};
    made.name = "org.cabinetfs.Credential";
    made.flags = SECRET_SCHEMA_NONE;
    made.attributes[0] = {"remote", SECRET_SCHEMA_ATTRIBUTE_STRING};
    made.attributes[1] = {"key", SECRET_SCHEMA_ATTRIBUTE_STRING};
    return made;
  }();
  return &instance;
}

struct Unref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
struct FreeVariant {
  void operator()(GVariant* variant) const { g_variant_unref(variant); }
};

// Cancels a blocking GLib call when it takes too long or the caller gives up: libsecret's own calls
// have no deadline, and a prompt that nobody answers would block for ever.
class Watchdog {
 public:
  Watchdog(std::chrono::nanoseconds span, const CancelToken& cancel)
      : cancellable_(g_cancellable_new()), deadline_(std::chrono::steady_clock::now() + span) {
    thread_ = std::thread([this] { watch(); });
    given_up_ = cancel.on_cancel([this] {
      MutexLock lock(mutex_);
      late_ = true;
      changed_.notify_all();
    });
  }
  ~Watchdog() {
    given_up_ = {};
    {
      MutexLock lock(mutex_);
      finished_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  GCancellable* cancellable() const { return cancellable_.get(); }

 private:
  void watch() {
    {
      MutexLock lock(mutex_);
      while (!finished_ && !late_) {
        if (!changed_.wait_until(mutex_, deadline_)) break;
      }
      if (finished_) return;
    }
    g_cancellable_cancel(cancellable_.get());
  }

  const std::unique_ptr<GCancellable, Unref> cancellable_;
  const SteadyTime deadline_;
  Mutex mutex_;
  CondVar changed_;
  bool finished_ GUARDED_BY(mutex_) = false;
  bool late_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
  CancelToken::Registration given_up_;
};

Error take_error(GError* error, std::string_view what) {
  const bool cancelled = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) != 0;
  // GLib's messages name services and objects, never values.
  // Never kTimeout, which is the server's.
  Error out{ErrorCode::kIo, "Secret Service, " + std::string(what) + ": " +
                                (cancelled ? "no answer in time" : error->message)};
  g_error_free(error);
  return out;
}

constexpr const char* kWayOut =
    "; the keyring may be locked: unlock it, or keep the credentials of this remote in a file "
    "(secret_store = \"file\")";

// A service that answers, but not to this, is locked as a rule, and where nobody sees its question
// it stays so.
Error take_store_error(GError* error, std::string_view what) {
  const bool locked = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) != 0 ||
                      g_error_matches(error, SECRET_ERROR, SECRET_ERROR_IS_LOCKED) != 0;
  Error out = take_error(error, what);
  if (locked) out.context += kWayOut;
  return out;
}

class LibsecretStore final : public SecretStore {
 public:
  LibsecretStore(std::chrono::milliseconds unlock_timeout, CancelToken cancel)
      : unlock_timeout_(unlock_timeout),
        read_timeout_(unlock_timeout.count() == 0 ? kReadTimeout
                                                  : std::min(kReadTimeout, unlock_timeout)),
        cancel_(std::move(cancel)),
        read_unlock_timeout_(unlock_timeout) {}

  Result<std::optional<SecretString>> get(std::string_view remote, std::string_view key) override {
    const auto value = read(remote, key);
    if (!value && cancel_.cancelled()) {
      return fail(ErrorCode::kCancelled, "Secret Service, reading: interrupted");
    }
    return value;
  }

  Result<void> set(std::string_view remote, std::string_view key,
                   const SecretString& value) override {
    // Not given up by anybody: it may be the only copy of what a server has given.
    Watchdog watchdog(std::max(unlock_timeout_, read_timeout_), CancelToken());
    const std::string label = "cabinetfs: " + std::string(remote) + " (" + std::string(key) + ")";
    GError* error = nullptr;
    secret_password_store_sync(schema(), SECRET_COLLECTION_DEFAULT, label.c_str(),
                               value.reveal().c_str(), watchdog.cancellable(), &error, "remote",
                               std::string(remote).c_str(), "key", std::string(key).c_str(),
                               nullptr);
    if (error != nullptr) return fail(take_store_error(error, "saving"));
    return {};
  }

  Result<void> erase(std::string_view remote, std::string_view key) override {
    if (unlock_timeout_.count() == 0) return erase_unasked(remote, key);
    return remove(remote, key, unlock_timeout_);
  }

  Result<void> erase_unasked(std::string_view remote, std::string_view key) override {
    {
      Watchdog watchdog(read_timeout_, CancelToken());
      TRY(check_unlocked(remote, key, watchdog.cancellable(), "removing"));
    }
    return remove(remote, key, read_timeout_);
  }

  void limit_reads(std::chrono::milliseconds unlock_timeout) override {
    read_unlock_timeout_ = std::min(read_unlock_timeout_.load(), unlock_timeout);
  }

  std::string description() const override { return "Secret Service"; }

 private:
  Result<std::optional<SecretString>> read(std::string_view remote, std::string_view key) {
    Place place;
    {
      Watchdog watchdog(read_timeout_, cancel_);
      TRY_ASSIGN(place, find(remote, key, watchdog.cancellable(), "reading"));
    }
    if (place == Place::kNowhere) return std::optional<SecretString>();
    const std::chrono::milliseconds unlock = read_unlock_timeout_;
    if (place == Place::kLocked && unlock.count() == 0) return fail(is_locked("reading"));
    // The lookup asks the user to unlock it.
    Watchdog watchdog(place == Place::kLocked ? unlock : read_timeout_, cancel_);
    GError* error = nullptr;
    gchar* value = secret_password_lookup_sync(schema(), watchdog.cancellable(), &error, "remote",
                                               std::string(remote).c_str(), "key",
                                               std::string(key).c_str(), nullptr);
    if (error != nullptr) return fail(take_store_error(error, "reading"));
    if (value == nullptr) {
      TRY(check_unlocked(remote, key, watchdog.cancellable(), "reading"));
      return std::optional<SecretString>();
    }
    SecretString secret{std::string(value)};
    secret_password_free(value);
    return std::optional<SecretString>(std::move(secret));
  }

  Result<void> remove(std::string_view remote, std::string_view key,
                      std::chrono::milliseconds patience) {
    Watchdog watchdog(patience, CancelToken());
    GError* error = nullptr;
    // What is locked is passed over by the removal, without a word; looking it up unlocks it.
    gchar* value = secret_password_lookup_sync(schema(), watchdog.cancellable(), &error, "remote",
                                               std::string(remote).c_str(), "key",
                                               std::string(key).c_str(), nullptr);
    const bool there = value != nullptr;
    secret_password_free(value);
    if (error != nullptr) return fail(take_store_error(error, "removing"));
    if (!there) return check_unlocked(remote, key, watchdog.cancellable(), "removing");
    secret_password_clear_sync(schema(), watchdog.cancellable(), &error, "remote",
                               std::string(remote).c_str(), "key", std::string(key).c_str(),
                               nullptr);
    if (error != nullptr) return fail(take_store_error(error, "removing"));
    return {};
  }

  // The library finds nothing, and says no more, where the user did not want to unlock what is
  // there.
  static Result<void> check_unlocked(std::string_view remote, std::string_view key,
                                     GCancellable* cancellable, std::string_view what) {
    TRY_ASSIGN(const Place place, find(remote, key, cancellable, what));
    if (place != Place::kLocked) return {};
    return fail(is_locked(what));
  }
  static Error is_locked(std::string_view what) {
    return {ErrorCode::kIo, "Secret Service, " + std::string(what) + ": it is locked" + kWayOut};
  }

  enum class Place { kNowhere, kOpen, kLocked };
  static Result<Place> find(std::string_view remote, std::string_view key,
                            GCancellable* cancellable, std::string_view what) {
    GError* error = nullptr;
    const std::unique_ptr<GDBusConnection, Unref> bus(
        g_bus_get_sync(G_BUS_TYPE_SESSION, cancellable, &error));
    if (bus == nullptr) return fail(take_store_error(error, what));
    GVariantBuilder attributes;
    g_variant_builder_init(&attributes, G_VARIANT_TYPE("a{ss}"));
    g_variant_builder_add(&attributes, "{ss}", "xdg:schema", schema()->name);
    g_variant_builder_add(&attributes, "{ss}", "remote", std::string(remote).c_str());
    g_variant_builder_add(&attributes, "{ss}", "key", std::string(key).c_str());
    const std::unique_ptr<GVariant, FreeVariant> found(g_dbus_connection_call_sync(
        bus.get(), kService, kServicePath, "org.freedesktop.Secret.Service", "SearchItems",
        g_variant_new("(a{ss})", &attributes), G_VARIANT_TYPE("(aoao)"), G_DBUS_CALL_FLAGS_NONE, -1,
        cancellable, &error));
    if (found == nullptr) return fail(take_store_error(error, what));
    const std::unique_ptr<GVariant, FreeVariant> open(g_variant_get_child_value(found.get(), 0));
    const std::unique_ptr<GVariant, FreeVariant> locked(g_variant_get_child_value(found.get(), 1));
    if (g_variant_n_children(open.get()) > 0) return Place::kOpen;
    return g_variant_n_children(locked.get()) > 0 ? Place::kLocked : Place::kNowhere;
  }

  const std::chrono::milliseconds unlock_timeout_;
  const std::chrono::milliseconds read_timeout_;
  const CancelToken cancel_;
  std::atomic<std::chrono::milliseconds> read_unlock_timeout_;
};

// Without this look, GDBus would try to start a bus of its own with dbus-launch, which hangs on
// servers and in containers.
bool session_bus_exists() {
  if (std::getenv("DBUS_SESSION_BUS_ADDRESS") != nullptr) return true;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && ::access((std::string(runtime) + "/bus").c_str(), F_OK) == 0;
}

}  // namespace

Result<std::unique_ptr<SecretStore>> make_libsecret_store(std::chrono::milliseconds probe_timeout,
                                                          std::chrono::milliseconds unlock_timeout,
                                                          CancelToken cancel) {
  // Nobody knows whether there is one, then.
  const Error given_up{ErrorCode::kCancelled, "Secret Service, first contact: interrupted"};
  if (cancel.cancelled()) return fail(given_up);
  if (!session_bus_exists()) return fail(ErrorCode::kNotSupported, "there is no session bus");
  Watchdog watchdog(probe_timeout, cancel);
  GError* error = nullptr;
  const std::unique_ptr<GDBusConnection, Unref> bus(
      g_bus_get_sync(G_BUS_TYPE_SESSION, watchdog.cancellable(), &error));
  if (bus == nullptr) {
    const Error why = take_error(error, "session bus");
    if (cancel.cancelled()) return fail(given_up);
    return fail(ErrorCode::kNotSupported, why.context);
  }
  // The library would end the process when the bus goes away.
  g_dbus_connection_set_exit_on_close(bus.get(), FALSE);
  // Starts the service when it can be started; the answer shows that it lives.
  const std::unique_ptr<GVariant, FreeVariant> answer(g_dbus_connection_call_sync(
      bus.get(), kService, kServicePath, "org.freedesktop.DBus.Peer", "Ping", nullptr, nullptr,
      G_DBUS_CALL_FLAGS_NONE, static_cast<int>(probe_timeout.count()), watchdog.cancellable(),
      &error));
  if (answer == nullptr) {
    const Error why = take_error(error, "first contact");
    if (cancel.cancelled()) return fail(given_up);
    return fail(ErrorCode::kNotSupported, why.context);
  }
  return std::make_unique<LibsecretStore>(unlock_timeout, std::move(cancel));
}

}  // namespace cabinetfs
