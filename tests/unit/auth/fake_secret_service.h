#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "backend/base/mutex.h"

namespace cabinetfs {

// A dbus-daemon of its own, without services that it could start.
class PrivateBus {
 public:
  // In this directory. Where there is no dbus-daemon, address() is empty.
  explicit PrivateBus(const std::string& directory);
  ~PrivateBus();
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;
  const std::string& address() const { return address_; }

 private:
  std::string address_;
  pid_t pid_ = -1;
};

// As much of org.freedesktop.Secret.Service as its users need for one collection, on a thread of
// its own. When it is locked it asks a question that nobody answers, or that is dismissed.
class FakeSecretService {
 public:
  struct Item {
    std::map<std::string, std::string> attributes;
    std::string value;
    std::string label;
  };
  enum class Mode { kOpen, kLocked, kDismissing };

  explicit FakeSecretService(const std::string& bus_address);
  ~FakeSecretService();
  FakeSecretService(const FakeSecretService&) = delete;
  FakeSecretService& operator=(const FakeSecretService&) = delete;

  void set_mode(Mode mode) { mode_ = mode; }
  std::vector<Item> items() const EXCLUDES(mutex_);
  int questions() const { return questions_; }

 private:
  static void on_call(GDBusConnection* bus, const gchar* sender, const gchar* path,
                      const gchar* interface, const gchar* method, GVariant* parameters,
                      GDBusMethodInvocation* invocation, gpointer self);
  void serve(const std::string& bus_address);
  void export_object(const std::string& path, const char* interface);
  void call(const std::string& path, const std::string& method, GVariant* parameters,
            GDBusMethodInvocation* invocation) EXCLUDES(mutex_);
  void search(GVariant* parameters, GDBusMethodInvocation* invocation) EXCLUDES(mutex_);
  void create(GVariant* parameters, GDBusMethodInvocation* invocation) EXCLUDES(mutex_);
  void get_secrets(GVariant* parameters, GDBusMethodInvocation* invocation) EXCLUDES(mutex_);

  std::atomic<Mode> mode_ = Mode::kOpen;
  std::atomic<int> questions_ = 0;
  mutable Mutex mutex_;
  CondVar started_changed_;
  bool started_ GUARDED_BY(mutex_) = false;
  std::map<std::string, Item> items_ GUARDED_BY(mutex_);  // by path
  // The thread's own, and the destructor's before it ends.
  GMainContext* context_ = nullptr;
  GMainLoop* loop_ = nullptr;
  GDBusConnection* bus_ = nullptr;
  GDBusNodeInfo* interfaces_ = nullptr;
  int made_ = 0;
  std::thread thread_;  // last
};

}  // namespace cabinetfs
