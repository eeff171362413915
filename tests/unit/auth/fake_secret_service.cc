#include "tests/unit/auth/fake_secret_service.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

extern char** environ;

namespace cabinetfs {
namespace {

constexpr const char* kRoot = "/org/freedesktop/secrets";
constexpr const char* kCollection = "/org/freedesktop/secrets/aliases/default";
constexpr const char* kPrompt = "/org/freedesktop/secrets/prompt/one";
constexpr const char* kSession = "/org/freedesktop/secrets/session/one";

// Secret Service API, draft 0.2.
constexpr const char* kInterfaces = R"xml(<node>
<interface name="org.freedesktop.Secret.Service">
  <method name="OpenSession"><arg type="s" direction="in"/><arg type="v" direction="in"/>
    <arg type="v" direction="out"/><arg type="o" direction="out"/></method>
  <method name="SearchItems"><arg type="a{ss}" direction="in"/>
    <arg type="ao" direction="out"/><arg type="ao" direction="out"/></method>
  <method name="Unlock"><arg type="ao" direction="in"/>
    <arg type="ao" direction="out"/><arg type="o" direction="out"/></method>
  <method name="GetSecrets"><arg type="ao" direction="in"/><arg type="o" direction="in"/>
    <arg type="a{o(oayays)}" direction="out"/></method>
</interface>
<interface name="org.freedesktop.Secret.Collection">
  <method name="CreateItem"><arg type="a{sv}" direction="in"/><arg type="(oayays)" direction="in"/>
    <arg type="b" direction="in"/><arg type="o" direction="out"/><arg type="o" direction="out"/>
  </method>
</interface>
<interface name="org.freedesktop.Secret.Item">
  <method name="Delete"><arg type="o" direction="out"/></method>
</interface>
<interface name="org.freedesktop.Secret.Prompt">
  <method name="Prompt"><arg type="s" direction="in"/></method>
  <method name="Dismiss"/>
  <signal name="Completed"><arg type="b"/><arg type="v"/></signal>
</interface>
<interface name="org.freedesktop.Secret.Session"><method name="Close"/></interface>
</node>)xml";

std::map<std::string, std::string> to_map(GVariant* attributes) {
  std::map<std::string, std::string> out;
  GVariantIter iterator;
  g_variant_iter_init(&iterator, attributes);
  const gchar* name = nullptr;
  const gchar* value = nullptr;
  while (g_variant_iter_next(&iterator, "{&s&s}", &name, &value)) out[name] = value;
  return out;
}

}  // namespace

PrivateBus::PrivateBus(const std::string& directory) {
  const std::string file = directory + "/bus.conf";
  std::ofstream(file) << R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration
 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=)"
                      << directory << R"(/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>)";
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::string config = "--config-file=" + file;
  std::array<char*, 5> arguments = {const_cast<char*>("dbus-daemon"), config.data(),
                                    const_cast<char*>("--nofork"),
                                    const_cast<char*>("--print-address=1"), nullptr};
  const int failed =
      ::posix_spawnp(&pid_, "dbus-daemon", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failed != 0) {
    pid_ = -1;
  } else {
    // It prints the line when it listens.
    char byte = 0;
    while (::read(ends[0], &byte, 1) == 1 && byte != '\n') address_ += byte;
  }
  ::close(ends[0]);
}

PrivateBus::~PrivateBus() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

FakeSecretService::FakeSecretService(const std::string& bus_address) {
  context_ = g_main_context_new();
  loop_ = g_main_loop_new(context_, FALSE);
  interfaces_ = g_dbus_node_info_new_for_xml(kInterfaces, nullptr);
  if (interfaces_ == nullptr) std::abort();
  thread_ = std::thread([this, bus_address] { serve(bus_address); });
  MutexLock lock(mutex_);
  while (!started_) started_changed_.wait(mutex_);
}

FakeSecretService::~FakeSecretService() {
  g_main_loop_quit(loop_);
  g_main_context_wakeup(context_);
  thread_.join();
  g_main_loop_unref(loop_);
  g_main_context_unref(context_);
  g_dbus_node_info_unref(interfaces_);
}

