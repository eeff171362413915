#include <libsecret/secret.h>
#include <unistd.h>

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

// Reading an unlocked keyring takes milliseconds. Writing may ask the user to unlock it.
constexpr std::chrono::seconds kReadTimeout{5};
constexpr std::chrono::seconds kWriteTimeout{60};

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

// Cancels a blocking GLib call when it takes too long: libsecret's own calls have no deadline, and
// a prompt that nobody answers would block for ever.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::nanoseconds span)
      : cancellable_(g_cancellable_new()), deadline_(std::chrono::steady_clock::now() + span) {
    thread_ = std::thread([this] { watch(); });
  }
  ~Watchdog() {
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
      while (!finished_) {
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
  std::thread thread_;
};

Error take_error(GError* error, std::string_view what) {
  const bool cancelled = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) != 0;
  // GLib's messages name services and objects, never values.
  Error out{cancelled ? ErrorCode::kTimeout : ErrorCode::kIo,
            "Secret Service, " + std::string(what) + ": " +
                (cancelled ? "no answer in time" : error->message)};
  g_error_free(error);
  return out;
}

class LibsecretStore final : public SecretStore {
 public:
  Result<std::optional<SecretString>> get(std::string_view remote, std::string_view key) override {
    Watchdog watchdog(kReadTimeout);
    GError* error = nullptr;
    gchar* value = secret_password_lookup_sync(schema(), watchdog.cancellable(), &error, "remote",
                                               std::string(remote).c_str(), "key",
                                               std::string(key).c_str(), nullptr);
    if (error != nullptr) return fail(take_error(error, "reading"));
    if (value == nullptr) return std::optional<SecretString>();
    SecretString secret{std::string(value)};
    secret_password_free(value);
    return std::optional<SecretString>(std::move(secret));
  }

  Result<void> set(std::string_view remote, std::string_view key,
                   const SecretString& value) override {
    Watchdog watchdog(kWriteTimeout);
    const std::string label = "cabinetfs: " + std::string(remote) + " (" + std::string(key) + ")";
    GError* error = nullptr;
    secret_password_store_sync(schema(), SECRET_COLLECTION_DEFAULT, label.c_str(),
                               value.reveal().c_str(), watchdog.cancellable(), &error, "remote",
                               std::string(remote).c_str(), "key", std::string(key).c_str(),
                               nullptr);
    if (error != nullptr) return fail(take_error(error, "saving"));
    return {};
  }

  Result<void> erase(std::string_view remote, std::string_view key) override {
    Watchdog watchdog(kWriteTimeout);
    GError* error = nullptr;
    secret_password_clear_sync(schema(), watchdog.cancellable(), &error, "remote",
                               std::string(remote).c_str(), "key", std::string(key).c_str(),
                               nullptr);
    if (error != nullptr) return fail(take_error(error, "removing"));
    return {};
  }

  std::string description() const override { return "Secret Service"; }
};

// Without this look, GDBus would try to start a bus of its own with dbus-launch, which hangs on
// servers and in containers.
bool session_bus_exists() {
  if (std::getenv("DBUS_SESSION_BUS_ADDRESS") != nullptr) return true;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && ::access((std::string(runtime) + "/bus").c_str(), F_OK) == 0;
}

}  // namespace

Result<std::unique_ptr<SecretStore>> make_libsecret_store(std::chrono::milliseconds probe_timeout) {
  if (!session_bus_exists()) return fail(ErrorCode::kNotSupported, "there is no session bus");
  Watchdog watchdog(probe_timeout);
  GError* error = nullptr;
  const std::unique_ptr<GDBusConnection, Unref> bus(
      g_bus_get_sync(G_BUS_TYPE_SESSION, watchdog.cancellable(), &error));
  if (bus == nullptr) {
    return fail(ErrorCode::kNotSupported, take_error(error, "session bus").context);
  }
  // The library would end the process when the bus goes away.
  g_dbus_connection_set_exit_on_close(bus.get(), FALSE);
  // Starts the service when it can be started; the answer shows that it lives.
  const std::unique_ptr<GVariant, FreeVariant> answer(g_dbus_connection_call_sync(
      bus.get(), "org.freedesktop.secrets", "/org/freedesktop/secrets", "org.freedesktop.DBus.Peer",
      "Ping", nullptr, nullptr, G_DBUS_CALL_FLAGS_NONE, static_cast<int>(probe_timeout.count()),
      watchdog.cancellable(), &error));
  if (answer == nullptr) {
    return fail(ErrorCode::kNotSupported, take_error(error, "first contact").context);
  }
  return std::make_unique<LibsecretStore>();
}

}  // namespace cabinetfs
