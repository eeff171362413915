#include "tests/e2e/support/mounted.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "cache/meta_store.h"
#include "cache/sealer.h"
#include "tests/support/needs.h"

namespace cabinetfs {
namespace {

[[noreturn]] void die(const std::string& what, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), to_string(error).c_str());
  std::abort();
}

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) die(what, result.error());
  return *std::move(result);
}

}  // namespace

VolumeOptions MountedOptions::fast() {
  VolumeOptions options;
  options.upload_delay = std::chrono::milliseconds(100);
  options.poll_interval = std::chrono::milliseconds(500);
  options.fresh = std::chrono::seconds(2);
  options.call_timeout = std::chrono::seconds(30);
  options.host = "testhost";
  return options;
}

MountedAccount::MountedAccount(TestAccount& account, MountedOptions options)
    : store_(account.connect()) {
  // What it can do is known from here on, as for every mount that starts with a network.
  must(store_->account(CallContext::within(std::chrono::seconds(30))), "account");
  const std::string state = options.state_dir.empty() ? own_state_.path() : options.state_dir;
  ::mkdir((state + "/cache").c_str(), 0700);
  ::mkdir((state + "/staged").c_str(), 0700);
  Sealer::Key key{};
  sealer_ = Sealer::aes_gcm(key);
  meta_ = must(MetaStore::open(state + "/meta.db", *sealer_), "metadata");
  ContentOptions content;
  content.cache_dir = state + "/cache";
  content.staged_dir = state + "/staged";
  contents_ = must(ContentStore::open(content, *sealer_, *store_), "contents");
  options.volume.uid = ::geteuid();
  options.volume.gid = ::getegid();
  volume_ = must(Volume::open(options.volume, *store_, *meta_, *contents_), "volume");
  volume_->start();
  mount_ = std::make_unique<TestMount>(*volume_, options.mount);
}

MountedAccount::~MountedAccount() {
  mount_->unmount();
  volume_->stop();
  mount_.reset();
  volume_.reset();
  contents_->shutdown();
}

std::string MountedAccount::path(const std::string& name) const {
  const std::string work = mount_->path() + "/Work";
  return name.empty() ? work : work + "/" + name;
}

std::string MountedAccount::settle(std::chrono::seconds patience) {
  const auto flushed = volume_->flush_to_server(CallContext::within(patience), kRootInode, {});
  return flushed ? std::string() : to_string(flushed.error());
}

void Mounted::SetUp() {
  CABINET_NEEDS(why_no_fuse());
  const AccountKind* kind = nullptr;
  for (const AccountKind& each : account_table()) {
    if (each.name == GetParam()) kind = &each;
  }
  ASSERT_NE(kind, nullptr) << GetParam();
  CABINET_NEEDS(kind->missing);
  thorough_ = kind->thorough;
  account_ = kind->make();
  state_ = std::make_unique<TemporaryDirectory>();
  mount();
}

void Mounted::TearDown() {
  mounted_.reset();
  account_.reset();
}

void Mounted::mount(MountedOptions options) {
  options.state_dir = state_->path();
  mounted_ = std::make_unique<MountedAccount>(*account_, std::move(options));
}

void Mounted::remount(MountedOptions options) {
  mounted_.reset();
  mount(std::move(options));
}

void Mounted::remount_from_server(MountedOptions options) {
  mounted_.reset();
  state_ = std::make_unique<TemporaryDirectory>();
  mount(std::move(options));
}

std::vector<std::string> account_kinds() {
  // One of them only, for a quick look.
  if (const char* only = std::getenv("CABINETFS_E2E_ACCOUNT")) return {only};
  std::vector<std::string> kinds;
  for (const AccountKind& kind : account_table()) kinds.push_back(kind.name);
  return kinds;
}

}  // namespace cabinetfs