std::vector<FakeSecretService::Item> FakeSecretService::items() const {
  MutexLock lock(mutex_);
  std::vector<Item> out;
  for (const auto& [path, item] : items_) out.push_back(item);
  return out;
}

void FakeSecretService::serve(const std::string& bus_address) {
  g_main_context_push_thread_default(context_);
  bus_ = g_dbus_connection_new_for_address_sync(
      bus_address.c_str(),
      static_cast<GDBusConnectionFlags>(G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                        G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION),
      nullptr, nullptr, nullptr);
  if (bus_ == nullptr) std::abort();
  g_dbus_connection_set_exit_on_close(bus_, FALSE);
  export_object(kRoot, "org.freedesktop.Secret.Service");
  export_object(kCollection, "org.freedesktop.Secret.Collection");
  export_object(kPrompt, "org.freedesktop.Secret.Prompt");
  export_object(kSession, "org.freedesktop.Secret.Session");
  GVariant* const owned = g_dbus_connection_call_sync(
      bus_, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
      g_variant_new("(su)", "org.freedesktop.secrets", 0u), nullptr, G_DBUS_CALL_FLAGS_NONE, -1,
      nullptr, nullptr);
  if (owned == nullptr) std::abort();
  g_variant_unref(owned);
  {
    MutexLock lock(mutex_);
    started_ = true;
    started_changed_.notify_all();
  }
  g_main_loop_run(loop_);
  g_dbus_connection_close_sync(bus_, nullptr, nullptr);
  g_object_unref(bus_);
  g_main_context_pop_thread_default(context_);
}

void FakeSecretService::export_object(const std::string& path, const char* interface) {
  static const GDBusInterfaceVTable calls = {&on_call, nullptr, nullptr, {}};
  if (g_dbus_connection_register_object(bus_, path.c_str(),
                                        g_dbus_node_info_lookup_interface(interfaces_, interface),
                                        &calls, this, nullptr, nullptr) == 0) {
    std::abort();
  }
}

void FakeSecretService::on_call(GDBusConnection*, const gchar*, const gchar* path, const gchar*,
                                const gchar* method, GVariant* parameters,
                                GDBusMethodInvocation* invocation, gpointer self) {
  static_cast<FakeSecretService*>(self)->call(path, method, parameters, invocation);
}

void FakeSecretService::call(const std::string& path, const std::string& method,
                             GVariant* parameters, GDBusMethodInvocation* invocation) {
  const auto complete = [this] {
    g_dbus_connection_emit_signal(
        bus_, nullptr, kPrompt, "org.freedesktop.Secret.Prompt", "Completed",
        g_variant_new("(bv)", TRUE, g_variant_new_objv(nullptr, 0)), nullptr);
  };
  GVariant* answer = nullptr;
  if (method == "OpenSession") {
    const gchar* algorithm = nullptr;
    g_variant_get_child(parameters, 0, "&s", &algorithm);
    if (std::string(algorithm) != "plain") {
      return g_dbus_method_invocation_return_dbus_error(
          invocation, "org.freedesktop.DBus.Error.NotSupported", "plain only");
    }
    answer = g_variant_new("(vo)", g_variant_new_string(""), kSession);
  } else if (method == "SearchItems") {
    return search(parameters, invocation);
  } else if (method == "CreateItem") {
    return create(parameters, invocation);
  } else if (method == "GetSecrets") {
    return get_secrets(parameters, invocation);
  } else if (method == "Unlock") {
    GVariant* const asked = g_variant_get_child_value(parameters, 0);
    answer = mode_ == Mode::kOpen
                 ? g_variant_new("(@aoo)", asked, "/")
                 : g_variant_new("(@aoo)", g_variant_new_objv(nullptr, 0), kPrompt);
    g_variant_unref(asked);
  } else if (method == "Delete") {
    MutexLock lock(mutex_);
    items_.erase(path);
    answer = g_variant_new("(o)", "/");
  } else if (method == "Prompt") {
    ++questions_;
  }
  g_dbus_method_invocation_return_value(invocation, answer);
  if (method == "Dismiss" || (method == "Prompt" && mode_ == Mode::kDismissing)) complete();
}

void FakeSecretService::search(GVariant* parameters, GDBusMethodInvocation* invocation) {
  GVariant* const wanted_variant = g_variant_get_child_value(parameters, 0);
  const auto wanted = to_map(wanted_variant);
  g_variant_unref(wanted_variant);
  std::vector<const char*> found;
  MutexLock lock(mutex_);
  for (const auto& [path, item] : items_) {
    bool fits = true;
    for (const auto& [name, value] : wanted) {
      const auto own = item.attributes.find(name);
      fits = fits && own != item.attributes.end() && own->second == value;
    }
    if (fits) found.push_back(path.c_str());
  }
  GVariant* const here = g_variant_new_objv(found.data(), static_cast<gssize>(found.size()));
  GVariant* const none = g_variant_new_objv(nullptr, 0);
  const bool open = mode_ == Mode::kOpen;
  g_dbus_method_invocation_return_value(
      invocation, g_variant_new("(@ao@ao)", open ? here : none, open ? none : here));
}

void FakeSecretService::create(GVariant* parameters, GDBusMethodInvocation* invocation) {
  if (mode_ != Mode::kOpen) {
    return g_dbus_method_invocation_return_dbus_error(
        invocation, "org.freedesktop.Secret.Error.IsLocked", "the collection is locked");
  }
  Item item;
  GVariant* const properties = g_variant_get_child_value(parameters, 0);
  GVariant* const attributes = g_variant_lookup_value(
      properties, "org.freedesktop.Secret.Item.Attributes", G_VARIANT_TYPE("a{ss}"));
  const gchar* label = "";
  g_variant_lookup(properties, "org.freedesktop.Secret.Item.Label", "&s", &label);
  item.attributes = to_map(attributes);
  item.label = label;
  GVariant* const secret = g_variant_get_child_value(parameters, 1);
  GVariant* const value = g_variant_get_child_value(secret, 2);
  gsize size = 0;
  const void* const bytes = g_variant_get_fixed_array(value, &size, 1);
  item.value.assign(static_cast<const char*>(bytes), size);
  for (GVariant* const each : {value, secret, attributes, properties}) g_variant_unref(each);
  std::string path;
  {
    MutexLock lock(mutex_);
    for (const auto& [known, other] : items_) {
      if (other.attributes == item.attributes) path = known;  // replaced
    }
    if (path.empty()) {
      path = "/org/freedesktop/secrets/collection/login/" + std::to_string(++made_);
      export_object(path, "org.freedesktop.Secret.Item");
    }
    items_[path] = std::move(item);
  }
  g_dbus_method_invocation_return_value(invocation, g_variant_new("(oo)", path.c_str(), "/"));
}

void FakeSecretService::get_secrets(GVariant* parameters, GDBusMethodInvocation* invocation) {
  GVariant* const paths = g_variant_get_child_value(parameters, 0);
  GVariantBuilder secrets;
  g_variant_builder_init(&secrets, G_VARIANT_TYPE("a{o(oayays)}"));
  GVariantIter iterator;
  g_variant_iter_init(&iterator, paths);
  const gchar* path = nullptr;
  MutexLock lock(mutex_);
  while (g_variant_iter_next(&iterator, "&o", &path)) {
    const auto found = items_.find(path);
    if (found == items_.end()) continue;
    const std::string& value = found->second.value;
    g_variant_builder_add(
        &secrets, "{o(o@ay@ays)}", path, kSession,
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, nullptr, 0, 1),
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, value.data(), value.size(), 1),
        "text/plain");
  }
  g_variant_unref(paths);
  g_dbus_method_invocation_return_value(invocation, g_variant_new("(a{o(oayays)})", &secrets));
}

}  // namespace cabinetfs
